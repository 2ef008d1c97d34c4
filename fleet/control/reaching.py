"""The way to a run's machine: which one it is just now, where, and how it proves that it is the one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import ValidationError

from fleet.boot.reach import PORT, ConnectionLostError, Reach, usable
from fleet.control.controller import Controller
from fleet.core.facts import place_of
from fleet.core.state import AttemptState, RunState
from fleet.model import layout
from fleet.model.documents import HostKeys
from fleet.model.errors import ErrorClass, FleetError, NotFoundError, ProviderError, StoreError

LOOK_SECONDS = 3.0
"""What is waited for is looked for so often."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The one that carries a run on."""

    run_id: str
    attempt: int
    instance_id: str
    provider: str
    region: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a machine listens."""

    address: str
    port: int = PORT
    public: bool = True


class Way(Protocol):
    """What a cloud knows of the way to its machines."""

    def place(self, machine: Machine) -> Place | None:
        """Where it listens; None while nobody knows. Raises FleetError if it is gone."""
        ...

    def keys(self, machine: Machine) -> HostKeys | None:
        """The host keys that the cloud itself tells, where they are not in the bucket; None: it tells none (yet)."""
        ...

    def opened(self, machine: Machine, place: Place) -> AbstractContextManager[object]:
        """The caller, and nobody else, is let in meanwhile."""
        ...


def machine_of(run: RunState) -> Machine:
    """The machine of a run. Raises FleetError while there is none."""
    found = _serving(run)
    if found is None:
        raise FleetError(f"run {run.run_id} has no machine now", f"`fleet status {run.name}` says why.")
    return found


def provider_of(run: RunState) -> str:
    """Where its machine is, or the next one is likely to be. Raises FleetError if there will be none."""
    if run.ended_at is not None or run.newest is None:
        return machine_of(run).provider
    return place_of(run.newest)[0]


def _serving(run: RunState) -> Machine | None:
    attempt = run.newest
    if attempt is None or not attempt.serving or attempt.instance_id is None:
        return None
    provider, region = place_of(attempt)
    return Machine(run.run_id, attempt.number, attempt.instance_id, provider, region)


def passes(error: FleetError) -> bool:
    """Whether it may be otherwise in a moment: a machine that is about to end, a bucket or a cloud that does not answer."""
    if isinstance(error, ProviderError):
        return error.error_class in (ErrorClass.TRANSIENT, ErrorClass.THROTTLED, ErrorClass.NOT_YET)
    return isinstance(error, (ConnectionLostError, StoreError))


@dataclass
class Reaching:
    """One run's machines, one after another."""

    controller: Controller
    run_id: str
    way: Way
    say: Callable[[str], None]
    pause: float = LOOK_SECONDS
    _said: str = field(default="", init=False)

    @property
    def run(self) -> RunState:
        """As last read."""
        return self.controller.state.runs[self.run_id]

    def next_machine(self) -> Machine | None:
        """The machine that carries the run on, waited for; None once the run is over."""
        while True:
            self._look()
            if self.run.ended_at is not None:
                return None
            found = _serving(self.run)
            if found is not None:
                return found
            self.tell(f"run {self.run_id} has no machine now; waiting for the next one")
            time.sleep(self.pause)

    @contextlib.contextmanager
    def reach(self, machine: Machine) -> Iterator[Reach]:
        """How to connect to a machine, its port open meanwhile; waited for while it boots. Raises FleetError."""
        keys, place = self._published(machine)
        if not place.public:
            self.tell(
                f"{machine.instance_id} has no public address: {place.address} is reached from within its network alone"
            )
        name = f"{machine.instance_id} (attempt {machine.attempt} of {self.run_id})"
        made = Reach(place.address, keys.user or "root", usable(keys.keys), place.port, name)
        with self.way.opened(machine, place):
            yield made

    def moved(self, machine: Machine) -> bool:
        """Whether the run is over, or goes on elsewhere: where it only waits, the old machine is as good as any."""
        self._look()
        now = _serving(self.run)
        return self.run.ended_at is not None or (now is not None and now.attempt != machine.attempt)

    def whereabouts(self, machine: Machine) -> str:
        """Where the run is, for whoever has just lost its machine."""
        self._look()
        run, now = self.run, _serving(self.run)
        if run.ended_at is not None:
            return f"run {run.run_id} {run.outcome}" + (f": {run.reason}" if run.reason else "")
        if now is not None and now.attempt != machine.attempt:
            return f"run {run.run_id} goes on with attempt {now.attempt} on {now.instance_id}"
        if now is None:
            return f"attempt {machine.attempt} {_why(run.attempts[machine.attempt])}; the run waits for its next machine"
        return f"as far as is known attempt {machine.attempt} still runs on {now.instance_id}"

    def tell(self, text: str) -> None:
        """Say it, once until something else is said."""
        if text != self._said:
            self._said = text
            self.say(text)

    def begin_anew(self) -> None:
        """What was said is over: the same is worth saying again."""
        self._said = ""

    def _look(self) -> None:
        """Read what is new; a bucket that cannot be read just now says nothing new."""
        try:
            self.controller.catch_up()
        except StoreError as error:
            self.tell(f"the bucket cannot be read: {error.message}")

    def _published(self, machine: Machine) -> tuple[HostKeys, Place]:
        """What a machine proves itself with and where it is, waited for. Raises FleetError if it ends before."""
        while True:
            keys, place = _keys(self.controller, machine) or self.way.keys(machine), self.way.place(machine)
            if keys is not None and place is not None:
                return keys, place
            missing = "its host key" if keys is None else "an address"
            self.tell(f"{machine.instance_id} boots: waiting for {missing} (attempt {machine.attempt} of {self.run_id})")
            time.sleep(self.pause)
            self._look()
            if _serving(self.run) != machine:
                raise ConnectionLostError(
                    f"{machine.instance_id} ended before it could be reached", f"`fleet status {self.run.name}` says why."
                )


def _why(attempt: AttemptState) -> str:
    if attempt.notice is not None or attempt.ended_by == "cloud":
        return "was taken back by the cloud"
    return "has ended" if attempt.phase == "gone" else f"is about to end ({attempt.terminate_reason or attempt.phase})"


def _keys(controller: Controller, machine: Machine) -> HostKeys | None:
    """The host keys that a machine published; None while it has not. Raises FleetError if they are another machine's."""
    where = layout.host_key(machine.run_id, machine.attempt)
    try:
        found = HostKeys.model_validate_json(controller.objects.get(where))
    except NotFoundError:
        return None
    except ValidationError:
        raise FleetError(
            f"{where} does not hold what a machine publishes there", "Upgrade fleet, or end the machine."
        ) from None
    if found.instance_id != machine.instance_id:
        raise FleetError(
            f"the host keys of attempt {machine.attempt} were published by {found.instance_id}, and its machine is "
            f"{machine.instance_id}",
            "Nothing was connected to. Whatever wrote there is not to be trusted: `fleet down RUN` ends the machine.",
        )
    return found

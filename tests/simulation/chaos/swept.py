"""A world in which every change that anybody makes has a number, and one of them is somebody's last."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest import mock

from fleet.agent.disk import Disk
from fleet.control import controller
from fleet.control.controller import Controller
from fleet.core.state import RunState
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.providers.sim.provider import SimProvider
from fleet.store import parallel, snapshots
from fleet.store.journal import Journal
from tests.simulation.chaos import clients, training
from tests.simulation.chaos.bucket import ClientObjects
from tests.simulation.chaos.clients import Killed, Laptop, Machine
from tests.simulation.chaos.faults import Fault
from tests.simulation.chaos.filework import numbered
from tests.simulation.chaos.provider import ClientProvider
from tests.simulation.chaos.sets import SetTraining
from tests.simulation.chaos.training import Training
from tests.simulation.chaos.world import World

How = Literal["before", "after", "middle"]
Return = Literal["soon", "late", "never"]
"""When a dead controller is started again, and when a user types an interrupted command again."""
SOON: Seconds = 20.0
LATE: Seconds = 3 * 3600.0
SAVE_EVERY = 3
"""Steps: a quarter of an hour between two checkpoints keeps a life short."""
QUIET: Seconds = 600.0
"""Nobody looks less often than this."""
SNAPSHOT_EVERY = 4
"""Entries."""


class InOrder:
    """A pool of one, which works at once: in order, so that numbers stay."""

    def __init__(self, max_workers: int = 1) -> None:
        self.map = map

    def __enter__(self) -> InOrder:  # noqa: PYI034 - it stands in for another
        return self

    def __exit__(self, *raised: object) -> None:
        return


@dataclass(frozen=True, slots=True)
class Effect:
    """One change that somebody made."""

    who: str
    """controller, agent or user."""
    what: str
    client: str
    turn: tuple[int, int]
    """Between the changes of one turn nothing else happens in the world."""
    has_middle: bool


@dataclass(frozen=True, slots=True)
class Death:
    """Somebody's end at a numbered effect; number 0 is nobody's."""

    number: int = 0
    how: How = "before"
    back: Return = "soon"

    def __str__(self) -> str:
        return f"{self.number} {self.how} {self.back}"


@dataclass
class User:
    """Somebody who types commands, each a process of its own, and may press Ctrl-C."""

    name: str = "user"
    kind: str = "user"
    slept: int = 0
    cut_off_until: Seconds = 0.0
    must_end: Seconds = float("inf")
    inside: bool = False


@dataclass
class _Numbers:
    """Counts what changes something, and picks the one that kills. It is the world's chaos."""

    world: Swept
    death: Death
    seen: list[Effect] = field(default_factory=list)
    victim: Laptop | Machine | User | None = None
    died_in: tuple[int, int] = (0, 0)

    def pick(self, who: str, what: str, *, changes: bool, provider: bool) -> Fault | None:
        client = self.world.acting
        if self.dead(client):
            return Fault("kill-before")  # nothing of it runs any further, not even what tidies up
        how = self.next(client, what, has_middle=False) if changes else None
        return None if how is None else Fault("kill-before" if how == "before" else "kill-after")

    def dead(self, client: object) -> bool:
        """Whether somebody is being killed just now."""
        return client is not None and client is self.victim and self.died_in == self.turn

    @property
    def turn(self) -> tuple[int, int]:
        """Which wake of somebody, or which command."""
        return self.world.steps, self.world.commands

    def next(self, client: Laptop | Machine | User | None, what: str, *, has_middle: bool) -> How | None:
        """Count one change; how it kills whoever makes it, if it does."""
        assert client is not None
        self.seen.append(Effect(client.kind, what, client.name, self.turn, has_middle))
        if len(self.seen) != self.death.number:
            return None
        self.victim, self.died_in = client, self.turn
        self.world.says(client.name, f"dies {self.death.how} {what}")
        if isinstance(client, Machine) and client.agent is not None:
            self.world.prepared.discard(client.agent.disk.root.name)
        if isinstance(client, Laptop):
            self.world.at(SOON if self.death.back == "soon" else LATE, self.world.somebody_watches)
        return self.death.how


class Swept(World):
    """The world of one scenario with one death."""

    def __init__(self, death: Death | None = None, *, trace: bool = False) -> None:
        super().__init__(1, trace=trace)
        self.quiets = (QUIET,)
        self.numbers = _Numbers(self, death or Death())
        self.chaos = self.numbers
        self.user = User()
        self.acting: Laptop | Machine | User | None = None
        self.commands = 0
        self.expected: set[str] = set()
        """How the newest run may end."""
        self.prepared: set[str] = set()
        """Disks on which a life began since the last death there: it has removed what was half done."""
        self.saved: dict[tuple[str, str], Training] = {}
        """By run and disk, who trained there last."""
        self._training = 0
        self._thread = threading.get_ident()
        """Everything of the world happens here; a thread that another test left behind is no part of it."""

    # --- numbers

    def effect(self, client: Any, what: str, do: Callable[[], object], **more: Any) -> object:
        """Every call to bucket and cloud."""
        self.acting = client
        return super().effect(client, what, do, **more)

    def around_file(self, what: str, do: Callable[[], Any], middle: Callable[[], Any] | None = None) -> Any:
        """Every change of a file, and what an agent tells its machine."""
        client = None if self._training else next((m for m in self.machines.values() if m.inside), None)
        if client is None or threading.get_ident() != self._thread:
            return do()
        if self.numbers.dead(client):
            raise Killed
        how = self.numbers.next(client, what, has_middle=middle is not None)
        if how is None:
            return do()
        if how == "middle" and middle is not None:
            middle()
        elif how == "after":
            do()
        raise Killed

    @contextlib.contextmanager
    def alive(self) -> Iterator[Swept]:
        """Numbers hold within."""
        go_on, arm, power_off, prepare = Training._go_on, Machine.arm, Machine.power_off, Disk.prepare

        def prepares(disk: Disk) -> None:
            prepare(disk)
            if disk.is_volume:
                self.prepared.add(disk.root.name)

        def trains(child: Training) -> None:
            self._training += 1
            try:
                go_on(child)
            finally:
                self._training -= 1

        def begins(env: dict[str, str], *more: Any) -> Training:
            child = SetTraining(env, *more) if env.get("SETS") else Training(env, *more)
            before = self.saved.get((env["FLEET_RUN_ID"], env["FLEET_VOLUME"]))
            if before is not None and _saved(before) > child.step:
                self.laws.broken("what was saved on a disk is not lost", f"step {_saved(before)}; it begins at {child.step}")
            self.saved[env["FLEET_RUN_ID"], env["FLEET_VOLUME"]] = child
            return child

        with contextlib.ExitStack() as stack:
            for where, name, value in (
                (training, "SAVE_EVERY", SAVE_EVERY),
                (clients, "AGENT_QUIET", QUIET),
                (clients, "Training", begins),
                (controller, "SNAPSHOT_EVERY", SNAPSHOT_EVERY),
                (snapshots, "KEPT", 1),
                (Training, "_go_on", trains),
                (Disk, "prepare", prepares),
                (Machine, "arm", lambda m, at, now: self.around_file("arm", lambda: arm(m, at, now))),
                (Machine, "power_off", lambda m: self.around_file("power off", lambda: power_off(m))),
                (parallel, "ThreadPoolExecutor", InOrder),
            ):
                stack.enter_context(mock.patch.object(where, name, value))
            stack.callback(self.close)
            stack.enter_context(numbered(self))
            yield self

    # --- what a scenario is made of

    def somebody_watches(self) -> None:
        """A controller, if there is none."""
        if not self.laptops:
            self.laptop()

    def types(self, what: str, command: Callable[[Controller], object]) -> bool:
        """The user types a command; False if it was interrupted, and is not typed again."""
        for _ in (0, 1):
            if self._typed(what, command):
                return True
            if self.numbers.death.back == "never":
                return False
            self.live(SOON if self.numbers.death.back == "soon" else LATE)
        raise AssertionError("only one death in a life")

    def _typed(self, what: str, command: Callable[[Controller], object]) -> bool:
        self.commands += 1
        self.user.inside = True
        self.says("user", f"types {what}")
        try:
            objects = ClientObjects(self.bucket, self, self.user)
            cloud = ClientProvider(SimProvider(self.cloud, self.fleet_id), self, self.user)
            journal = Journal(objects, self.fleet_id, by="user", version="0", nonce=self.nonce)
            process = Controller(objects, journal, self.fleet_id, {"sim": cloud})
            process.load()
            command(process)
        except Killed:
            return False
        except FleetError as error:
            self.says("user", f"is told: {error.message}")
        finally:
            self.user.inside = False
            self.commands += 1
            self.news(None)
        return True

    @property
    def run(self) -> RunState | None:
        """The newest run, as the journal has it."""
        return next(reversed(self.laws.state.runs.values()), None)

    def until(self, what: str, check: Callable[[RunState], bool], most: Seconds = 24 * 3600) -> bool:
        """Let time pass until something holds of the run. That it never does breaks a law; that there is no run does not."""
        end = self.clock() + most
        while self.run is not None and not self.laws.violations:
            if check(self.run):
                return True
            if self.clock() >= end:
                self.laws.broken("once faults stop, what can happen does", f"it never came to: {what}")
                break
            self.live(60)
        return False

    def committed(self, run: RunState) -> int:
        """How many checkpoints its bucket has ever had."""
        return sum(1 for key in self.laws.runs[run.run_id].made_at) if run.run_id in self.laws.runs else 0

    def machine(self) -> Machine | None:
        """The machine that carries the newest run."""
        attempt = self.run.newest if self.run is not None else None
        found = self.machines.get(attempt.instance_id or "") if attempt is not None else None
        return found if found is not None and found.runs else None


def _saved(child: Training) -> int:
    """The last step that a training said it had saved; before that, the one that it began from."""
    return child.step // SAVE_EVERY * SAVE_EVERY

"""The world: a clock, a bucket, a cloud, those who act in it, and what goes wrong. Everything follows from one seed.

Nobody polls: each client is woken when something changed for it, a little later than that, and now and then besides.
"""

from __future__ import annotations

import heapq
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.agent import logic
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.cloud import InstanceState, Listing
from fleet.model.errors import AlreadyExistsError, ErrorClass, ProviderError
from fleet.providers.base import Provider
from fleet.providers.sim.clock import VirtualClock
from fleet.providers.sim.market import Weather
from fleet.providers.sim.things import SimInstance
from fleet.providers.wrap.around import Call
from fleet.store import parallel
from tests.simulation.chaos.bucket import DictObjects, out_of_reach
from tests.simulation.chaos.clients import Killed, Laptop, Machine
from tests.simulation.chaos.faults import Calm, Chaos, Fault
from tests.simulation.chaos.kinds import SIM, Kind
from tests.simulation.chaos.laws import Laws
from tests.simulation.chaos.older import PREFIX

if TYPE_CHECKING:
    from tests.simulation.chaos.function import Function

CODES = {
    "capacity": "InsufficientInstanceCapacity",
    "price": "SpotMaxPriceTooLow",
    "quota": "MaxSpotInstanceCountExceeded",
    "throttled": "RequestLimitExceeded",
    "transient": "InternalError",
    "credentials": "ExpiredToken",
    "unknown": "SomethingNew",
    "denied": "UnauthorizedOperation",
}
LAUNCH_ONLY = frozenset({"capacity", "price", "quota", "denied"})


@dataclass
class Luck:
    """How often a new machine is a bad one."""

    never_boots: float = 0.0
    never_speaks: float = 0.0
    dies_early: float = 0.0
    no_notice: float = 0.0
    late_notice: float = 0.0
    skewed: float = 0.0


class World:
    """Everything, and time."""

    def __init__(
        self,
        seed: int,
        chaos: Chaos | None = None,
        *,
        weather: Weather | None = None,
        trace: bool = False,
        kind: Kind = SIM,
    ) -> None:
        self.seed = seed
        self._share, parallel.SHARE = parallel.SHARE, 1 << 30  # no threads: they would come in another order each time
        self._slept, logic.SLEPT = logic.SLEPT, 1000.0  # agents are not woken each second here
        self.chance = random.Random(f"world {seed}")
        self.clock = VirtualClock()
        self.began = self.clock()
        self.fleet_id = "fleet-1"
        self.chaos: Chaos = chaos or Calm()
        self.luck = Luck()
        self.paces: tuple[Seconds, ...] = (10.0,)
        self.quiets: tuple[Seconds, ...] = (300.0,)
        """Of the controllers to come (clients.Laptop)."""
        self._temporary = tempfile.TemporaryDirectory(prefix="fleet-chaos-", dir=_fast_folder())
        self.folder = Path(self._temporary.name)
        self.kind = kind
        self.cloud = kind.cloud(self, weather or Weather(up=1e12, epoch=self.clock()))
        self.cloud.on_made = self._made
        self.bucket = DictObjects(self.clock)
        self.bucket.on_change = self._changed
        self.laptops: list[Laptop] = []
        self.machines: dict[str, Machine] = {}
        self.full_until: dict[str, Seconds] = {}
        self.reached: Counter[tuple[str, str, str]] = Counter()
        """(effect, fault, phase of the newest attempt that is live) → how often."""
        self.steps = self.effects = 0
        self.trace: list[str] | None = [] if trace else None
        self.laws = Laws(self)
        self._queue: list[tuple[Seconds, int, object]] = []
        self._pushed = self._nonces = self._depth = 0

    def close(self) -> None:
        for machine in self.machines.values():
            machine.gone()
        self._temporary.cleanup()
        parallel.SHARE, logic.SLEPT = self._share, self._slept

    # --- what is told

    def says(self, who: str, what: str) -> None:
        """A line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.clock() - self.began:12.3f}  {who:<8} {what}")

    @property
    def seldom(self) -> Seconds:
        """How long it may take, beyond the usual, until some controller looks."""
        return max(0.0, max(*self.paces, *self.quiets) - 300)

    @property
    def hours(self) -> float:
        """Simulated hours since the beginning."""
        return (self.clock() - self.began) / 3600

    def nonce(self) -> str:
        """Unique, and the same in each replay."""
        self._nonces += 1
        return f"{self.seed}-{self._nonces}"

    # --- those who act

    def laptop(self, older_than: str = "") -> Laptop:
        """One more controller, awake from now on; an older one does not know a type of event."""
        name = PREFIX + older_than if older_than else f"c{len(self.laptops) + 1}"
        made = Laptop(self, name, pace=self.chance.choice(self.paces), quiet=self.chance.choice(self.quiets))
        self.laptops.append(made)
        self._push(self.clock(), made)
        return made

    def function(self) -> Function:
        """The controller in the account, called from now on."""
        from tests.simulation.chaos.function import Function

        made = Function(self, "function")
        self.laptops.append(made)
        self._push(self.clock(), made)
        return made

    def providers(self, client: Laptop | None = None, fleet_id: str = "") -> dict[str, Provider]:
        """As a client has them; without one nothing goes wrong. ``fleet_id``: another fleet's in the same account."""
        return {self.kind.word: self.kind.provider(self, fleet_id or self.fleet_id, client)}

    def call(self, who: Laptop) -> None:
        """Wake somebody now."""
        self._push(self.clock(), who)

    def told_by_the_cloud(self, instance_id: str) -> None:
        """Something became of a machine: the cloud's events go to whoever takes them."""
        for laptop in list(self.laptops):
            laptop.event(instance_id)

    def let_pass(self, seconds: Seconds) -> None:
        """Somebody waits in the middle of what it does; everybody else goes on."""
        if self._depth:
            self.clock.advance(round(seconds, 3))
            return
        self._depth += 1
        try:
            self.live(seconds)
        finally:
            self._depth -= 1

    def is_full(self, volume_id: str) -> bool:
        """Whether a disk has no room."""
        return self.clock() < self.full_until.get(volume_id, 0.0)

    def news(self, who: object) -> None:
        """Something changed: every controller sees it at its next look, which is soon."""
        for laptop in self.laptops:
            if laptop is not who and laptop.controller is not None:
                self._push(self.clock() + laptop.soon(), laptop)

    def cloud_due(self, at: Seconds) -> None:
        """At that time something happens in the cloud by itself."""
        self._push(at, self.cloud)

    def _made(self, made: SimInstance) -> None:
        """The fate of a new machine."""
        self.laws.launched(made)
        machine = self.machines[made.instance_id] = Machine(self, made.instance_id)
        chance, luck, now = self.chance, self.luck, self.clock()
        if chance.random() < luck.never_boots:
            made.state.set(now, InstanceState.PENDING)
            made.power_off_at = None  # its first step, which arms the switch, never comes; the cloud gives up some time
            self.cloud.take(made.instance_id, at=now + chance.uniform(300, 2400), notice=False, rebalance=False)
            self._expect(made)
            self.says(machine.name, "will never boot")
            return
        running = made.state.since(InstanceState.RUNNING) or now
        machine.dumb = chance.random() < luck.never_speaks
        if chance.random() < luck.skewed:
            machine.skew = chance.uniform(-1200, 1200)
        if chance.random() < luck.dies_early:
            made.power_off_at = running + chance.uniform(1, 300)
        if made.take_at is not None:
            late = chance.uniform(0, 119) if chance.random() < luck.late_notice else 0.0
            self.cloud.take(made.instance_id, at=made.take_at, notice=chance.random() >= luck.no_notice, warned_late=late)
        self._push(running + chance.uniform(1, 30), machine)
        self._expect(made)

    def _expect(self, made: SimInstance) -> None:
        """Be there when something happens to a machine."""
        for at in (made.take_at, made.power_off_at):
            if at is not None:
                self.cloud_due(at)
        machine = self.machines.get(made.instance_id)
        for at in (made.notice_at, made.rebalance_at):
            if at is not None and machine is not None:
                self._push(max(at, self.clock()) + self.chance.uniform(0.1, 1.5), machine)
                if any(laptop.takes_events for laptop in self.laptops):
                    self.at(max(at - self.clock(), 0.0), partial(self.told_by_the_cloud, made.instance_id))

    def take(self, instance_id: str, at: Seconds, *, notice: bool = True, late: Seconds = 0.0) -> None:
        """The cloud takes a machine back."""
        self.cloud.take(instance_id, at=at, notice=notice, rebalance=False, warned_late=late)
        self._expect(self.cloud.instances[instance_id])

    def _changed(self, key: str, data: bytes | None) -> None:
        """The bucket holds something else now."""
        self.laws.changed(key, data)
        if key.endswith("desired.json"):
            run_id = key.split("/")[1]
            for machine in self.machines.values():
                if machine.agent is not None and machine.agent.boot.run_id == run_id:
                    self._push(self.clock() + self.chance.uniform(0.5, 12), machine)
        elif key.startswith(layout.JOURNAL):
            self.news(None)

    # --- effects

    def effect(
        self,
        client: Laptop | Machine,
        what: str,
        do: Callable[[], object],
        *,
        changes: bool,
        call: Call | None = None,
        refuse: Callable[[str], Exception] | None = None,
    ) -> object:
        """Every call of every client to bucket and cloud comes through here.

        ``refuse``: how the cloud says no to a single request on its wire, by the error's class; a call may be several.
        """
        self.effects += 1
        refuse = refuse or (_refusal if call is not None else None)
        if self.clock() < client.cut_off_until:
            raise refuse("transient") if refuse is not None else out_of_reach()
        if call is not None:
            self.laws.called(client, call)
        fault = self.chaos.pick(client.kind, what, changes=changes, provider=refuse is not None)
        if fault is None:
            answer = do()
        else:
            self.reached[(what, fault.kind, self.laws.phase_now(client))] += 1
            self.says(client.name, f"{what}: {fault.kind} {fault.error}{f' {fault.seconds:.0f} s' if fault.seconds else ''}")
            answer = self._faulty(client, fault, what, do, changes=changes, refuse=refuse)
        if self.clock() >= client.must_end:
            raise Killed  # its time is up: what it did is done, and it does not hear the answer
        return answer

    def _faulty(
        self,
        client: Laptop | Machine,
        fault: Fault,
        what: str,
        do: Callable[[], object],
        *,
        changes: bool,
        refuse: Callable[[str], Exception] | None,
    ) -> object:
        kind, sent = fault.kind, refuse is not None
        refused = refuse or (lambda _error: out_of_reach())
        if kind in ("fail", "kill-before", "error"):
            if kind == "kill-before":
                raise Killed
            only = fault.error in LAUNCH_ONLY and what not in ("launch", "POST instances")
            raise refused("transient" if only or kind == "fail" else fault.error)
        if kind == "slow":
            self.clock.advance(round(fault.seconds, 3))
        if kind == "pause":
            self._pause(client, fault.seconds)
        if kind == "half" and sent:
            self.cloud.half_launch = True
        try:
            answer = do()
            if kind == "repeat" and sent and changes:
                answer = do()
        finally:
            self.cloud.half_launch = False
        if kind == "again":
            raise AlreadyExistsError("it exists already")
        if kind == "kill-after":
            raise Killed
        if kind == "lost":
            raise refused("transient")
        return self._mangled(answer, kind) if isinstance(answer, Listing) else answer

    def _mangled(self, listing: Listing, kind: str) -> Listing:
        if kind == "miss":
            kept = [i for i in listing.instances if self.chance.random() < 0.5]
            return listing.model_copy(update={"instances": tuple(kept), "volumes": ()})
        if kind == "repeat":
            return listing.model_copy(update={"instances": listing.instances * 2, "volumes": listing.volumes * 2})
        return listing

    def _pause(self, client: Laptop | Machine, seconds: Seconds) -> None:
        """The computer sleeps in the middle of what it does."""
        nested = self._depth
        client.slept += 1
        self.let_pass(seconds)
        if not nested:
            self.says(client.name, "wakes up")

    # --- time

    def _push(self, at: Seconds, who: object) -> None:
        at = round(at, 3)
        if isinstance(who, (Laptop, Machine)):
            if self.clock() < who.due <= at:
                return  # it is awake before that, and looks at everything then
            who.due = at
        self._pushed += 1
        heapq.heappush(self._queue, (at, self._pushed, who))

    def live(self, seconds: Seconds) -> None:
        """Let time pass."""
        until = round(self.clock() + seconds, 3)
        while self._queue and self._queue[0][0] <= until:
            at, _, who = heapq.heappop(self._queue)
            if at > self.clock():
                self.clock.advance(round(at - self.clock(), 3))
            self._wake(who, at)
        if self.clock() < until:
            self.clock.advance(round(until - self.clock(), 3))

    def _wake(self, who: object, at: Seconds) -> None:
        if who is self.cloud:
            before = {i.instance_id for i in self.cloud.listed.values() if i.ended_by is not None}
            self.cloud.evolve()
            ended = [i.instance_id for i in self.cloud.listed.values() if i.ended_by is not None]
            if len(ended) != len(before):
                self.news(None)
                for instance_id in ended:
                    if instance_id not in before:
                        self.told_by_the_cloud(instance_id)
            return
        if callable(who):
            self.steps += 1
            who()
            return
        assert isinstance(who, (Laptop, Machine))
        if who.inside or at < who.due:
            if who.inside:
                who.due = 0.0
                self._push(self.clock() + 5, who)
            return
        if isinstance(who, Laptop) and who not in self.laptops:
            return  # it is dead
        self.steps += 1
        self.cloud.evolve()
        who.due = 0.0
        wait = who.wake()
        if wait is not None:
            self._push(self.clock() + max(0.2, wait), who)
        elif isinstance(who, Laptop):
            self.laptops.remove(who)
        elif not who.runs:
            self.machines.pop(who.instance_id, None)
            who.gone()
        self.laws.after_step()

    def at(self, delay: Seconds, do: Callable[[], None]) -> None:
        """Let something happen after a while."""
        self._push(self.clock() + delay, do)


def _refusal(error: str) -> Exception:
    return ProviderError(ErrorClass(error), CODES[error], "so it is today")


def _fast_folder() -> str | None:
    """Memory, where the system has it as a folder."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None

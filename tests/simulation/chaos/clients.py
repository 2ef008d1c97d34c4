"""Those who act: controllers on laptops, and agents on machines. Each may be killed between any two effects."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from fleet.agent.beats import _essence
from fleet.agent.logfile import LogFile
from fleet.agent.logic import Agent, Lanes
from fleet.control.controller import Controller
from fleet.model.base import Seconds
from fleet.model.cloud import InstanceState, VolumeState
from fleet.model.documents import BootDocument
from fleet.model.errors import FleetError
from fleet.store.journal import Journal
from tests.agent.fakes import DirectLane
from tests.simulation.chaos.bucket import ClientObjects
from tests.simulation.chaos.older import Older, unknown_to
from tests.simulation.chaos.provider import ClientProvider
from tests.simulation.chaos.training import Training

if TYPE_CHECKING:
    from tests.simulation.chaos.world import World

AGENT_QUIET: Seconds = 800.0
"""An agent looks so often at least: its dead-man switch wants to be renewed within 15 minutes."""
SLOW: Seconds = 200.0
"""What is to end has mostly ended within this."""
OVERDUE: Seconds = 880.0
"""A machine that was not heard for longer is one to keep an eye on: an agent that is well speaks sooner (AGENT_QUIET)."""


class Killed(BaseException):
    """SIGKILL, as far as one process can play it: nothing of the client runs any further."""


@dataclass(eq=False)
class Laptop:
    """A controller, on a computer of its own."""

    world: World
    name: str
    kind: str = "controller"
    controller: Controller | None = None
    cut_off_until: Seconds = 0.0
    asleep_until: Seconds = 0.0
    inside: bool = False
    """In the middle of a tick."""
    slept: int = 0
    """So often it was suspended in the middle of what it did."""
    due: Seconds = 0.0
    pace: Seconds = 10.0
    """How soon it sees that something changed, at most."""
    quiet: Seconds = 300.0
    """It looks so often at least, give or take a half."""
    must_end: Seconds = math.inf
    """When whoever runs it kills it, whatever it does."""

    @property
    def older(self) -> str:
        """The type of event that its fleet, an older one, does not know; empty: it is of today."""
        return unknown_to(self.name)

    def worried(self) -> bool:
        """Something is overdue. A controller believes in silence only if it was there: who looks once in ten minutes takes
        itself for suspended meanwhile, as a laptop would be. So one stays awake, as real ones do."""
        assert self.controller is not None
        now, observer = self.world.clock(), self.controller.observer
        for run in self.controller.state.busy_runs:
            for attempt in run.live_attempts:
                beat = observer.beat(run.run_id, attempt.number)
                last = beat.at if beat is not None else (attempt.launched_at or attempt.intended_at)
                asked = attempt.terminate_at or (run.want_at if run.want != "train" else run.ended_at)
                if now - last > OVERDUE or (asked is not None and now - asked > SLOW):
                    return True
        return False

    takes_events: ClassVar[bool] = False

    def event(self, instance_id: str) -> None:
        """The cloud tells that something became of a machine: to others than this."""

    def soon(self) -> Seconds:
        """Until it sees news."""
        return self.world.chance.uniform(1, 5 + self.pace)

    def open(self) -> Controller:
        """Load the fleet. Raises StoreError, Killed."""
        world = self.world
        objects = ClientObjects(world.bucket, world, self)
        clouds = {word: ClientProvider(cloud, world, self) for word, cloud in world.providers(self).items()}
        journal = Journal(objects, world.fleet_id, by=self.name, version="0", nonce=world.nonce)
        made = (Older if self.older else Controller)(objects, journal, world.fleet_id, clouds)
        if isinstance(made, Older):
            made.unknown = self.older
        made.load()
        return made

    def wake(self) -> Seconds | None:
        """One tick; how long until the next look. None: it is dead."""
        now = self.world.clock()
        if now < self.asleep_until:
            return self.asleep_until - now
        self.inside = True
        try:
            if self.controller is None:
                self.controller = self.open()
            tick = self.controller.tick()
        except Killed:
            self.world.says(self.name, "is killed")
            return None
        except FleetError as error:
            self.world.says(self.name, f"cannot: {error.message}")
            return self.world.chance.uniform(5, 30)
        finally:
            self.inside = False
        acted = [a for a in tick.actions if type(a).__name__ not in ("WriteDesired", "ForgetBeat")]
        if tick.events or acted:
            self.world.news(self)
            return self.soon()
        if self is next((one for one in self.world.laptops if not one.older), None) and self.worried():
            return self.world.chance.uniform(20, 50)
        return self.quiet * self.world.chance.uniform(0.5, 1.0)


@dataclass(eq=False)
class Machine:
    """An instance of the simulated cloud, from the inside."""

    world: World
    instance_id: str
    kind: str = "agent"
    dumb: bool = False
    """It boots, and nobody on it ever speaks."""
    slept: int = 0
    skew: Seconds = 0.0
    """How far its own clock is ahead of everybody's."""
    cut_off_until: Seconds = 0.0
    must_end: Seconds = math.inf
    agent: Agent | None = None
    log: LogFile | None = None
    training: Training | None = None
    inside: bool = False
    off: bool = False
    """It has powered itself off, whatever its cloud says of it meanwhile."""
    due: Seconds = 0.0
    _essence: object = None
    _boots: int = field(default=0)

    def __post_init__(self) -> None:
        self.name = self.instance_id[:6]
        self.boot_id = f"boot-{self.instance_id}"
        self.scratch: Path = self.world.folder / "machines" / self.instance_id
        self.request = self.world.cloud.instances[self.instance_id].request

    # --- the machine, as its agent sees it

    @property
    def root(self) -> Path:
        return self.scratch

    def user_data(self) -> str:
        return self.request.user_data

    def notice(self) -> Seconds | None:
        return self.world.cloud.notice(self.instance_id)

    def rebalance(self) -> bool:
        return self.world.cloud.rebalance(self.instance_id)

    def volume(self, volume_id: str | None, *, new: bool) -> Path | None:
        for volume in self.world.cloud.volumes_at(self.instance_id):
            if volume.held.at(self.world.clock()) == (VolumeState.IN_USE, self.instance_id) and volume_id in (
                None,
                volume.volume_id,
            ):
                path = self.world.folder / "volumes" / volume.volume_id
                path.mkdir(parents=True, exist_ok=True)
                return path
        return None

    @property
    def mounting(self) -> bool:
        return False

    def release_volume(self) -> bool:
        return True

    def arm(self, power_off_at: Seconds, now: Seconds) -> None:
        self.world.cloud.arm(self.instance_id, power_off_at)
        self.world.cloud_due(power_off_at)

    def training_begins(self) -> None:
        return

    def power_off(self) -> None:
        self.world.says(self.name, "powers itself off")
        self.off = True
        self.world.cloud.power_off(self.instance_id)
        self.world.news(self)

    # --- its life

    @property
    def runs(self) -> bool:
        """Power is on."""
        state = self.world.cloud.instances[self.instance_id].state.at(self.world.clock())
        return state is InstanceState.RUNNING and not self.off

    def boot(self) -> None:
        """Start the agent: at first, and again after it was killed."""
        world = self.world
        self._boots += 1
        self.scratch.mkdir(parents=True, exist_ok=True)
        boot = BootDocument.model_validate_json(self.user_data())
        if self.log is not None:
            self.log.close()
        log = self.log = LogFile(self.scratch / "log" / "training.log")

        def start(_commands: str, _folder: Path, env: dict[str, str]) -> Training:
            volume = Path(env["FLEET_VOLUME"]).name
            self.training = Training(env, world.clock, log, self.skew, lambda: world.is_full(volume))
            return self.training

        lanes = Lanes(DirectLane(), DirectLane(), DirectLane(), DirectLane())
        objects = ClientObjects(world.bucket, world, self)
        self.agent = Agent(
            self, objects, boot, lanes, start, log, version="0", wall=lambda: world.clock() + self.skew
        )  # fmt: skip

    def wake(self) -> Seconds | None:
        """One round; how long until the next look. None: the machine is gone."""
        if not self.runs:
            self.gone()
            return None
        if self.dumb:
            return None
        self.inside = True
        try:
            if self.agent is None:
                self.boot()
            assert self.agent is not None
            if self.agent.over:
                return None
            self.agent.tick()
            for _ in range(3):  # what its lanes did is mostly ready at once; at times others are quicker
                if self.agent.over or not self.busy or self.world.chance.random() < 0.2:
                    break
                self.agent.tick()
        except Killed:
            self.world.says(self.name, "its agent is killed")
            if self.training is not None:
                self.training.kill()
            self.agent = self.training = None
            return self.world.chance.uniform(2, 20)
        finally:
            self.inside = False
        return self._next_look()

    @property
    def busy(self) -> bool:
        """A lane has been given something, and its result was not looked at yet."""
        lanes = self.agent.lanes if self.agent is not None else None
        return lanes is not None and (lanes.beats.busy or lanes.work.busy or lanes.wishes.busy or lanes.logs.busy)

    def _next_look(self) -> Seconds | None:
        agent, world = self.agent, self.world
        if agent is None or agent.over:
            return None
        now, chance = world.clock(), world.chance
        said = _essence(agent.beats.written) if agent.beats.written is not None else None
        if said != self._essence:
            self._essence = said
            world.news(self)
        waits = agent.saver is not None and agent.saver._held is not None
        if agent.phase in ("waiting-volume", "waiting-predecessor") and not self.busy:
            return chance.uniform(2, 40)
        if agent.phase != "training" or agent.leaving is not None or agent.child is None or self.busy or waits:
            return chance.uniform(20, 40) if now < self.cut_off_until else chance.uniform(1, 3)
        if agent.beats.problem:
            return chance.uniform(20, 50)  # it was not heard, and tries again
        due = now + AGENT_QUIET * chance.uniform(0.8, 1.0)
        made = world.cloud.instances[self.instance_id]
        for at in (made.notice_at, made.rebalance_at):
            if at is not None and at > now:
                due = min(due, at + chance.uniform(0.1, 1.5))
        if self.training is not None:
            due = min(due, self.training.next_event() + chance.uniform(0.1, 2))
        due = min(due, agent.ends_at - 2 * agent.boot.intervals.stop_grace + chance.uniform(0, 2))
        return max(1.0, due - now)

    def gone(self) -> None:
        """The power is off: everything on the machine's own disk is gone with it."""
        if self.log is not None:
            self.log.close()
            self.log = None
        self.agent = self.training = None
        shutil.rmtree(self.scratch, ignore_errors=True)

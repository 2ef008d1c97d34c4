"""The agent's world on a virtual clock: a machine, a bucket, a training that does as it is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fleet.agent.lanes import Done, attempted
from fleet.agent.logfile import LogFile
from fleet.agent.logic import Agent, Lanes
from fleet.agent.machine import BlankVolumeError
from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.documents import BootDocument, Desired, Heartbeat, Intervals
from fleet.model.errors import NotFoundError
from fleet.model.job import Job
from fleet.providers.sim.clock import VirtualClock
from fleet.store.checkpoints import Checkpoints
from fleet.store.files import FileObjects
from fleet.store.objects import Objects

RUN = "racer-1"
INTERVALS = Intervals(
    heartbeat=15, notice=1, desired=5, scan=2, log=5, dead_man=300, stop_grace=30, volume_wait=60, released_wait=20
)


class DirectLane:
    """Does its work at once; its end is taken at the next round."""

    def __init__(self) -> None:
        self.busy = False
        self._done: Done[object] | None = None

    def give(self, work: Callable[[], object]) -> None:
        assert not self.busy
        self.busy, self._done = True, attempted(work)

    def take(self) -> Done[object] | None:
        done, self._done = self._done, None
        self.busy = False
        return done


class HeldLane(DirectLane):
    """Holds its work until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.held: Callable[[], object] | None = None

    def give(self, work: Callable[[], object]) -> None:
        assert not self.busy
        self.busy, self.held = True, work

    def let_go(self) -> None:
        if self.held is not None:
            work, self.held = self.held, None
            self._done = attempted(work)

    def take(self) -> Done[object] | None:
        done, self._done = self._done, None
        if done is not None:
            self.busy = False
        return done


class FakeMachine:
    """An instance from the inside."""

    def __init__(self, folder: Path, instance_id: str, disk: Path | None) -> None:
        self.instance_id, self.boot_id = instance_id, f"boot-{instance_id}"
        self.scratch = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = disk
        self.notice_until: Seconds | None = None
        self.rebalanced = False
        self.silent = False
        self.armed: list[Seconds] = []
        self.off = False
        self.released = self.busy = self.mounting = False
        self.unarmed = ""
        self.refuses = ""
        """Why the volume cannot be had, or not be let go."""
        self.trained = False
        self.blank = self.asked_as_new = False

    @property
    def root(self) -> Path:
        return self.scratch

    def user_data(self) -> str:
        return ""

    def notice(self) -> Seconds | None:
        if self.silent:
            raise OSError("the metadata service does not answer")
        return self.notice_until

    def rebalance(self) -> bool:
        return self.rebalanced

    def volume(self, volume_id: str | None, *, new: bool) -> Path | None:
        self.asked_as_new = new
        if self.blank and not new:
            raise BlankVolumeError("it is blank, and not marked new")
        if self.refuses:
            raise OSError(self.refuses)
        return self.disk

    def release_volume(self) -> bool:
        if self.refuses:
            raise OSError(self.refuses)
        self.released = not self.busy
        return self.released

    def arm(self, power_off_at: Seconds, now: Seconds) -> None:
        if self.unarmed:
            raise OSError(self.unarmed)
        self.armed.append(power_off_at)

    def training_begins(self) -> None:
        self.trained = True

    def power_off(self) -> None:
        self.off = True


class FakeProcess:
    """A child that does what the test says."""

    def __init__(self, commands: str, env: dict[str, str], clock: VirtualClock, log: LogFile) -> None:
        self.commands, self.env, self._clock, self._log = commands, env, clock, log
        self.code: int | None = None
        self.asked = self.killed = self.lingers = False
        self.on_stop: Callable[[], None] = lambda: None
        self._lines: list[tuple[float, str]] = []

    def poll(self) -> int | None:
        return self.code

    def lines(self) -> list[tuple[float, str]]:
        said, self._lines = self._lines, []
        return said

    def say(self, line: str) -> None:
        self._log.write(line.encode() + b"\n")
        self._lines.append((self._clock(), line))

    def save(self, step: int) -> None:
        """Reach a step, and save it as training does."""
        self.say(f"fleet.progress step={step} reward=0.5")
        target = Path(self.env["FLEET_CHECKPOINTS"]) / "state.json"
        temporary = target.with_name("state.json.tmp")
        temporary.write_text(f'{{"step": {step}}}')
        os.utime(temporary, (self._clock(), self._clock()))
        temporary.replace(target)
        self.say(f"fleet.saved step={step}")

    def ask_to_stop(self, within: float) -> None:
        self.asked = True
        self.on_stop()

    def kill(self) -> None:
        self.killed = True
        if self.code is None:
            self.code = -9

    @property
    def gone(self) -> bool:
        return self.code is not None and not self.lingers


class World:
    """A run's bucket and its attempts."""

    def __init__(self, folder: Path, job: dict[str, object] | None = None) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.objects: Objects = FileObjects(folder / "bucket", clock=self.clock)
        fields: dict[str, object] = {"name": "racer", "run": "train", "checkpoint": {"format": "rename"}}
        self.job = Job.model_validate({**fields, **(job or {})})
        self.checkpoints = Checkpoints(self.objects, RUN)
        self._lives: list[Life] = []

    def disk(self, name: str = "volume") -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def attempt(
        self,
        number: int = 1,
        *,
        disk: Path | None = None,
        instance: str | None = None,
        objects: Objects | None = None,
        work: DirectLane | None = None,
        **boot: object,
    ) -> Life:
        name = instance or f"i-{number}"
        machine = FakeMachine(self.folder / "machines" / name, name, disk)
        fields = {
            "fleet_id": "f",
            "root": self.objects.url,
            "run_id": RUN,
            "run_name": "racer",
            "attempt": number,
            "try_no": 1,
            "job": self.job,
            "volume_new": number == 1,
            "intervals": INTERVALS,
        }
        document = BootDocument.model_validate({**fields, **boot})
        self._lives.append(Life(self, machine, document, objects or self.objects, work or DirectLane()))
        return self._lives[-1]

    def close(self) -> None:
        for life in self._lives:
            life.log.close()

    def desired(self, journal: int = 1, **fields: object) -> None:
        """What the controller wants."""
        document = Desired.model_validate({"journal": journal, **fields})
        self.objects.put(layout.desired(RUN), document_bytes(document))

    def beat(self, number: int) -> Heartbeat | None:
        try:
            return Heartbeat.model_validate_json(self.objects.get(layout.heartbeat(RUN, number)))
        except NotFoundError:
            return None


class Life:
    """One agent on its machine."""

    def __init__(self, world: World, machine: FakeMachine, boot: BootDocument, objects: Objects, work: DirectLane) -> None:
        self.world, self.machine = world, machine
        self.started: list[FakeProcess] = []
        self.log = LogFile(machine.scratch / "log" / "training.log")
        lanes = Lanes(DirectLane(), DirectLane(), work, DirectLane())
        self.agent = Agent(machine, objects, boot, lanes, self._start, self.log, version="0", wall=world.clock)

    def _start(self, commands: str, folder: Path, env: dict[str, str]) -> FakeProcess:
        assert folder.is_dir()
        self.started.append(FakeProcess(commands, env, self.world.clock, self.log))
        return self.started[-1]

    @property
    def training(self) -> FakeProcess:
        return self.started[-1]

    def live(self, seconds: Seconds) -> None:
        """Let the agent live for a while."""
        until = self.world.clock() + seconds
        while not self.agent.over and self.world.clock() < until:
            wait = self.agent.tick()
            self.world.clock.advance(max(0.001, min(wait, until - self.world.clock())))

    def until(self, *phases: str, most: Seconds = 600) -> None:
        """Let the agent live until it is in a phase."""
        end = self.world.clock() + most
        while self.agent.phase not in phases:
            assert self.world.clock() < end, f"still {self.agent.phase}: {self.agent.message}"
            self.live(0.1)

    @property
    def beat(self) -> Heartbeat:
        found = self.world.beat(self.agent.boot.attempt)
        assert found is not None
        return found

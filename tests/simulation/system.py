"""The whole system in one process on a virtual clock: controllers, the real agent's logic, a bucket, a strict cloud.

Training is a script: each step's result depends on the step before it, so that a step lost, repeated or skipped shows in
the model.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleet.agent.logfile import LogFile
from fleet.agent.logic import Agent, Lanes
from fleet.control.controller import Controller
from fleet.control.runs import start_run
from fleet.core.state import RunState
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.cloud import InstanceState, VolumeState
from fleet.model.documents import BootDocument
from fleet.model.errors import NotFoundError
from fleet.model.job import Job
from fleet.providers.base import Provider
from fleet.providers.sim.clock import VirtualClock
from fleet.providers.sim.cloud import Manners, SimCloud
from fleet.providers.sim.market import Weather
from fleet.providers.sim.provider import SimProvider
from fleet.store.journal import Journal
from fleet.store.objects import ObjectInfo, Objects
from fleet.store.opening import open_objects
from tests.agent.fakes import DirectLane

STEP_SECONDS = 10.0
SAVE_EVERY = 30
"""Steps."""


def model_after(steps: int) -> str:
    """What an uninterrupted training would have come to."""
    value = "start"
    for step in range(1, steps + 1):
        value = _next(value, step)
    return value


def _next(value: str, step: int) -> str:
    return hashlib.sha256(f"{value}/{step}".encode()).hexdigest()


class ScriptedTraining:
    """A training that saves by temporary file and rename, resumes, saves when asked to stop, and ends with its model."""

    def __init__(self, env: dict[str, str], clock: VirtualClock, log: LogFile) -> None:
        self._clock, self._log = clock, log
        self._folder = Path(env["FLEET_CHECKPOINTS"])
        self._volume = Path(env["FLEET_VOLUME"])
        self._steps = int(env["STEPS"])
        self._lines: list[tuple[float, str]] = []
        self._code: int | None = None
        self._stop_at: float | None = None
        try:
            saved = json.loads((self._folder / "state.json").read_text())
        except FileNotFoundError:
            saved = {"step": 0, "value": "start"}
        self.step, self._value = int(saved["step"]), str(saved["value"])
        self._at = clock()

    def _go_on(self) -> None:
        """Everything that happened since the last look."""
        now = self._clock()
        while self._code is None:
            if self.step >= self._steps:
                (self._volume / "model").write_text(self._value)
                self._code = 0
                return
            if self._stop_at is not None and self._at + STEP_SECONDS > self._stop_at:
                if now >= self._stop_at:
                    self._save(self._stop_at)
                    self._code = 0 if self.step >= self._steps else 143
                return
            if self._at + STEP_SECONDS > now:
                return
            self._at += STEP_SECONDS
            self.step += 1
            self._value = _next(self._value, self.step)
            self._say(f"fleet.progress step={self.step}", self._at)
            if self.step % SAVE_EVERY == 0 or self.step >= self._steps:
                self._save(self._at)

    def _save(self, at: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / "state.json.tmp"
        temporary.write_text(json.dumps({"step": self.step, "value": self._value}))
        os.utime(temporary, (at, at))
        temporary.replace(self._folder / "state.json")
        self._say(f"fleet.saved step={self.step}", at)

    def _say(self, line: str, at: float) -> None:
        self._log.write(line.encode() + b"\n")
        self._lines.append((at, line))

    def poll(self) -> int | None:
        self._go_on()
        return self._code

    def lines(self) -> list[tuple[float, str]]:
        self._go_on()
        said, self._lines = self._lines, []
        return said

    def ask_to_stop(self, within: float) -> None:
        self._go_on()
        self._stop_at = self._stop_at or self._clock() + 5

    def kill(self) -> None:
        self._go_on()
        if self._code is None:
            self._code = -9

    @property
    def gone(self) -> bool:
        return self._code is not None


class SimMachine:
    """A machine of the simulated cloud from the inside."""

    def __init__(self, system: System, instance_id: str) -> None:
        self._system, self.instance_id = system, instance_id
        self._cloud = system.cloud_of(instance_id)
        self.boot_id = f"boot-{instance_id}"
        self.scratch = system.folder / "machines" / instance_id
        self.scratch.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        return self.scratch

    def user_data(self) -> str:
        return self._cloud.instances[self.instance_id].request.user_data

    def notice(self) -> Seconds | None:
        return self._cloud.notice(self.instance_id)

    def rebalance(self) -> bool:
        return self._cloud.rebalance(self.instance_id)

    def volume(self, volume_id: str | None, *, new: bool) -> Path | None:
        for volume in self._cloud.volumes.values():
            held = volume.held.at(self._system.clock())
            if held == (VolumeState.IN_USE, self.instance_id) and volume_id in (None, volume.volume_id):
                path = self._system.folder / "volumes" / volume.volume_id
                path.mkdir(parents=True, exist_ok=True)
                return path
        return None

    @property
    def mounting(self) -> bool:
        return False

    def release_volume(self) -> bool:
        return True

    def arm(self, power_off_at: Seconds, now: Seconds) -> None:
        self._cloud.arm(self.instance_id, power_off_at)

    def training_begins(self) -> None:
        return

    def power_off(self) -> None:
        self._cloud.power_off(self.instance_id)


@dataclass
class Inside:
    """An agent on its machine."""

    agent: Agent
    log: LogFile
    due: Seconds = 0.0


class Clocked:
    """A bucket in memory by the virtual clock."""

    def __init__(self, inner: Objects, clock: VirtualClock) -> None:
        self._inner, self._clock = inner, clock
        self.url = "memory://"

    def now(self) -> float:
        return self._clock()

    def get(self, key: str) -> bytes:
        return self._inner.get(key)

    def put(self, key: str, data: bytes) -> None:
        self._inner.put(key, data)

    def create(self, key: str, data: bytes) -> None:
        self._inner.create(key, data)

    def upload(self, key: str, path: Path) -> None:
        self._inner.upload(key, path)

    def download(self, key: str, path: Path) -> None:
        self._inner.download(key, path)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        return self._inner.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self._inner.delete(keys)


@dataclass
class System:
    """Everything, and time."""

    folder: Path
    seed: int = 0
    weather: Weather | None = None
    started: int = 0
    fleet_id: str = "fleet-1"
    wrap: Callable[[Provider], Provider] = lambda provider: provider
    agents_dumb: bool = False
    """Machines boot and never speak."""
    more: tuple[Manners, ...] = ()
    """Of clouds beside ``sim``, each with a name of its own."""
    dumb: set[str] = field(default_factory=set)
    """These never do."""
    inside: dict[str, Inside] = field(default_factory=dict)
    controllers: list[Controller] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        weather = self.weather or Weather(up=1e12, epoch=self.clock())
        self.cloud = SimCloud(self.clock, self.seed, Manners(weather=weather))
        self._more = [SimCloud(self.clock, self.seed, manners) for manners in self.more]
        self.objects: Objects = Clocked(open_objects("memory://"), self.clock)

    @property
    def clouds(self) -> list[SimCloud]:
        """``cloud``, which a test may replace, and those beside it."""
        return [self.cloud, *self._more]

    def controller(self, objects: Objects | None = None) -> Controller:
        """One more controller, as on another laptop. It is not ticked unless it is in ``controllers``."""
        bucket = objects or self.objects
        providers = {each.manners.provider: self.wrap(SimProvider(each, self.fleet_id)) for each in self.clouds}
        made = Controller(bucket, Journal(bucket, self.fleet_id, by="c", version="0"), self.fleet_id, providers)
        made.load()
        return made

    def start(self, controller: Controller, steps: int = 360, **job: object) -> str:
        """Start a run; its id."""
        fields = {
            "name": "racer",
            "run": "train",
            "envs": {"STEPS": str(steps)},
            "outputs": ["model"],
            "resources": {"infra": "sim/sim-1", "market": "spot"},
            "volume": {"size": "20GB"},
            **job,
        }
        self.started += 1  # not by chance: pauses depend on the run's id
        return start_run(controller, Job.model_validate(fields), self.folder, suffix=lambda: f"{self.started:08x}").run_id

    def state(self) -> RunState:
        """The newest run, as a stranger reads it."""
        return list(self.controller().state.runs.values())[-1]

    def live(self, seconds: Seconds, every: Seconds = 15.0) -> None:
        """Let time pass: agents each second or so, controllers every so often."""
        until = self.clock() + seconds
        next_tick = self.clock()
        while self.clock() < until:
            if self.clock() >= next_tick:
                for controller in list(self.controllers):
                    controller.tick()
                next_tick = self.clock() + every
            self.agents()
            self.clock.advance(min(5.0, until - self.clock(), max(0.001, next_tick - self.clock())))

    def until(self, check: Callable[[], bool], most: Seconds = 48 * 3600, every: Seconds = 15.0) -> None:
        """Let time pass until something holds."""
        end = self.clock() + most
        while not check():
            assert self.clock() < end, "it never came to pass"
            self.live(60, every)

    def agents(self) -> None:
        """Let every agent that is due have its round; those whose machine is gone are gone."""
        for cloud in self.clouds:
            cloud.evolve()
        for instance in [one for cloud in self.clouds for one in cloud.instances.values()]:
            running = instance.state.at(self.clock()) is InstanceState.RUNNING
            known = self.inside.get(instance.instance_id)
            if known is None and running and not self.agents_dumb and instance.instance_id not in self.dumb:
                known = self.inside[instance.instance_id] = self._boot(instance.instance_id)
            if known is None:
                continue
            if not running:
                known.log.close()
                if instance.state.at(self.clock()) is InstanceState.TERMINATED:
                    shutil.rmtree(self.folder / "machines" / instance.instance_id, ignore_errors=True)
            elif self.clock() >= known.due and not known.agent.over:
                known.due = self.clock() + max(1.0, known.agent.tick())

    def _boot(self, instance_id: str) -> Inside:
        machine = SimMachine(self, instance_id)
        boot = BootDocument.model_validate_json(machine.user_data())
        log = LogFile(machine.scratch / "log" / "training.log")

        def start(commands: str, folder: Path, env: dict[str, str]) -> ScriptedTraining:
            return ScriptedTraining(env, self.clock, log)

        lanes = Lanes(DirectLane(), DirectLane(), DirectLane(), DirectLane())
        return Inside(Agent(machine, self.objects, boot, lanes, start, log, version="0", wall=self.clock), log)

    def model(self) -> str | None:
        """The exported model."""
        try:
            return self.objects.get(layout.models("racer") + "model").decode()
        except NotFoundError:
            return None

    def alive(self) -> list[str]:
        """Machines that run, or are about to."""
        states = (InstanceState.PENDING, InstanceState.RUNNING)
        machines = (instance for cloud in self.clouds for instance in cloud.instances.values())
        return [i.instance_id for i in machines if i.state.at(self.clock()) in states]

    def cloud_of(self, instance_id: str) -> SimCloud:
        """The cloud that a machine is in."""
        return next(cloud for cloud in self.clouds if instance_id in cloud.instances)

    def close(self) -> None:
        """Let go of the logs."""
        for one in self.inside.values():
            one.log.close()

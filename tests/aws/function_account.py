"""A fleet on a virtual clock whose only controller is its function: the sim plays the cloud, the real agent trains on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fleet.control.controller import Controller
from fleet.control.function import Keeper, kept_by
from fleet.control.home import Home
from fleet.control.prices import Shelf
from fleet.model.base import Seconds
from fleet.providers.aws.events import Hint
from fleet.providers.base import Provider
from fleet.providers.sim.market import HOUR, Weather
from fleet.providers.sim.provider import SimProvider
from fleet.providers.wrap.around import Call, Wrapper
from fleet.store.journal import Journal
from tests.aws.function_bill import AT_A_TIME, CALLS_OF, Bill, Counted
from tests.simulation.system import System

T = TypeVar("T")
LIVES: Seconds = 2 * HOUR
"""Of a process, rather short: Lambda keeps one for hours while it is called each minute."""
OPENING = 3
"""What is got before the journal: fleet.json, and the records of the set-up and of the deployment."""


class CountedCloud(Wrapper):
    """A provider that writes each call on the bill, as many as EC2 would see."""

    def __init__(self, inner: Provider, bill: Bill) -> None:
        super().__init__(inner)
        self.bill = bill
        self.asked: list[str] = []

    def around(self, call: Call, do: Callable[[], T]) -> T:
        self.asked.append(call.method)
        self.bill.used["ec2"] += CALLS_OF.get(call.method, 1)
        self.bill.beside += AT_A_TIME.get(call.method, 1) - 1
        return do()


class Schedule:
    """What the function turns on and off; its calls cost nothing, but are counted."""

    def __init__(self) -> None:
        self.enabled, self.calls = True, 0

    def on(self) -> bool:
        self.calls += 1
        return self.enabled

    def turn(self, on: bool) -> bool:
        self.calls += 1
        changed, self.enabled = self.enabled != on, on
        return changed


class Account:
    """A fleet whose only controller is its function."""

    def __init__(self, folder: Path, weather: Weather | None = None) -> None:
        self.folder, self.system = folder, System(folder, weather=weather)
        self.bill, self.schedule = Bill(), Schedule()
        self.bucket = Counted(self.system.objects, self.bill)
        self.cloud = CountedCloud(SimProvider(self.system.cloud, self.system.fleet_id), self.bill)
        self.keeper: Keeper | None = None
        self.born: Seconds = 0.0
        self.told: set[str] = set()
        self.lives = LIVES
        self.system.start(self.system.controller(), steps=10**6)

    def call(self, hint: Hint | None = None, left: Callable[[], float] = lambda: 50.0) -> dict[str, Any]:
        """One call of the function; its answer."""
        now = self.system.clock()
        if self.keeper is None or now - self.born > self.lives:
            self.keeper, self.born = self._open(), now
            self.bill.cold += 1
        self.bill.calls += 1
        answer = self.keeper.call(hint, left)
        self.bill.lines += len(answer["events"])
        return answer

    def _open(self) -> Keeper:
        self.bill.used["get"] += OPENING
        journal = Journal(self.bucket, self.system.fleet_id, by="function", version="0")
        controller = Controller(self.bucket, journal, self.system.fleet_id, {"sim": self.cloud})
        shelf = Shelf(Path("/nowhere"), lambda: controller.state, self.bucket.now)
        home = Home(self.folder / f"process-{self.bill.cold}")  # a folder of its own, which goes with the process
        made = kept_by(controller, shelf, self.schedule, home=home)
        made.sleep = self._second
        return made

    def _second(self, seconds: float) -> None:
        self.bill.slept += seconds
        self.system.clock.advance(seconds)
        self.system.agents()

    def live(self, seconds: Seconds, every: Seconds = 60.0) -> None:
        """Let time pass: a call each minute, and EC2's events as it sends them."""
        until = self.system.clock() + seconds
        while self.system.clock() < until:
            self.system.agents()
            for instance in list(self.system.cloud.instances):
                if self.system.cloud.notice(instance) is not None and instance not in self.told:
                    self.told.add(instance)
                    self.call(Hint("interruption", "sim-1", instance, "terminate", self.system.clock()))
            self.call()
            self.system.clock.advance(every)

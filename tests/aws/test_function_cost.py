"""What the controller in the account costs, by counting: a month of one run, and a month of nothing.

The real function's work on a virtual clock: the sim plays the cloud, the real agent's logic trains on its machines, and
every request of the controller to the bucket and to the cloud is written on a bill (function_bill.py has the prices).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from fleet.control.controller import Controller
from fleet.control.function import Keeper, kept_by
from fleet.control.prices import Shelf
from fleet.control.runs import stop_run
from fleet.core.summary import interruptions
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
MONTH_DAYS = 30
MOST_A_MONTH = 0.15
"""Dollars for the controller of one run."""
LIVES: Seconds = 2 * HOUR
"""Of a process, rather short: Lambda keeps one for hours while it is called each minute."""
OPENING = 3
"""What is got before the journal: fleet.json, and the records of the set-up and of the deployment."""
PRICES_HOURLY = 6
"""Calls for the prices of a region, beside the ticks."""


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
        self.system = System(folder, weather=weather)
        self.bill, self.schedule = Bill(), Schedule()
        self.bucket = Counted(self.system.objects, self.bill)
        self.cloud = CountedCloud(SimProvider(self.system.cloud, self.system.fleet_id), self.bill)
        self.keeper: Keeper | None = None
        self.born: Seconds = 0.0
        self.told: set[str] = set()
        self.lives = LIVES
        self.system.start(self.system.controller(), steps=10**6)

    def call(self, hint: Hint | None = None) -> None:
        """One call of the function."""
        now = self.system.clock()
        if self.keeper is None or now - self.born > self.lives:
            self.keeper, self.born = self._open(), now
            self.bill.cold += 1
        self.bill.calls += 1
        answer = self.keeper.call(hint, lambda: 50.0)
        self.bill.lines += len(answer["events"])

    def _open(self) -> Keeper:
        self.bill.used["get"] += OPENING
        journal = Journal(self.bucket, self.system.fleet_id, by="function", version="0")
        controller = Controller(self.bucket, journal, self.system.fleet_id, {"sim": self.cloud})
        made = kept_by(controller, Shelf(Path("/nowhere"), lambda: controller.state, self.bucket.now), self.schedule)
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


@pytest.mark.timeout(600)
def test_a_month_of_one_run_costs_the_controller_at_most_fifteen_cents(tmp_path: Path) -> None:
    account = Account(tmp_path, Weather(up=5 * HOUR, down=0.2 * HOUR, epoch=1_700_000_000.0))
    days = 1
    account.live(days * 24 * HOUR)
    account.bill.used["ec2"] += days * 24 * PRICES_HOURLY
    account.bill.used["get"] += days * 24  # the set-up's record, by which these are asked for
    run = account.system.state()
    assert interruptions(run) >= 2  # it was no quiet day
    month = account.bill.dollars * MONTH_DAYS / days
    assert month <= MOST_A_MONTH, f"${month:.3f}: {account.bill}"
    assert account.cloud.asked.count("offers") <= 3 * len(run.attempts)  # prices are nothing that a tick asks for
    assert account.schedule.calls <= 24 * days + 2 * account.bill.cold
    account.system.close()


def test_a_minute_in_which_nothing_happens_is_two_gets_and_a_look_at_one_region(tmp_path: Path) -> None:
    account = Account(tmp_path)
    account.live(65 * 60)  # past the hour, when prices change
    before = account.bill.used.copy()
    account.live(10 * 60)
    spent = account.bill.used - before
    assert set(spent) == {"get", "ec2"}
    assert spent["get"] <= 2 * 10 + 2 + 2  # the journal's next entry and the word; the clock, and what agents are told
    assert spent["ec2"] == 2 * 10
    account.system.close()


def test_a_month_of_nothing_rounds_to_nothing_a_day(tmp_path: Path) -> None:
    account = Account(tmp_path)
    account.live(30 * 60)
    stop_run(account.system.controller(), "racer", "down")
    account.live(30 * 60)
    assert not account.schedule.enabled  # nothing calls it each minute any more
    account.lives = 0.0  # an hour later nothing is left of a process
    account.bill.clear()
    days = 2
    account.live(days * 24 * HOUR, every=HOUR)
    assert account.bill.cold == account.bill.calls == 24 * days  # each time from the beginning
    assert round(account.bill.dollars / days, 2) == 0, account.bill
    assert account.bill.dollars / days < 0.002, account.bill
    account.system.close()

"""What the controller in the account costs, by counting: a month of one run, and a month of nothing.

The real function's work on a virtual clock: every request of the controller to the bucket and to the cloud is written on a
bill (function_bill.py has the prices, and what is assumed of time).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.control.runs import stop_run
from fleet.control.wishes import change_wish, turned_on
from fleet.core.notify import Message
from fleet.core.summary import interruptions
from fleet.model.notify import KINDS
from fleet.providers.sim.market import HOUR, Weather
from tests.aws.function_account import Account

MONTH_DAYS = 30
MOST_A_MONTH = 0.15
"""Dollars for the controller of one run."""
PRICES_HOURLY = 6
"""Calls for the prices of a region, beside the ticks."""


@pytest.mark.timeout(600)
def test_a_month_of_one_run_costs_the_controller_at_most_fifteen_cents(tmp_path: Path) -> None:
    account = Account(tmp_path, Weather(up=5 * HOUR, down=0.2 * HOUR, epoch=1_700_000_000.0))
    days = 1
    account.live(days * 24 * HOUR)
    account.bill.used["ec2"] += days * 24 * PRICES_HOURLY
    account.bill.used["get"] += days * 24  # the set-up's record, by which these are asked for
    run = account.system.state()
    assert len(interruptions(run)) >= 2  # it was no quiet day
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
    assert set(spent) <= {"get", "ec2", "put"}
    assert spent["put"] <= 1  # that it lives
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


def test_that_everything_is_told_costs_less_than_a_cent_a_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def send(_url: str, message: Message, _seconds: float) -> str:
        sent.append(message.title)
        return ""

    monkeypatch.setattr("fleet.control.notifying.routes", lambda wish, *_: {to: to for to in wish.to})
    monkeypatch.setattr("fleet.control.notifying.sender", lambda *_: send)
    costs = []
    for told in (False, True):
        account = Account(tmp_path / str(told), Weather(up=1 * HOUR, down=0.2 * HOUR, epoch=1_700_000_000.0))
        if told:
            change_wish(account.system.objects, lambda wish: turned_on(wish, list(KINDS), ["sns:topic"], 0))
        account.live(8 * HOUR)
        costs.append(account.bill.dollars * 3)
        account.system.close()
    assert any("interrupted" in title for title in sent)
    assert costs[1] - costs[0] < 0.01 / 30, costs

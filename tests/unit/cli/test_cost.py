"""``fleet cost``: what it prints to people and programs, and that it says what ``fleet status`` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.cost import _fewer
from fleet.control.fleets import open_fleet
from fleet.control.home import open_home
from fleet.core.ledger import Group
from fleet.core.state import FleetState
from fleet.model.events import AttemptGone, PricesFilled
from tests.unit.cli.test_json import check
from tests.unit.cli.test_simulate_job import refused, typed
from tests.unit.core.ledger.oracle import Disk, Machine
from tests.unit.core.ledger.stories import created, disk_events, machine_events

HOUR, DAY = 3600, 86_400


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetState:
    """Two runs: one of yesterday, two hours at 30 cents; one that ended long ago. In the zone of Berlin."""
    monkeypatch.setenv("FLEET_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    controller = open_fleet(open_home(), open_home().bucket, create=True)
    now = round(controller.objects.now())
    yesterday = now - DAY
    controller.record([created("old-1", now - 60 * DAY), created("new-1", yesterday)])
    controller.record(machine_events(1, Machine(now - 60 * DAY, 100_000, 400_000, ended=now - 60 * DAY + HOUR), "old-1"))
    controller.record(machine_events(1, Machine(yesterday, 300_000, 900_000, ended=yesterday + 2 * HOUR), "new-1"))
    controller.record(disk_events("v", Disk(yesterday, 100, 73_000, deleted=yesterday + 2 * HOUR), "new-1"))
    return controller.state


def told(*words: str) -> Any:
    return check("cost", json.loads(typed("cost", *words, "-o", "json").stdout))


def test_every_run_and_the_total(fleet: FleetState) -> None:
    found = told()
    assert {one["key"]: one["usd"] for one in found["groups"]} == {"old-1": 0.1, "new-1": 0.62}
    total = found["total"]
    assert (total["usd"], total["machines_usd"], total["volumes_usd"], total["on_demand_usd"]) == (0.72, 0.7, 0.02, 2.22)
    assert (total["machine_seconds"], found["zone"], found["since_at"], found["lines"]) == (
        3 * HOUR,
        "Europe/Berlin",
        None,
        [],
    )


def test_the_figures_of_a_run_are_those_of_its_status(fleet: FleetState) -> None:
    status = json.loads(typed("status", "new-1", "-o", "json").stdout)
    total = told("new-1")["total"]
    assert (total["usd"], total["on_demand_usd"]) == (status["cost_usd"], status["on_demand_usd"])
    assert [one["key"] for one in told("new-1")["groups"]] == ["new-1 #1", "new-1 volume"]


def test_since_a_time_and_by_day(fleet: FleetState) -> None:
    assert told("--since", "7d")["total"]["usd"] == 0.62
    days = told("--since", "7d", "--by", "day")
    assert sum(one["usd"] for one in days["groups"]) == pytest.approx(0.62)
    assert all(len(one["key"]) == 10 for one in days["groups"])
    assert told("--by", "kind")["groups"][0]["key"] == "instance"  # the dearest first
    error = refused("cost", "--since", "soon")
    assert "'soon'" in error.message
    assert error.hint


def test_lines_say_how_they_are_known(fleet: FleetState) -> None:
    lines = told("new-1", "--lines")["lines"]
    assert [(one["kind"], one["usd"], one["known"]) for one in lines] == [
        ("instance", 0.6, "measured"), ("volume", 0.02, "listed")
    ]  # fmt: skip
    shown = typed("cost", "new-1", "--lines").stdout
    assert "seconds at the prices that were seen" in shown
    assert "7,200 instance-seconds" in shown


def test_people_see_what_on_demand_would_have_cost(fleet: FleetState) -> None:
    shown = typed("cost").stdout
    head, *rows = shown.splitlines()
    assert head.split() == ["RUN", "MACHINES", "DISKS", "REST", "TOTAL", "ON-DEMAND", "SAVED", "TIME", "KNOWN"]
    assert rows[2].split() == ["total", "$0.70", "$0.0200", "$0.00", "$0.72", "$2.22", "68%", "3h00m", "listed"]
    assert "Credits and free tiers are not in it" in shown


def test_many_rows_are_put_together_and_add_up(fleet: FleetState) -> None:
    controller = open_fleet(open_home(), open_home().bucket)
    now = round(controller.objects.now())
    for number in range(40):
        who, at = f"many-{number}", now - 5 * HOUR + number
        controller.record([created(who, at), *machine_events(1, Machine(at, 100_000, 400_000, ended=at + HOUR), who)])
    rows = typed("cost").stdout.splitlines()[1:33]
    assert rows[0].startswith("12 earlier (--all)  $1.70")
    assert rows[-1].startswith("total")
    assert "$4.72" in rows[-1]
    assert len(typed("cost", "--all").stdout.splitlines()) == len(rows) + 11 + 3


def test_of_many_types_the_dearest_are_shown() -> None:
    groups = [Group(f"type-{n}", 100 - n, 0, 0, 200, 1.0, "measured") for n in range(40)]
    shown = _fewer(groups, dearest_first=True)
    assert [one.key for one in shown] == [*(f"type-{n}" for n in range(30)), "10 more (--all)"]
    assert sum(one.amount for one in shown) == sum(one.amount for one in groups)


def test_what_is_not_sure_is_told_with_its_reason(fleet: FleetState) -> None:
    """A price that the cloud did not tell is no end that nobody saw."""
    controller = open_fleet(open_home(), open_home().bucket)
    now = round(controller.objects.now())
    controller.record([created("odd-1", now - DAY)])
    controller.record(machine_events(1, Machine(now - DAY, 100_000, 400_000, ended=now - DAY + HOUR), "odd-1"))
    controller.record([PricesFilled(at=now, run_id="odd-1", attempt=1, prices=(), until=now - DAY + HOUR)])
    shown = typed("cost").stdout
    assert "Nobody tells what 1 machine(s) were charged: counted at the prices that were seen." in shown
    assert "Nobody saw the end" not in shown
    seen = AttemptGone(at=now, run_id="odd-1", attempt=2, ended_at=now - 2 * HOUR, ended_by="unknown", estimate=True)
    controller.record([*machine_events(2, Machine(now - 3 * HOUR, 100_000, 400_000), "odd-1"), seen])
    shown = typed("cost").stdout
    assert "Nobody saw the end of 1 machine(s): counted up to the last sign of life." in shown
    assert "Nobody tells what 1 machine(s) were charged" in shown


def test_nothing_to_pay_for_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    assert typed("cost").stdout == "nothing was paid for yet\n"
    assert "nothing was paid for since" in typed("cost", "--since", "7d").stdout
    assert "there is no run 'x'" in refused("cost", "x").message

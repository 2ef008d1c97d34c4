"""``fleet budget``: capping a fleet, and a run that waits for another day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.timeline import describe
from fleet.model.events import LeaseExtended
from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_commands import Shell
from tests.unit.cli.test_json import check


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    made.env["TZ"] = "Europe/Berlin"
    yield made
    stop_everything(made.home.local)


def budgets(shell: Shell, *words: str) -> Any:
    out, _ = shell.run("budget", *words, "-o", "json")
    return check("budgets", json.loads(out))


def test_a_fleet_is_capped_before_its_first_run_in_the_days_of_this_computer(shell: Shell) -> None:
    place = ("--bucket", f"file://{shell.folder}/bucket")
    [told] = budgets(shell, "set", "--day", "$5", *place)
    assert (told["day_usd"], told["month_usd"], told["time_zone"]) == (5.0, None, "Europe/Berlin")
    [told] = budgets(shell, "set", "--month", "60", "--time-zone", "Asia/Tokyo", *place)
    assert (told["day_usd"], told["month_usd"], told["time_zone"]) == (5.0, 60.0, "Asia/Tokyo")
    assert [one["scope"] for one in told["budgets"]] == ["fleet-day", "fleet-month"]
    [told] = budgets(shell, "clear", *place)
    assert (told["day_usd"], told["month_usd"], told["budgets"]) == (None, None, [])
    out, _ = shell.run("budget", *place)
    assert "nothing caps the whole fleet" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("set",), "a budget needs an amount"),
        (("set", "--day", ""), "a shell takes $5 without quotes for a variable"),
        (("set", "--day", "0"), "lets nothing run"),
        (("set", "--day", "-3"), "less than nothing"),
        (("set", "--day", "five"), "is no amount of money"),
        (("clear", "--day", "5"), "takes neither --day"),
        (("set", "--day", "5"), "there is no fleet yet"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_type(shell: Shell, words: tuple[str, ...], told: str) -> None:
    _, err = shell.run("budget", *words, code=1)
    assert told in err


def test_a_zone_that_is_none_changes_nothing(shell: Shell) -> None:
    place = ("--bucket", f"file://{shell.folder}/bucket")
    _, err = shell.run("budget", "set", "--day", "5", "--time-zone", "Berlin", *place, code=1)
    assert "Did you mean Europe/Berlin" in err
    assert budgets(shell, *place)[0]["day_usd"] is None


def test_a_lease_that_a_lowered_budget_shortens_is_not_called_an_extension() -> None:
    shorter = LeaseExtended(at=1000.0, run_id="r-1", attempt=1, lease_until=1300.0, share=None)
    assert describe(shorter) == "lease       it may live 5m00s from here on"


def test_a_run_whose_budget_is_used_up_saves_and_waits_for_another_day(shell: Shell) -> None:
    job = shell.job(name="long", steps=100_000, extra="budget: {month: $500}\n")
    shell.run("up", "--detach", job)
    [own] = budgets(shell)[0]["budgets"]
    assert (own["scope"], own["time_zone"]) == ("month", "Europe/Berlin")
    shell.run("budget", "set", "--day", "0.001")

    def waits() -> bool:
        shell.run("controller", "run", "--once")
        return bool(shell.json("status", "long")["state"] == "waiting")

    shell.until(waits, 60)
    status = shell.json("status", "long")
    assert status["ended_at"] is None
    assert "the fleet's budget of $0.0010 for a day lets no machine run" in status["next"]
    assert budgets(shell)[0]["budgets"][0]["warned_percent"] == 100
    events = [json.loads(line) for line in shell.run("events", "-o", "json")[0].splitlines()]
    assert {"budget-set", "budget-warned", "lease-extended"} <= {one["type"] for one in events}
    finished = [one for one in events if one["type"] == "attempt-finished"]
    assert [one["outcome"]["kind"] for one in finished] == ["lease"]
    saved = shell.json("checkpoints", "list", "long")[0]["step"]
    assert saved > 0

    shell.run("budget", "clear")
    shell.run("controller", "run", "--once")
    shell.until(lambda: shell.json("status", "long")["step"] is not None and shell.json("status", "long")["step"] > saved)
    assert shell.json("status", "long")["steps_lost"] == 0
    shell.run("down", "long")

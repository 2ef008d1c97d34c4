"""``fleet budget``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.budgets import amount, clear_budget, set_budget, standings
from fleet.control.controller import Controller
from fleet.control.fleets import open_fleet
from fleet.control.home import open_home
from fleet.control.opened import opened
from fleet.core.budget.standing import WARN_AT, Standing, share_used
from fleet.model.calendar import clock_text
from fleet.model.errors import FleetError
from fleet.model.units import format_money

if TYPE_CHECKING:
    from fleet.cli.money_objects import BudgetObject, BudgetsObject

HEAD = ("BUDGET", "CAP", "SPENT", "LEASES", "DISKS", "LEFT", "FORECAST", "UNTIL")
SPARE = ("UNTIL", "DISKS", "LEASES")
EXAMPLE = "fleet budget set --day 5 --month 60"


def run(
    action: Literal["show", "set", "clear"],
    day: str | None,
    month: str | None,
    time_zone: str | None,
    bucket: str | None,
    *,
    as_json: bool,
) -> int:
    """Show the budgets, or cap a fleet, or do away with its caps."""
    if action != "set" and not (day is None and month is None and time_zone is None):
        raise FleetError(f"`fleet budget {action}` takes neither --day nor --month nor --time-zone", f"`{EXAMPLE}`")
    if action == "show":
        return _show(list(opened(bucket)), as_json=as_json)
    daily, monthly = (amount(n, one) if one is not None else None for n, one in (("day", day), ("month", month)))
    if action == "set" and daily is None and monthly is None and time_zone is None:
        raise FleetError("a budget needs an amount", f"`{EXAMPLE}`")
    controller = _one(bucket)
    if action == "clear":
        clear_budget(controller)
    else:
        if time_zone is not None and daily is None and monthly is None and controller.state.budget is None:
            raise FleetError("this fleet has no budget whose days and months could be of another zone", f"`{EXAMPLE}`")
        set_budget(controller, daily, monthly, time_zone)
    return _show([controller], as_json=as_json)


def _one(bucket: str | None) -> Controller:
    """The fleet that is meant. One that is named is made: its budget may be set before its first run."""
    if bucket is not None:
        home = open_home()
        controller = open_fleet(home, bucket, create=True)
        home.remember_bucket(bucket)
        return controller
    found = list(opened(None))
    if len(found) == 1:
        return found[0]
    if not found:
        raise FleetError("there is no fleet yet", "`fleet up JOB` makes one; or name its bucket with --bucket.")
    known = ", ".join(one.objects.url for one in found)
    raise FleetError(f"there is more than one fleet: {known}", "Say which with --bucket.")


def _show(controllers: list[Controller], *, as_json: bool) -> int:
    if as_json:
        emit([_object(one) for one in controllers])
        return 0
    for number, controller in enumerate(controllers):
        say(plain(f"{'' if number == 0 else chr(10)}{_headline(controller)}"))
        found = standings(controller)
        if found:
            print_table([HEAD, *(_row(one) for one in found)], SPARE)
        for one in found:
            told = _note(controller, one)
            if told:
                say(plain(told))
    if not controllers:
        say(f"There is no fleet yet. `{EXAMPLE} --bucket URL` caps one before its first run.")
    return 0


def _headline(controller: Controller) -> str:
    whole = controller.state.budget
    if whole is None:
        return f"{controller.objects.url}: nothing caps the whole fleet. `{EXAMPLE}` does."
    named = (("a day", whole.day), ("a month", whole.month))
    caps = " and ".join(f"{format_money(cap)} {name}" for name, cap in named if cap is not None)
    return f"{controller.objects.url}: the whole fleet may spend {caps} ({whole.time_zone})."


def _name(found: Standing) -> str:
    cap = found.cap
    return cap.scope.replace("fleet-", "fleet, ") if cap.run_id is None else f"{cap.run_id}, {cap.scope}"


def _row(found: Standing) -> tuple[str, ...]:
    until = clock_text(found.period.end, found.cap.zone) if found.cap.scope != "run" else "its end"
    amounts = (found.cap.limit, found.spent, found.committed, found.disks, found.left, found.forecast)
    return (_name(found), *map(format_money, amounts), until)


def _note(controller: Controller, found: Standing) -> str:
    """What follows from how it stands, if anything does."""
    used = share_used(controller.state, found.cap, found.used)
    if used == 100:
        ends = "its run ends" if found.cap.scope == "run" else f"nothing is launched before {_row(found)[-1]}"
        return f"{_name(found)}: used up; {ends}."
    if found.cap.scope != "run" and found.forecast > found.cap.limit:
        return f"{_name(found)}: {format_money(found.forecast)} would be passed: machines save and stop before that."
    return f"{_name(found)}: {WARN_AT} % are used." if used else ""


def _object(controller: Controller) -> BudgetsObject:
    whole = controller.state.budget
    return {
        "bucket": controller.objects.url,
        "day_usd": dollars(whole.day) if whole is not None and whole.day is not None else None,
        "month_usd": dollars(whole.month) if whole is not None and whole.month is not None else None,
        "time_zone": whole.time_zone if whole is not None else None,
        "budgets": [_budget(controller, one) for one in standings(controller)],
    }


def _budget(controller: Controller, found: Standing) -> BudgetObject:
    run_id, start = found.cap.run_id, found.period.start
    told = [w.share for w in controller.state.warned.values() if (w.scope, w.run_id) == (found.cap.scope, run_id)
            and (w.period_start, w.cap) == (start, found.cap.limit)]  # fmt: skip
    return {
        "scope": found.cap.scope,
        "run": run_id,
        "starts_at": start,
        "ends_at": found.period.end if found.cap.scope != "run" else None,
        "time_zone": found.cap.zone if found.cap.scope != "run" else None,
        "cap_usd": dollars(found.cap.limit),
        "spent_usd": dollars(found.spent),
        "leases_usd": dollars(found.committed),
        "disks_usd": dollars(found.disks),
        "left_usd": dollars(found.left),
        "forecast_usd": dollars(found.forecast),
        "used_percent": cast("Literal[0, 80, 100]", share_used(controller.state, found.cap, found.used)),
        "warned_percent": max(told, default=0),
    }

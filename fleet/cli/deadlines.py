"""Deadlines as people read them, by this computer's clock and zone, and as objects for programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fleet.control.runs import RunView
from fleet.core.keeping.forecast import Forecast
from fleet.model.base import Micros, Seconds
from fleet.model.units import MICROS_PER_DOLLAR, format_duration

if TYPE_CHECKING:
    from fleet.cli.objects import DeadlineObject, OtherChoiceObject


def local_time(at: Seconds, now: Seconds) -> str:
    """``18:20`` of today, else ``Fri 27 Nov 08:00``, with the zone's name."""
    when, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    return when.strftime("%H:%M %Z" if when.date() == today.date() else "%a %d %b %H:%M %Z")


def deadline_line(seen: Forecast, now: Seconds) -> str:
    """The deadline, and whether it will be kept."""
    when = local_time(seen.deadline, now)
    left = (
        f"in {format_duration(seen.deadline - now)}"
        if seen.deadline > now
        else f"{format_duration(now - seen.deadline)} ago"
    )
    if seen.late and seen.finish is not None:
        return f"{when} ({left}); {late_words(seen, now)}"
    return f"{when} ({left})"


def late_words(seen: Forecast, now: Seconds) -> str:
    """That it is not kept, and when the run will have ended instead."""
    assert seen.finish is not None
    if seen.work_left is None:
        return f"LATE by {format_duration(seen.finish - seen.deadline)} so far"
    over = format_duration(seen.finish - seen.deadline)
    return f"LATE by {over}: expected to end at {local_time(seen.finish, now)}"


def notes(seen: RunView) -> list[str]:
    """What the user of a new run with a deadline is told."""
    plan = seen.forecast
    if plan is None:
        return []
    told = [f"deadline    {deadline_line(plan, seen.at)}"]
    if plan.work_left is None and seen.run.ended_at is None:
        told.append(
            "deadline    it cannot be planned for until it is known how much work there is: give `estimate: 8h`, or let "
            "training report `total=` with its steps (fleet.progress)"
        )
    return told


def deadline_object(seen: RunView) -> DeadlineObject | None:
    """What keeps the deadline, as ``-o json`` prints it."""
    from fleet.core.keeping import told

    verdict = seen.verdict()
    if verdict is None:
        return None
    decision, hourly = verdict.decision, verdict.on_demand
    known = decision is not None and decision.cost != float("inf") and verdict.mood == "planned"
    others: list[OtherChoiceObject] = [
        {"choice": do.value, "expected_usd": _dollars(cost, hourly)}
        for do, cost in (decision.others if decision is not None else ())
    ]
    return {
        "choice": verdict.do.value,
        "why": told(verdict),
        "expected_usd": _dollars(decision.cost, hourly) if decision is not None and known else None,
        "others": others,
        "slack_seconds": round(verdict.latest, 1) if verdict.mood == "planned" else None,
        "margin_seconds": round(verdict.margin, 1),
        "on_demand_at_latest": round(seen.at + verdict.latest, 1) if verdict.mood == "planned" else None,
    }


def _dollars(hours: float, hourly: Micros) -> float:
    return round(hours * hourly) / MICROS_PER_DOLLAR

"""One night of one fleet, ready to be told: what is sent is made here, by whoever sends it."""

from __future__ import annotations

import html
import json
from datetime import date, datetime, time

from fleet.control.controller import Controller
from fleet.core.costs import run_cost
from fleet.model.calendar import Span, date_text, day_of, night_before, zone
from fleet.model.errors import FleetError
from fleet.model.units import format_money
from fleet.report.send import Rendered
from fleet.report.send.nights import Make, Night


def last_night(now: float, time_zone: str) -> str:
    """The date of the night that a report is about: yesterday, in the user's zone."""
    return date_text(night_before(now, time_zone).start, time_zone)


def span_of(night: str, time_zone: str) -> Span:
    """A night by its date. Raises FleetError for what is no date."""
    try:
        noon = datetime.combine(date.fromisoformat(night), time(12), zone(time_zone))
    except ValueError:
        raise FleetError(f"{night[:40]!r} is no date", "Write for example 2026-11-25.") from None
    return day_of(noon.timestamp(), time_zone)


def maker(controller: Controller, time_zone: str) -> Make:
    """Makes any night's report of a fleet, from its journal."""
    return lambda night: night_of(controller, night, time_zone)


def night_of(controller: Controller, night: str, time_zone: str) -> Night:
    """One night: what its runs cost, a line each."""
    span, now = span_of(night, time_zone), controller.objects.now()
    billing = {name: one.capabilities.billing for name, one in controller.observer.providers.items()}
    runs = []
    for run in controller.state.runs.values():
        if run.created_at < span.end and (run.ended_at is None or run.ended_at >= span.start):
            until = run_cost(run, min(now, span.end), billing).total
            runs.append((run.name, until - run_cost(run, span.start, billing).total))
    total = sum(paid for _, paid in runs)
    brief = f"{night}: {format_money(total)} for {len(runs)} run{'' if len(runs) == 1 else 's'}" if runs else ""
    brief = brief or f"{night}: nothing ran"
    text = "\n".join([brief, *(f"{name}: {format_money(paid)}" for name, paid in runs)]) + "\n"
    page = f"<!DOCTYPE html><meta charset=utf-8><title>fleet</title><pre>{html.escape(text)}</pre>\n"
    told = json.dumps({"night": night, "runs": [{"name": name, "usd": paid / 1e6} for name, paid in runs]})
    rendered = Rendered(f"fleet, {brief}", text, page, short=f"fleet, {brief}")
    return Night(night, rendered, {"html": page, "md": text, "json": told}, quiet=not runs)

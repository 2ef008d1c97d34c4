"""One night of one fleet, ready to be told: what a statement needs is read here, by whoever shows or sends it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, datetime, time

from fleet.control.controller import Controller
from fleet.control.inventory import unowned
from fleet.control.rates import billing_of, rates_of
from fleet.model.base import Seconds
from fleet.model.calendar import Span, date_text, day_of, night_before, previous_day, zone
from fleet.model.errors import FleetError
from fleet.report.pricing import pools_used
from fleet.report.reading import Pool, Read, Trail
from fleet.report.rendering import pages, rendered
from fleet.report.send.kept import unsent
from fleet.report.send.nights import Make, Night
from fleet.report.statement import Earlier, Left, Statement
from fleet.report.stating import DAYS, statement

log = logging.getLogger("fleet.control")

MOST_ASKED = 12
"""Pools whose prices over time are asked for; those of others are told from the journal."""
RECENT: Seconds = 2 * 86_400
"""What lies about now is told of a night that ended no longer ago."""
FIRST, LAST = 1970, 9999
"""Years."""
_WHOSE = {"aws": "EC2's price history"}


def last_night(now: float, time_zone: str) -> str:
    """The date of the night that a report is about: yesterday, in the user's zone."""
    return date_text(night_before(now, time_zone).start, time_zone)


def named_night(night: str, now: float, time_zone: str) -> str:
    """The date of ``yesterday`` and ``today``; any other text as it is."""
    return {"yesterday": last_night(now, time_zone), "today": date_text(now, time_zone)}.get(night, night)


def span_of(night: str, time_zone: str) -> Span:
    """A night by its date. Raises FleetError for what is no date."""
    try:
        day = date.fromisoformat(night)
        if not FIRST <= day.year < LAST:  # the weeks before it, and its end, are to be dates as well
            raise ValueError
        return day_of(datetime.combine(day, time(12), zone(time_zone)).timestamp(), time_zone)
    except ValueError:
        raise FleetError(f"{night[:40]!r} is no date", "Write for example 2026-11-25.") from None


def maker(controller: Controller, time_zone: str, *, look: bool = True, whole: bool = True) -> Make:
    """Makes any night's report of a fleet, from its journal."""
    return lambda night: night_of(controller, night, time_zone, look=look, whole=whole)


def night_of(controller: Controller, night: str, time_zone: str, *, look: bool = True, whole: bool = True) -> Night:
    """One night in every form in which it is told and kept."""
    made = statement_of(controller, night, time_zone, look=look, whole=whole)
    return Night(made.date, rendered(made), pages(made), quiet=made.quiet)


def statement_of(
    controller: Controller, night: str, time_zone: str, *, look: bool = True, whole: bool = True
) -> Statement:  # fmt: skip
    """One night as data. With ``look`` clouds are asked for prices and for what lies about (``whole``: in the whole
    account); whatever cannot be had is told from the journal, or left out. Raises FleetError for a night that has not begun.
    """
    span, now, state = span_of(night, time_zone), controller.objects.now(), controller.state
    if span.start > now:
        raise FleetError(f"{night} has not begun", "Name a day that has, for example yesterday's.")
    controller.observer.read_beats(state)
    beats = {
        (run.run_id, attempt.number): beat
        for run in state.runs.values()
        for attempt in run.live_attempts
        if (beat := controller.observer.beat(run.run_id, attempt.number)) is not None
    }
    recent = look and now - span.end < RECENT
    read = Read(
        billing=billing_of(controller.observer.providers),
        rates=rates_of(controller.observer.providers),
        prices=dict(_trails(controller, span, now, time_zone)) if look else {},
        beats=beats,
        strays=tuple(_strays(controller, whole=whole)) if recent else (),
        day_cap=state.budget.day if state.budget is not None else None,
        month_cap=state.budget.month if state.budget is not None else None,
    )
    waiting = [Earlier(one, why) for one, why in unsent(controller.objects, night, now)]
    return statement(state, span, now, time_zone, read, fleet=controller.objects.url, unsent=waiting)


def _trails(controller: Controller, night: Span, now: Seconds, time_zone: str) -> Iterator[tuple[Pool, Trail]]:
    """What clouds tell of their prices over the weeks before the night's end."""
    first = night
    for _ in range(DAYS - 1):
        first = previous_day(first, time_zone)
    window, silent = Span(first.start, min(now, night.end)), set[str]()
    for pool, offer in list(pools_used(controller.state, window, now).items())[:MOST_ASKED]:
        provider = controller.observer.providers.get(pool[0])
        if provider is None or not provider.capabilities.price_history or pool[0] in silent:
            continue
        try:
            points = tuple(provider.price_history(offer, window.start, window.end))
        except FleetError as error:  # its other pools would be waited for as long, and in vain
            log.warning("fleet: prices of %s over time could not be had: %s", pool[0], error.message)
            silent.add(pool[0])
            continue
        yield pool, Trail(points, _WHOSE.get(pool[0], f"{pool[0]}'s price history"))


def _strays(controller: Controller, *, whole: bool) -> Iterator[Left]:
    try:
        for one in unowned(controller, whole=whole):
            where = f"{one.provider}/{one.region}"
            yield Left(one.kind, one.id, where, "", one.monthly, None, one.why, "fleet gc --delete")
    except FleetError as error:
        log.warning("fleet: what lies about could not be looked for: %s", error.message)

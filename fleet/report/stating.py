"""Makes one night's statement: a pure function of the journal's fold, and of prices and lists that others have read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.core.bought import PARTS, WORDS, Shares, shares, wasted
from fleet.core.ledger import Line, ledger
from fleet.core.news import name_of as called
from fleet.core.plain import plain
from fleet.core.state import FleetState, RunState
from fleet.core.stretches import Part
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, date_text, month_of, previous_day
from fleet.report.advice import advice
from fleet.report.counting import forecast, spent
from fleet.report.leftovers import forgotten, left_behind
from fleet.report.pricing import histories
from fleet.report.reading import Asked, Read
from fleet.report.running import in_night, run_night, taken
from fleet.report.statement import Earlier, RunNight, Share, Spent, Statement, Totals, Waste

DAYS = 28
"""As many nights are shown, the night itself the last."""
WEEK = 7
WHY: Mapping[Part, str] = {
    "boot": "from the launch to the machine's first word",
    "restore": "bringing back a checkpoint, and the job's set-up",
    "lost": "training that had to be done again",
    "idle": "waiting for its turn, or still there with nothing to do",
    "leaving": "saving, letting go and ending",
}


def statement(
    state: FleetState,
    night: Span,
    now: Seconds,
    zone: str,
    read: Read,
    *,
    fleet: str = "",
    unsent: Sequence[Earlier] = (),
) -> Statement:
    """One night of one fleet, as far as it is known at ``now``."""
    asked = Asked(night, now, zone, read)
    book = _Book.of(state, asked)
    runs = [run for run in state.runs.values() if in_night(run, night, now)]
    bought = {run.run_id: shares(run, night, now, read.beats) for run in runs}
    whole = _summed(bought.values())
    told = _runs(state, runs, asked, book.tonight, bought)
    waste = _waste(state, runs, asked, book.tonight, whole)
    made = Statement(
        fleet=plain(fleet),
        date=date_text(night.start, zone),
        start=night.start,
        end=night.end,
        zone=zone,
        made_at=now,
        totals=_totals(state, asked, book, told, waste, whole.machine),
        days=book.shown,
        runs=told,
        shares=tuple(Share(WORDS[part], seconds) for part, seconds in whole.parts.items()) if whole.machine else (),
        interruptions=tuple(sorted((one for run in runs for one in taken(run, night)), key=lambda one: one.at)),
        waste=waste,
        prices=tuple(histories(state, Span(book.days[0].start, night.end), now, read.prices)),
        left=tuple(left_behind(state, zone, read.strays)),
        advice=(),
        unsent=tuple(unsent),
    )
    return replace(made, advice=advice(made))


@dataclass(frozen=True, slots=True)
class _Book:
    """What the ledger says of the last weeks and of the night's month."""

    days: tuple[Span, ...]
    """The last of them is the night."""
    month: Span
    lines: tuple[Line, ...]
    tonight: tuple[Line, ...]
    spent: tuple[Spent, ...]
    """Of each day."""
    first: Seconds
    """When the fleet's first run was made."""

    @classmethod
    def of(cls, state: FleetState, asked: Asked) -> _Book:
        """A month that is over is told as it ended."""
        days, month = _days(asked.night, asked.zone), month_of(asked.night.start, asked.zone)
        end = month.end if asked.now >= month.end else asked.night.end
        cuts = sorted({month.start, *(day.start for day in days), asked.night.end})
        window = Span(min(days[0].start, month.start), end)
        lines = ledger(state, window, asked.now, asked.read.billing, asked.read.rates, cuts=cuts)
        by_day = _by_day(lines, days)
        sums = [spent(some, date_text(day.start, asked.zone)) for day, some in zip(days, by_day, strict=True)]
        first = min((run.created_at for run in state.runs.values()), default=asked.now)
        return cls(tuple(days), month, tuple(lines), tuple(by_day[-1]), tuple(sums), first)

    @property
    def shown(self) -> tuple[Spent, ...]:
        """Without the days before there was a fleet; the night at least."""
        lived = [one for day, one in zip(self.days, self.spent, strict=True) if day.end > self.first]
        return tuple(lived) or self.spent[-1:]

    def paid(self, days: slice, until: Seconds) -> list[Micros]:
        """What each of some days cost that the fleet lived in, and that were over at a moment."""
        kept = zip(self.days[days], self.spent[days], strict=True)
        return [one.paid for day, one in kept if self.first < day.end <= until]


def _totals(
    state: FleetState, asked: Asked, book: _Book, told: Sequence[RunNight], waste: Sequence[Waste], machine: Seconds
) -> Totals:
    before, lately = book.paid(slice(-1 - WEEK, -1), asked.now), book.paid(slice(-WEEK, None), asked.now)
    night, steps, read = book.spent[-1], sum(run.steps for run in told), asked.read
    until = asked.until if asked.now < book.month.end else book.month.end
    return Totals(
        night=night,
        week_before=round(sum(before) / len(before)) if before else 0,
        days_before=len(before),
        machine_seconds=machine,
        steps=steps,
        per_thousand=round(night.paid * 1000 / steps) if steps else None,
        wasted=sum(one.paid for one in waste),
        budget=read.day_cap,
        month=forecast(state, book.lines, book.month, until, lately, asked.zone, read.month_cap),
    )


def _days(night: Span, zone: str) -> list[Span]:
    found = [night]
    while len(found) < DAYS:
        found.append(previous_day(found[-1], zone))
    return found[::-1]


def _by_day(lines: Sequence[Line], days: Sequence[Span]) -> list[list[Line]]:
    """Lines by the day that they lie in; those of other days are left out."""
    found: list[list[Line]] = [[] for _ in days]
    begins = [day.start for day in days]
    for line in lines:
        index = bisect_right(begins, line.start) - 1
        if index >= 0 and line.start < days[index].end:
            found[index].append(line)
    return found


def _runs(
    state: FleetState, runs: Sequence[RunState], asked: Asked, lines: Sequence[Line], bought: Mapping[str, Shares]
) -> tuple[RunNight, ...]:
    """The dearest first."""
    mine: dict[str | None, list[Line]] = {}
    for line in lines:
        mine.setdefault(line.run, []).append(line)
    ever: dict[str | None, Micros] = {}
    for line in ledger(state, Span(0.0, asked.night.end), asked.now, asked.read.billing, asked.read.rates, runs=runs):
        ever[line.run] = ever.get(line.run, 0) + line.amount
    found = [
        run_night(
            run, called(state, run), asked, mine.get(run.run_id, ()), ever.get(run.run_id, 0), bought[run.run_id]
        )
        for run in runs
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.paid, one.name)))


def _summed(of: Iterable[Shares]) -> Shares:
    found = list(of)
    parts = {part: sum(getattr(one, part) for one in found) for part in PARTS}
    return Shares(**parts, waiting=sum(one.waiting for one in found))


def _waste(
    state: FleetState, runs: Sequence[RunState], asked: Asked, lines: Sequence[Line], whole: Shares
) -> tuple[Waste, ...]:
    """What bought no training, the dearest first."""
    paid = wasted(runs, asked.night, asked.now, asked.read.billing, asked.read.beats)
    found = [Waste(WORDS[part], amount, whole.parts[part], WHY[part]) for part, amount in paid.items()]
    kept = forgotten(state, lines, asked.night)
    if kept:
        why = "disks of runs that had ended before this night"
        found.append(Waste("forgotten volumes", kept, asked.until - asked.night.start, why))
    return tuple(sorted(found, key=lambda one: (-one.paid, one.reason)))

"""A statement as CSV: one figure a line, so that nights put after one another are still one table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from fleet.core.plain import plain
from fleet.report.statement import Statement

HEAD = ("date", "fleet", "section", "of", "figure", "value", "unit")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula at a cell's beginning."""
Figure = tuple[str, str, str, float | int | None, str]


def as_csv(s: Statement, *, head: bool = True) -> str:
    """Every figure of the night and of the days before; amounts in dollars, times in seconds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if head:
        writer.writerow(HEAD)
    for section, of, figure, value, unit in _figures(s):
        if value is not None:
            writer.writerow((s.date, _cell(s.fleet), section, _cell(of), figure, _number(value), unit))
    return out.getvalue()


def _number(value: float) -> str:
    """Never in powers of ten: a micro-dollar is 0.000001."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    text = plain(text).replace("\n", " ")
    return f"'{text}" if text.startswith(_FORMULA) else text


def _usd(section: str, of: str, figure: str, micros: int | None) -> Figure:
    return section, of, figure, None if micros is None else micros / 1e6, "USD"


def _figures(s: Statement) -> Iterator[Figure]:
    t, m = s.totals, s.totals.month
    yield _usd("night", "", "paid", t.night.paid)
    yield _usd("night", "", "on demand", t.night.on_demand)
    yield _usd("night", "", "estimated", t.night.estimated)
    yield _usd("night", "", "wasted", t.wasted)
    yield _usd("night", "", "average of the days before", t.week_before)
    yield _usd("night", "", "budget", t.budget)
    yield "night", "", "machine time", round(t.machine_seconds, 3), "seconds"
    yield "night", "", "steps", t.steps, "steps"
    for figure, value in (("paid", m.paid), ("low", m.low), ("likely", m.likely), ("high", m.high), ("budget", m.budget)):
        yield _usd("month", m.name, figure, value)
    yield from _runs(s)
    yield from _rest(s)


def _runs(s: Statement) -> Iterator[Figure]:
    for run in s.runs:
        yield _usd("run", run.run_id, "paid", run.paid)
        yield _usd("run", run.run_id, "on demand", run.on_demand)
        yield _usd("run", run.run_id, "paid since its creation", run.paid_whole)
        yield _usd("run", run.run_id, "per 1,000 steps", run.per_thousand)
        yield "run", run.run_id, "steps", run.steps, "steps"
        yield "run", run.run_id, "interruptions", run.interruptions, ""
        yield "run", run.run_id, "waiting", round(run.waiting, 3), "seconds"
        for share in run.shares:
            yield "run", run.run_id, share.what, round(share.seconds, 3), "seconds"


def _rest(s: Statement) -> Iterator[Figure]:
    for taken in s.interruptions:
        of = f"{taken.run_id}/{taken.attempt}"
        yield "interruption", of, "at", round(taken.at, 3), "seconds since 1970"
        yield "interruption", of, "steps lost", taken.lost_steps, "steps"
        yield "interruption", of, "work lost", round(taken.lost_seconds, 3), "seconds"
        recovered = None if taken.recover_seconds is None else round(taken.recover_seconds, 3)
        yield "interruption", of, "recovered after", recovered, "seconds"
    for waste in s.waste:
        yield _usd("waste", waste.reason, "paid", waste.paid)
    for one in s.left:
        yield _usd("left", one.id, "a month", one.monthly)
    for day in s.days:
        yield _usd("day", day.date, "paid", day.paid)
        yield _usd("day", day.date, "on demand", day.on_demand)
        for kind, paid in day.by_kind:
            yield _usd("day", day.date, kind, paid)

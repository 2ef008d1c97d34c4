"""What days cost, and what a month will."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.core.costs import HOURS_PER_MONTH
from fleet.core.ledger import Line
from fleet.core.state import FleetState
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, date_text
from fleet.report.statement import Month, Spent

DAY: Seconds = 86_400


def spent(lines: Sequence[Line], date: str) -> Spent:
    """The lines of one day in sum."""
    kinds: dict[str, Micros] = {}
    paid = on_demand = estimated = 0
    for line in lines:
        kinds[line.kind] = kinds.get(line.kind, 0) + line.amount
        paid, on_demand = paid + line.amount, on_demand + line.on_demand
        estimated += line.amount if line.known == "estimated" else 0
    ordered = sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    return Spent(date, paid, on_demand, tuple(ordered), estimated)


def forecast(
    state: FleetState,
    lines: Sequence[Line],
    month: Span,
    until: Seconds,
    recent: Sequence[Micros],
    zone: str,
    cap: Micros | None,
) -> Month:
    """The month so far, and what it comes to: from what the last days cost (``recent``), and from what exists already."""
    paid = sum(line.amount for line in lines if month.start <= line.start < month.end)
    left = max(0.0, month.end - until)
    kept = sum(v.size_gb * v.price for run in state.runs.values() for v in run.volumes.values() if v.held)
    low = paid + round(kept * left / (HOURS_PER_MONTH * 3600))
    days = left / DAY
    likely = max(low, paid + round(days * sum(recent) / len(recent))) if recent else low
    high = max(likely, paid + round(days * max(recent))) if recent else likely
    return Month(date_text(month.start, zone)[:7], paid, low, likely, high, cap)

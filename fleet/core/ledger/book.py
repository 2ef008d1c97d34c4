"""The ledger: everything that a fleet has paid for within a stretch of time, line by line. A pure function of the state."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from fleet.core.ledger.bucket import of_bucket
from fleet.core.ledger.charges import Charge, of_run
from fleet.core.ledger.line import Line
from fleet.core.state import FleetState, RunState
from fleet.model.base import Seconds
from fleet.model.calendar import Span
from fleet.model.cloud import Billing
from fleet.model.rates import Rates


def ledger(
    state: FleetState,
    span: Span,
    now: Seconds,
    billing: Mapping[str, Billing],
    rates: Mapping[str, Rates],
    *,
    runs: Sequence[RunState] | None = None,
    cuts: Sequence[Seconds] = (),
) -> list[Line]:
    """What was paid for within ``span``, as far as it is known at ``now``; ``billing`` and ``rates`` by provider.

    With ``runs`` only what those cost. With ``cuts``, ascending, no line goes across one of them: midnights, for days. A
    machine's first minute is paid for whole, so that a line may end a little after ``now``.
    """
    edges = [span.start, *(at for at in cuts if span.start < at < span.end), span.end]
    found: list[Line] = []
    for charge in _charges(state, span, now, billing, rates, runs):
        if charge.start < span.end and charge.end > span.start:
            at = max(0, bisect_right(edges, charge.start) - 1)
            while at + 1 < len(edges) and edges[at] < charge.end:
                line = charge.cut(edges[at], edges[at + 1])
                if line is not None:
                    found.append(line)
                at += 1
    return found


def _charges(
    state: FleetState,
    span: Span,
    now: Seconds,
    billing: Mapping[str, Billing],
    rates: Mapping[str, Rates],
    runs: Sequence[RunState] | None,
) -> Iterator[Charge]:
    for run in state.runs.values() if runs is None else runs:
        yield from of_run(run, span, now, billing, rates)
    if runs is None:
        yield from of_bucket(state, now, rates)

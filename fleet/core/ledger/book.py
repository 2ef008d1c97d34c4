"""The ledger: everything that a fleet has paid for within a stretch of time, line by line. A pure function of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from fleet.core.ledger.charges import Charge, of_run
from fleet.core.ledger.line import Line
from fleet.core.state import FleetState, RunState
from fleet.model.base import Seconds
from fleet.model.cloud import Billing
from fleet.model.rates import Rates


class Stretch(Protocol):
    """From a moment up to another, which is not in it any more."""

    @property
    def start(self) -> Seconds:
        """The first moment."""
        ...

    @property
    def end(self) -> Seconds:
        """The first moment after it."""
        ...


def ledger(
    state: FleetState,
    span: Stretch,
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
    for charge in _charges(state, now, billing, rates, runs):
        if charge.whole.start < span.end and charge.whole.end > span.start:
            for start, end in pairwise(edges):
                line = charge.cut(start, end)
                if line is not None:
                    found.append(line)
    return found


def _charges(
    state: FleetState,
    now: Seconds,
    billing: Mapping[str, Billing],
    rates: Mapping[str, Rates],
    runs: Sequence[RunState] | None,
) -> Iterator[Charge]:
    for run in state.runs.values() if runs is None else runs:
        yield from of_run(run, now, billing, rates)

"""How fast policies are tried, and how fast one decides."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

from benchmarks.policy_cases import HOUR, TICK, VARIANTS, WORK, Case, Window
from fleet.backtest.runner import run_windows
from fleet.backtest.traces import Trace
from fleet.core.deadlines import Do, Situation, Sky, Terms, decide, table
from fleet.core.ticks.model import Terms as TickTerms

WANTED = 20_000
"""Runs of 48 hours, a minute, on two cores."""
ASKED = 20_000
SOLVED = 2.0
"""Seconds that a table may take, on one core."""


def tables(zones: Sequence[int]) -> Iterator[str]:
    """Seconds to solve each table, and microseconds to ask it."""
    for deadline, overhead in VARIANTS:
        for count in zones:
            for overlap in (False, True):
                horizon, slack = deadline * HOUR, deadline * HOUR - WORK
                terms = Terms(TICK, overhead * HOUR, overlap=overlap, zones=count)
                table.cache_clear()
                begun = time.perf_counter()
                solved = table(terms, horizon, slack)
                took = time.perf_counter() - begun
                megabytes = solved.values.nbytes / 1e6
                zone = "one zone " if count == 1 else f"{count} zones"
                asked = _asked(solved, horizon, slack)
                yield (
                    f"{deadline:g} h, {overhead * 60:>2g} min, {zone}{', overlap' if overlap else '         '}"
                    f"  {took:5.2f} s {megabytes:5.0f} MB  {asked:5.1f} µs a decision"
                )


def _asked(solved: object, horizon: float, slack: float) -> float:
    from fleet.core.deadlines import Table

    assert isinstance(solved, Table)
    situations = []
    for n in range(200):
        left = horizon * (n + 1) / 201
        work = max(left - slack * ((n * 37) % 101) / 101, 600.0)
        running = (Do.WAIT, Do.SPOT, Do.ON_DEMAND)[n % 3]
        up = n % 2 == 0 or running is Do.SPOT
        situations.append(Situation(left, work, running, 0.0, Sky(up, 600.0 * n), None, TICK))
    begun = time.perf_counter()
    for n in range(ASKED):
        decide(solved, situations[n % 200])
    return (time.perf_counter() - begun) / ASKED * 1e6


def runs(case: Case, count: int) -> Iterator[str]:
    """Runs a minute through what `fleet simulate --model tick` calls, on all cores, starting the processes included."""
    windows = [case.windows[n % len(case.windows)] for n in range(count)]
    traces = [_trace(n, window, case) for n, window in enumerate(windows)]
    terms = case.terms
    for policy in ("greedy", "uniform-progress", "fleet", "fleet-overlap", "omniscient"):
        begun = time.perf_counter()
        run_windows(traces, [policy], lambda tick: TickTerms(WORK, terms.deadline, terms.overhead, tick))
        a_minute = count / (time.perf_counter() - begun) * 60
        wanted = f"  wanted: {WANTED:,} on 2 cores" if policy == "fleet" else ""
        yield f"{policy:<17} {a_minute:>9,.0f} runs a minute on {os.cpu_count()} cores{wanted}"


def _trace(number: int, window: Window, case: Case) -> Trace:
    return Trace(f"{number}", case.terms.tick, window.zones[0])

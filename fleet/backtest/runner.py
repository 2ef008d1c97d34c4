"""Many runs of many policies, on all cores. The same answers in the same order on any number of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from fleet.backtest.traces import Trace
from fleet.core.ticks.model import Places, Terms, checked
from fleet.core.ticks.omniscient import omniscient, omniscient_zones
from fleet.core.ticks.registry import policies
from fleet.core.ticks.run import Outcome, simulate, simulate_zones

OMNISCIENT = "omniscient"
FEW = 40_000
"""Up to so many ticks, over all runs, are done at once and here: to start more processes would take longer."""
HEAVY = 20
"""A tick of the omniscient, or of a policy of fleet's own, takes as long as so many of another."""
CHUNKS = 8
"""For each process: so many that none waits long for the last."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One window under one policy."""

    file: str
    work: float
    """Seconds."""
    tick: float
    cost_od_hours: float
    finish_tick: int
    late: bool
    launches: int
    moves: int
    filled: int

    @property
    def ratio(self) -> float:
        """Its cost, with that of the work on on-demand as 1."""
        return self.cost_od_hours * 3600 / self.work


Task = tuple[str, Trace, Terms]


def names() -> list[str]:
    """Every policy that can be run."""
    return [*policies(), OMNISCIENT]


def run_windows(
    traces: Sequence[Trace],
    wanted: Sequence[str],
    terms_of: Callable[[float], Terms],
    processes: int | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> dict[str, list[Ran]]:
    """Every trace, from its first tick, under every policy. ``terms_of`` gives the terms in ticks of so many seconds;
    ``on_done`` is told how many runs of how many are done.
    """
    terms = {gap: checked(terms_of(gap)) for gap in dict.fromkeys(trace.gap for trace in traces)}
    tasks = [(name, trace, terms[trace.gap]) for name in wanted for trace in traces]
    ran: list[Ran] = []
    for part in _parts(tasks, processes or os.cpu_count() or 1):
        ran += part
        if on_done is not None:
            on_done(len(ran), len(tasks))
    return {name: ran[index * len(traces) : (index + 1) * len(traces)] for index, name in enumerate(wanted)}


def run_zones(traces: Sequence[Trace], name: str, terms: Terms, places: Places, file: str) -> Ran:
    """The traces as zones under one clock: one window."""
    ticks = list(zip(*([up > 0 for up in trace.up] for trace in traces), strict=True))
    if name == OMNISCIENT:
        outcome = omniscient_zones(ticks, terms, places)
    else:
        outcome = simulate_zones(policies()[name](), ticks, terms, places)
    return _told(file, terms, outcome)


def _parts(tasks: Sequence[Task], processes: int) -> Iterator[list[Ran]]:
    """What the tasks come to, in their order, as soon as it is known."""
    size = max(1, -(-len(tasks) // (processes * CHUNKS)))
    parts = [tasks[first : first + size] for first in range(0, len(tasks), size)]
    if processes == 1 or sum(_weight(task) for task in tasks) <= FEW:
        yield from map(_done, parts)
        return
    # started afresh, not forked: what NumPy has running in threads does not survive a fork
    pool = ProcessPoolExecutor(min(processes, len(parts)), mp_context=get_context("spawn"), initializer=_deaf)
    try:
        yield from pool.map(_done, parts)
    finally:
        pool.shutdown(cancel_futures=True)


def _deaf() -> None:
    """Ctrl-C is for the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _weight(task: Task) -> int:
    name, trace, terms = task
    return (HEAVY if name.startswith(("fleet", OMNISCIENT)) else 1) * (terms.ticks or len(trace.up))


def _done(tasks: Sequence[Task]) -> list[Ran]:
    made = {name: policies()[name]() for name in dict.fromkeys(name for name, _, _ in tasks) if name != OMNISCIENT}
    found = []
    for name, trace, terms in tasks:
        outcome = omniscient(trace.up, terms) if name == OMNISCIENT else simulate(made[name], trace.up, terms)
        found.append(_told(trace.name, terms, outcome))
    return found


def _told(file: str, terms: Terms, outcome: Outcome) -> Ran:
    return Ran(
        file, terms.work, terms.tick, outcome.cost_od_hours, outcome.finish_tick, outcome.late, outcome.launches,
        outcome.moves, outcome.filled,
    )  # fmt: skip


def mean_ratio(ran: Sequence[Ran]) -> float:
    """The mean over windows of cost by on-demand's for the work alone."""
    return sum(one.ratio for one in ran) / len(ran)


def closed(ran: Sequence[Ran], greedy: Sequence[Ran], best: Sequence[Ran]) -> float | None:
    """The share of the gap from greedy to the omniscient that is closed, as a ratio of means; None: there is no gap."""
    gap = mean_ratio(greedy) - mean_ratio(best)
    return (mean_ratio(greedy) - mean_ratio(ran)) / gap if gap > 1e-9 else None

"""Many runs at once, on every core: each a process of its own that is handed seeds, and hands back what became of them."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context

from fleet.backtest.market import Market
from fleet.backtest.ways import Ways
from fleet.backtest.whole import Outcome, simulate
from fleet.control.controller import uncollected
from fleet.core.deadlines import table
from fleet.model.base import Seconds
from fleet.model.job import Job

ALONE: Seconds = 4.0
"""What takes no longer is done in this process: others take a second to start."""
SHARE: Seconds = 1.0
"""A process is handed about so much work at once, so that progress shows and Ctrl-C is heard."""
TABLES = 250_000_000
"""Bytes of them, in each process."""
COLLECT_EVERY = 20
"""A run's world is one knot of references; looking for it after each run, or within one, takes longer than the run."""


@dataclass(frozen=True, slots=True)
class Case:
    """A job on a market, as often as it has seeds."""

    job: Job
    """As ``in_sim`` makes it."""
    market: Market
    ways: Ways
    deadline: Seconds | None = None
    """What runs are held against whose job has none."""

    def run(self, seed: int) -> Outcome:
        """One of them."""
        return simulate(self.job, self.market, seed, self.ways, self.deadline)[0]


def run_many(
    job: Job,
    market: Market,
    seeds: Sequence[int],
    *,
    ways: Ways | None = None,
    deadline: Seconds | None = None,
    cores: int | None = None,
    on_done: Callable[[int], None] = lambda _count: None,
) -> list[Outcome]:
    """What became of a job for each seed, in their order. ``on_done`` hears how many runs were finished since it was called.

    Raises KeyboardInterrupt at once: nothing of a simulation goes on.
    """
    case = Case(job, market, ways or Ways(), deadline)
    done: list[Outcome] = []
    began = time.monotonic()
    with uncollected():
        for seed in seeds:
            done.append(case.run(seed))
            on_done(1)
            if len(done) % COLLECT_EVERY == 0:
                gc.collect()
            each = (time.monotonic() - began) / len(done)
            if len(done) >= 2 and each * (len(seeds) - len(done)) > ALONE:
                break
    rest = seeds[len(done) :]
    count = cores or os.cpu_count() or 1
    if not rest:
        return done
    size = max(1, min(round(SHARE / max(each, 1e-4)), -(-len(rest) // count)))
    shares = [rest[at : at + size] for at in range(0, len(rest), size)]
    found = {seed: outcome for outcomes in _spread(case, shares, count, on_done) for seed, outcome in outcomes}
    return done + [found[seed] for seed in rest]


def _spread(
    case: Case, shares: list[Sequence[int]], count: int, on_done: Callable[[int], None]
) -> Iterator[list[tuple[int, Outcome]]]:
    pool = ProcessPoolExecutor(min(count, len(shares)), get_context("spawn"), _begin, (case,))
    waiting: set[Future[list[tuple[int, Outcome]]]] = set()
    try:
        waiting = {pool.submit(_share, share) for share in shares}
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in ready:
                outcomes = one.result()
                on_done(len(outcomes))
                yield outcomes
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_case: list[Case] = []


def _begin(case: Case) -> None:
    """In the new process: Ctrl-C is its parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _case[:] = [case]
    alone()
    gc.disable()


def alone() -> None:
    """One of as many processes as there are cores: NumPy takes no more than one, if it is not there yet. Tables of deadlines
    are kept, since the next run asks for the same ones."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    table.kept = max(table.kept, TABLES)


def _share(seeds: Sequence[int]) -> list[tuple[int, Outcome]]:
    (case,) = _case
    found = [(seed, case.run(seed)) for seed in seeds]
    gc.collect()
    return found

"""Runs with deadlines through the whole controller, on the named markets: is any late, and do they cost what was predicted?

    python -m benchmarks.deadline_runs [runs] [--jobs 2] [--hours 6]

Real latencies, lagging lists, refused launches, boot times drawn from measured ones; training of 6 hours and more,
deadlines of 1.1 to 3 times the work. What a run should have cost is told by the tick model on the same course of the same
market: how the two are matched is said in benchmarks/deadline_prediction.py. Processor time is counted, of all processes,
without that of the predictions.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.deadline_prediction import predicted
from benchmarks.peer import load
from fleet.backtest.many import alone
from fleet.backtest.named import NAMES, named_market
from fleet.backtest.ways import Ways
from fleet.backtest.whole import in_sim, simulate
from fleet.control.controller import uncollected
from fleet.model.job import Job

FACTORS = (1.1, 1.2, 1.5, 2.0, 3.0)
HOURS = (6, 8, 12)
SHARE = 20
"""Runs that a process is handed at once."""
DAY = 86_400
WAYS = Ways(free_if_interrupted_within=0)


@dataclass(frozen=True, slots=True)
class Cell:
    """Runs of one kind."""

    market: str
    factor: float
    hours: int


@dataclass(frozen=True, slots=True)
class Sum:
    """What runs came to together; money in hours of on-demand."""

    runs: int = 0
    late: tuple[str, ...] = ()
    launches: int = 0
    cost: float = 0.0
    expected: float = 0.0
    bare: float = 0.0
    """Expected if nothing were kept back."""
    usual: float = 0.0
    """Hours of on-demand machines."""
    work: float = 0.0
    days: float = 0.0
    events: int = 0
    seconds: float = 0.0

    def __add__(self, other: Sum) -> Sum:
        return Sum(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


def job_of(cell: Cell) -> Job:
    """In one region: three zones, one type."""
    work = cell.hours * 3600.0
    fields = {"name": "bench", "run": "t", "resources": {"infra": "aws/us-east-1"}, "volume": {"size": "50GB"}}
    return Job.model_validate(fields).model_copy(update={"estimate": work, "deadline": work * cell.factor})


def done(cell: Cell, seeds: Sequence[int]) -> Sum:
    """Run them here."""
    alone()
    job = job_of(cell)
    market, placed, total = named_market(cell.market, job), in_sim(job), Sum()
    assert job.estimate is not None
    assert isinstance(job.deadline, float)
    ((_, kind),) = market.types.items()
    with uncollected():
        for seed in seeds:
            began = time.process_time()
            found, _ = simulate(placed, market, seed, WAYS)
            seconds = time.process_time() - began
            expected, bare = (
                predicted(market, seed, job.estimate, job.deadline, WAYS, keeps=keeps) for keeps in (True, False)
            )
            total += Sum(
                1,
                (f"{cell.market} {cell.factor:g} {cell.hours} h, seed {seed}",) if found.late else (),
                found.launches,
                found.compute / kind.on_demand,
                expected.cost,
                bare.cost,
                found.usual / 3600,
                job.estimate / 3600,
                found.simulated / DAY,
                found.wakes,
                seconds,
            )
    gc.collect()
    return total


def cells(hours: Sequence[int]) -> list[Cell]:
    """Every kind of run."""
    return [Cell(market, factor, each) for market in NAMES for factor in FACTORS for each in hours]


def shares(kinds: Sequence[Cell], runs: int) -> Iterator[tuple[Cell, Sequence[int]]]:
    """Who does what; seeds begin at 0 in each cell."""
    for index, cell in enumerate(kinds):
        count = runs // len(kinds) + (index < runs % len(kinds))
        for first in range(0, count, SHARE):
            yield cell, range(first, min(first + SHARE, count))


def all_of(runs: int, jobs: int, hours: Sequence[int] = HOURS) -> dict[Cell, Sum]:
    """So many runs, spread over the cells and over processes."""
    found: dict[Cell, Sum] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        waiting = [(cell, pool.submit(done, cell, seeds)) for cell, seeds in shares(cells(hours), runs)]
        for cell, one in waiting:
            found[cell] = found.get(cell, Sum()) + one.result()
    return found


def _line(told: str, of: Sum) -> str:
    return (
        f"{told:<14} {of.runs:6,} {len(of.late):5} {of.launches / of.runs:9.2f} {of.usual / of.work:10.0%}"
        f" {of.cost / of.work:8.4f} {of.expected / of.work:10.4f} {of.cost / of.expected - 1:+8.1%}"
        f" {of.bare / of.work:8.4f} {of.cost / of.bare - 1:+8.1%}"
    )


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("runs", nargs="?", type=int, default=150)
    asked.add_argument("--jobs", type=int, default=1)
    asked.add_argument("--hours", type=int, nargs="+", default=list(HOURS))
    told = asked.parse_args()
    began = time.monotonic()
    found = all_of(told.runs, told.jobs, told.hours)
    print(f"{told.runs:,} runs of {'/'.join(map(str, told.hours))} h of work, {time.monotonic() - began:.0f} s; {load()}")
    print("costs are shares of on-demand's for the work alone; 'bare' is a prediction that keeps nothing back")
    print("                 runs  late  launches  on-demand     cost  predicted              bare")
    total = Sum()
    for market in NAMES:
        for factor in FACTORS:
            row = sum((of for cell, of in found.items() if (cell.market, cell.factor) == (market, factor)), Sum())
            if row.runs:
                total += row
                print(_line(f"{market}, {factor:g}", row))
    print(_line("all", total))
    rate = 60 / total.seconds
    print(
        f"{total.days * rate:,.0f} fleet-days and {total.runs * rate:,.0f} runs a minute and core, "
        f"{total.events / total.seconds:,.0f} events a second"
    )
    for one in total.late:
        print(f"late: {one}")


if __name__ == "__main__":
    main()

"""``fleet simulate``: a job tried on a market before a cent is spent on it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.backtest.many import run_many
from fleet.backtest.market_file import open_market
from fleet.backtest.policies import ABOUT, chosen
from fleet.backtest.table import Summary, middle_seed, summary
from fleet.backtest.whole import Outcome, in_sim, simulate
from fleet.cli.output import emit, say
from fleet.cli.table import print_table
from fleet.cli.timeline import attempt_of, describe
from fleet.cli.views import dollars
from fleet.control.controller import uncollected
from fleet.core.keeping.refusing import refusal
from fleet.core.overheads import Overheads
from fleet.model.base import Micros, Seconds
from fleet.model.errors import FleetError
from fleet.model.events import Event
from fleet.model.job import Job
from fleet.model.units import format_duration, format_money, parse_duration
from fleet.workloads.kinds import read_job
from fleet.workloads.suited import suited_job

if TYPE_CHECKING:
    from fleet.backtest.market import Market
    from fleet.cli.objects import SimulatedEventObject, SimulatedObject, SimulationObject

HEAD = ("POLICY", "COST", "5 TO 95 %", "FINISH", "5 TO 95 %", "LATE", "SAVED", "ON DEMAND", "INTERRUPTIONS", "LOST")
SPARE = ("LOST", "ON DEMAND", "INTERRUPTIONS")
MOST_RUNS = 1_000_000
LONGEST: Seconds = 366 * 86_400


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    path: Path
    market: str = "average"
    policies: Sequence[str] = ()
    runs: int = 100
    seed: int = 0
    estimate: str | None = None
    deadline: str | None = None


@dataclass(frozen=True)
class Tried:
    """What came of it."""

    job: Job
    deadline: Seconds | None
    market: Market
    outcomes: Mapping[str, list[Outcome]]
    seed: int

    @property
    def summaries(self) -> list[Summary]:
        """A line for each policy."""
        return [summary(name, of) for name, of in self.outcomes.items()]


def run(wish: Wish, *, plot: Path | None, timeline: bool, as_json: bool) -> int:
    """Try a job, and print what came of it. Nothing is launched, and nothing is written but the plot."""
    if plot is not None and plot.suffix != ".html":
        raise FleetError(f"{plot}: plots are pages", "Name a file that ends in .html.")
    tried = attempt(wish)
    events: Sequence[Event] = ()
    if timeline:
        events = one_run(tried)
    if plot is not None:
        from fleet.cli.simulate_plot import page

        plot.write_text(page(tried), encoding="utf-8")
    if as_json:
        emit(_object(tried, events))
    else:
        _print(tried, events, plot)
    return 0


def job_of(wish: Wish) -> Job:
    """The job, with what was said beside it. Raises FleetError for one that cannot be tried."""
    job = suited_job(read_job(wish.path)[0])
    for name, told in (("estimate", wish.estimate), ("deadline", wish.deadline)):
        if told is None:
            continue
        try:
            seconds = parse_duration(told)
        except ValueError as error:
            raise FleetError(f"--{name}: {error}", f"For example: --{name} 6h") from None
        job = job.model_copy(update={name: _sensible(f"--{name}", seconds)})
    if isinstance(job.deadline, str):
        left = datetime.fromisoformat(job.deadline).timestamp() - time.time()
        job = job.model_copy(update={"deadline": _sensible("deadline", left)})
    if job.estimate is None:
        raise FleetError(
            f"{wish.path} does not say how long its training takes, without interruption",
            "Write `estimate: 6h` into it, or say --estimate 6h.",
        )
    found = refusal(job, 0.0, Overheads())
    if found is not None:
        raise FleetError(found[0], f"The earliest that can be kept: {format_duration(found[1])}.")
    return job


def _sensible(name: str, seconds: Seconds) -> Seconds:
    if not 0 < seconds <= LONGEST:
        raise FleetError(f"{name}: {seconds:.0f} s is no time to work in", "From seconds to a year.")
    return seconds


def attempt(wish: Wish) -> Tried:
    """Every policy on the same courses of the market."""
    if not 1 <= wish.runs <= MOST_RUNS:
        raise FleetError(f"{wish.runs} runs tell nothing", f"From 1 to {MOST_RUNS:,}.")
    job = job_of(wish)
    deadline = job.deadline if not isinstance(job.deadline, str) else None
    jobs = chosen(job, wish.policies)
    market = open_market(wish.market, job)
    seeds = range(wish.seed, wish.seed + wish.runs)
    progress = _Progress(wish.runs * len(jobs))
    outcomes = {}
    try:
        for name, one in jobs.items():
            progress.doing = name
            outcomes[name] = run_many(in_sim(one), market, seeds, deadline=deadline, on_done=progress.more)
    finally:
        progress.over()
    return Tried(job, deadline, market, outcomes, wish.seed)


def one_run(tried: Tried) -> Sequence[Event]:
    """The journal of the run of the first policy whose cost is in the middle."""
    name, outcomes = next(iter(tried.outcomes.items()))
    job = chosen(tried.job, [name])[name]
    with uncollected():
        return simulate(in_sim(job), tried.market, middle_seed(outcomes))[1]


class _Progress:
    """One line on a terminal's standard error, that goes again."""

    def __init__(self, total: int) -> None:
        self.doing = ""
        self._total, self._count = total, 0
        self._shown = sys.stderr.isatty()

    def more(self, count: int) -> None:
        """So many runs more are finished."""
        self._count += count
        if self._shown:
            sys.stderr.write(f"\r{self._count:,} of {self._total:,} runs ({self.doing})\033[K")
            sys.stderr.flush()

    def over(self) -> None:
        """Nothing is left of it."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


# --- what is printed


def _print(tried: Tried, events: Sequence[Event], plot: Path | None) -> None:
    first = next(iter(tried.outcomes.values()))
    job = tried.job
    told = f", by a deadline of {format_duration(tried.deadline)}" if tried.deadline is not None else ""
    say(f"{job.name}: {format_duration(job.estimate or 0)} of work{told}; {len(first)} run(s) on {tried.market.name}\n")
    usual = next((one.mean_cost for one in tried.summaries if one.policy == "on-demand"), None)
    print_table([HEAD, *(_row(one, usual, tried.deadline) for one in tried.summaries)], SPARE)
    print()
    for name in tried.outcomes:
        print(f"{name:<10} {ABOUT[name]}")
    for note in tried.market.notes:
        print(f"note       {note}")
    if plot is not None:
        print(f"drawn      {plot}")
    if events:
        print(f"\none run ({next(iter(tried.outcomes))}, the cost in the middle):")
        for line in lines(events):
            print(line)


def _row(one: Summary, usual: Micros | None, deadline: Seconds | None) -> tuple[str, ...]:
    low, middle, high = one.cost
    finish, span = "never", "-"
    if one.finish is not None:
        finish = format_duration(one.finish[1])
        span = f"{format_duration(one.finish[0])} to {format_duration(one.finish[2])}"
    late = _share(one.late, one.runs) if deadline is not None else "-"
    if one.unfinished:
        finish += f", {one.unfinished} never"
    saved = f"{100 * (1 - one.mean_cost / usual):.0f}%" if usual else "-"
    hours = one.spot + one.usual
    return (
        one.policy,
        format_money(middle),
        f"{format_money(low)} to {format_money(high)}",
        finish,
        span,
        late,
        saved,
        f"{100 * one.usual / hours:.0f}% of hours" if hours else "-",
        f"{one.interruptions / one.runs:.1f} a run",
        f"{format_duration(one.lost / one.runs)} a run",
    )


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.0f}%" if count in (0, of) or count * 100 >= of else "<1%"


def lines(events: Sequence[Event]) -> Iterator[str]:
    """A run's story, a line for each thing that happened; prices that were filled in later are no part of it."""
    began = events[0].at
    for event in events:
        if event.type not in ("prices-filled", "lease-extended"):
            number = attempt_of(event)
            yield f"{_since(event.at - began):>12}  {f'#{number}' if number else '':<4}  {describe(event)}"


def _since(seconds: Seconds) -> str:
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    return f"{f'{days}d ' if days else ''}{hours:02d}:{minutes:02d}:{whole % 60:02d}"


def _object(tried: Tried, events: Sequence[Event]) -> SimulationObject:
    outcomes = [one for of in tried.outcomes.values() for one in of]
    return {
        "name": tried.job.name,
        "market": tried.market.name,
        "work_seconds": tried.job.estimate or 0.0,
        "deadline_seconds": tried.deadline,
        "seed": tried.seed,
        "notes": list(tried.market.notes),
        "policies": [_policy(one) for one in tried.summaries],
        "simulated_seconds": sum(one.simulated for one in outcomes),
        "timeline": [_event(event, events[0].at) for event in events],
    }


def _policy(one: Summary) -> SimulatedObject:
    finish = one.finish or (None, None, None)
    return {
        "policy": one.policy,
        "runs": one.runs,
        "late_runs": one.late,
        "unfinished_runs": one.unfinished,
        "cost_low_usd": dollars(one.cost[0]),
        "cost_usd": dollars(one.cost[1]),
        "cost_high_usd": dollars(one.cost[2]),
        "mean_cost_usd": dollars(one.mean_cost),
        "finish_low_seconds": finish[0],
        "finish_seconds": finish[1],
        "finish_high_seconds": finish[2],
        "interruptions": one.interruptions,
        "launches": one.launches,
        "refusals": one.refusals,
        "lost_seconds": one.lost,
        "spot_seconds": one.spot,
        "on_demand_seconds": one.usual,
    }


def _event(event: Event, began: Seconds) -> SimulatedEventObject:
    return {
        "after_seconds": round(event.at - began, 3),
        "attempt": attempt_of(event),
        "type": event.type,
        "told": describe(event),
    }

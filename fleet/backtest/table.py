"""Many runs in a few figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.backtest.whole import Outcome
from fleet.model.base import Micros, Seconds

LOW, HIGH = 0.05, 0.95
"""What nine runs of ten lie between."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a job under one policy."""

    policy: str
    runs: int
    unfinished: int
    late: int
    cost: tuple[Micros, Micros, Micros]
    """Low, middle, high."""
    finish: tuple[Seconds, Seconds, Seconds] | None
    """Of the runs that finished."""
    mean_cost: Micros
    on_demand: Micros
    """What the same machines' hours would have cost on demand, on the mean."""
    interruptions: int
    """Of all runs together, as are the others."""
    launches: int
    refusals: int
    lost: Seconds
    spot: Seconds
    usual: Seconds


def summary(policy: str, outcomes: Sequence[Outcome]) -> Summary:
    """The figures of one policy's runs."""
    costs = [one.cost for one in outcomes]
    ends = [one.finish for one in outcomes if one.finish is not None]
    low, middle, high = (round(at(costs, share)) for share in (LOW, 0.5, HIGH))
    return Summary(
        policy=policy,
        runs=len(outcomes),
        unfinished=len(outcomes) - len(ends),
        late=sum(one.late for one in outcomes),
        cost=(low, middle, high),
        finish=(at(ends, LOW), at(ends, 0.5), at(ends, HIGH)) if ends else None,
        mean_cost=round(sum(costs) / len(costs)),
        on_demand=round(sum(one.on_demand for one in outcomes) / len(outcomes)),
        interruptions=sum(one.interruptions for one in outcomes),
        launches=sum(one.launches for one in outcomes),
        refusals=sum(one.refusals for one in outcomes),
        lost=sum(one.lost for one in outcomes),
        spot=sum(one.spot for one in outcomes),
        usual=sum(one.usual for one in outcomes),
    )


def at(values: Sequence[float], share: float) -> float:
    """A quantile: between the two that it lies between, evenly."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    index = min(int(place), len(ordered) - 1)
    after = ordered[min(index + 1, len(ordered) - 1)]
    return ordered[index] + (place - index) * (after - ordered[index])


def middle_seed(outcomes: Sequence[Outcome]) -> int:
    """The run whose cost is in the middle: the one to look at."""
    ordered = sorted(outcomes, key=lambda one: (one.cost, one.seed))
    return ordered[(len(ordered) - 1) // 2].seed

"""How fast a job trained on which type of machine, from its own earlier attempts: nothing is guessed from data sheets."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median, median_low

from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Micros, Seconds

STEPS = 1000
"""The unit of work that prices are told for."""
RECENT = 50
"""Of a type only the newest so many attempts are looked at: what a job does changes."""
LONG: Seconds = 60
"""Over a training of less than this no average is taken."""
ELSEWHERE = 2.0
"""Of a training from nothing no average so many times its last minute is believed: its steps may not have begun at 0."""

Kind = tuple[str, str]
"""Provider and instance type."""


def measured_rates(state: FleetState, name: str) -> dict[Kind, float]:
    """Steps per second by provider and instance type: the median over the newest ended attempts of all runs of a name.

    A type is missing until an attempt on it has reported steps and ended.
    """
    return rates_of(run for run in state.runs.values() if run.name == name)


def rates_of(runs: Iterable[RunState]) -> dict[Kind, float]:
    """The same for the runs given, oldest first."""
    found: dict[Kind, list[float]] = {}
    for run in runs:
        for attempt in run.attempts.values():
            rate = rate_of(attempt)
            if attempt.offer is not None and rate:
                found.setdefault((attempt.offer.provider, attempt.offer.instance_type), []).append(rate)
    return {kind: median(rates[-RECENT:]) for kind, rates in found.items()}


def rate_of(attempt: AttemptState) -> float | None:
    """How fast a machine trained, steps per second: on average over all of its training, where that was counted and long
    enough. Else over the last minute: that may have been one in which it evaluated, or saved. None: it is not known."""
    base = attempt.resumed
    start = base.step if base is not None and base.step is not None else 0 if base is not None and base.ref is None else None
    if base is None or base.trained is None or attempt.trained is None or attempt.step is None or start is None:
        return attempt.rate
    steps, seconds = attempt.step - start, attempt.trained - base.trained
    if steps <= 0 or seconds < LONG:
        return attempt.rate
    average = steps / seconds
    if base.ref is None and attempt.rate and average > ELSEWHERE * attempt.rate:
        return attempt.rate  # from nothing, and yet not from step 0
    return average


def speeds(rates: dict[Kind, float]) -> dict[Kind, float]:
    """How fast each type is against the others: 1 for the one in the middle."""
    usual = median_low(rates.values()) if rates else 1.0
    return {kind: rate / usual for kind, rate in rates.items()}


def work_price(hourly: Micros, rate: float) -> Micros:
    """Micro-dollars for 1,000 steps at a price per hour, micro-dollars, and a rate, steps per second."""
    return round(hourly * STEPS / (rate * 3600))

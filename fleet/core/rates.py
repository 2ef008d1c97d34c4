"""How fast a job trained on which type of machine, from its own earlier attempts: nothing is guessed from data sheets."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from fleet.core.state import FleetState, RunState
from fleet.model.base import Micros

STEPS = 1000
"""The unit of work that prices are told for."""


def measured_rates(state: FleetState, name: str) -> dict[tuple[str, str], float]:
    """Steps per second by provider and instance type: the median over the ended attempts of all runs of a name.

    A type is missing until an attempt on it has reported steps and ended.
    """
    return rates_of(run for run in state.runs.values() if run.name == name)


def rates_of(runs: Iterable[RunState]) -> dict[tuple[str, str], float]:
    """The same for the runs given."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for attempt in run.attempts.values():
            if attempt.offer is not None and attempt.rate:
                found.setdefault((attempt.offer.provider, attempt.offer.instance_type), []).append(attempt.rate)
    return {kind: median(rates) for kind, rates in found.items()}


def work_price(hourly: Micros, rate: float) -> Micros:
    """Micro-dollars for 1,000 steps at a price per hour, micro-dollars, and a rate, steps per second."""
    return round(hourly * STEPS / (rate * 3600))

"""How much training a job's earlier runs took: what a plan reckons with where the job does not say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet.core.rates import Kind
from fleet.core.state import RunState
from fleet.core.stretches import lives
from fleet.model.base import Seconds


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run that got to its end."""

    run_id: str
    work: Seconds
    """What it trained and kept, at the speed of the types in the middle."""


def earlier(runs: Sequence[RunState], speeds: Mapping[Kind, float]) -> Earlier | None:
    """The newest of a name's runs that succeeded, and trained; ``runs``: oldest first. None: there is none yet."""
    for run in reversed(runs):
        if run.outcome == "succeeded" and run.ended_at is not None:
            work = sum(_worked(run, run.ended_at, speeds))
            if work > 0:
                return Earlier(run.run_id, round(work, 1))
    return None


def _worked(run: RunState, end: Seconds, speeds: Mapping[Kind, float]) -> list[Seconds]:
    found = []
    for life in lives(run, end):
        offer, (start, until) = life.attempt.offer, life.kept
        speed = speeds.get((offer.provider, offer.instance_type), 1.0) if offer is not None else 1.0
        found.append((until - start) / 1000 * speed)
    return found

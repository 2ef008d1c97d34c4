"""Tries a reward function: which calls are made, in which order, and what their results say.

First all episodes, as training would drive them. Then some of them again: the same input has to give the same reward. And
single steps out of the middle: a function that remembers the step before gives another one there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleet.workloads.deepracer.checking import judging
from fleet.workloads.deepracer.checking.process import Limits, Outcome, call_all
from fleet.workloads.deepracer.checking.sampling import KEYS, Samples
from fleet.workloads.deepracer.findings import Finding

AGAIN = 0.1
"""Share of the episodes that are driven a second time."""
SINGLE = 100
"""Steps that are called alone, a second time."""
Order = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured."""

    calls: int
    """That returned a number."""
    seconds: float | None
    """For a call."""
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it."""

    figures: Figures
    findings: tuple[Finding, ...]
    confined: str
    """How, in words."""
    drawn: tuple[float, ...] = ()
    """Rewards of the episodes that are drawn, in their order; not a number where there was none."""


def attempt(
    source: str, samples: Samples, limits: Limits, drawn: Sequence[int] = (), python: tuple[int, int] | None = None
) -> Tried:
    """Call the function with all samples, and say what is wrong with it. ``drawn`` are numbers of episodes for a picture,
    ``python`` the version that it has to be written for, if that is an old one.
    """
    driven = [number for number in range(len(samples.episodes)) if number not in set(drawn)]
    first = _episodes(samples, driven)
    chance = random.Random(1)  # noqa: S311
    again = _episodes(samples, sorted(chance.sample(driven, max(1, int(len(driven) * AGAIN))), reverse=True))
    single = chance.sample(first, min(SINGLE, len(first)))
    picture = _episodes(samples, drawn)
    order = [*first, *picture, *again, *single]
    outcome = call_all(source, samples, order, limits, python)
    begin = len(first)
    findings = [*judging.judge(outcome, samples, order), *_memory(outcome, samples, order, len(first), len(single))]
    return Tried(
        figures(outcome, range(begin, begin + len(picture))),
        tuple(findings),
        confinement(outcome),
        tuple(outcome.rewards.get(at, math.nan) for at in range(begin, begin + len(picture))),
    )


def _episodes(samples: Samples, numbers: Sequence[int]) -> Order:
    return [(number, row) for number in numbers for row in range(len(samples.episodes[number].rows))]


def figures(outcome: Outcome, picture: range = range(0)) -> Figures:
    """Counts, times, and the range of what was returned; a picture's calls are not of the sample."""
    sampled = [reward for at, reward in outcome.rewards.items() if at not in picture]
    finite = [reward for reward in sampled if math.isfinite(reward)]
    seconds = outcome.seconds / len(outcome.rewards) if outcome.rewards else None
    return Figures(len(sampled), seconds, min(finite, default=None), max(finite, default=None))


def confinement(outcome: Outcome) -> str:
    """How the function was held."""
    if not outcome.confined:
        return "it did not start"
    by = "a filter of system calls and an audit hook" if outcome.confined.get("filter") else "an audit hook"
    return f"no network by {outcome.confined.get('network')}; files and processes by {by}; limits on time and memory"


def _memory(outcome: Outcome, samples: Samples, order: Order, first: int, single: int) -> Iterator[Finding]:
    """Whether the same input gave the same reward."""
    # Today's simulator gives no reward for an episode's first step, so a memory may as well begin anew with the second.
    skipped = {(number, 0) for number in range(len(samples.episodes))} if samples.keys == KEYS else set()
    before = {key: at for at, key in enumerate(order[:first]) if key not in skipped}
    whole = _differing(outcome, order, before, range(first, len(order) - single))
    alone = _differing(outcome, order, before, range(len(order) - single, len(order)))
    if whole:
        at, earlier = whole[0]
        told = f"the same input gave {outcome.rewards[earlier]:.6g}, and later {outcome.rewards[at]:.6g} "
        told += f"({judging.example(samples, order[at])}): it remembers earlier episodes, draws lots or asks the clock"
        remedy = (
            "Make the reward depend on params alone; a memory is lost with every interruption, and each worker has its own."
        )
        yield Finding("reward-state", told, remedy, judging.NAME)
    elif alone:
        at, earlier = alone[0]
        told = f"the same input gave {outcome.rewards[earlier]:.6g} after the step before it, and {outcome.rewards[at]:.6g} "
        told += f"alone ({judging.example(samples, order[at])}): it remembers the step before"
        remedy = "That works as long as an episode's first step begins anew, which it does."
        yield Finding("reward-state", told, remedy, judging.NAME, severity="warning")


def _differing(outcome: Outcome, order: Order, before: dict[tuple[int, int], int], places: range) -> list[tuple[int, int]]:
    found = []
    for at in places:
        earlier = before.get(order[at])
        if earlier is None or at not in outcome.rewards or earlier not in outcome.rewards:
            continue
        one, other = outcome.rewards[earlier], outcome.rewards[at]
        if one != other and not (math.isnan(one) and math.isnan(other)):
            found.append((at, earlier))
    return found

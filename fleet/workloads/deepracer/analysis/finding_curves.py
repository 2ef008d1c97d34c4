"""Findings in the curves of reward and completion: flat, falling, zigzag, and reward that is no progress. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

from fleet.workloads.deepracer.analysis.model import Analysis, Finding, IterationRow
from fleet.workloads.deepracer.analysis.series import by_iteration, error_of, level_of, line_of, settled, steady_gain, told

LEAST = 10
"""Iterations before a curve is judged: with the usual 20 episodes each, 200. Healthy trainings rise within these."""
DRIVES_WELL = 90.0
"""Mean percent of the lap: a car that comes so far has little to gain, and its curves may be flat."""
FLAT_GAIN = 0.05
"""Of the level, over all iterations that are looked at: healthy trainings gain as much in two or three iterations."""
FLAT_COMPLETION = 3.0
"""Points of completion: who gains more does learn, whatever the reward says."""
FALL = 0.25
"""Of the best stretch: healthy trainings fall by a fifth from one iteration to the next, but not over a stretch."""
STRETCH = 5
"""Iterations whose mean is one value of a slow curve."""
CERTAIN = 2.0
"""Standard errors: what is beyond is chance in one of twenty cases at most."""
SWING = 0.35
"""Of the level, from one iteration to the next: three times what healthy trainings do."""
BY_CHANCE = 2.5
"""So many times what the scatter of its episodes explains."""
TURNS = 0.5
"""Of the iterations: a curve that rises steeply swings as much, but does not turn."""
RISE = 0.15
"""Of the level: reward that surely rose."""
LOST_COMPLETION = 5.0
"""Points of completion that were surely lost."""
CHANCE = 0.6745
"""The median of the absolute values of a normal distribution, in standard deviations."""


def drives_well(rows: Sequence[IterationRow]) -> bool:
    """Whether the car gets round, in training, or where it does not try things out, in the evaluations after it."""
    trained = told(row.mean_completion_percent for row in rows)
    evaluated = told(row.evaluated_percent for row in rows)
    return any(values and fmean(values) >= DRIVES_WELL for values in (trained, evaluated))


def flat_reward(analysis: Analysis) -> Finding | None:
    """Training goes on, and nothing comes of it."""
    rows = settled(analysis.rows)
    seen = rows[-max(LEAST, len(rows) // 3) :]
    if len(seen) < LEAST or zigzag(analysis) is not None:
        return None
    rewards, completion = [row.mean_reward for row in seen], [row.mean_completion_percent for row in seen]
    if drives_well(seen) or steady_gain(completion) >= FLAT_COMPLETION:
        return None
    gain = steady_gain(rewards) / level_of(rewards)
    if not -FALL < gain < FLAT_GAIN:
        return None
    return Finding(
        "flat-reward",
        f"The reward has not risen for {len(seen)} iterations ({gain:+.1%}, about {fmean(rewards):.4g}), and the car comes "
        f"{fmean(completion):.0f} % of the lap: change the reward function, or clone with a higher learning rate or "
        "entropy; more of the same costs money only.",
        round(gain * 100, 2),
    )


def falling_reward(analysis: Analysis) -> Finding | None:
    """The model was better once."""
    rows = settled(analysis.rows)
    if len(rows) < LEAST:
        return None
    stretches = [rows[at : at + STRETCH] for at in range(len(rows) - 2 * STRETCH + 1)]
    best = max(stretches, key=_mean)
    last = rows[-STRETCH:]
    fall = _mean(best) - _mean(last)
    share = fall / level_of([row.mean_reward for row in best])
    error = sum(error_of([row.mean_reward for row in part]) ** 2 for part in (best, last)) ** 0.5
    if share < FALL or fall < CERTAIN * error:
        return None
    begins, ends = best[0].iteration, best[-1].iteration
    return Finding(
        "falling-reward",
        f"The reward fell by {share:.0%}, from {_mean(best):.4g} in iterations {begins} to {ends} to {_mean(last):.4g} in "
        f"the last {STRETCH}: go back with `fleet deepracer clone … --from best`, and lower the learning rate.",
        round(share * 100, 2),
    )


def zigzag(analysis: Analysis) -> Finding | None:
    """Each iteration undoes what the one before it did."""
    rows = settled(analysis.rows)[-2 * LEAST :]
    if len(rows) < LEAST:
        return None
    rewards = [row.mean_reward for row in rows]
    steps = [after - before for before, after in pairwise(rewards)]
    swing = median(abs(step) for step in steps) / level_of(rewards)
    turns = sum(before * after < 0 for before, after in pairwise(steps)) / (len(steps) - 1)
    chance = _chance(analysis, rows) / level_of(rewards)
    if swing < SWING or turns < TURNS or swing < BY_CHANCE * chance:
        return None
    rate = next((row.learning_rate for row in reversed(rows) if row.learning_rate), None)
    lower = f"`--set learning_rate={rate / 3:.1g}` instead of {rate:g}" if rate else "a third of it is a good try"
    return Finding(
        "zigzag",
        f"The reward swings by {swing:.0%} of its level from one iteration to the next: lower the learning rate "
        f"({lower}), or train on more episodes per iteration.",
        round(swing * 100, 2),
    )


def reward_without_progress(analysis: Analysis) -> Finding | None:
    """The car is paid for something else than getting round."""
    rows = settled(analysis.rows)[-2 * LEAST :]
    if len(rows) < LEAST:
        return None
    rewards, completion = [row.mean_reward for row in rows], [row.mean_completion_percent for row in rows]
    paid, driven = line_of(rewards), line_of(completion)
    rise = paid.gain / level_of(rewards)
    if rise < RISE or paid.certain < CERTAIN or driven.gain > -LOST_COMPLETION or driven.certain > -CERTAIN:
        return None
    return Finding(
        "reward-without-progress",
        f"The reward rose by {rise:.0%} over {len(rows)} iterations while the car lost {-driven.gain:.0f} points of "
        "completion: the reward function pays for something else than getting round; look for what it pays per step.",
        round(driven.gain, 2),
    )


def _mean(rows: Sequence[IterationRow]) -> float:
    return fmean(row.mean_reward for row in rows)


def _chance(analysis: Analysis, rows: Sequence[IterationRow]) -> float:
    """The median change from one iteration to the next that the scatter of their episodes alone would make."""
    grouped = by_iteration(analysis.training)
    errors = [error_of([drive.reward for drive in grouped.get(row.iteration, ())]) for row in rows]
    return CHANCE * median(math.hypot(before, after) for before, after in pairwise(errors))

"""Findings in what the trainer says of its policy: entropy that collapsed, NaN, actions that are never taken. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from fleet.workloads.deepracer.analysis.finding_curves import drives_well
from fleet.workloads.deepracer.analysis.model import Analysis, Finding, IterationRow
from fleet.workloads.deepracer.analysis.series import told

SHARE_LEFT = 0.2
"""Of the entropy of free choice: some four fifths of all decisions are made, and what is not tried is not learned."""
NARROWED = 2 * math.log(10)
"""Of continuous actions, whose entropy may be below 0: steering and speed vary by a tenth of what they did."""
RECENT = 3
"""Iterations that are taken together as the present."""
ENOUGH_STEPS = 1000
"""Steps before an action that was never taken counts: chance alone would have taken each of 21 often by then."""


def entropy_collapse(analysis: Analysis) -> Finding | None:
    """The policy is as good as decided, and the car does not get round."""
    rows = [row for row in analysis.rows if row.entropy is not None and math.isfinite(row.entropy)]
    if len(rows) < 2 * RECENT:
        return None
    values = told(row.entropy for row in rows)
    now = fmean(values[-RECENT:])
    if drives_well(rows[-RECENT:]):
        return None
    free = math.log(len(analysis.actions)) if len(analysis.actions) > 1 else max(values[:RECENT])
    discrete = len(analysis.actions) > 1 or min(values) >= 0.0 < free
    if now > SHARE_LEFT * free if discrete else free - now < NARROWED:
        return None
    left = f", {now / free:.0%} of a free choice ({free:.3g})" if discrete else f" (at first {free:.3g})"
    return Finding(
        "entropy-collapse",
        f"The entropy is down to {now:.3g}{left}, and the car does not get round: it tries nothing new any more; go back to "
        f"a set of before iteration {_crossed(rows, free, discrete=discrete)} and clone with a higher `entropy` "
        "(hyperparameter beta_entropy).",
        round(now, 4),
    )


def _crossed(rows: Sequence[IterationRow], free: float, *, discrete: bool) -> int:
    """The first iteration whose entropy was as low."""
    bound = SHARE_LEFT * free if discrete else free - NARROWED
    return next((row.iteration for row in rows if row.entropy is not None and row.entropy <= bound), rows[-1].iteration)


def not_a_number(analysis: Analysis) -> Finding | None:
    """The model is spoilt, or the reward function is."""
    if not analysis.not_numbers:
        return None
    count = len(analysis.not_numbers)
    return Finding(
        "nan",
        f"{count} value{'s' if count != 1 else ''} of training {'are' if count != 1 else 'is'} no number (first: "
        f"{analysis.not_numbers[0]}): go back to a set of before with `fleet deepracer repair … --after-nan`, lower the "
        "learning rate, and look for a division by zero in the reward function.",
        float(count),
    )


def unused_actions(analysis: Analysis) -> Finding | None:
    """The space is larger than what is made of it."""
    steps = sum(action.steps for action in analysis.actions)
    never = [action for action in analysis.actions if not action.steps]
    if not never or steps < ENOUGH_STEPS:
        return None
    first = never[0]
    what = f" ({first.steering:g}° at {first.speed:g} m/s)" if first.steering is not None and first.speed is not None else ""
    return Finding(
        "action-never-used",
        f"{len(never)} of {len(analysis.actions)} actions were not taken once in {steps} steps, for example action "
        f"{first.number}{what}: a smaller space learns faster, but only a new model can have another number of actions.",
        float(len(never)),
    )

"""All findings of an analysis, the gravest first. Pure."""

from __future__ import annotations

from collections.abc import Callable

from fleet.workloads.deepracer.analysis.finding_curves import falling_reward, flat_reward, reward_without_progress, zigzag
from fleet.workloads.deepracer.analysis.finding_driving import (
    endless_evaluation,
    hard_corner,
    one_track,
    slow_simulation,
    stuck_car,
)
from fleet.workloads.deepracer.analysis.finding_policy import entropy_collapse, not_a_number, unused_actions
from fleet.workloads.deepracer.analysis.model import Analysis, Finding

_ALL: tuple[Callable[[Analysis], Finding | None], ...] = (
    not_a_number,
    endless_evaluation,
    stuck_car,
    falling_reward,
    zigzag,
    entropy_collapse,
    flat_reward,
    reward_without_progress,
    one_track,
    slow_simulation,
    hard_corner,
    unused_actions,
)


def judge(analysis: Analysis) -> tuple[Finding, ...]:
    """What there is to act on; nothing of a healthy training."""
    told = [Finding(one.code, f"The logs say: {one.message}; {_small(one.remedy)}.", 1.0) for one in analysis.faults]
    return (*told, *(found for look in _ALL if (found := look(analysis)) is not None))


def _small(remedy: str) -> str:
    """To go on with within a sentence."""
    return f"{remedy[:1].lower()}{remedy[1:]}".rstrip(".")

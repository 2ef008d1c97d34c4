"""When is a lack of checkpoints worth a warning? Early: a machine taken without notice loses all since the last one."""

from __future__ import annotations

from fleet.model.base import Seconds

FIRST: Seconds = 600
"""Without any checkpoint for so long: that much work is lost if the machine is taken now."""
LATE = 3
"""Later checkpoints are missed once so many of the usual intervals have passed."""


def overdue_since(unsaved: Seconds, usual: Seconds | None, every: Seconds | None, first: Seconds = FIRST) -> Seconds | None:
    """How long training has gone without a checkpoint, to warn of; None while that is as it should be.

    ``unsaved``: seconds of training since the last committed checkpoint, or since it began. ``usual``: seconds between the
    two before that, where there were two. ``every``: the job's ``checkpoint.every``. The answer is one of ``limit``,
    twice it, four times it …, so that a warning is told anew only when things have become twice as bad.
    """
    limit = max(first, LATE * (usual or 0.0), LATE * (every or 0.0))
    if unsaved < limit:
        return None
    told = limit
    while told * 2 <= unsaved:
        told *= 2
    return told

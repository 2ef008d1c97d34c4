"""Which earlier attempts may still write when another one is to go on: it waits for every one of them."""

from __future__ import annotations

from fleet.core.state import RunState


def may_write(run: RunState, number: int) -> list[int]:
    """Attempts before ``number`` that live, have not let go, and are not fenced off by the base of a later one.

    Mostly there is at most one. Two there are where a machine that waited beside another was lost before it took over. One
    that has not spoken yet counts only if it is meant to carry the run: others are about to end.
    """
    based = max((a.number for a in run.attempts.values() if a.number < number and a.resumed is not None), default=0)
    return [
        a.number
        for a in run.attempts.values()
        if based <= a.number < number and a.live and a.released_at is None and (a.began_at is not None or a.serving)
    ]

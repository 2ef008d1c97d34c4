"""The life of an attempt as data: which event moves it from which phase to which.

An event that finds no edge changes no phase: it is news that came twice or late, since two controllers may record the
same fact.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.core.state import AttemptPhase

BEFORE: AttemptPhase | None = None
"""The attempt does not exist yet."""

TRANSITIONS: Mapping[tuple[AttemptPhase | None, str], AttemptPhase] = {
    # A number is given once; its first try is intended, a later one after a refusal.
    (BEFORE, "launch-intended"): "intended",
    ("refused", "launch-intended"): "intended",
    ("intended", "launch-succeeded"): "launched",
    # Two controllers sent the same request: one was refused, the other was not. The machine exists, so it counts.
    ("refused", "launch-succeeded"): "launched",
    ("intended", "launch-failed"): "refused",
    ("launched", "attempt-began"): "running",
    # A notice may come before the agent spoke to us, or while it already leaves.
    ("launched", "notice-seen"): "draining",
    ("running", "notice-seen"): "draining",
    # Its place is taken by a machine that is ready: it saves and lets go, as after a notice.
    ("launched", "attempt-relieved"): "draining",
    ("running", "attempt-relieved"): "draining",
    # The training ended, whatever the reason: what is left is to let go of everything.
    ("launched", "attempt-finished"): "draining",
    ("running", "attempt-finished"): "draining",
    ("launched", "attempt-released"): "released",
    ("running", "attempt-released"): "released",
    ("draining", "attempt-released"): "released",
    # The decision to end a machine stands whatever it says afterwards.
    ("intended", "terminate-intended"): "ending",
    ("launched", "terminate-intended"): "ending",
    ("running", "terminate-intended"): "ending",
    ("draining", "terminate-intended"): "ending",
    ("released", "terminate-intended"): "ending",
    # Only the confirmed end of the instance is the end.
    ("launched", "attempt-gone"): "gone",
    ("running", "attempt-gone"): "gone",
    ("draining", "attempt-gone"): "gone",
    ("released", "attempt-gone"): "gone",
    ("ending", "attempt-gone"): "gone",
}


def moved(phase: AttemptPhase | None, event_type: str) -> AttemptPhase | None:
    """The phase after the event; the same one where the table has no edge."""
    return TRANSITIONS.get((phase, event_type), phase)

"""The state comes back from a snapshot as it was."""

from __future__ import annotations

import json

from fleet.core.state import FleetState
from fleet.model.base import document_bytes
from tests.unit.core.world import folded


def test_attempts_keep_their_order_through_a_snapshot() -> None:
    events: list[dict[str, object]] = [{"run-created": {}}]
    for number in range(1, 13):
        events += [
            {"launch-intended": {"attempt": number, "at": number * 100}},
            {"launch-succeeded": {"attempt": number, "at": number * 100 + 1}},
            {"attempt-gone": {"attempt": number, "at": number * 100 + 50}},
        ]
    state = folded(events)
    back = FleetState.model_validate(json.loads(document_bytes(state)))
    assert back == state
    for run in back.runs.values():
        assert list(run.attempts) == list(range(1, 13))

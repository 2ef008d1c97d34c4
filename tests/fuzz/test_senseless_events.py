"""Events that are well formed, each by itself, and make no sense together: they harm no other run, and end no controller."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from fleet.core.actions import Action
from fleet.core.facts import facts
from fleet.core.fold import fold
from fleet.core.observed import Observed
from fleet.core.plan import plan
from fleet.core.plan.launching import waits_for
from fleet.core.state import FleetState
from fleet.core.summary import interruptions, seconds_lost, steps_lost
from fleet.core.upcast import decode, encode
from fleet.model import events as ev
from fleet.model.documents import Heartbeat
from fleet.model.errors import FleetError
from tests.fuzz.draw import as_json, bent, examples
from tests.unit.core.world import event, observed

NOW = 5000.0
OTHER, SENSELESS = "other", "racer-1"
B: list[dict[str, Any]] = [
    {"run-created": {"run": OTHER, "at": 1.0, "resources": {"infra": "sim/r"}, "budget": {"run": 90_000_000}}},
    {"launch-intended": {"run": OTHER, "at": 2.0, "attempt": 1, "token": "token-other", "offers": ["b-small-spot"]}},
    {
        "launch-succeeded": {
            "run": OTHER, "at": 3.0, "attempt": 1, "id": "i-other", "offer": "b-small-spot", "token": "token-other",
            "tags": {"fleet": "f", "run": OTHER, "attempt": "1", "token": "token-other"},
        }
    },
    {"attempt-began": {"run": OTHER, "at": 10.0, "attempt": 1}},
    {"attempt-resumed": {"run": OTHER, "at": 11.0, "attempt": 1}},
    {"volume-made": {"run": OTHER, "at": 12.0, "id": "v-other", "zone": "r-b"}},
]  # fmt: skip
"""A run that trains, far from the other one's zone."""
A: list[dict[str, Any]] = [
    {"run-created": {"resources": {"infra": "sim/q"}, "budget": {"run": 5_000_000}, "max_duration": "4h"}},
    {"launch-intended": {"at": 2.0, "attempt": 1}},
    {"launch-failed": {"at": 2.0, "attempt": 1, "error_class": "unknown"}},
    {"launch-intended": {"at": 2.0, "attempt": 1, "try_no": 2, "volume": "v-1"}},
    {"launch-succeeded": {"at": 3.0, "attempt": 1}},
    {"call-failed": {"at": 3.0, "attempt": 1, "error_class": "transient"}},
    {"attempt-began": {"at": 4.0, "attempt": 1}},
    {"volume-made": {"at": 5.0}},
    {"attempt-resumed": {"at": 6.0, "attempt": 1, "step": 10, "reached": 12, "lost_steps": 2}},
    {"notice-seen": {"at": 7.0, "attempt": 1, "until": 100.0}},
    {"price-changed": {"at": 8.0, "attempt": 1, "price": 100}},
    {"attempt-finished": {"at": 9.0, "attempt": 1, "kind": "interrupted"}},
    {"attempt-released": {"at": 9.0, "attempt": 1}},
    {"terminate-intended": {"at": 9.0, "attempt": 1}},
    {"attempt-gone": {"at": 10.0, "attempt": 1, "ended_by": "unknown"}},
    {"launch-intended": {"at": 11.0, "attempt": 2}},
    {"launch-succeeded": {"at": 12.0, "attempt": 2}},
    {"stop-requested": {"at": 13.0, "how": "stop"}},
    {"run-ended": {"at": 14.0, "outcome": "stopped"}},
    {"run-resumed": {"at": 15.0, "budget": 1}},
    {"volume-passed": {"at": 16.0, "from_run": OTHER, "volume_id": "v-other"}},
    {"volume-deleted": {"at": 17.0, "volume_id": "v-1"}},
]


def elsewhere(raw: Any) -> Any:
    """The same, in another region: refusals cool offers, and quotas whole regions, for every run on purpose."""
    if isinstance(raw, dict):
        return {key: elsewhere(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [elsewhere(one) for one in raw]
    return {"r": "q", "r-a": "q-a"}.get(raw, raw) if isinstance(raw, str) else raw


def whole() -> list[Any]:
    """The story of the senseless run, as the journal holds it; and events that the short forms do not know."""
    known = [elsewhere(encode(event(one))) for one in A]
    who = {"at": 9.0, "run_id": SENSELESS}
    return [
        *known,
        encode(ev.PricesFilled(**who, attempt=1, prices=({"at": 3.0, "price": 7},), until=10.0)),
        encode(ev.LeaseExtended(**who, attempt=1, lease_until=1e6, share=5)),
        encode(ev.AttachIntended(**who, attempt=1, volume_id="v-1")),
        encode(ev.DetachIntended(**who, attempt=1, volume_id="v-1")),
        encode(ev.VolumeDeleteIntended(**who, volume_id="v-1", reason="")),
        encode(ev.NoteAdded(**who, text="x")),
    ]


@st.composite
def stories(draw: st.DrawFn) -> list[ev.Event]:
    """Some of the story, in some order, some of it bent; what is no event any more is left out, as a journal would."""
    told = whole()
    picked = [told[0], *draw(st.lists(st.sampled_from(told), max_size=14))]
    if draw(st.booleans()):
        picked = told[: draw(st.integers(1, len(told)))]
    for at in draw(st.sets(st.integers(0, len(picked) - 1), max_size=3)):
        picked[at] = draw(bent(picked[at], 2))
    found = []
    for raw in picked:
        try:
            one = decode(from_json(as_json(raw)))
        except (FleetError, ValueError):
            continue  # told by the journal, which reads events as this does
        found.append(one.model_copy(update={"run_id": SENSELESS}) if hasattr(one, "run_id") else one)
    return [one for one in found if not isinstance(one, ev.OrphanIntended)]


WORLD = {
    "instances": [
        {
            "id": "i-other", "attempt": 1, "offer": "b-small-spot",
            "tags": {"run": OTHER, "attempt": "1", "token": "token-other"},
        }
    ],
    "volumes": [{"id": "v-other", "zone": "r-b", "run": OTHER, "state": "in-use", "attached_to": "i-other"}],
    "offers": ["b-small-spot", "b-medium-spot"],
}  # fmt: skip


def seen(beat: dict[str, Any] | None = None) -> Observed:
    found = observed(WORLD, NOW)
    fields = {"instance_id": "i-other", "boot_id": "b", "beat": 1, "at": NOW, "phase": "training"}
    beats = {(OTHER, 1): Heartbeat(run_id=OTHER, attempt=1, **fields)}
    found.heartbeats.update(beats)  # type: ignore[attr-defined]
    return found


def decided(state: FleetState, world: Observed) -> list[Action]:
    new = facts(state, world)
    return plan(fold(state, state.head + 1, NOW, new), world)


def of_other(actions: list[Action]) -> list[Action]:
    """What is done for the run that makes sense, or to what is its."""
    return [
        a
        for a in actions
        if "other" in str((getattr(a, "run_id", ""), getattr(a, "instance_id", ""), getattr(a, "volume_id", "")))
    ]


@examples(200)
@given(stories(), st.booleans())
def test_a_senseless_run_changes_nothing_for_another_one(story: list[ev.Event], first: bool) -> None:
    told = [event(one) for one in B]
    both, alone = FleetState(fleet_id="f"), FleetState(fleet_id="f")
    for number, one in enumerate([*story, *told] if first else [*told, *story], 1):
        both = fold(both, number, getattr(one, "at", 0.0), [one])
    for number, one in enumerate(told, 1):
        alone = fold(alone, number, one.at, [one])
    assert both.runs[OTHER] == alone.runs[OTHER]
    assert of_other(decided(both, seen())) == of_other(decided(alone, seen()))
    again = FleetState.model_validate_json(both.model_dump_json())
    assert again == both
    _looked_at(both)


def _looked_at(state: FleetState) -> None:
    """What the screens ask for."""
    for run in state.runs.values():
        assert steps_lost(run) >= -(10**17)
        assert seconds_lost(run) >= -1e12
        assert len(interruptions(run)) <= len(run.attempts)
        waits_for(state, run, seen())


def test_the_story_that_is_bent_here_is_one() -> None:
    assert len(whole()) == len([decode(raw) for raw in whole()])
    assert of_other(decided(FleetState(fleet_id="f"), seen()))  # without the journal its machine would be an orphan


def test_an_attempt_without_offers_is_no_event() -> None:
    """It would be nowhere: every look at where its machine is would fail."""
    with pytest.raises(FleetError, match="offers"):
        decode({**whole()[1], "offers": []})

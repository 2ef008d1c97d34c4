"""Folding many entries at once is folding them one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.fold import Folded, fold, fold_all
from fleet.core.state import FleetState
from tests.unit.core.world import event

FOLDER = Path(__file__).parent / "cases"
STORIES = [
    case["events"]
    for path in sorted(FOLDER.glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    if case.get("events")
]
EVENTS = [one for story in STORIES for one in story]


@st.composite
def journals(draw: st.DrawFn) -> list[Folded]:
    """Entries of none, one or some events: a case's story, other cases' events strewn in."""
    told: list[dict[str, Any]] = list(draw(st.sampled_from(STORIES)))
    for one in draw(st.lists(st.sampled_from(EVENTS), max_size=6)):
        told.insert(draw(st.integers(0, len(told))), one)
    cuts = sorted(draw(st.lists(st.integers(0, len(told)), max_size=12)))
    parts = [told[start:end] for start, end in zip([0, *cuts], [*cuts, len(told)], strict=True)]
    times = draw(st.lists(st.floats(0, 1000), min_size=1, max_size=4))
    return [(n, times[n % len(times)], [event(one) for one in part]) for n, part in enumerate(parts, 1)]


@settings(max_examples=200, deadline=None)
@given(journals(), st.data())
def test_folding_in_one_go_is_folding_one_by_one(entries: list[Folded], data: st.DataObject) -> None:
    one_by_one = FleetState(fleet_id="f")
    for number, at, events in entries:
        one_by_one = fold(one_by_one, number, at, events)
    cut = data.draw(st.integers(0, len(entries)))
    before = fold_all(FleetState(fleet_id="f"), entries[:cut])
    copy = before.model_copy(deep=True)
    assert fold_all(before, entries[cut:]) == one_by_one
    assert before == copy  # a state that somebody holds never changes
    assert one_by_one.head == len(entries)


def test_folding_nothing_changes_nothing() -> None:
    state = fold(FleetState(fleet_id="f"), 3, 12.5, [event({"run-created": {}})])
    assert fold_all(state, []) == state


def test_a_refusal_that_is_recorded_late_does_not_end_another_ones_cool_down() -> None:
    story = next(
        story for story in STORIES if any(one.get("launch-failed", {}).get("error_class") == "capacity" for one in story)
    )
    refusal = next(one for one in story if "launch-failed" in one)
    until = story[: story.index(refusal)]

    def cooling(*ats: float) -> dict[str, float]:
        told = [*until, *({"launch-failed": {**refusal["launch-failed"], "at": at}} for at in ats)]
        return fold(FleetState(), 1, 0.0, [event(one) for one in told]).cooling

    assert cooling(500.0)
    assert cooling(500.0, 400.0) == cooling(500.0)

"""Facts → actions: each file in cases/ holds a few small worlds and what is to be recorded and done in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.core.world import decide, folded, told

FOLDER = Path(__file__).parent / "cases"


def _cases() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")):
            found.append(pytest.param(case, id=f"{path.stem}: {case['about']}"))
    return found


@pytest.mark.parametrize("case", _cases())
def test_facts_lead_to_actions(case: dict[str, Any]) -> None:
    new, actions, _ = decide(case)
    if "facts" in case:
        assert [_fits(e.model_dump(mode="json"), w) for e, w in _paired(new, case["facts"])] == [None] * len(new)
    seen = [told(action) for action in actions]
    if "writedesired" not in str(case.get("expect")):
        seen = [action for action in seen if action["kind"] != "writedesired"]
    expected = case.get("expect", [])
    assert [a["kind"] for a in seen] == [w["do"] for w in expected], seen
    for action, wanted in zip(seen, expected, strict=True):
        assert _fits(action, {k: v for k, v in wanted.items() if k != "do"}) is None


@pytest.mark.parametrize("case", _cases())
def test_folding_an_event_twice_in_a_row_changes_nothing(case: dict[str, Any]) -> None:
    """Two controllers may record the same fact: the state must not tell (boot failures and error counts apart)."""
    events = case.get("events", [])
    repeated = [e for e in events for _ in (0, 1) if "failed" not in next(iter(e))] if events else []
    single = [e for e in events if "failed" not in next(iter(e))]
    once, twice = folded(single), folded(repeated)
    assert once.model_copy(update={"head": 0}) == twice.model_copy(update={"head": 0})


def _paired(new: list[Any], wanted: list[Any]) -> list[tuple[Any, Any]]:
    assert [e.type for e in new] == [w if isinstance(w, str) else w["type"] for w in wanted]
    return [(e, {} if isinstance(w, str) else w) for e, w in zip(new, wanted, strict=True)]


def _fits(actual: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """None, or which field is not as wanted. Strings match as a part."""
    for key, value in wanted.items():
        have = actual.get(key)
        if isinstance(value, float):
            same = have == pytest.approx(value, abs=0.01)
        else:
            same = value in have if isinstance(value, str) and isinstance(have, str) else have == value
        if not same:
            return f"{key}: {have!r}, wanted {value!r}"
    return None

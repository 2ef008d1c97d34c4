"""Events as they were written, as they are known now."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from fleet.core.upcast import CURRENT, UPCASTS, decode, encode, upcast
from fleet.model import events as ev
from fleet.model.errors import JournalError, NewerVersionError

TYPES: list[Any] = [kind for kind in vars(ev).values() if "type" in getattr(kind, "model_fields", {})]
OLD = {"type": "price", "v": 1, "dollars": 3}
TABLE: dict[tuple[str, int], Any] = {
    ("price", 1): lambda raw: {"type": "price", "cents": raw["dollars"] * 100},
    ("price", 2): lambda raw: {"type": "price", "micros": raw["cents"] * 10_000},
}


def test_an_old_event_is_brought_up_step_by_step() -> None:
    assert upcast(OLD, {"price": 3}, TABLE) == {"type": "price", "v": 3, "micros": 3_000_000}
    assert upcast({"type": "price", "v": 2, "cents": 7}, {"price": 3}, TABLE)["micros"] == 70_000
    assert upcast({"type": "price", "v": 3, "micros": 7}, {"price": 3}, TABLE)["micros"] == 7


def test_a_missing_step_is_our_own_mistake() -> None:
    with pytest.raises(JournalError, match="no upcast"):
        upcast(OLD, {"price": 3}, {})


@pytest.mark.parametrize("raw", [{"type": "price", "v": 4}, {"type": "volume-cloned", "v": 1}])
def test_what_is_newer_or_unknown_is_never_skipped(raw: dict[str, Any]) -> None:
    with pytest.raises(NewerVersionError, match=r"(?s)does not know.*[Uu]pgrade"):
        upcast(raw, {"price": 3}, TABLE)


@pytest.mark.parametrize("raw", [{}, {"type": "price"}, {"v": 1}, {"type": 5, "v": 1}, {"type": "price", "v": "1"}])
def test_what_is_no_event_is_told(raw: dict[str, Any]) -> None:
    with pytest.raises(JournalError):
        upcast(raw, {"price": 3}, TABLE)


def test_every_type_of_event_has_a_version_and_an_upcast_from_each_before_it() -> None:
    written = {kind.model_fields["type"].default: typing.get_args(kind.model_fields["v"].annotation)[0] for kind in TYPES}
    assert dict(CURRENT) == written
    assert set(UPCASTS) == {(name, version) for name, newest in CURRENT.items() for version in range(1, newest)}


def test_an_event_comes_back_as_it_was_written() -> None:
    stop = ev.StopRequested(at=12.5, run_id="r-1", how="stop")
    assert decode(encode(stop)) == stop


@pytest.mark.parametrize("change", [{"how": "perhaps"}, {"extra": 1}, {"run_id": None}])
def test_an_event_that_does_not_hold_what_its_type_says_stops_the_reader(change: dict[str, Any]) -> None:
    raw = {**encode(ev.StopRequested(at=12.5, run_id="r-1", how="stop")), **change}
    with pytest.raises(JournalError):
        decode(raw)

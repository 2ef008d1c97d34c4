"""A boot that failed leaves its last words where the user finds them."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.control.act import Effects
from fleet.core.actions import ExamineBoot
from fleet.core.state import FleetState
from fleet.model import layout
from fleet.model.errors import ErrorClass, NotFoundError, ProviderError, StoreError
from fleet.model.events import BootExamined
from fleet.store.opening import open_objects
from tests.unit.core.world import RUN, folded

LAUNCHED: list[dict[str, Any]] = [
    {"run-created": {}},
    {"launch-intended": {"at": 10}},
    {"launch-succeeded": {"at": 12}},
]
GONE: dict[str, Any] = {"attempt-gone": {"at": 190, "ended_at": 180, "ended_by": "itself"}}


class Screen:
    """A cloud of which only consoles are asked."""

    def __init__(self, told: str | ProviderError) -> None:
        self._told = told

    def console(self, region: str, instance_id: str) -> str:
        assert (region, instance_id) == ("r", "i-1")
        if isinstance(self._told, ProviderError):
            raise self._told
        return self._told


class Desk:
    def __init__(self, told: str | ProviderError, *, gone: bool = False) -> None:
        self.objects = open_objects("memory://")
        self.state: FleetState = folded([*LAUNCHED, GONE] if gone else LAUNCHED)
        self.effects = Effects(self.objects, {"sim": Screen(told)})  # type: ignore[dict-item]

    def look(self) -> list[BootExamined]:
        action = ExamineBoot(not_after=1e12, run_id=RUN, attempt=1, provider="sim", region="r", instance_id="i-1")
        found = self.effects.perform(action, self.state)
        assert all(isinstance(one, BootExamined) for one in found)
        return found  # type: ignore[return-value]


def test_the_console_is_kept_whole_and_its_end_told() -> None:
    desk = Desk("".join(f"line {n}\n" for n in range(100)) + "\x1b[31mkernel panic\n")
    (told,) = desk.look()
    assert desk.objects.get(layout.console(RUN, 1)).startswith(b"line 0\n")
    assert (told.console, told.boot_log) == (True, False)
    assert told.tail.splitlines()[0] == "line 89"
    assert told.tail.splitlines()[-1] == " [31mkernel panic"


def test_what_the_machine_wrote_itself_says_more_than_its_console() -> None:
    desk = Desk("a console\n")
    desk.objects.put(layout.boot_log(RUN, 1), b"docker could not be installed\n")
    (told,) = desk.look()
    assert (told.console, told.boot_log, told.tail) == (True, True, "docker could not be installed")


@pytest.mark.parametrize("told", ["", ProviderError(ErrorClass.TRANSIENT, "InternalError", "later")])
def test_a_console_that_is_not_there_yet_is_asked_for_again(told: str | ProviderError) -> None:
    desk = Desk(told)
    assert desk.look() == []
    with pytest.raises(NotFoundError):
        desk.objects.get(layout.console(RUN, 1))


def test_of_a_machine_that_is_gone_and_left_nothing_that_is_told() -> None:
    (told,) = Desk("", gone=True).look()
    assert (told.console, told.boot_log, told.tail) == (False, False, "")


def test_a_bucket_that_takes_no_console_does_not_stand_before_the_machines_end(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk("kernel panic\n")

    def refuse(_key: str, _data: bytes) -> None:
        raise StoreError("access is denied")

    monkeypatch.setattr(desk.objects, "put", refuse)
    assert desk.look() == []

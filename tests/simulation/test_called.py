"""The laws under storms of faults, where some controllers are called now and then, as the function is, and others watch."""

from __future__ import annotations

import pytest

from fleet.control.controller import Controller
from fleet.control.function import HOUR, SNAPSHOT_EVERY
from tests.simulation.chaos.clients import Laptop
from tests.simulation.chaos.explore import Explorer


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every second controller is: single words are got, offers asked for when they are wanted, pauses mean nothing."""
    plain, made = Laptop.open, list[str]()

    def opened(laptop: Laptop) -> Controller:
        controller = plain(laptop)
        if not laptop.older and int(laptop.name.removeprefix("c")) % 2:
            controller.objects.url = "s3://bucket"  # type: ignore[misc]
            controller.observer.called, controller.observer.every = True, HOUR
            controller.snapshot_every = SNAPSHOT_EVERY
            made.append(laptop.name)
        return controller

    monkeypatch.setattr(Laptop, "open", opened)
    return made


@pytest.mark.parametrize("seed", [11, 12])
def test_no_law_is_broken_where_some_controllers_are_only_called(seed: int, called: list[str]) -> None:
    result = Explorer(seed, hours=24, runs=6).explore()
    assert result.violations == []
    assert result.instance_hours > 10
    assert called

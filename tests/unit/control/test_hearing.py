"""Heartbeats where a listing is dear: few are got one by one, and the words of the dead are removed all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fleet.control.hearing import FEW, Hearing
from fleet.control.observe import SWEEP_EVERY, Observer
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import NewVolume
from fleet.model.documents import Heartbeat, Resumed
from fleet.store.files import FileObjects
from fleet.store.objects import ObjectInfo
from tests.unit.core.world import job, offer


class Dear(FileObjects):
    """A folder that says that it is a bucket of Amazon's, and counts."""

    url = "s3://bucket"

    def __init__(self, root: Path) -> None:
        super().__init__(root, lambda: self.time)
        self.time = 1000.0
        self.calls: Counter[str] = Counter()

    def get(self, key: str) -> bytes:
        self.calls["get"] += 1
        return super().get(key)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        self.calls["list"] += 1
        return super().list(prefix)


class Ears:
    """Some runs, and who hears their machines."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.objects = Dear(folder)
        self.state = FleetState(fleet_id="f", runs={f"r-{n}": _run(f"r-{n}") for n in range(runs)})
        self.observer = Observer(self.objects, {})

    def beat(self, number: int, beat: int, run: int = 0) -> None:
        said = Heartbeat(
            run_id=f"r-{run}", attempt=number, instance_id="i", boot_id="b", beat=beat, at=1.0, phase="training"
        )
        self.objects.put(layout.heartbeat(f"r-{run}", number), document_bytes(said))

    def look(self, seconds: float = 60.0) -> Any:
        self.objects.time += seconds
        self.objects.calls.clear()
        return self.observer.look(self.state)

    def set(self, *attempts: AttemptState) -> None:
        self.state = self.state.model_copy(update={"runs": {"r-0": _run("r-0", *attempts)}})

    @property
    def lists(self) -> int:
        return self.objects.calls["list"]


def _attempt(number: int, phase: str, *, resumed: bool = False) -> AttemptState:
    return AttemptState.model_validate(
        {
            "number": number,
            "phase": phase,
            "try_no": 1,
            "token": "t",
            "offers": (offer("a-small-spot"),),
            "volume": NewVolume(size_gb=1),
            "predecessor": None,
            "why": "",
            "intended_at": 0.0,
            "resumed": Resumed(ref=None, source="nothing", step=None, reached=None, lost_steps=0, lost_seconds=0.0, at=1.0)
            if resumed
            else None,
        }
    )


def _run(run_id: str, *attempts: AttemptState) -> RunState:
    known = {one.number: one for one in attempts or (_attempt(1, "running"),)}
    return RunState(run_id=run_id, name=run_id, job=job({}), workdir_key=None, created_at=0.0, attempts=known)


@pytest.fixture
def ears(tmp_path: Path) -> Ears:
    made = Ears(tmp_path, 1)
    made.beat(1, 1)
    made.look()  # the first look is a sweep
    return made


def test_few_words_are_got_without_a_listing(ears: Ears) -> None:
    ears.beat(1, 2)
    seen = ears.look()
    assert (seen.heartbeats["r-0", 1].beat, ears.lists) == (2, 0)
    assert ears.objects.calls["get"] <= 2  # and desired.json
    assert seen.listed_beats == frozenset()  # nothing was listed
    assert seen.heard["r-0", 1] == ears.objects.time


def test_a_word_that_did_not_change_is_no_news(ears: Ears) -> None:
    assert ears.look().heard == {}
    ears.beat(1, 2)
    at = ears.objects.time + 60
    assert ears.look().heard == {("r-0", 1): at}
    assert ears.look().heard == {("r-0", 1): at}


def test_a_sweep_between_says_nothing_new_either(ears: Ears) -> None:
    ears.look()
    assert ears.look(SWEEP_EVERY).heard == {}
    assert ears.lists == 1
    assert ears.look().heard == {}


def test_what_is_not_there_is_no_trouble_and_what_was_there_is_remembered(ears: Ears) -> None:
    ears.objects.delete([layout.heartbeat("r-0", 1)])
    assert ears.look().heartbeats["r-0", 1].beat == 1
    assert set(ears.observer.troubles) == {"sim"}  # where its machine is, nobody here can ask
    ears.set(_attempt(2, "launched"))
    assert ears.look().heartbeats == {}


@pytest.mark.parametrize(("runs", "lists"), [(FEW, 0), (FEW + 1, 1)])
def test_many_are_listed(tmp_path: Path, runs: int, lists: int) -> None:
    ears = Ears(tmp_path, runs)
    for run in range(runs):
        ears.beat(1, 1, run)
    ears.look()
    ears.look()
    assert ears.lists == lists


def test_the_words_of_the_dead_are_listed_once_they_are_to_be_removed_and_until_they_are(ears: Ears) -> None:
    ears.look()
    ears.set(_attempt(1, "gone"), _attempt(2, "launched"))
    assert ears.look().listed_beats == frozenset()
    assert ears.lists == 0  # the next attempt measures its loss by it
    ears.beat(2, 1)
    ears.set(_attempt(1, "gone"), _attempt(2, "running", resumed=True))
    assert ears.look().listed_beats == {("r-0", 1), ("r-0", 2)}
    ears.objects.delete([layout.heartbeat("r-0", 1)])
    assert ears.look().listed_beats == {("r-0", 2)}
    ears.look()
    assert ears.lists == 0


def test_where_a_listing_costs_nothing_it_is_made(tmp_path: Path) -> None:
    hearing = Hearing(FileObjects(tmp_path, lambda: 0.0), {})
    assert not hearing.dear

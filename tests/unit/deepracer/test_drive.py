"""The order of a driver's life before its first leg. Docker, the stack and the disk are made up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer import drive
from fleet.workloads.deepracer.course import Course, Leg
from fleet.workloads.deepracer.ground import ground_of
from fleet.workloads.deepracer.history import HISTORY, History
from fleet.workloads.deepracer.leg import Stop
from fleet.workloads.deepracer.spec import DeepRacer
from tests.unit.deepracer.test_ground import ENV

RUN = ENV["FLEET_RUN_ID"]
IMAGES = {"trainer": f"simapp:1@sha256:{'1' * 64}"}


class Life:
    """What a driver did, as far as it came: there is no room for its leg."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[tuple[str, Any]] = []
        room = SimpleNamespace(
            engine=None,
            note=lambda: None,
            clear=lambda place: None,
            remove=lambda: self.did.append(("removed", None)),
            pull=self._pull,
        )
        ready = SimpleNamespace(
            device="cpu", place=lambda *_: None, open_storage=lambda: SimpleNamespace(names=list), source=self._full
        )
        caretaker = SimpleNamespace(look_if_due=lambda legs: self.did.append(("cleaned", [leg.prefix for leg in legs])))
        monkeypatch.setattr(drive, "EngineRoom", lambda *_: room)
        monkeypatch.setattr(drive, "Preparation", lambda *_: ready)
        monkeypatch.setattr(drive, "Caretaker", lambda *_: caretaker)
        env = {**ENV, "FLEET_VOLUME": str(folder), "FLEET_CHECKPOINTS": str(folder / "checkpoints")}
        self.ground = ground_of(env, folder)
        self.driver = drive.Driver(DeepRacer(), self.ground, Stop(lambda asked: asked), 0.0)

    def _pull(self, known: dict[str, str], device: str) -> dict[str, str]:
        self.did.append(("pulled", dict(known)))
        return {}

    def _full(self, found: object) -> None:
        self.did.append(("began a leg", None))
        raise FleetError("No space left on device")

    def live(self) -> None:
        with pytest.raises(FleetError, match="No space"):
            self.driver.live()


def test_a_disk_that_an_earlier_attempt_filled_is_cleaned_before_a_leg_needs_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    History(tmp_path / HISTORY).note(Course(run=RUN, legs=(Leg(prefix=f"{RUN}-1-1", attempt=1),), images=IMAGES))
    life = Life(tmp_path, monkeypatch)
    life.live()
    assert life.did == [("pulled", IMAGES), ("cleaned", [f"{RUN}-1-1"]), ("began a leg", None), ("removed", None)]


def test_without_its_volume_a_run_takes_the_images_that_its_checkpoint_tells_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "checkpoints" / "4" / "model"
    model.mkdir(parents=True)
    for suffix in (".index", ".meta", ".data-00000-of-00001"):
        (model / f"4_Step-9.ckpt{suffix}").write_text("x")
    (model / ".coach_checkpoint").write_text("4_Step-9.ckpt")
    (model.parent / "course.json").write_text(Course(run=RUN, images=IMAGES).model_dump_json())
    life = Life(tmp_path, monkeypatch)
    life.live()
    assert life.did[0] == ("pulled", IMAGES)

"""A leg's loop with containers that are made up: what is heard becomes decisions, and these become deeds."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer import health
from fleet.workloads.deepracer.containers import Container
from fleet.workloads.deepracer.engine_room import EngineRoom
from fleet.workloads.deepracer.leg import Leg, Stop
from fleet.workloads.deepracer.listen import Heard, Line, Listener
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.deepracer.steer import EndLeg, Exited
from fleet.workloads.deepracer.tending import Caretaker
from tests.unit.deepracer.test_keeper import PREFIX, Scene

EPISODE = "Training> Name=main_level/agent, Worker=0, Episode=1, Total reward=1.0, Steps=9, Training iteration=0"
UPLOADED = "Uploaded 3 files for checkpoint {}"
MARKED = "algo-1-abcde  | "


class FakeRoom:
    """Containers by service."""

    def __init__(self) -> None:
        self.services = ["s3", "coach", "simulator"]
        self.away = False
        self.noted = 0
        self.on_end: Callable[[], None] = lambda: None
        self.asked: list[str] = []

    def running(self) -> list[Container]:
        if self.away:
            raise FleetError("the docker engine does not answer")
        return [Container(f"id of {name}", name, "running", 0, out_of_memory=False) for name in self.services]

    def note_trainer(self) -> None:
        self.noted += 1

    def ask_to_end(self, container: str) -> None:
        self.asked.append(container)
        self.on_end()


class FakeListener:
    """Hands out what a test says, in its order; a callable is called instead."""

    def __init__(self) -> None:
        self.script: list[Heard | Callable[[], object]] = []
        self.followed: list[str] = []
        self.heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()

    def follow(self, service: str, container: str) -> None:
        self.followed.append(service)

    def take(self, within: float) -> list[Heard]:
        if not self.script:
            time.sleep(0.001)
            return []
        one = self.script.pop(0)
        if callable(one):
            one()
            return []
        return [one]

    def wake(self) -> None:
        pass


class Stage:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        monkeypatch.setattr("fleet.workloads.deepracer.leg.LOOK_FOR_TRAINER", 0.0)
        monkeypatch.setattr("fleet.workloads.deepracer.steer.SETTLE", 0.05)
        monkeypatch.setattr("fleet.workloads.deepracer.keeper.OFTEN", 0.0)
        self.scene, self.room, self.listener = Scene(folder), FakeRoom(), FakeListener()
        spec = DeepRacer.model_validate(options)
        self.stop = Stop(lambda asked: asked + 30)
        caretaker = Caretaker(self.scene.volume, cast(Any, None), spec, lambda _: None)
        monkeypatch.setattr(caretaker, "look_if_due", lambda _legs: None)
        self.leg = Leg(
            spec=spec,
            room=cast(EngineRoom, self.room),
            listener=cast(Listener, self.listener),
            book=self.scene.book,
            keeper=self.scene.keeper,
            history=self.scene.history,
            health=health.begin(spec, time.monotonic()),
            stop=self.stop,
            caretaker=caretaker,
        )

    def plays(self, *script: Heard | Callable[[], object]) -> EndLeg:
        self.listener.script = list(script)
        return self.leg.run()

    def trainer_comes(self) -> None:
        self.room.services.append("trainer")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def gone(service: str, code: int = 1) -> Exited:
    return Exited(service, code, time.time())


def test_the_trainer_that_coach_starts_is_found_noted_and_followed(stage: Stage) -> None:
    stage.room.away = True

    def back() -> None:
        stage.room.away = False

    ending = stage.plays(back, stage.trainer_comes, lambda: None, gone("simulator"))
    assert stage.listener.followed == ["s3", "coach", "simulator", "trainer"]
    assert (stage.room.noted, ending.how) == (1, "fault")
    assert ending.fault is not None
    assert ending.fault.code == "simulator-ended"


def test_it_ends_when_as_many_iterations_are_kept_as_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path, monkeypatch, until={"iterations": 2})
    save = stage.scene.save
    ending = stage.plays(
        Line("trainer", EPISODE),
        save,
        save,
        Line("trainer", UPLOADED.format(1)),
        save,
        Line("trainer", UPLOADED.format(2)),
    )
    assert ending == EndLeg("succeeded")
    out = capsys.readouterr().out
    assert out.index("fleet.saved step=1") < out.index("fleet.saved step=2")
    assert f"trainer | {EPISODE}" in out
    assert "training goes on" in out


def test_a_wish_to_stop_goes_to_the_trainer_once_and_its_last_set_is_kept(stage: Stage) -> None:
    def ends() -> None:
        stage.scene.save(2)
        stage.listener.script.append(gone("trainer", 0))

    stage.room.on_end = ends
    ending = stage.plays(stage.trainer_comes, Line("trainer", EPISODE), lambda: stage.stop.ask())
    assert ending == EndLeg("stopped")
    assert stage.room.asked == ["id of trainer"]
    stage.scene.keeper.look(hurry=True)
    assert stage.scene.book.course.iterations == 1


def test_a_trainer_that_comes_after_the_wish_to_stop_is_asked_too(stage: Stage) -> None:
    stage.room.on_end = lambda: stage.listener.script.append(gone("trainer", 0))
    assert stage.plays(lambda: stage.stop.ask(), stage.trainer_comes).how == "stopped"
    assert stage.room.asked == ["id of trainer"]


def test_one_that_does_not_heed_it_is_left_behind_in_time(stage: Stage) -> None:
    stage.stop.by = lambda asked: asked + 0.2
    began = time.monotonic()
    assert stage.plays(stage.trainer_comes, lambda: stage.stop.ask()).how == "stopped"
    assert time.monotonic() - began < 2


def test_a_wish_for_a_checkpoint_takes_what_is_committed_though_it_is_locked(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = tmp_path / "save-request"
    monkeypatch.setenv("FLEET_SAVE_REQUEST", str(wish))
    monkeypatch.setattr("fleet.workloads.deepracer.keeper.SELDOM", 1000.0)
    stage.scene.save(2)
    stage.scene.prefix.write("model/.lock", b"")
    stage.scene.prefix.files["model/.lock"] = b"", stage.scene.prefix.clock
    stage.scene.prefix.remove("model/model_1.pb")
    kept: list[int] = []

    def look() -> None:
        kept.append(stage.scene.book.course.iterations)

    stage.plays(lambda: None, look, lambda: wish.write_text("1"), lambda: None, look, gone("s3"))
    assert kept == [0, 1]


def test_nan_ends_the_leg_whatever_else_is_heard(stage: Stage) -> None:
    line = "Policy training> Surrogate loss=nan, KL divergence=nan, Entropy=nan, training epoch=0, learning_rate=0.0003"
    assert stage.plays(stage.trainer_comes, Line("trainer", line)).how == "nan"
    assert stage.leg.nan


def test_a_nan_that_a_simulator_tells_of_by_its_number_is_one_too(stage: Stage) -> None:
    """What is committed then may be NaN: it is not kept in the end, and not counted among the sets to trust."""
    assert stage.plays(stage.trainer_comes, Line("simulator", "ERROR: FAULT_CODE: 25")).how == "nan"
    assert stage.leg.nan


def test_what_coach_repeats_of_its_trainer_is_said_once(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.plays(
        Line("coach", f"{MARKED}early words"),
        stage.trainer_comes,
        Line("trainer", "late words"),
        Line("coach", f"{MARKED}late words"),
        Line("coach", "coach's own"),
        gone("s3"),
    )
    out = capsys.readouterr().out
    assert (out.count("early words"), out.count("late words"), out.count("coach's own")) == (1, 1, 1)
    log = (stage.scene.volume / "history" / PREFIX / "logs" / "coach.log").read_text()
    assert "late words" not in log


def test_the_look_alikes_secret_is_in_no_log(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.leg.hidden = "0123abcd"
    stage.plays(Line("coach", "- AWS_SECRET_ACCESS_KEY=0123abcd"), gone("s3"))
    told = capsys.readouterr().out + (stage.scene.volume / "history" / PREFIX / "logs" / "coach.log").read_text()
    assert told.count("AWS_SECRET_ACCESS_KEY=…") == 2
    assert "0123abcd" not in told


def test_a_line_of_a_container_is_never_taken_for_the_drivers_own(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.plays(Line("simulator", "fleet.saved step=99"), gone("s3"))
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("fleet.saved")]

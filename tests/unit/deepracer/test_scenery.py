from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fleet.workloads.deepracer.analysis.heat import step_seconds
from fleet.workloads.deepracer.analysis.recording import Recording, Trace
from fleet.workloads.deepracer.analysis.scene import Ground
from fleet.workloads.deepracer.analysis.scenery import Scenery, only
from fleet.workloads.deepracer.analysis.steps import Steps, joined
from fleet.workloads.deepracer.checking.track import Floats, Ints
from fleet.workloads.deepracer.checking.tracks import Tracks
from fleet.workloads.deepracer.whole_run import Part
from tests.unit.deepracer.driving import RADIUS, circle, of_log, recorded, round_and_round

NOWHERE = Tracks(None, None, None)


def ground(recording: Recording, scenery: Scenery | None = None) -> Ground:
    (found,) = (scenery or Scenery(NOWHERE)).grounds(recording)
    return found


def upto(trace: Trace, steps: int) -> Trace:
    return replace(trace, steps=trace.steps.take(np.arange(steps)))


def same(one: Ground, other: Ground) -> None:
    assert one.heat.keys.tolist() == other.heat.keys.tolist()
    for name in ("visits", "seconds", "speed", "reward"):
        np.testing.assert_allclose(getattr(one.heat, name), getattr(other.heat, name))
    assert (one.best is None) == (other.best is None)
    if one.best is not None and other.best is not None:
        assert one.best.seconds == other.best.seconds
        assert one.best.points.tolist() == other.best.points.tolist()


def test_a_recording_that_grows_is_mapped_as_one_that_is_read_at_once() -> None:
    whole = of_log("drfc-robomaker.log")
    trace = whole.parts[0].traces[0]
    scenery = Scenery(NOWHERE)
    found = None
    for steps in (1, 40, 41, 500, 700, len(trace.steps)):
        part = replace(whole.parts[0], traces=(upto(trace, steps),))
        found = ground(replace(whole, parts=(part,)), scenery)
    assert found is not None
    same(found, ground(whole))
    assert found.heat.steps == len(trace.steps)


def test_only_what_came_since_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def counted(episode: Ints, at: Floats) -> Floats:
        looked.append(len(episode))
        return step_seconds(episode, at)

    monkeypatch.setattr("fleet.workloads.deepracer.analysis.scenery.step_seconds", counted)
    scenery, laps = Scenery(NOWHERE), round_and_round(4)
    ground(recorded(upto(circle(laps), 450)), scenery)
    ground(recorded(circle(laps)), scenery)
    ground(recorded(circle(laps)), scenery)
    assert looked == [450, 151]


def test_a_trace_that_was_begun_anew_is_mapped_anew() -> None:
    scenery = Scenery(NOWHERE)
    ground(recorded(circle(round_and_round(2, speed=1.0))), scenery)
    other = round_and_round(3, speed=4.0)
    other.at[:] += 500.0
    found = ground(recorded(circle(other)), scenery)
    assert found.heat.steps == 450
    assert set((found.heat.speed / found.heat.visits).round(6).tolist()) == {4.0}


def test_iterations_that_were_lost_are_on_no_map_and_leave_it_once_they_are() -> None:
    scenery = Scenery(NOWHERE)
    first, second = round_and_round(2), round_and_round(2, iteration=1, share=0.5, first=2)
    trace = Trace(0, "training", joined([first, second]), track="circle")
    recording = recorded(trace)
    part = replace(recording.parts[0], part=Part("racer-1"))
    assert ground(replace(recording, parts=(part,)), scenery).heat.steps == 450
    back = replace(part, whole={0: 0})
    assert ground(replace(recording, parts=(back,)), scenery).heat.steps == 300


def test_the_best_lap_is_the_shortest_that_went_all_the_way_round() -> None:
    quick, slow = round_and_round(1, first=1), round_and_round(1)
    quick.at[:] = 100.0 + (quick.at - quick.at[0]) / 2
    short = round_and_round(3, share=0.1, first=2)
    found = ground(recorded(circle(slow, quick, short)))
    assert found.best is not None
    assert found.best.seconds == pytest.approx(149 / 15 / 2)
    assert len(found.best.points) == 150
    assert np.hypot(*found.best.points.T) == pytest.approx([RADIUS] * 150)
    assert ground(recorded(circle(short))).best is None


def test_a_lap_that_has_not_ended_is_none_yet() -> None:
    scenery, laps = Scenery(NOWHERE), circle(round_and_round(2))
    assert ground(recorded(upto(laps, 149)), scenery).best is None
    first = ground(recorded(upto(laps, 160)), scenery).best
    assert first is not None
    assert ground(recorded(laps), scenery).best == first or first.seconds == pytest.approx(149 / 15)


def test_an_evaluation_gives_its_best_lap_and_the_map_only_where_nothing_was_trained() -> None:
    lap = Trace(0, "evaluation", round_and_round(1, speed=4.0), "evaluation-1", "circle")
    trained = ground(recorded(circle(round_and_round(2, share=0.3)), lap))
    assert trained.heat.steps == 90
    assert trained.best is not None
    assert trained.best.phase == "evaluation"
    assert ground(recorded(lap)).heat.steps == 150


def test_each_track_has_a_map_of_its_own() -> None:
    pieces = [Trace(worker, "training", round_and_round(1), track=f"world-{worker}") for worker in (0, 1, 2)]
    found = Scenery(NOWHERE).grounds(recorded(*pieces, replace(pieces[2], worker=3)))
    assert [(one.world, one.heat.steps) for one in found] == [("world-0", 150), ("world-1", 150), ("world-2", 300)]


def test_borders_come_from_the_folder_and_none_stands_in(tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, 60)
    rings = [np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1) for r in (RADIUS, RADIUS - 0.5, RADIUS + 0.5)]
    (tmp_path / "tracks").mkdir()
    np.save(tmp_path / "tracks" / "circle.npy", np.concatenate(rings, axis=1))
    tracks = Tracks(tmp_path, None, None)
    known = ground(recorded(circle(round_and_round(1))), Scenery(tracks))
    assert known.borders is not None
    assert np.hypot(*known.borders.outer.T) == pytest.approx([RADIUS + 0.5] * 60)
    assert ground(recorded(circle(round_and_round(1), world="elsewhere")), Scenery(tracks)).borders is None
    nameless = ground(recorded(circle(round_and_round(1), world="")), Scenery(tracks, "circle"))
    assert (nameless.world, nameless.borders is not None) == ("circle", True)


def test_a_map_of_some_iterations_holds_their_steps_alone() -> None:
    pieces: list[Steps] = [round_and_round(1, iteration=n, first=n, speed=1.0 + n) for n in range(4)]
    found = ground(only(recorded(circle(*pieces)), 1, 2))
    assert found.heat.steps == 300
    assert found.heat.speed.sum() == pytest.approx(150 * 2.0 + 150 * 3.0)

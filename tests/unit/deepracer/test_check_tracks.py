"""Tracks, where they come from, and what is sampled along them."""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.workloads.deepracer.checking import tracks
from fleet.workloads.deepracer.checking.routes import ADDRESS, OLDER, ROUTES
from fleet.workloads.deepracer.checking.sampling import KEYS, KEYS_2019, OBJECTS, Drive, Samples, lanes, sample
from fleet.workloads.deepracer.checking.track import Line, Track
from fleet.workloads.deepracer.checking.tracks import Tracks, check_name, read_route, stand_in
from tests.unit.deepracer.models import Model, codes

ACTIONS = ((-30.0, 1.0), (0.0, 4.0), (30.0, 0.5))
UP = np.array([0.0, 0.4])
CIRCUIT = stand_in("a world")


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def route(track: Track = CIRCUIT) -> Any:
    return np.concatenate([track.centre.points, track.inner.points, track.outer.points], axis=1)


def square(side: float = 2.0, width: float = 1.0) -> Track:
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.float64) - 0.5
    return Track("square", Line(corners * side), Line(corners * (side - width)), Line(corners * (side + width)))


def test_places_on_a_square_are_seen_as_the_simulator_tells_them() -> None:
    places = np.array([[0.0, -1.0], [0.0, -0.8], [0.0, -1.3], [1.1, 0.5], [-1.0, -0.5]])
    seen = square().see(places)
    assert seen.gone.tolist() == pytest.approx([1.0, 1.0, 1.0, 3.5, 7.5])
    assert seen.aside.tolist() == pytest.approx([0.0, 0.2, 0.3, 0.1, 0.0])
    assert (seen.before.tolist(), seen.after.tolist()) == ([0, 0, 0, 1, 3], [1, 1, 1, 2, 4])
    assert seen.width.tolist() == pytest.approx([1.0] * 5)
    assert seen.left[1:4].tolist() == [True, False, False]  # driven against the clock, inside is left
    turned = square().turned().see(places)
    assert turned.left[1:4].tolist() == [False, True, True]
    assert turned.gone[0] == pytest.approx(7.0)
    at_the_end = square().see(np.array([[-1.0, -0.999999999]]))
    assert (at_the_end.before[0], at_the_end.after[0]) in ((0, 1), (3, 4))


@given(st.floats(0, 1), st.floats(-0.4, 0.4), st.booleans())
def test_a_place_beside_the_centre_line_is_found_where_it_was_put(share: float, side: float, turned: bool) -> None:
    track = CIRCUIT.turned() if turned else CIRCUIT
    gone = np.array([share * track.centre.length])
    place, direction = track.centre.at(gone)
    seen = track.see(place + np.stack([-np.sin(direction), np.cos(direction)], axis=1) * side)
    assert seen.aside[0] == pytest.approx(abs(side), abs=0.02)
    apart = abs(seen.gone[0] - gone[0])
    assert min(apart, track.centre.length - apart) < 0.2
    assert abs(side) < 0.05 or seen.left[0] == (side > 0)
    before, after = track.centre.along[seen.before[0]], track.centre.along[seen.after[0]]
    assert seen.after[0] == 0 or before <= seen.gone[0] <= after


def test_what_is_sampled_holds_every_parameter_and_every_way_an_episode_goes() -> None:
    races: tuple[Any, ...] = tuple(OBJECTS)
    for race in races:
        made, count = sample([CIRCUIT], Drive(ACTIONS, race), 1500), OBJECTS[race]
        columns = {key: [row[at] for one in made.episodes for row in one.rows] for at, key in enumerate(made.keys)}
        assert set(columns) == set(KEYS)
        for key in ("all_wheels_on_track", "is_crashed", "is_offtrack", "is_reversed", "is_left_of_center"):
            assert {True, False} == set(columns[key]), key
        assert {(a, s) for a, s in zip(columns["steering_angle"], columns["speed"], strict=True)} == set(ACTIONS)
        assert {type(value) for value in columns["steps"]} == {float}
        assert (min(columns["steps"]), max(columns["progress"])) == (1.0, 100.0)
        assert max(columns["progress"]) == 100.0
        assert min(columns["heading"]) < -170 < 170 < max(columns["heading"])
        assert all(-180 <= value <= 180 for value in columns["heading"])
        assert {len(value) for value in columns["objects_location"]} == {count}
        assert all(0 <= index < max(count, 1) for pair in columns["closest_objects"] for index in pair)
        points = len(CIRCUIT.centre.points)
        assert all(0 <= index < points for pair in columns["closest_waypoints"] for index in pair)
        values = [v for key, column in columns.items() for v in column if not isinstance(v, list)]
        assert all(math.isfinite(value) for value in values)


def test_the_next_object_lies_ahead_and_the_other_behind() -> None:
    made = sample([CIRCUIT], Drive(ACTIONS, "OBJECT_AVOIDANCE"), 600)
    place = {key: at for at, key in enumerate(made.keys)}
    for one in made.episodes:
        length = made.tracks[one.track].centre.length
        for row in one.rows:
            behind, ahead = row[place["closest_objects"]]
            gone, spots = row[place["projection_distance"]], row[place["objects_distance"]]
            assert (spots[ahead] - gone) % length == pytest.approx(min((spot - gone) % length for spot in spots))
            assert (gone - spots[behind]) % length == pytest.approx(min((gone - spot) % length for spot in spots))


def test_samples_are_the_same_for_the_same_seed_and_as_many_as_asked_for() -> None:
    def rows(made: Samples) -> list[list[Any]]:
        return [row for one in made.episodes for row in one.rows]

    first, again = (sample([CIRCUIT, square()], Drive(ACTIONS), 1000) for _ in range(2))
    assert rows(first) == rows(again) != rows(sample([CIRCUIT, square()], Drive(ACTIONS), 1000, seed=2))
    assert 1000 <= first.count < 1100
    assert [(one.name, one.backwards) for one in first.tracks] == [
        (name, backwards) for name in ("a world", "square") for backwards in (False, True)
    ]


def test_the_stack_of_2019_tells_less_and_counts_steps_whole() -> None:
    made = sample([CIRCUIT], Drive(ACTIONS, stack="2019"), 300)
    assert made.keys == KEYS_2019
    assert {type(row[KEYS_2019.index("steps")]) for one in made.episodes for row in one.rows} == {int}


def test_an_open_track_is_driven_to_its_end_in_both_directions() -> None:
    straight = np.linspace([0.0, 0.0], [6.0, 0.0], 12)
    track = Track("straight", Line(straight), Line(straight + UP), Line(straight - UP))
    assert not track.closed
    made = sample([track], Drive(ACTIONS), 500)
    gone = [row[KEYS.index("projection_distance")] for one in made.episodes for row in one.rows]
    assert (min(gone) < 0.2, max(gone)) == (True, 6.0)
    assert track.see(np.array([[3.0, 0.1]])).left[0]


def test_lanes_for_a_picture_are_laps_side_by_side() -> None:
    made = sample([CIRCUIT], Drive(ACTIONS), 200)
    added = lanes(made, 0, Drive(ACTIONS), np.array([-0.3, 0.0, 0.3]), 50)
    rows = [made.episodes[number].rows for number in added]
    asides = [row[KEYS.index("distance_from_center")] for lane in rows for row in lane]
    assert asides == pytest.approx([0.3] * 50 + [0.0] * 50 + [0.3] * 50, abs=0.02)
    assert {(row[KEYS.index("steering_angle")], row[KEYS.index("speed")]) for lane in rows for row in lane} == {(0.0, 4.0)}


def test_the_stand_in_is_a_closed_circuit_as_wide_as_most_tracks() -> None:
    assert CIRCUIT.closed
    assert CIRCUIT.anticlockwise
    assert CIRCUIT.see(CIRCUIT.centre.points).width.tolist() == pytest.approx([tracks.WIDTH] * 150, abs=0.05)
    assert not CIRCUIT.turned().anticlockwise


def test_a_route_is_fetched_once_compared_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(route())
    monkeypatch.setitem(ROUTES, "Oval_track", hashlib.sha256(data).hexdigest())
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return data

    places = Tracks(None, tmp_path / "cache", fetch)
    first, second = places.find("Oval_track"), places.find("Oval_track")
    assert [one.origin for one in (first, second)] == ["fetched", "cache"]
    assert asked == [f"{ADDRESS}/Oval_track.npy"]
    assert first.track.centre.points.tolist() == second.track.centre.points.tolist() == CIRCUIT.centre.points.tolist()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(data[:-8])
    assert places.find("Oval_track").origin == "fetched"  # a broken one is not believed
    assert Tracks(None, tmp_path / "cache", None).find("Oval_track").origin == "cache"


def test_without_a_route_a_circuit_stands_in_and_that_is_said(tmp_path: Path) -> None:
    def offline(url: str) -> bytes:
        raise OSError("no route to host")

    for places, why in (
        (Tracks(tmp_path, tmp_path / "cache", offline), "no route to host"),
        (Tracks(tmp_path, tmp_path / "cache", lambda url: b"something else"), "not what was published"),
        (Tracks(tmp_path, None, None), "nothing may be fetched"),
    ):
        found = places.find("reinvent_base")
        (said,) = found.findings
        assert (found.origin, said.code, said.severity) == ("stand-in", "track-stand-in", "warning")
        assert why in said.message
    assert not (tmp_path / "cache").exists()


def test_without_a_network_only_the_first_track_is_waited_for() -> None:
    asked: list[str] = []

    def offline(url: str) -> bytes:
        asked.append(url)
        raise OSError("timed out")

    found = Tracks(None, None, offline).find_all(["Oval_track", "China_track", "Oval_track", "Bowtie_track"])
    assert [one.track.name for one in found] == ["Oval_track", "China_track", "Bowtie_track"]
    assert len(asked) == 1


def test_tracks_are_kept_in_fleets_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path))
    assert tracks.usual_cache() == tmp_path / "cache" / "tracks"


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(route())
    monkeypatch.setitem(ROUTES, "Oval_track", hashlib.sha256(data).hexdigest())
    (tmp_path / "cache").write_text("a file")
    assert Tracks(None, tmp_path / "cache", lambda url: data).find("Oval_track").origin == "fetched"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no array at all",
        saved(np.zeros((10, 5))),
        saved(np.zeros((2, 6))),
        saved(np.zeros((10, 6))),
        saved(np.full((10, 6), np.nan)),
        saved(np.full((10, 6), 1e9)),
        saved(np.array([["a"] * 6] * 10)),
        saved(np.array([{"an": "object"}], dtype=object)),
        saved(np.zeros((6000, 6))),
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 6), }" + b" " * 40 + b"\n",
    ],
)
def test_a_route_that_is_none_is_refused_and_never_unpickled(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_route(data)
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks" / "mine.npy").write_bytes(data)
    found = Tracks(tmp_path, download=None).find("mine")
    assert (found.origin, [one.code for one in found.findings]) == ("stand-in", ["track-route"])


def test_a_route_in_the_models_folder_comes_first(tmp_path: Path) -> None:
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks" / "reinvent_base.npy").write_bytes(saved(route(square())))
    found = Tracks(tmp_path).find("reinvent_base")
    assert (found.origin, found.track.centre.length, found.findings) == ("folder", 8.0, ())


def test_the_nearest_world_is_named() -> None:
    assert check_name("reinvent_base") == []
    (one,) = check_name("reinvent_bas")
    assert (one.code, one.severity, "'reinvent_base'" in one.message) == ("track-unknown", "error", True)
    assert "'China_track'" in check_name("china_track")[0].message
    assert check_name("my_own_world", own_image=True)[0].severity == "warning"
    for world in OLDER:
        assert check_name(world, stack="2019") == []
        assert "Older images" in check_name(world)[0].remedy
    assert all(len(digest) == 64 for digest in ROUTES.values())


def test_an_unknown_track_is_an_error_of_the_model(tmp_path: Path) -> None:
    model = Model(tmp_path)
    result = model.check(tracks=["reinvent_base", "shanghai"])
    assert codes(result) == ["track-unknown"]
    assert [one.code for one in result.findings].count("track-stand-in") == 0  # said once, and better
    assert codes(model.check(tracks=["shanghai"], images={"simapp": "mine:1"})) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.sampled_from(list(OBJECTS)), st.sampled_from(["today", "2019"]), st.integers(0, 10**6))
def test_any_number_of_samples_can_be_had(count: int, race: Any, stack: Any, seed: int) -> None:
    made = sample([square()], Drive(((0.0, 1.0),), race, stack), count, seed)
    assert made.count >= count
    assert all(len(row) == len(made.keys) for one in made.episodes for row in one.rows)

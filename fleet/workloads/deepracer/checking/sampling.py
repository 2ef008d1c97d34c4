"""Parameter sets for the reward function: episodes along tracks, as the simulator would tell of them.

An episode begins somewhere on the track, sways from side to side, and ends as episodes end: off the track, crashed, turned
round, or with the lap complete. Every second one is driven in the other direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from fleet.workloads.deepracer.checking.track import Floats, Seen, Track

STEPS_PER_SECOND = 15
KEYS_2019 = (
    "all_wheels_on_track", "x", "y", "heading", "distance_from_center", "progress", "steps", "speed", "steering_angle",
    "track_width", "closest_waypoints", "is_left_of_center", "is_reversed",
)  # fmt: skip
"""What 2019's simulator tells, beside ``waypoints``."""
KEYS = (
    *KEYS_2019, "projection_distance", "track_length", "is_crashed", "is_offtrack", "sim_time", "closest_objects",
    "objects_location", "objects_left_of_center", "object_in_camera", "objects_speed", "objects_heading",
    "objects_distance_from_center", "objects_distance",
)  # fmt: skip
"""What today's tells, beside ``waypoints``."""
HALF_CAR = 0.1
"""Metres from a car's middle to its wheels."""
SHORT_LAP, LONG_LAP = 30, 400
"""Steps that a whole lap takes at least and at most here."""
ENDS = ("off-track", "crashed", "turned", "time-up")
OBJECTS = {"TIME_TRIAL": 0, "OBJECT_AVOIDANCE": 6, "HEAD_TO_BOT": 3}
BOT_SPEED = 0.2
SIGHT = 3.0
"""Metres that an object is seen ahead."""


@dataclass(frozen=True)
class Drive:
    """What the job says about how cars drive."""

    actions: Sequence[tuple[float, float]]
    """Steering angles and speeds."""
    race: Literal["TIME_TRIAL", "OBJECT_AVOIDANCE", "HEAD_TO_BOT"] = "TIME_TRIAL"
    stack: Literal["today", "2019"] = "today"

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the values of a row."""
        return KEYS if self.stack == "today" else KEYS_2019


@dataclass(frozen=True)
class Episode:
    """Steps one after another, of one car."""

    track: int
    """Its number among the samples' tracks."""
    rows: list[list[Any]]
    """Values in the order of the keys."""
    told: str
    """For people: where and how."""


@dataclass
class Samples:
    """What the reward function is tried with."""

    keys: tuple[str, ...]
    tracks: list[Track] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Parameter sets of all episodes together."""
        return sum(len(episode.rows) for episode in self.episodes)

    def add(self, track: Track) -> int:
        """A track, and its number."""
        self.tracks.append(track)
        return len(self.tracks) - 1


def sample(tracks: Sequence[Track], drive: Drive, count: int, seed: int = 1) -> Samples:
    """At least ``count`` parameter sets: the tracks in turn, each in both directions, the same ones for the same seed."""
    chance = np.random.default_rng(seed)
    made = Samples(drive.keys)
    numbers = [made.add(one) for track in tracks for one in (track, track.turned())]
    longest = min(max(count // 2 // len(numbers), SHORT_LAP), LONG_LAP)
    for number in numbers:
        made.episodes.append(_lap(made, number, drive, chance, longest))
    turn = 0
    while made.count < count or turn < len(ENDS) * len(numbers):  # every end on every track, however few are asked for
        number = numbers[turn % len(numbers)]
        end = ENDS[turn // len(numbers) % len(ENDS)]
        made.episodes.append(_short(made, number, drive, chance, end, count - made.count))
        turn += 1
    return made


def lanes(made: Samples, number: int, drive: Drive, sides: Floats, points: int) -> list[int]:
    """For a picture: laps at a fixed distance from the centre line, straight along it. Their numbers as episodes."""
    track = made.tracks[number]
    angle, speed = min(drive.actions, key=lambda action: (abs(action[0]), -action[1]))
    gone = np.linspace(0.0, track.centre.length, points, endpoint=False)
    added = []
    for side in sides:
        place, direction = track.centre.at(gone)
        seen = track.see(place + _leftwards(direction) * side)
        drawn = _Drawn(gone, np.full(points, side), direction, np.full((points, 2), (angle, speed)), 0.0)
        made.episodes.append(_episode(made, number, drive, drawn, seen, "time-up", np.random.default_rng(0)))
        added.append(len(made.episodes) - 1)
    return added


@dataclass(frozen=True)
class _Drawn:
    """A way along a track: step by step."""

    gone: Floats
    side: Floats
    """Metres to the left of the centre line."""
    heading: Floats
    """Radians."""
    actions: Floats
    start: float
    """Where along the track the episode began."""


def _leftwards(direction: Floats) -> Floats:
    return np.stack([-np.sin(direction), np.cos(direction)], axis=1)


def _lap(made: Samples, number: int, drive: Drive, chance: np.random.Generator, longest: int) -> Episode:
    """A whole lap from the track's beginning: the first step of all, and progress up to 100."""
    length = made.tracks[number].centre.length
    steps = int(min(longest, max(SHORT_LAP, length / 2.0 * STEPS_PER_SECOND)))
    gone = np.linspace(0.008, 1.0, steps) * length
    return _way(made, number, drive, chance, "complete", gone, 0.0)


def _short(made: Samples, number: int, drive: Drive, chance: np.random.Generator, end: str, most: int) -> Episode:
    length = made.tracks[number].centre.length
    steps = min(int(chance.integers(12, 70)), max(most, 12))
    start = length * chance.integers(0, 20) / 20 if made.tracks[number].closed else 0.0
    gone = start + np.cumsum(chance.uniform(0.0, 0.2, steps))
    gone = gone % length if made.tracks[number].closed else np.minimum(gone, length)
    return _way(made, number, drive, chance, end, gone, start)


def _way(
    made: Samples, number: int, drive: Drive, chance: np.random.Generator, end: str, gone: Floats, start: float
) -> Episode:
    track, steps = made.tracks[number], len(gone)
    place, direction = track.centre.at(gone)
    half = track.see(place[:1]).width[0] / 2
    side = half * 0.9 * np.sin(np.cumsum(chance.normal(0.0, 0.25, steps)))
    heading = direction + chance.normal(0.0, 0.35, steps)
    if end == "off-track":
        side = side * np.linspace(1.0, 0.2, steps) + (half + 0.3) * np.linspace(0.0, 1.0, steps) ** 3 * chance.choice(
            [-1, 1]
        )
    elif end == "turned":
        heading += np.linspace(0.0, np.pi, steps)
    actions = np.array(drive.actions)[chance.integers(0, len(drive.actions), steps)]
    seen = track.see(place + _leftwards(direction) * side[:, None])
    return _episode(made, number, drive, _Drawn(gone, side, heading, actions, start), seen, end, chance)


def _episode(
    made: Samples, number: int, drive: Drive, drawn: _Drawn, seen: Seen, end: str, chance: np.random.Generator
) -> Episode:
    """Everything that is told of a way, in columns, and then in rows."""
    track, steps = made.tracks[number], len(drawn.gone)
    length = track.centre.length
    place, direction = track.centre.at(drawn.gone)
    place = place + _leftwards(direction) * drawn.side[:, None]
    off = seen.aside > seen.width / 2 + HALF_CAR
    counted = np.arange(1, steps + 1)
    progress = (seen.gone - drawn.start) / length * 100.0
    progress[progress < -50.0] += 100.0  # across the line; a little below 0 is told to a car that rolls back over it
    if end == "complete":
        progress[-1] = 100.0
    crashed = np.zeros(steps, dtype=bool)
    crashed[-1] = end == "crashed"
    columns: dict[str, list[Any]] = {
        "all_wheels_on_track": (seen.aside < seen.width / 2 - HALF_CAR).tolist(),
        "x": place[:, 0].tolist(),
        "y": place[:, 1].tolist(),
        "heading": ((np.degrees(drawn.heading) + 180.0) % 360.0 - 180.0).tolist(),
        "distance_from_center": seen.aside.tolist(),
        "progress": np.minimum(progress, 100.0).tolist(),
        # Today's simulator counts steps with a float, whatever its documentation says; that of 2019 began with 0.
        "steps": counted.astype(float).tolist() if drive.stack == "today" else (counted - 1).tolist(),
        "speed": drawn.actions[:, 1].tolist(),
        "steering_angle": drawn.actions[:, 0].tolist(),
        "track_width": seen.width.tolist(),
        "closest_waypoints": np.stack([seen.before, seen.after], axis=1).tolist(),
        "is_left_of_center": seen.left.tolist(),
        "is_reversed": [track.backwards] * steps,
        "projection_distance": seen.gone.tolist(),
        "track_length": [length] * steps,
        "is_crashed": crashed.tolist(),
        "is_offtrack": off.tolist(),
        "sim_time": (60.0 + counted / STEPS_PER_SECOND).tolist(),
        **_objects(track, drive, seen, place, chance),
    }
    rows = [list(row) for row in zip(*(columns[key] for key in drive.keys), strict=True)]
    direction_told = "backwards" if track.backwards else "forwards"
    return Episode(number, rows, f"{track.name} {direction_told}, {end}")


def _objects(track: Track, drive: Drive, seen: Seen, place: Floats, chance: np.random.Generator) -> dict[str, list[Any]]:
    """Boxes that stand, or cars that drive slowly; in a time trial there are none, and the lists are empty."""
    steps, count = len(seen.gone), OBJECTS[drive.race]
    if not count:
        empty: dict[str, list[Any]] = {key: [[] for _ in range(steps)] for key in KEYS if key.startswith("objects_")}
        return {**empty, "closest_objects": [[0, 0] for _ in range(steps)], "object_in_camera": [False] * steps}
    speed = BOT_SPEED if drive.race == "HEAD_TO_BOT" else 0.0
    begin = np.sort(chance.uniform(0.0, track.centre.length, count))
    gone = (begin + np.arange(steps)[:, None] / STEPS_PER_SECOND * speed) % track.centre.length
    where, direction = track.centre.at(gone.ravel())
    lane = np.where(np.arange(count) % 2 == 0, 0.25, -0.25) * seen.width[0]
    spot = where + _leftwards(direction) * np.tile(lane, steps)[:, None]
    order = np.argsort(gone, axis=1)
    after = (np.take_along_axis(gone, order, axis=1) <= seen.gone[:, None]).sum(axis=1)
    row = np.arange(steps)
    behind, ahead = order[row, (after - 1) % count], order[row, after % count]
    spots = spot.reshape(steps, count, 2)
    near = np.hypot(*(spots[row, ahead] - place).T) < SIGHT
    # The simulator tells bots' headings in radians, and 0 for boxes.
    headings = direction.reshape(steps, count) if speed else np.zeros((steps, count))
    return {
        "closest_objects": np.stack([behind, ahead], axis=1).tolist(),
        "objects_location": spots.tolist(),
        "objects_left_of_center": np.tile(lane > 0, (steps, 1)).tolist(),
        "object_in_camera": near.tolist(),
        "objects_speed": np.full((steps, count), speed).tolist(),
        "objects_heading": headings.tolist(),
        "objects_distance_from_center": np.tile(np.abs(lane), (steps, 1)).tolist(),
        "objects_distance": gone.tolist(),
    }

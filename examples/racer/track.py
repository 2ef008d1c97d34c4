"""A closed 2-D track, and cars on it: everything as arrays over the cars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WAYPOINTS = 120
WIDTH = 1.0
"""Metres, as DeepRacer's tracks."""
STEP = 0.1
"""Seconds between two actions."""
WHEELBASE = 0.25
STEERING = np.array([-30.0, -15.0, 0.0, 15.0, 30.0])
SPEEDS = np.array([1.5, 3.0])
ACTIONS = len(STEERING) * len(SPEEDS)
LOOK_AHEAD = (3, 7, 12)
OBSERVATIONS = 4 + len(LOOK_AHEAD)


def make_waypoints() -> Floats:
    """A kidney of about 21 metres, with bends to both sides."""
    angle = np.linspace(0.0, 2 * np.pi, WAYPOINTS, endpoint=False)
    radius = 3.0 + 0.9 * np.cos(2 * angle) + 0.45 * np.sin(3 * angle)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


@dataclass
class Cars:
    """Positions in metres, headings in radians, speeds in metres per second."""

    xy: Floats
    heading: Floats
    speed: Floats
    steering: Floats
    travelled: Floats
    """Waypoints passed since the start, backwards counted as negative."""
    steps: Ints
    off: npt.NDArray[np.bool_]


class Track:
    """Geometry that never changes."""

    def __init__(self) -> None:
        self.waypoints = make_waypoints()
        ahead = np.roll(self.waypoints, -1, axis=0) - self.waypoints
        self.length = float(np.hypot(ahead[:, 0], ahead[:, 1]).sum())
        self.direction = np.arctan2(ahead[:, 1], ahead[:, 0])
        self.as_list: list[tuple[float, float]] = [(float(x), float(y)) for x, y in self.waypoints]

    def start(self, at: Ints, aside: Floats, turned: Floats) -> Cars:
        """Cars at waypoints, moved aside (metres, left positive) and turned (radians)."""
        direction = self.direction[at]
        normal = np.stack([-np.sin(direction), np.cos(direction)], axis=1)
        count = len(at)
        return Cars(
            xy=self.waypoints[at] + normal * aside[:, None],
            heading=direction + turned,
            speed=np.full(count, SPEEDS[0]),
            steering=np.zeros(count),
            travelled=np.zeros(count),
            steps=np.zeros(count, dtype=np.int64),
            off=np.zeros(count, dtype=np.bool_),
        )

    def nearest(self, xy: Floats) -> tuple[Ints, Floats]:
        """The closest waypoint of each car, and how far left of the centre line it is, metres."""
        apart = xy[:, None, :] - self.waypoints[None, :, :]
        index = np.argmin((apart**2).sum(axis=2), axis=1).astype(np.int64)
        direction = self.direction[index]
        gap = xy - self.waypoints[index]
        return index, gap[:, 1] * np.cos(direction) - gap[:, 0] * np.sin(direction)

    def observe(self, cars: Cars) -> Floats:
        """What the policy sees: offset, heading error, speed, and the bends ahead."""
        index, left = self.nearest(cars.xy)
        error = cars.heading - self.direction[index]
        bends = [_wrapped(self.direction[(index + n) % WAYPOINTS] - self.direction[index]) for n in LOOK_AHEAD]
        return np.stack([2 * left / WIDTH, np.sin(error), np.cos(error), cars.speed / SPEEDS[-1] - 0.75, *bends], axis=1)

    def move(self, cars: Cars, action: Ints) -> None:
        """One step of a kinematic bicycle; cars that are off the track stay where they are."""
        on = ~cars.off
        before, _ = self.nearest(cars.xy)
        cars.steering = np.where(on, STEERING[action % len(STEERING)], cars.steering)
        target = SPEEDS[action // len(STEERING)]
        cars.speed = np.where(on, cars.speed + 0.5 * (target - cars.speed), 0.0)
        turn = cars.speed / WHEELBASE * np.tan(np.radians(cars.steering)) * STEP
        cars.heading = _wrapped(cars.heading + np.where(on, np.clip(turn, -0.6, 0.6), 0.0))
        way = np.stack([np.cos(cars.heading), np.sin(cars.heading)], axis=1)
        cars.xy = cars.xy + way * (cars.speed * STEP)[:, None]
        after, left = self.nearest(cars.xy)
        passed = (after - before + WAYPOINTS // 2) % WAYPOINTS - WAYPOINTS // 2
        cars.travelled = cars.travelled + np.where(on, passed, 0)
        cars.steps = cars.steps + on
        cars.off = cars.off | (np.abs(left) > WIDTH / 2)

    def params(self, cars: Cars) -> list[dict[str, Any]]:
        """Each car's state as AWS DeepRacer gives it to a reward function."""
        index, left = self.nearest(cars.xy)
        progress = np.clip(100.0 * cars.travelled / WAYPOINTS, 0.0, 100.0)
        return [
            {
                "all_wheels_on_track": bool(abs(left[i]) <= WIDTH / 2 - 0.1),
                "x": float(cars.xy[i, 0]),
                "y": float(cars.xy[i, 1]),
                "closest_waypoints": [int(index[i]), (int(index[i]) + 1) % WAYPOINTS],
                "distance_from_center": float(abs(left[i])),
                "is_left_of_center": bool(left[i] > 0),
                "is_offtrack": bool(cars.off[i]),
                "is_crashed": False,
                "is_reversed": bool(cars.travelled[i] < -1),
                "heading": float(np.degrees(cars.heading[i])),
                "progress": float(progress[i]),
                "speed": float(cars.speed[i]),
                "steering_angle": float(cars.steering[i]),
                "steps": int(cars.steps[i]),
                "track_length": self.length,
                "track_width": WIDTH,
                "waypoints": self.as_list,
                "objects_location": [],
                "closest_objects": [0, 0],
            }
            for i in range(len(left))
        ]


def _wrapped(angle: Floats) -> Floats:
    """Into (-pi, pi]."""
    return (angle + np.pi) % (2 * np.pi) - np.pi

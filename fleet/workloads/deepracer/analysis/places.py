"""Where cars leave the track. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from fleet.workloads.deepracer.analysis.model import Drive

NEAR = 3
"""Waypoints to each side that are the same place: about a metre."""


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of the track at which cars left it."""

    waypoint: int
    """In its middle, where most did."""
    episodes: int
    x: float
    y: float
    """Metres, the mean of where they ended."""


def off_track_places(drives: Iterable[Drive]) -> list[Place]:
    """Those at which most did first; each episode belongs to one of them."""
    by_waypoint: dict[int, list[tuple[float, float]]] = {}
    for drive in drives:
        if drive.is_off_track and drive.end_waypoint is not None and drive.end is not None:
            by_waypoint.setdefault(drive.end_waypoint, []).append(drive.end)
    found = []
    while by_waypoint:

        def around(at: int) -> list[tuple[float, float]]:
            return [end for by in range(-NEAR, NEAR + 1) for end in by_waypoint.get(at + by, ())]

        middle = max(sorted(by_waypoint), key=lambda at: (len(around(at)), len(by_waypoint[at])))
        ends = around(middle)
        found.append(Place(middle, len(ends), fmean(x for x, _ in ends), fmean(y for _, y in ends)))
        for at in range(middle - NEAR, middle + NEAR + 1):
            by_waypoint.pop(at, None)
    return found

"""A track's geometry, as the simulator sees it: from a place on the plane to what the reward function is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_AT_ONCE = 1000
"""Places looked at together: arrays of places times segments stay small."""


@dataclass(frozen=True)
class Line:
    """Points joined by straight segments. A closed line's first point stands at its end again."""

    points: Floats

    @cached_property
    def along(self) -> Floats:
        """The distance of each point from the first, along the line."""
        steps = np.hypot(*np.diff(self.points, axis=0).T)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def length(self) -> float:
        """Metres."""
        return float(self.along[-1])

    def project(self, places: Floats) -> tuple[Floats, Floats]:
        """How far along the line the nearest point of each place is, and that point."""
        found = [self._project(places[at : at + _AT_ONCE]) for at in range(0, len(places), _AT_ONCE)]
        return np.concatenate([one for one, _ in found]), np.concatenate([other for _, other in found])

    def _project(self, places: Floats) -> tuple[Floats, Floats]:
        begin, step = self.points[:-1], np.diff(self.points, axis=0)
        squared = np.maximum((step**2).sum(axis=1), 1e-18)  # real tracks hold the same point twice in a row
        share = ((places[:, None, :] - begin) * step).sum(axis=2) / squared
        share = np.clip(share, 0.0, 1.0)
        nearest = begin + share[:, :, None] * step
        segment = ((places[:, None, :] - nearest) ** 2).sum(axis=2).argmin(axis=1)
        row = np.arange(len(places))
        gone = self.along[segment] + share[row, segment] * np.sqrt(squared[segment])
        return np.minimum(gone, self.length), nearest[row, segment]

    def at(self, gone: Floats) -> tuple[Floats, Floats]:
        """The place so far along the line, and the direction there (radians)."""
        segment = np.clip(np.searchsorted(self.along, gone, side="right") - 1, 0, len(self.points) - 2)
        step = np.diff(self.points, axis=0)
        size = np.maximum(np.hypot(*step.T), 1e-9)
        share = np.clip((gone - self.along[segment]) / size[segment], 0.0, 1.0)
        place = self.points[segment] + share[:, None] * step[segment]
        return place, np.arctan2(step[segment, 1], step[segment, 0])


@dataclass(frozen=True)
class Seen:
    """What the simulator computes of places on a track."""

    gone: Floats
    """Along the centre line from its beginning, metres (``projection_distance``)."""
    before: Ints
    after: Ints
    """``closest_waypoints``."""
    aside: Floats
    """``distance_from_center``."""
    left: Bools
    width: Floats


@dataclass(frozen=True)
class Track:
    """Centre line and borders, in the direction that is driven."""

    name: str
    centre: Line
    inner: Line
    outer: Line
    backwards: bool = False
    """Driven against the order of its points (``is_reversed``)."""

    @classmethod
    def of(cls, name: str, route: Floats) -> Track:
        """From an array as the simulator has it: rows of centre, inner and outer points."""
        return cls(name, Line(route[:, 0:2]), Line(route[:, 2:4]), Line(route[:, 4:6]))

    def turned(self) -> Track:
        """The other direction."""
        centre, inner, outer = (Line(line.points[::-1]) for line in (self.centre, self.inner, self.outer))
        return Track(self.name, centre, inner, outer, backwards=not self.backwards)

    @property
    def closed(self) -> bool:
        """Laps can be driven."""
        return bool((self.centre.points[0] == self.centre.points[-1]).all())

    @cached_property
    def anticlockwise(self) -> bool:
        """By the sign of the enclosed area; an open track counts as such, as the simulator has it."""
        x, y = self.centre.points.T
        area = float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
        return area > 0 if self.closed else not self.backwards

    def see(self, places: Floats) -> Seen:
        """What is told of cars at these places."""
        gone, nearest = self.centre.project(places)
        (_, inner), (_, outer) = self.inner.project(places), self.outer.project(places)
        after = np.searchsorted(self.centre.along, gone, side="right").astype(np.int64)
        before = after - 1
        after[after == len(self.centre.points)] = 0
        closer = np.hypot(*(places - inner).T) < np.hypot(*(places - outer).T)
        return Seen(
            gone=gone,
            before=before,
            after=after,
            aside=np.hypot(*(places - nearest).T),
            left=closer == self.anticlockwise,
            width=np.hypot(*(inner - outer).T),
        )

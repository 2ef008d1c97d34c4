"""What a plot and the watch page show: the analysis, and for each track the ground that was driven on. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from fleet.workloads.deepracer.analysis.heat import Heat
from fleet.workloads.deepracer.analysis.model import Analysis, Drive, Phase
from fleet.workloads.deepracer.analysis.places import NEAR, Place, off_track_places
from fleet.workloads.deepracer.checking.track import Floats, Track
from fleet.workloads.deepracer.checking.tracks import Tracks

NEWEST = 0.2
"""Of the iterations: what was driven lately."""
MOST_ENDS = 600
"""Places that a map marks: the newest; more would hide what is below them."""


@dataclass(frozen=True)
class Borders:
    """A track's lines, points of x and y in metres."""

    inner: Floats
    outer: Floats
    centre: Floats

    @classmethod
    def of(cls, track: Track) -> Borders:
        """The same as the simulator has them."""
        return cls(track.inner.points, track.outer.points, track.centre.points)


@dataclass(frozen=True)
class Lap:
    """The way that a car took round the track."""

    seconds: float
    phase: Phase
    points: Floats
    """Of x and y in metres, by step."""


@dataclass(frozen=True)
class Ground:
    """A track, and what was driven on it."""

    world: str
    """Its name; empty: nobody told."""
    heat: Heat = field(default_factory=Heat)
    borders: Borders | None = None
    """None: its route is not known here."""
    best: Lap | None = None
    """The shortest lap whose steps are there."""


@dataclass(frozen=True)
class Scene:
    """All that is shown."""

    analysis: Analysis
    grounds: tuple[Ground, ...] = ()
    at: float | None = None
    """When it was looked at, seconds since 1970; None: no matter when."""
    state: str = ""
    """Of the run, in words: ``training``, ``recovering`` …; empty: it is none of fleet's, or nobody asked."""
    ended: bool = False
    """Nothing more will come."""
    trouble: str = ""
    """Why nothing newer was seen just now; empty: it was."""


def named(scene: Scene, world: str) -> Scene:
    """Episodes whose track nobody told were driven on this one; empty: leave them so."""
    if not world:
        return scene
    drives = tuple(one if one.track else replace(one, track=world) for one in scene.analysis.drives)
    return replace(scene, analysis=replace(scene.analysis, drives=drives, tracks=scene.analysis.tracks or (world,)))


@dataclass(frozen=True, slots=True)
class Trouble:
    """A place where cars leave the track."""

    place: Place
    share: float
    """Of all training episodes that ended beside the track."""
    lately: int
    """Of its episodes those in the newest fifth of the iterations: whether it is still so."""


def ends(drives: Iterable[Drive], world: str) -> list[tuple[float, float]]:
    """Where training episodes on a track ended beside it, the newest."""
    found = [one.end for one in drives if one.phase == "training" and one.is_off_track and one.track == world and one.end]
    return found[-MOST_ENDS:]


def troubles(drives: Sequence[Drive], world: str, most: int) -> list[Trouble]:
    """The places where training episodes most often ended beside a track; none if waypoints are not told."""
    left = [one for one in drives if one.phase == "training" and one.is_off_track and one.track == world]
    places = off_track_places(left)
    total = sum(one.episodes for one in places)
    known = [one for one in left if one.end_waypoint is not None]
    newest = max((one.iteration for one in known), default=0)
    late = [one for one in known if one.iteration > (1 - NEWEST) * newest]
    return [
        Trouble(one, one.episodes / total, sum(abs((drive.end_waypoint or 0) - one.waypoint) <= NEAR for drive in late))
        for one in places[:most]
    ]


def borders(world: str, tracks: Tracks) -> Borders | None:
    """A track's lines, if they are to be had; a circuit that stands in is none of its."""
    if not world:
        return None
    found = tracks.find(world)
    return None if found.origin == "stand-in" else Borders.of(found.track)


def laps(analysis: Analysis, most: int | None = None) -> list[Drive]:
    """Whole laps, the shortest first, those of evaluations among them."""
    found = sorted((one for one in analysis.drives if one.is_lap and one.seconds > 0), key=lambda one: one.seconds)
    return found[:most]


def cost_shares(analysis: Analysis) -> dict[int, float]:
    """What each iteration cost, US dollars: the run's cost, shared out by how long its training episodes drove.

    An estimate: training on what was driven, which takes its time too, is shared out with it. Empty without a cost.
    """
    if not analysis.cost:
        return {}
    seconds: dict[int, float] = {}
    for one in analysis.training:
        took = one.wall_seconds if one.wall_seconds is not None else one.seconds
        seconds[one.iteration] = seconds.get(one.iteration, 0.0) + max(0.0, took)
    total = sum(seconds.values())
    return {number: analysis.cost * took / total for number, took in seconds.items()} if total > 0 else {}

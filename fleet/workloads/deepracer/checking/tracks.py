"""Where tracks come from: the model's folder, the cache, the simulator's repository; else a circuit stands in.

Routes are the simulator's data, not fleet's: they are fetched once from its repository, at a fixed commit, compared with the
digests that stand in ``routes.py``, and kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from fleet.workloads.deepracer.checking.routes import ADDRESS, OLDER, ROUTES
from fleet.workloads.deepracer.checking.track import Floats, Track
from fleet.workloads.deepracer.checking.words import nearest
from fleet.workloads.deepracer.findings import Finding

JOB = "fleet.yaml"
MOST_BYTES = 1_000_000
MOST_POINTS = 5000
WIDTH = 1.07
"""Metres; most of the simulator's tracks are as wide."""
Download = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """A track to sample along, and what is to be said of it."""

    track: Track
    origin: Literal["folder", "cache", "fetched", "stand-in"]
    findings: tuple[Finding, ...] = ()
    unreachable: bool = False
    """The simulator's repository did not answer."""


def usual_cache() -> Path:
    """In fleet's home, beside what else is kept for a quick start."""
    given = os.environ.get("FLEET_HOME")
    return (Path(given) if given else Path.home() / ".fleet") / "cache" / "tracks"


def download(url: str) -> bytes:
    """Over the network, within limits. Raises OSError."""
    with urllib.request.urlopen(url, timeout=5.0) as answer:
        data: bytes = answer.read(MOST_BYTES + 1)
    return data


@dataclass(frozen=True, slots=True)
class Tracks:
    """Finds tracks by their worlds' names."""

    folder: Path | None = None
    """The model's: ``tracks/<world>.npy`` in it comes first."""
    cache: Path | None = None
    """None: nothing is kept."""
    download: Download | None = download
    """None: nothing is fetched."""

    def find_all(self, worlds: Iterable[str]) -> list[Found]:
        """Each once. Where one cannot be fetched the others are not tried: without a network each would take its time."""
        places, found = self, []
        for world in dict.fromkeys(worlds):
            found.append(places.find(world))
            if found[-1].unreachable:
                places = replace(places, download=None)
        return found

    def find(self, world: str) -> Found:
        """The track of a world; the circuit that stands in if there is none to be had."""
        if self.folder is not None and (path := self.folder / "tracks" / f"{world}.npy").is_file():
            try:
                return Found(Track.of(world, read_route(path.read_bytes())), "folder")
            except (OSError, ValueError) as error:
                told = f"tracks/{path.name} is no route: {error}"
                remedy = "A route is a NumPy array of rows: centre x, y, inner x, y, outer x, y."
                wrong = Finding("track-route", told, remedy, f"tracks/{path.name}")
                return Found(stand_in(world), "stand-in", (wrong,))
        digest = ROUTES.get(world)
        if digest is None:
            return Found(stand_in(world), "stand-in", (_stands_in(world, "its route is not known to fleet"),))
        return self._known(world, digest)

    def _known(self, world: str, digest: str) -> Found:
        kept = self.cache / f"{digest}.npy" if self.cache is not None else None
        if kept is not None:
            with contextlib.suppress(OSError, ValueError):
                data = kept.read_bytes()
                if hashlib.sha256(data).hexdigest() == digest:
                    return Found(Track.of(world, read_route(data)), "cache")
        if self.download is None:
            return Found(stand_in(world), "stand-in", (_stands_in(world, "nothing may be fetched"),))
        try:
            data = self.download(f"{ADDRESS}/{world}.npy")
        except (OSError, ValueError) as error:
            said = _stands_in(world, f"it could not be fetched: {error}")
            return Found(stand_in(world), "stand-in", (said,), unreachable=True)
        if hashlib.sha256(data).hexdigest() != digest:
            return Found(stand_in(world), "stand-in", (_stands_in(world, "what was fetched is not what was published"),))
        if kept is not None:
            _keep(kept, data)
        return Found(Track.of(world, read_route(data)), "fetched")


def _stands_in(world: str, why: str) -> Finding:
    told = f"the reward function is tried on a circuit that stands in for {world}: {why}"
    remedy = f"Check once with a network (it is kept), or put the route into tracks/{world}.npy."
    return Finding("track-stand-in", told, remedy, severity="warning")


def _keep(path: Path, data: bytes) -> None:
    """Whole or not at all; a cache that cannot be written is no reason to fail."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        temporary.write_bytes(data)
        temporary.replace(path)


def read_route(data: bytes) -> Floats:
    """A route from a file's bytes. Raises ValueError, saying what is wrong, and never unpickles."""
    if len(data) > MOST_BYTES:
        raise ValueError("it is too large")
    try:
        route = np.load(io.BytesIO(data), allow_pickle=False)
    except (EOFError, MemoryError, OverflowError, TypeError) as error:
        raise ValueError(f"it cannot be read: {error}") from None
    if not isinstance(route, np.ndarray) or route.ndim != 2 or route.shape[1] < 6 or route.dtype.kind not in "fi":
        raise ValueError("it holds something else than rows of six numbers")
    if not 3 <= len(route) <= MOST_POINTS:
        raise ValueError(f"it has {len(route)} points")
    numbers = np.asarray(route[:, :6], dtype=np.float64)
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e5:
        raise ValueError("not all its numbers are places")
    if Track.of("", numbers).centre.length < 1.0:
        raise ValueError("it is shorter than a metre")
    return numbers


def stand_in(world: str) -> Track:
    """A circuit with straights and bends to both sides, of this project's own drawing."""
    angle = np.linspace(0.0, 2 * np.pi, 150)
    radius = 3.2 + 0.8 * np.cos(2 * angle) + 0.5 * np.sin(3 * angle)
    centre = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    centre[-1] = centre[0]  # closed: the same point again, to the last bit
    ahead = np.roll(centre[:-1], -1, axis=0) - np.roll(centre[:-1], 1, axis=0)
    normal = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.hypot(*ahead.T)[:, None]
    normal = np.concatenate([normal, normal[:1]])
    route = np.concatenate([centre, centre + normal * WIDTH / 2, centre - normal * WIDTH / 2], axis=1)
    return Track.of(world, route)


def check_name(world: str, *, stack: Literal["today", "2019"] = "today", own_image: bool = False) -> list[Finding]:
    """Whether the simulator has such a world. With an image of the user's own only a warning: it may have others."""
    if world in ROUTES or (stack == "2019" and world in OLDER):
        return []
    told = f"the simulator has no track {world!r}; {nearest(world, [*ROUTES, *(OLDER if stack == '2019' else ())])}"
    remedy = "Correct the name under workload: tracks: (case counts; some worlds end in _cw or _ccw)."
    if world in OLDER:
        remedy = "Older images have it: name one under workload: images:, or take another track."
    found = Finding("track-unknown", told, remedy, JOB)
    return [found.warned() if own_image else found]

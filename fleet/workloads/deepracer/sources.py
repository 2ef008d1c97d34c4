"""What training can go on from, as it lies on this machine: the prefixes of earlier legs, and fleet's checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.ground import Ground, Storage
from fleet.workloads.deepracer.mirror import kept_in, usable
from fleet.workloads.deepracer.pointers import read_pointers
from fleet.workloads.deepracer.prefix import Prefix, open_folder, open_prefix
from fleet.workloads.deepracer.resume import FROM, Candidate, Kept, candidates, merged

MOST_LEGS = 8
"""So many of the last legs are looked into: those before them gave their sets to these."""


@dataclass(frozen=True)
class Found:
    """All that there is."""

    course: Course
    names: list[str]
    """Of the prefixes in the stack's bucket."""
    kept: list[Kept]
    sets: list[Candidate]
    """Newest first."""


def find(ground: Ground, storage: Storage, noted: Course | None) -> Found:
    """Look everywhere; ``noted``: the course that the volume tells. Raises StoreError."""
    names = storage.names()
    kept = kept_in(ground.checkpoints, ground.run)
    course = merged(noted, kept, names, ground.run)
    wanted = [name for leg in course.legs[-MOST_LEGS:] for name in (leg.prefix, leg.prefix + FROM)]
    volume = {name: _numbers(storage.open(name)) for name in wanted if name in names}
    return Found(course, names, kept, candidates(course, volume, kept))


def pretrained(ground: Ground, text: str) -> list[Candidate]:
    """The whole sets of an earlier model, newest first. Raises FleetError if there is none."""
    prefix = open_pretrained(ground, text)
    numbers = _numbers(prefix)
    if not numbers:
        raise FleetError(
            f"pretrained: {prefix.where} holds no whole set of a model",
            f"Look at it: fleet deepracer repair {text}",
        )
    return [Candidate("pretrained", text, n) for n in reversed(numbers)]


def opened(ground: Ground, storage: Storage, source: Candidate) -> Prefix:
    """Where a set lies."""
    if source.origin == "checkpoint":
        return open_folder(ground.checkpoints / source.place)
    if source.origin == "pretrained":
        return open_pretrained(ground, source.place)
    return storage.open(source.place)


def open_pretrained(ground: Ground, text: str) -> Prefix:
    """The model that a job's ``pretrained`` names: a folder of its workdir, or a place of its own."""
    return open_prefix(text) if "://" in text else open_folder(ground.workdir / text)


def _numbers(prefix: Prefix) -> list[int]:
    listing = prefix.list()
    return sorted(usable(listing, read_pointers(prefix, listing)))

"""Where a model comes from: ``lineage.json`` in its folder, and the versions of a stream as a tree. Pure.

The texts of the parent, as they were when the clone was made, are kept in it: what a version changed is told by them and its
own files of today, whatever became of the parent since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleet.model.base import Seconds, Steps
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.versions.changes import Change, Differences, described, differences
from fleet.workloads.deepracer.versions.names import Version, version_of

LINEAGE = "lineage.json"
MOST_BYTES = 4_000_000
"""Texts of at most a megabyte each are kept in it, and notes."""
MOST_NOTE = 10_000
"""Characters."""


class _Lenient(BaseModel):
    """A newer fleet may have written more: what is not known is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class FileDigest(_Lenient):
    """A file of the set that was taken over."""

    size: int = Field(ge=0)
    """Bytes."""
    sha256: str


class TakenSet(_Lenient):
    """The set that the version began from."""

    stem: str
    """``N_Step-Y.ckpt``."""
    n: Steps
    """Iterations of training before it."""
    why: str = ""
    """Why this one, in words."""
    files: dict[str, FileDigest] = Field(default_factory=dict)
    """By their names relative to the copy."""


class Parent(_Lenient):
    """What the version was cloned from."""

    name: str
    """Its version."""
    where: str
    """A folder, a prefix, or a run, as it was named."""
    run: str | None = None
    """Its run's id, if it was one of fleet's."""
    texts: dict[str, str] = Field(default_factory=dict)
    """Reward function, metadata, hyperparameters and job, as they were."""
    sha256: dict[str, str] = Field(default_factory=dict)
    """Of those files' bytes."""


class Changed(_Lenient):
    """One value that the clone set otherwise."""

    kind: str
    name: str
    before: Any = None
    after: Any = None


class Noted(_Lenient):
    """Something that its owner wrote down."""

    at: Seconds
    """Seconds since 1970-01-01 UTC, by this computer's clock."""
    text: str


class Lineage(_Lenient):
    """The whole document."""

    v: Literal[1] = 1
    version: str
    job: str
    """Of its runs."""
    at: Seconds
    """When it was made."""
    parent: Parent | None = None
    """None: it began from nothing, or nobody wrote down from what."""
    set: TakenSet | None = None
    changes: tuple[Changed, ...] = ()
    """What the clone itself changed; later edits are told by comparing."""
    notes: tuple[Noted, ...] = ()

    def noted(self, text: str, at: Seconds) -> Lineage:
        """With one note more. Raises FleetError for none, or one that is no note."""
        plain = text.strip()
        if not plain or len(plain) > MOST_NOTE:
            told = "the note is empty" if not plain else f"the note has more than {MOST_NOTE:,} characters"
            raise FleetError(told, 'For example: fleet deepracer note shanghai-1 "brakes too late in curve 3"')
        return self.model_copy(update={"notes": (*self.notes, Noted(at=at, text=plain))})


def parse_lineage(data: bytes, where: str) -> Lineage:
    """Raises FleetError for what is none."""
    try:
        if len(data) > MOST_BYTES:
            raise ValueError("it is too large")
        return Lineage.model_validate(json.loads(data.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:  # pydantic's own is a ValueError
        version = _newer(data)
        if version is not None:
            told = f"{where} was written by a newer fleet (version {version} of its form)"
            raise FleetError(told, "Upgrade fleet: pip install -U fleet") from None
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise FleetError(
            f"{where} cannot be read: {why}", "Restore it, or move it away: only what it tells is lost."
        ) from None


def lineage_bytes(lineage: Lineage) -> bytes:
    """As it is kept."""
    return json.dumps(lineage.model_dump(mode="json"), indent=2, ensure_ascii=False).encode() + b"\n"


def recorded(changes: Iterable[Change]) -> tuple[Changed, ...]:
    """Changes as they are kept."""
    return tuple(Changed(kind=one.kind, name=one.name, before=one.before, after=one.after) for one in changes)


def since_parent(lineage: Lineage | None, texts: Mapping[str, str]) -> Differences | None:
    """What a version changed, by its texts of today; None if nobody knows what it came from."""
    if lineage is None or lineage.parent is None or not lineage.parent.texts:
        return None
    return differences(described(lineage.parent.name, lineage.parent.texts), described(lineage.version, texts))


def _newer(data: bytes) -> int | None:
    try:
        version = json.loads(data)["v"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return version if isinstance(version, int) and version > 1 else None


@dataclass(frozen=True)
class Found:
    """A version, as it lies below a folder."""

    path: str
    """Relative to where was looked."""
    version: Version
    job: str
    lineage: Lineage | None = None
    problem: str = ""
    """What of it cannot be read."""

    @property
    def parent(self) -> str | None:
        """The version that it was cloned from."""
        return self.lineage.parent.name if self.lineage is not None and self.lineage.parent is not None else None


@dataclass
class Node:
    """A version, and those that were cloned from it within its stream."""

    found: Found
    children: list[Node] = field(default_factory=list)


def trees(found: Sequence[Found]) -> dict[str, list[Node]]:
    """By stream, the versions whose parent is of no, or of another, stream, or is not here; each with its descendants.

    A parent is known by its version, or by its job's name; should two folders say that they are the same version, each is
    shown, and the clones stand under the first. A ring of versions that name each other is broken at its first.
    """
    order = sorted(found, key=lambda one: (one.version.key, one.path))
    nodes = [Node(one) for one in order]
    known: dict[str, Node] = {}
    for name in (lambda one: str(one.found.version), lambda one: one.found.job):
        for node in nodes:
            known.setdefault(name(node), node)
    above: dict[int, Node] = {}
    roots: dict[str, list[Node]] = {}
    for node in nodes:
        parent = known.get(node.found.parent) if node.found.parent is not None else None
        same = parent is not None and parent.found.version.stream == node.found.version.stream
        if parent is None or not same or _descends(parent, node, above):
            roots.setdefault(node.found.version.stream, []).append(node)
        else:
            above[id(node)] = parent
            parent.children.append(node)
    return dict(sorted(roots.items()))


def _descends(one: Node, ancestor: Node, above: Mapping[int, Node]) -> bool:
    """Whether a node is, or stands under, another."""
    at: Node | None = one
    while at is not None:
        if at is ancestor:
            return True
        at = above.get(id(at))
    return False


def named(path_name: str, job: str | None, lineage: Lineage | None) -> Version:
    """Which version a folder is: as its lineage says, else by its own name where that is its job's, else by its job's."""
    if lineage is not None:
        return version_of(lineage.version)
    by_folder = version_of(path_name)
    return by_folder if job is None or by_folder.job == job else version_of(job)

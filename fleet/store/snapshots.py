"""Folds of the journal, kept so that a cold start need not read every entry. Losing one loses nothing but time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydantic_core import from_json

from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.errors import AlreadyExistsError, StoreError
from fleet.store.objects import Objects

KEPT = 3
"""The newest so many stay."""
_STATE = b',"state":'
"""Divides what is told of a state from the state, which is large: it is checked and read as the bytes that it is."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after entry ``number``, whose hash is ``sha256``."""

    number: int
    sha256: str
    state: bytes
    """As JSON."""


def save(objects: Objects, fold_version: int, number: int, sha256: str, state: bytes) -> None:
    """Write a snapshot of a state's JSON; another controller's of the same number is as good. Raises StoreError."""
    head = canonical_json({"check": _check(number, sha256, state), "entry": sha256, "number": number})
    try:
        objects.create(layout.snapshot(fold_version, number), head[:-1] + _STATE + state + b"}")
    except AlreadyExistsError:
        return
    keys = [info.key for info in objects.list(layout.snapshots(fold_version))]
    objects.delete(keys[:-KEPT])


def load_newest(objects: Objects, fold_version: int) -> Snapshot | None:
    """The newest snapshot that holds together, or None. A broken one is passed over: the journal has everything."""
    for info in reversed(objects.list(layout.snapshots(fold_version))):
        try:
            head, _, rest = objects.get(info.key).partition(_STATE)
            told, state = from_json(head + b"}"), rest[:-1]
            number, sha256 = int(told["number"]), str(told["entry"])
            named = info.key == layout.snapshot(fold_version, number)
            if named and rest[-1:] == b"}" and told["check"] == _check(number, sha256, state):
                return Snapshot(number, sha256, state)
        except (StoreError, ValueError, TypeError, KeyError, OverflowError):
            continue
    return None


def _check(number: int, sha256: str, state: bytes) -> str:
    """Over everything: with another number the controller would believe that it has read what it has not."""
    return hashlib.sha256(f"{number} {sha256} ".encode() + state).hexdigest()

"""Folds of the journal, kept so that a cold start need not read every entry. Losing one loses nothing but time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.errors import AlreadyExistsError, StoreError
from fleet.store.objects import Objects

KEPT = 3
"""The newest so many stay."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after entry ``number``, whose hash is ``sha256``."""

    number: int
    sha256: str
    state: dict[str, Any]


def save(objects: Objects, fold_version: int, number: int, sha256: str, state: dict[str, Any]) -> None:
    """Write a snapshot; another controller's of the same number is as good. Raises StoreError."""
    body = canonical_json(state)
    document = {"number": number, "entry": sha256, "check": hashlib.sha256(body).hexdigest(), "state": state}
    try:
        objects.create(layout.snapshot(fold_version, number), canonical_json(document))
    except AlreadyExistsError:
        return
    keys = [info.key for info in objects.list(layout.snapshots(fold_version))]
    objects.delete(keys[:-KEPT])


def load_newest(objects: Objects, fold_version: int) -> Snapshot | None:
    """The newest snapshot that holds together, or None. A broken one is passed over: the journal has everything."""
    for info in reversed(objects.list(layout.snapshots(fold_version))):
        try:
            document = json.loads(objects.get(info.key))
            body = canonical_json(document["state"])
            if document["check"] == hashlib.sha256(body).hexdigest():
                return Snapshot(int(document["number"]), str(document["entry"]), document["state"])
        except (StoreError, ValueError, TypeError, KeyError):
            continue
    return None

"""What one home remembers of telling people: between its processes, and while the bucket is out of reach."""

from __future__ import annotations

from pydantic import Field, ValidationError

from fleet.control.home import Home
from fleet.control.telllog import folder_of
from fleet.model.base import Frozen, Seconds
from fleet.model.errors import NotFoundError, StoreError
from fleet.model.notify import Wish
from fleet.store.files import FileObjects

MEMORY = "memory.json"


class Memory(Frozen):
    """What one home remembers of a fleet between its processes, and while the bucket is out of reach."""

    head: int = 0
    """Up to this entry of the journal there was nothing left to tell."""
    wish: Wish | None = None
    """As it was read last."""
    blind: dict[str, Seconds] = Field(default_factory=dict)
    """Since when each of its controllers has been blind."""


def remembers(home: Home, bucket: str) -> bool:
    """Whether somebody wanted to be told of the fleet in a bucket, as far as this home knows."""
    return read_memory(kept(home, bucket)).wish is not None


def kept(home: Home, bucket: str) -> FileObjects:
    """The folder of this home for the fleet in a bucket."""
    return FileObjects(home.path / "notify" / folder_of(bucket))


def read_memory(folder: FileObjects) -> Memory:
    """Nothing, if there is none or it cannot be read."""
    try:
        return Memory.model_validate_json(folder.get(MEMORY))
    except (NotFoundError, ValidationError, StoreError, OSError):
        return Memory()

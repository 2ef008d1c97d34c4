"""The volume as the agent keeps it: whose it is, how far training came, where checkpoints lie."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fleet.model.base import FURTHEST, MOST_STEPS, Seconds
from fleet.store.checkpoints import clear_away

Number = TypeVar("Number", int, float)


def _within(kind: Callable[[Any], Number], value: Any, most: float) -> Number:
    """A number of a note. Raises ValueError for one out of the world, TypeError for none."""
    found = kind(value) if abs(float(value)) <= most else None
    if found is None:
        raise ValueError(f"{value} is out of the world")
    return found


@dataclass(frozen=True, slots=True)
class Reached:
    """How far training came on a disk."""

    step: int
    at: Seconds
    """By the bucket's clock."""
    wall: Seconds
    """By the clock of the machine that it ran on, which also stamped the files."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder that holds checkpoints: the volume, or the instance's own disk if no volume came."""

    root: Path
    checkpoint_path: str
    is_volume: bool

    @property
    def checkpoints(self) -> Path:
        """Where training saves."""
        return self.root / self.checkpoint_path

    @property
    def staging(self) -> Path:
        """Where sets are held while they are uploaded: on the same file system."""
        return self.root / ".fleet" / "staging"

    def prepare(self) -> None:
        """Make the folders; nothing that is there is touched but what an upload or a restore cut short left behind."""
        import shutil

        shutil.rmtree(self.staging, ignore_errors=True)
        clear_away(self.checkpoints)
        self.staging.mkdir(parents=True, exist_ok=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)

    def writer(self) -> tuple[str, int] | None:
        """The run and attempt that wrote here last; None if it is nobody's yet."""
        found = self._read("volume.json")
        try:
            return str(found["run_id"]), _within(int, found["attempt"], MOST_STEPS)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def sign(self, run_id: str, attempt: int) -> None:
        """From now on this attempt writes here."""
        self._write("volume.json", {"run_id": run_id, "attempt": attempt})

    def reached(self, run_id: str) -> Reached | None:
        """The last step that training on this disk reported, and when; None if it was another run's."""
        found = self._read("progress.json")
        try:
            at, step = _within(float, found["at"], FURTHEST), _within(int, found["step"], MOST_STEPS)
            wall = _within(float, found.get("wall", at), FURTHEST)
            return Reached(step, at, wall) if found["run_id"] == run_id else None
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def note_progress(self, run_id: str, step: int, at: Seconds, wall: Seconds) -> None:
        """Remember how far training came, for those who will measure what was lost."""
        self._write("progress.json", {"run_id": run_id, "step": step, "at": at, "wall": wall})

    def saved(self, run_id: str) -> tuple[int, Seconds] | None:
        """The step that training last said it saved here, and when by the machine's own clock."""
        found = self._read("saved.json")
        try:
            step, at = _within(int, found["step"], MOST_STEPS), _within(float, found["at"], FURTHEST)
            return (step, at) if found["run_id"] == run_id else None
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def note_saved(self, run_id: str, step: int, at: Seconds) -> None:
        """Remember which step the checkpoint now in place holds."""
        self._write("saved.json", {"run_id": run_id, "step": step, "at": at})

    def set_aside(self, attempt: int) -> None:
        """Move what lies in the checkpoint folder out of training's sight, without deleting it."""
        if self.checkpoints.is_dir() and any(self.checkpoints.iterdir()):
            aside = self.root / ".fleet" / f"aside-{attempt}-{secrets.token_hex(3)}"
            aside.parent.mkdir(exist_ok=True)
            self.checkpoints.rename(aside)
            self.checkpoints.mkdir()

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.root / ".fleet" / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, value: dict[str, Any]) -> None:
        target = self.root / ".fleet" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{name}.tmp")
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(target)

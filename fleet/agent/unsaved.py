"""A training that does not checkpoint is told of while it trains, with what can be seen of the reason."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fleet.core.unsaved import FIRST, overdue_since
from fleet.model.base import Seconds
from fleet.model.documents import BootDocument
from fleet.model.units import format_duration

_WHY = {
    "rename": "of its files none has a finished name (`*.tmp` and the like are passed over)",
    "marker": "no file DONE or .ready stands beside its files",
    "quiet": "its files never stay as they are for five seconds",
}


@dataclass
class Unsaved:
    """Watches how long it is since the last checkpoint of this attempt."""

    boot: BootDocument
    first: Seconds = FIRST
    message: str = ""
    """The warning; empty while there is nothing to warn of."""
    _since: Seconds | None = None
    _usual: Seconds | None = None
    _told: Seconds | None = None

    def begins(self, now: Seconds) -> None:
        """Training runs from now on; a restart after a crash is no new beginning."""
        if self._since is None:
            self._since = now

    def committed(self, now: Seconds) -> None:
        """A checkpoint was."""
        if self._since is not None:
            self._usual = max(0.0, now - self._since)
        self._since, self._told, self.message = now, None, ""

    def clock_set(self, by: Seconds) -> None:
        """The clock went back or ahead: what was passed by it was not training."""
        if self._since is not None:
            self._since += by

    def look(self, now: Seconds, folder: Path) -> None:
        """Warn if it is time; the folder is looked into only then."""
        if self._since is None:
            return
        overdue = overdue_since(now - self._since, self._usual, self.boot.job.checkpoint.every, self.first)
        if overdue is None or overdue == self._told:
            return
        self._told = overdue
        spec = self.boot.job.checkpoint
        if self._usual is not None:
            told = f"no new checkpoint for {format_duration(overdue)}, though they came {format_duration(self._usual)} apart"
        else:
            why = _WHY[spec.format] if _holds_files(folder) else "it is empty"
            told = f"no checkpoint in {format_duration(overdue)} of training; format {spec.format}, {spec.path}: {why}"
        self.message = f"{told}. A machine taken without notice now loses all of that work"


def _holds_files(folder: Path) -> bool:
    """Whether anything lies there, finished or not. A folder that cannot be read holds nothing that could be saved."""
    try:
        return any(names for _, _, names in os.walk(folder))
    except OSError:
        return False

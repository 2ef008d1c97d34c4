"""Follows a training while it goes on: each look costs what was added, and nothing where nothing was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.workloads.deepracer.analysis.opening import Opened
from fleet.workloads.deepracer.analysis.recording import PartRecord, Recording


@dataclass(frozen=True, eq=False)
class News:
    """What another look found."""

    recording: Recording
    """All that is known now."""
    parts: tuple[PartRecord, ...]
    """Those of it that changed."""


class Follow:
    """Of what was opened with ``grows=True``."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._last: Recording | None = None

    @property
    def where(self) -> str:
        """For people."""
        return self._opened.where

    def poll(self) -> News | None:
        """What changed since the last call, at first everything; None: nothing. Raises StoreError; may be called again."""
        recording, changed = self._opened.look()
        if recording is self._last:
            return None
        before = _by_name(self._last.parts) if self._last is not None else {}
        self._last = recording
        parts = tuple(one for one in recording.parts if one.name in changed or before.get(one.name) is None)
        return News(recording, parts)


def _by_name(parts: Sequence[PartRecord]) -> dict[str, PartRecord]:
    return {part.name: part for part in parts}

"""Committing checkpoints as they are finished, beside everything else the agent does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.agent.disk import Disk
from fleet.agent.lanes import Lane
from fleet.model.base import Seconds
from fleet.model.documents import BootDocument, Manifest
from fleet.model.errors import CheckpointError, StoreError
from fleet.store.checkpoints import Checkpoints, FencedError, Scanner, Staged, signature_of

RETRY_FIRST: Seconds = 1.0
RETRY_MOST: Seconds = 30.0
SAVED_WITHIN: Seconds = 0.5
"""``fleet.saved`` is printed within this after the rename that it speaks of."""


@dataclass
class Saver:
    """Looks for finished checkpoints and commits them, one at a time."""

    boot: BootDocument
    checkpoints: Checkpoints
    disk: Disk
    lane: Lane
    now: Callable[[], Seconds]
    newest: Manifest | None = None
    """The newest checkpoint on this attempt's chain."""
    pause: Callable[[], None] = lambda: None
    """Called before each piece that is hashed; it may wait, so that training keeps its share."""
    count: int = 0
    """Committed by this attempt."""
    fenced: bool = False
    problem: str = ""
    """Why the last look or commit came to nothing, for people."""
    steps: list[tuple[Seconds, int]] = field(default_factory=list)
    """When training reported which step; only the last few matter."""
    saved: tuple[Seconds, int] | None = None
    """When training last said that it saved which step."""
    _due: Seconds = 0.0
    _retry: Seconds = RETRY_FIRST

    def __post_init__(self) -> None:
        spec = self.boot.job.checkpoint
        self._scanner = Scanner(self.disk.checkpoints, self.disk.staging, spec.format, pause=self.pause)
        if self.newest is not None:
            self._scanner.mark_committed(signature_of(self.newest.files))  # it was just restored

    @property
    def broken(self) -> bool:
        """What training left does not verify: trying again will not mend it."""
        return bool(self._scanner.problem)

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return not self.lane.busy

    def reported(self, at: Seconds, step: int) -> None:
        """Training reported a step."""
        self.steps = [*self.steps[-63:], (at, step)]

    def look(self, *, last: bool = False) -> None:
        """Begin to commit what is finished, if it is time; or, once training is gone, whatever there is."""
        if self.lane.busy or self.fenced or (not last and self.now() < self._due):
            return
        every = self.boot.job.checkpoint.every
        self._due = self.now() + max(self.boot.intervals.scan, every if every and self.newest is not None else 0.0)
        self.lane.give(lambda: self._commit(settled=last))

    def collect(self) -> bool:
        """Take in what was committed; True if there is a new checkpoint."""
        done = self.lane.take()
        if done is None:
            return False
        if done.error is not None:
            self.fenced = isinstance(done.error, FencedError)
            self.problem = f"no checkpoint could be committed: {done.error}"
            self._due, self._retry = self.now() + self._retry, min(self._retry * 2, RETRY_MOST)
            return False
        self._retry = RETRY_FIRST
        self.problem = self._scanner.problem
        if not isinstance(done.result, Manifest):
            return False
        self.newest, self.count = done.result, self.count + 1
        return True

    def _commit(self, *, settled: bool) -> Manifest | None:
        """In the lane: one look, one commit, and the removal of what is kept no longer."""
        staged = self._scanner.finished(settled=settled)
        if staged is None:
            return None
        with staged:
            manifest = self.checkpoints.commit(
                self.boot.attempt,
                staged,
                parent=self.newest.ref if self.newest else None,
                step=self._step_of(staged),
                at=staged.modified,
                format=self.boot.job.checkpoint.format,
                previous=self.newest,
            )
        self._scanner.mark_committed(staged.signature)
        # What could not be removed now is removed after the next commit: it takes nothing from this one.
        with contextlib.suppress(StoreError, CheckpointError):
            self.checkpoints.prune(self.boot.attempt, keep=self.boot.job.checkpoint.keep, protect={manifest.ref})
        return manifest

    def _step_of(self, staged: Staged) -> int | None:
        """The step that the set holds: as training says, else the last one that it had reported before it wrote the set."""
        if self.saved is not None and -0.001 <= self.saved[0] - staged.modified < SAVED_WITHIN:
            return self.saved[1]
        before = [step for at, step in self.steps if at <= staged.modified]
        return before[-1] if before else None

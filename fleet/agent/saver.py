"""Committing checkpoints as they are finished, beside everything else the agent does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.agent.disk import Disk
from fleet.agent.lanes import Lane
from fleet.core.short_notice import COUNTED, Upload
from fleet.model.base import Seconds
from fleet.model.documents import BootDocument, Manifest
from fleet.model.errors import CheckpointError, StoreError
from fleet.store.checkpoints import Checkpoints, FencedError, Scanner, Staged, signature_of

RETRY_FIRST: Seconds = 1.0
RETRY_MOST: Seconds = 30.0
SAVED_WITHIN: Seconds = 2.0
"""``fleet.saved`` is heard within this after the rename that it speaks of; a set waits for its name no longer."""
ROUNDING: Seconds = 0.001
"""Times are told in milliseconds at the least."""
WISH_MOST: Seconds = 60.0
"""A checkpoint that comes later after a wish would have come without one."""
MOST_LINES = 64
"""So many of the last lines of each kind are remembered."""


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
    """When training reported which step, by this machine's clock; only the last few matter."""
    saved: list[tuple[Seconds, int]] = field(default_factory=list)
    """When training said that it had saved which step; only the last few matter."""
    trained: Callable[[Seconds], Seconds | None] = lambda _at: None
    """Seconds of training that led to what was written at a time of this machine's own clock."""
    wall: Callable[[], Seconds] = time.time
    """This machine's own clock, which stamps files and lines."""
    uploads: list[Upload] = field(default_factory=list)
    """What was sent by this machine, and how fast; only the last few matter."""
    sending: tuple[int, Seconds] | None = None
    """Bytes of the checkpoint that is being sent, and since when."""
    save_took: Seconds | None = None
    """From a wish for a checkpoint to its being written, where there was such a wish."""
    wished_at: Seconds | None = None
    """By this machine's own clock."""
    _due: Seconds = 0.0
    _retry: Seconds = RETRY_FIRST
    _held: Staged | None = None
    """A whole set that training has not named yet: its line may be on the way."""
    _held_until: Seconds = 0.0
    _names: bool = True
    """Whether training may be expected to name what it saves: a wait in vain says no, until it does again."""

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

    @property
    def holds(self) -> bool:
        """A whole set waits for its name, and is not being sent."""
        return self._held is not None and self.idle

    def reported(self, at: Seconds, step: int) -> None:
        """Training reported a step."""
        self.steps = [*self.steps[1 - MOST_LINES :], (at, step)]

    def named(self, at: Seconds, step: int) -> None:
        """Training said that what it has just saved holds ``step``."""
        self.saved, self._names = [*self.saved[1 - MOST_LINES :], (at, step)], True

    def look_again(self) -> None:
        """The next look is due, whatever time it is."""
        self._due = 0.0

    def look(self, *, last: bool = False) -> None:
        """Begin to commit what is finished, if it is time; or, once training is gone, whatever there is."""
        if self.lane.busy or self.fenced:
            return
        held = self._held
        if held is not None and (last or self._name_of(held) is not None or self.now() >= self._held_until):
            self._names = self._name_of(held) is not None
            self._held = None
            self.lane.give(lambda: self._commit_last(held) if last else self._commit_staged(held))
            return
        if held is not None or (not last and self.now() < self._due):
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
        if isinstance(done.result, Staged):
            self._held, self._held_until = done.result, self.now() + SAVED_WITHIN
            return False  # whether it can be committed is not known yet
        self.problem = self._scanner.problem
        if not isinstance(done.result, Manifest):
            return False
        self.newest, self.count = done.result, self.count + 1
        return True

    def _commit(self, *, settled: bool) -> Manifest | Staged | None:
        """In the lane: one look, and one commit, unless the set is to wait for its name."""
        staged = self._scanner.finished(settled=settled)
        if staged is None:
            return None
        if self._names and not settled and self._name_of(staged) is None:
            return staged
        return self._commit_staged(staged)

    def _commit_last(self, held: Staged) -> Manifest | Staged | None:
        """In the lane: training is gone; what it left is looked at anew, and is what was held or newer."""
        held.discard()
        return self._commit(settled=True)

    def _commit_staged(self, staged: Staged) -> Manifest:
        """In the lane: one commit, and the removal of what is kept no longer."""
        fresh, began = self._fresh(staged), self.now()
        self.sending = (fresh, began)
        try:
            with staged:
                manifest = self._sealed(staged)
        finally:
            self.sending = None
        if fresh:
            self.uploads = [*self.uploads[1 - COUNTED :], Upload(fresh, max(0.001, self.now() - began))]
        if self.wished_at is not None and staged.modified >= self.wished_at:
            took, self.wished_at = staged.modified - self.wished_at, None
            self.save_took = took if took <= WISH_MOST else None
        self._scanner.mark_committed(staged.signature)
        # What could not be removed now is removed after the next commit: it takes nothing from this one.
        with contextlib.suppress(StoreError, CheckpointError):
            self.checkpoints.prune(self.boot.attempt, keep=self.boot.job.checkpoint.keep, protect={manifest.ref})
        return manifest

    def _fresh(self, staged: Staged) -> int:
        """Bytes that are not in the bucket yet."""
        known = {(one.size, one.sha256) for one in (self.newest.files if self.newest is not None else ())}
        return sum(one.size for one in staged.files if (one.size, one.hashed) not in known)

    def _sealed(self, staged: Staged) -> Manifest:
        return self.checkpoints.commit(
            self.boot.attempt,
            staged,
            parent=self.newest.ref if self.newest else None,
            step=self._step_of(staged),
            at=staged.modified + self.now() - self.wall(),
            format=self.boot.job.checkpoint.format,
            previous=self.newest,
            trained=self.trained(staged.modified),
        )

    def _name_of(self, staged: Staged) -> int | None:
        """The step that training says the set holds: it saves, then says so, so the first line after the set is its name."""
        return next((step for at, step in self.saved if at >= staged.modified - ROUNDING), None)

    def _step_of(self, staged: Staged) -> int | None:
        """The step that the set holds: as training says, else the last one that it had reported before it wrote the set."""
        name = self._name_of(staged)
        if name is not None:
            return name
        before = [step for at, step in self.steps if at <= staged.modified]
        return before[-1] if before else None

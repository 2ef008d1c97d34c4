"""Keeps each committed set of a leg: looks when the logs say that one came, and now and then anyway."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from fleet.model.base import Seconds
from fleet.model.errors import StoreError
from fleet.workloads.deepracer.book import Book, say
from fleet.workloads.deepracer.course import COURSE
from fleet.workloads.deepracer.history import History
from fleet.workloads.deepracer.mirror import copy_repaired, keep, look_if_room, to_keep
from fleet.workloads.deepracer.pointers import read_pointers
from fleet.workloads.deepracer.prefix import Prefix, open_folder
from fleet.workloads.deepracer.sets import ModelSet, whole_sets
from fleet.workloads.deepracer.spec import METADATA
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, NotFiniteError, UnsoundWeightsError
from fleet.workloads.deepracer.weights.judging import files_must_be_finite

OFTEN: Seconds = 0.5
"""While a set is known to be on its way."""
SELDOM: Seconds = 15.0
EXPECTED_FOR: Seconds = 30.0
"""A set that was told of is looked for so long."""
PRESSED_FOR: Seconds = 150.0
"""So long after a wish for a checkpoint the machine may be taken: EC2's notice is two minutes."""


class Keeper:
    """Of one leg."""

    def __init__(self, prefix: Prefix, folder: Path, beside: Mapping[str, bytes], book: Book, history: History) -> None:
        self._prefix, self._folder, self._beside = prefix, folder, beside
        self._book, self._history = book, history
        self._expected_until = self._looked_at = float("-inf")
        self._problem = ""
        self._refused: set[tuple[str, float]] = set()
        self._nan = self._unseen = self._broken = False
        self._pressed_until = float("-inf")

    @property
    def nan(self) -> bool:
        """The trainer saved weights that are no numbers."""
        return self._nan

    def expect(self) -> None:
        """The logs say that the trainer saves."""
        self._expected_until = time.monotonic() + EXPECTED_FOR

    def press(self) -> None:
        """The machine may be taken soon: a set is kept as it is, and nothing is packed that would be sent with it."""
        self._pressed_until = time.monotonic() + PRESSED_FOR

    def look_if_due(self) -> None:
        """A look, if it is time."""
        now = time.monotonic()
        if now >= self._looked_at + (OFTEN if now < self._expected_until else SELDOM):
            self.look()

    def look(self, *, hurry: bool = False) -> bool:
        """Keep the committed set if it is new; whether one was kept. What cannot be done is said once, and tried again."""
        try:
            done = self._look(hurry=hurry)
            self._problem = ""
        except (StoreError, OSError) as error:
            done = False
            if str(error) != self._problem:
                self._problem = str(error)
                say(f"the newest set could not be kept, training goes on: {error}")
        self._looked_at = time.monotonic()
        return done

    def _look(self, *, hurry: bool) -> bool:
        listing = self._prefix.list()
        found = to_keep(listing, read_pointers(self._prefix, listing), self._newest, self._prefix.now(), hurry=hurry)
        if found is None or self._repeats(found) or (found.stem, found.modified) in self._refused:
            return False
        age = self._prefix.now() - found.modified
        course = self._book.course.kept(found.n, self._book.clock.now(age))
        texts = {**self._beside, COURSE: course.model_dump_json(indent=1).encode()}
        pressed = hurry or time.monotonic() < self._pressed_until
        look = None if pressed else self._look_at  # whoever resumes looks, too: with little time left, a set counts more
        lay_history = partial(self._history.lay_into, hurry=pressed)
        try:
            if not keep(self._prefix, found, self._folder, texts, lay_history, look):
                return False
        except UnsoundWeightsError as error:
            self._refuse(found, error)
            return False
        self._book.kept(found.n, self._prefix.now() - found.modified)
        self._expected_until = float("-inf")
        self.take_history()
        return True

    def _refuse(self, found: ModelSet, error: UnsoundWeightsError) -> None:
        self._refused.add((found.stem, found.modified))
        self._nan = self._nan or isinstance(error, NotFiniteError)
        self._broken = isinstance(error, BrokenWeightsError)
        say(f"{error.message}: it is not kept")

    def _look_at(self, base: Path) -> None:
        """Raises UnsoundWeightsError; of one broken set after another only for the first: what is always so is no accident
        of a disk but a way of writing that is not understood here, and a run without checkpoints would be the price.
        """
        try:
            files_must_be_finite(base, self._tell_unseen)
        except BrokenWeightsError as error:
            if not self._broken:
                raise
            say(f"{error.message}: it is kept nevertheless, for so was the one before")
            return
        self._broken = False

    def _tell_unseen(self, words: str) -> None:
        """Once: of a trainer's other sets the same is true."""
        if not self._unseen:
            say(words)
        self._unseen = True

    def take_history(self) -> None:
        """Metrics and traces, as far as they are and can be had: once more with the next set."""
        with suppress(StoreError, OSError):
            self._history.take(self._book.course.leg.prefix, self._prefix)

    @property
    def _newest(self) -> int:
        leg = self._book.course.leg
        return max(leg.sets, default=max(leg.source or 0, leg.first or 0))

    def _repeats(self, found: ModelSet) -> bool:
        """A set from before the first step of this leg's training holds nothing that its source does not."""
        return found.y == 0


def keep_source(prefix: Prefix, n: int, folder: Path, beside: Mapping[str, bytes], book: Book, history: History) -> None:
    """Keep what a leg begins from, where fleet has nothing as new: a machine may be taken before its first set is made."""
    texts = {**beside, COURSE: book.course.model_dump_json(indent=1).encode()}
    try:
        found = next(one for one in whole_sets(prefix.list()) if one.n == n)
        kept = keep(prefix, found, folder, texts, partial(history.lay_into, hurry=True))
    except (StoreError, OSError) as error:
        say(f"what training goes on from could not be kept, training begins: {error}")
        return
    if kept:
        book.kept_source(n)


def export(prefix: Prefix, n: int, folder: Path, own: Path, beside: Mapping[str, bytes], metrics: Path) -> None:
    """Lay the model with set ``n`` into a folder, in today's layout.

    Raises UnsoundWeightsError for what is no model to hand over, NotFoundError, OSError.
    """
    shutil.rmtree(folder, ignore_errors=True)
    look = look_if_room(prefix, n, own, lambda base: files_must_be_finite(base, say), say)
    copy_repaired(prefix, open_folder(folder), n, own, look=look)
    for name, data in {**beside, f"model/{METADATA}": beside[METADATA]}.items():
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    if metrics.is_dir():
        shutil.copytree(metrics, folder / "metrics", dirs_exist_ok=True)

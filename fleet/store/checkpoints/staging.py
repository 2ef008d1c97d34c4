"""Finding a finished checkpoint, and holding on to it while training writes the next one.

A set is staged by hard links into a folder of the same file system: a training that replaces files by rename cannot change
what is being uploaded. Only a set whose listing is the same before and after linking is whole.

A file that was hashed is not read again while its device, inode, size and time of change stay the same, and that time lay
``SETTLED`` seconds or more in the past when it was read: a later write has a later time, since no file system's times are
coarser than that. What was written just before the look is read once more. (The inode's own time would say no more: the
links made here change it.) Whatever is sent is hashed on its way (commit.py), so that a manifest never claims other bytes.

A large file is not read here at all if it certainly differs from all that were committed before: by its size, or by a
sample of its blocks. Then the set is new whatever its hash, which is had on the way. Where samples are equal hashes decide.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from fleet.model.base import Seconds
from fleet.store.checkpoints.staged import HASHERS, Staged, StagedFile, sample_of
from fleet.store.checkpoints.verify import problem_of
from fleet.store.parallel import each

TEMPORARY = ("*.tmp", "*.tmp.*", "*.partial", "*~", ".tmp*", ".fleet*", ".*.swp", ".nfs*")
"""Hidden files are files like others: PyTorch's distributed checkpoints keep their index in ``.metadata``."""
MARKERS = ("DONE", ".ready")
SETTLED: Seconds = 2.0
"""No file system's times of change are coarser (FAT: two seconds; ext4, XFS, APFS: milliseconds and less)."""
LARGE = 1 << 20
"""Bytes of a file that is worth sampling before it is read."""
JUST_NOW: Seconds = 0.1
"""Longer than the ticks that Linux takes times of change from: a write after it shows."""
_is_temporary = re.compile("|".join(fnmatch.translate(pattern) for pattern in TEMPORARY)).match
_Identity = tuple[int, int, int, int]
"""Device, inode, size, time of change in nanoseconds."""
_Listing = dict[str, _Identity]
"""By path."""


def _is_text(name: str) -> bool:
    """Of bytes that are none, Python makes halves of characters: no key or manifest can hold them."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


class Scanner:
    """Looks into a checkpoint folder for a finished set that it has not handed out yet."""

    def __init__(
        self,
        folder: Path,
        staging: Path,
        format: Literal["rename", "marker", "quiet"],  # noqa: A002 - the job file's word
        *,
        quiet_seconds: Seconds = 5.0,
        monotonic: Callable[[], Seconds] = time.monotonic,
        clock: Callable[[], Seconds] = time.time,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        """``clock``: the one that the file system takes its times from. ``pause`` is called before each piece that is read;
        it may wait (fleet/store/throttle.py).
        """
        self._folder = folder
        self._staging = staging
        self._format = format
        self._quiet_seconds = quiet_seconds
        self._monotonic = monotonic
        self._clock = clock
        self._pause = pause
        self._seen: _Listing = {}
        self._seen_at = float("-inf")
        self._done: _Listing | None = None
        self._handed_out: tuple[Staged, _Listing, Seconds] | None = None
        self._samples: dict[str, bytes] | None = None
        """Of the large files of the set that was committed last, if they are known."""
        self._next_samples: dict[str, bytes] = {}
        self._committed: _Listing | None = None
        self._signature = ""
        self._known: dict[str, tuple[_Identity, str]] = {}
        """Path → what it was when it was read, and its hash."""
        self.problem = ""
        """Why the last set looked at was not finished or not whole, if so."""

    def mark_committed(self, signature: str) -> None:
        """A set with this signature need not be handed out again."""
        handed_out, self._handed_out = self._handed_out, None
        self._signature, self._samples = signature, None
        if handed_out is None or any(file.hashed is None for file in handed_out[0].files):
            return
        staged, listing, begun = handed_out
        if signature == staged.signature:
            self._committed, self._samples = listing, self._next_samples
            self._remember(staged.files, listing, begun)

    def _remember(self, files: Iterable[StagedFile], listing: _Listing, begun: Seconds) -> None:
        """Keep the hashes of files that had settled when they were looked at; if those are all, the set is done with."""
        self._known = {
            file.path: (listing[file.path], file.hashed)
            for file in files
            if file.hashed is not None
            and (self._is_known(file.path, listing) or not self._fresh({file.path: listing[file.path]}, begun))
        }
        if listing == self._committed and all(self._is_known(name, listing) for name in listing):
            self._done = listing

    def _is_known(self, name: str, listing: _Listing) -> bool:
        return name in self._known and self._known[name][0] == listing[name]

    def finished(self, *, settled: bool = False) -> Staged | None:
        """A whole set that differs from the last one committed, or None. OSError is a problem, not an exception.

        ``settled``: its writer is gone, so that nothing needs to be quiet for a while first.
        """
        try:
            return self._finished(settled=settled)
        except OSError as error:
            self.problem = f"{error.filename or self._folder}: {error.strerror or error}"
            return None

    def _finished(self, *, settled: bool) -> Staged | None:
        before = self._listing()
        if before == self._done:
            return None  # looked at already: whole and committed, or broken, and ``problem`` still says why
        if before == self._committed and not settled and self._fresh(before):
            return None  # read once more when times have settled, for a write that they do not show
        self.problem = next((f"{name!r}: a file's name must be text, in UTF-8" for name in before if not _is_text(name)), "")
        if self.problem:
            return None
        if not before or not (settled or self._settled(before)):
            return None
        target = self._staging / secrets.token_hex(8)
        begun = self._clock()
        try:
            for name in before:
                self._take(self._folder / name, target / name)
            if self._listing() != before:
                shutil.rmtree(target, ignore_errors=True)
                return None  # it changed while we looked: soon it will be finished again
            staged = self._described(target, before, begun)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
            raise
        new = staged is not None and any(file.hashed is None for file in staged.files)
        if staged is None or (not new and staged.signature == self._signature):
            if staged is None or not self._fresh(before, begun):
                self._done = before
            self._committed = before
            shutil.rmtree(target, ignore_errors=True)
            return None
        self.problem = ""
        self._handed_out = staged, before, begun
        return staged

    def _described(self, target: Path, listing: _Listing, begun: Seconds) -> Staged | None:
        """The staged set with its hashes; None, and a problem, if a file's content is broken."""
        samples: dict[str, bytes] = {}

        def read(name: str) -> StagedFile | str:
            source = target / name
            stat = source.stat()
            known = self._known[name][1] if self._is_known(name, listing) else None
            problem = problem_of(source, name) if known is None else None
            if problem is not None:
                return problem
            file = StagedFile(name, source, stat.st_size, stat.st_mtime_ns, self._pause, known)
            if file.size > LARGE:
                samples[name] = sample_of(source, file.size)
            if not self._surely_new(file, samples.get(name), begun):
                file.hashed = file.sha256
            return file

        found = each(read, sorted(listing), HASHERS)
        files = [file for file in found if isinstance(file, StagedFile)]
        self._remember(files, listing, begun)
        self._next_samples = samples
        problems = [problem for problem in found if isinstance(problem, str)]
        if problems:
            self.problem = problems[0]
            return None
        modified = max(changed for *_, changed in listing.values()) / 1e9
        return Staged(target, tuple(files), modified)

    def _surely_new(self, file: StagedFile, sample: bytes | None, begun: Seconds) -> bool:
        """No file of the set that was committed last has its content, for certain: nobody needs its hash to know."""
        if sample is None or file.hashed is not None or begun - file.changed / 1e9 < JUST_NOW:
            return False
        if not self._signature:
            return True  # nothing was committed
        return self._samples is not None and sample not in self._samples.values()  # it may have lain under another name

    def _fresh(self, listing: _Listing, now: Seconds | None = None) -> bool:
        """Something was written so recently that another write might not show in its time of change."""
        newest = max(changed for *_, changed in listing.values()) / 1e9
        return (self._clock() if now is None else now) - newest < SETTLED

    def _take(self, source: Path, target: Path) -> None:
        """Hold on to a file as it is now: by link where files are replaced whole, by copy where they may be changed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._format != "quiet":
            with contextlib.suppress(OSError):
                os.link(source, target)
                return
        shutil.copy2(source, target)

    def _settled(self, listing: _Listing) -> bool:
        """``quiet``: nothing changed for a while. The other formats are finished once they are visible."""
        if self._format != "quiet":
            return True
        if listing != self._seen:
            self._seen, self._seen_at = listing, self._monotonic()
            return False
        return self._monotonic() - self._seen_at >= self._quiet_seconds

    def _listing(self) -> _Listing:
        names = list(self._names(self._folder, ""))
        if self._format == "marker":
            names = [name for name in names if self._marked(name)]
        found: _Listing = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                stat = (self._folder / name).stat()
                found[name] = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return found

    def _marked(self, name: str) -> bool:
        """A marker stands in the checkpoint folder itself, or in the file's own subfolder."""
        top = name.split("/")[0] if "/" in name else ""
        places = (self._folder, self._folder / top)
        return any((place / marker).exists() for place in places for marker in MARKERS)

    def _names(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            if _is_temporary(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._names(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield f"{prefix}{entry.name}"

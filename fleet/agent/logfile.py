"""The training's log: a file on the instance's own disk, shipped to the bucket in immutable pieces."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from fleet.model import layout
from fleet.model.errors import AlreadyExistsError
from fleet.store.objects import Objects

MOST_BYTES = 200_000_000
"""Per attempt; a training that prints more is cut off there, and told so."""
MOST_CHUNK = 4_000_000
TAIL_BYTES = 8192
SHORTEST_SECRET = 6
"""Shorter values would hide half the log."""


class LogFile:
    """Written by the reader of a child's output, shipped by a lane of the agent."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES, *, hide: Iterable[str] = ()) -> None:
        """``hide``: values that training may print and that must not be stored."""
        self._hide: list[bytes] = []
        self._held = b""
        self.hide(hide)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._most = most_bytes
        self._lock = threading.Lock()
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._shipped = 0
        self._resumes = self._size > 0
        """An agent before this one wrote here: what it shipped is seen in the bucket; it may not have come to its last."""
        self._chunk = 0
        self._last = b""
        """The newest output, once it is not in the file any more."""

    def hide(self, values: Iterable[str]) -> None:
        """Values that nothing printed from now on may hold. Of one with several lines neither may any line of its own."""
        pieces = {piece for value in values for piece in (value, *value.splitlines())}
        more = {piece.encode() for piece in pieces if len(piece) >= SHORTEST_SECRET}
        self._hide = sorted({*self._hide, *more}, key=len, reverse=True)

    @property
    def unshipped(self) -> int:
        """Bytes that are not in the bucket yet."""
        return self._size - self._shipped

    def write(self, data: bytes) -> None:
        """Append; past the limit once a line that says so, then nothing."""
        with self._lock:
            data = self._hidden(self._held + data) if self._hide else data
            if self._size >= self._most:
                self._last = (self._last + data)[-TAIL_BYTES:]
                return
            room = self._most - self._size
            if len(data) >= room:
                self._last = data[room:][-TAIL_BYTES:]
                data = data[:room] + b"\n[fleet: the log ends here, it reached its limit]\n"
                self._most = self._size
            try:
                self._file.write(data)
            except OSError:
                return  # a full disk takes the log, not the training
            self._size += len(data)

    def finish(self) -> None:
        """A child's output ended: what was held back is written."""
        with self._lock:
            rest, self._held = self._held, b""
            if rest:
                self._file.write(rest)
                self._size += len(rest)

    def _hidden(self, data: bytes) -> bytes:
        """Without the values; an end that could be the beginning of one is held back until more comes."""
        for value in self._hide:
            data = data.replace(value, b"***")
        for length in range(min(len(data), len(self._hide[0]) - 1), 0, -1):
            if any(value.startswith(data[-length:]) for value in self._hide):
                self._held = data[-length:]
                return data[:-length]
        self._held = b""
        return data

    def close(self) -> None:
        """Nothing will be written any more."""
        self._file.close()

    def tail(self, lines: int) -> str:
        """The last lines, of what was printed beyond the limit too: why a training failed stands at its very end."""
        if self._last:
            return "\n".join(self._last.decode("utf-8", errors="replace").splitlines()[-lines:])
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, self._size - TAIL_BYTES))
                return "\n".join(file.read().decode("utf-8", errors="replace").splitlines()[-lines:])
        except OSError as error:
            return f"(its log cannot be read: {error.strerror})"

    def ship(self, objects: Objects, run_id: str, attempt: int) -> None:
        """Send what is new, as the next chunks; a chunk that exists already belongs to an agent before this one."""
        if self._resumes:
            sent = objects.list(layout.logs(run_id, attempt))
            self._shipped = min(self._size, sum(chunk.size for chunk in sent))
            numbers = [int(stem) for chunk in sent if (stem := Path(chunk.key).stem).isdecimal()]
            self._chunk = max(numbers, default=-1) + 1
            self._resumes = False
        while (size := self._size) > self._shipped:
            with self._path.open("rb") as file:
                file.seek(self._shipped)
                data = file.read(min(size - self._shipped, MOST_CHUNK))
            key = layout.log_chunk(run_id, attempt, self._chunk)
            self._chunk += 1
            try:
                objects.create(key, data)
            except AlreadyExistsError:
                if objects.get(key) != data:
                    continue
            self._shipped += len(data)

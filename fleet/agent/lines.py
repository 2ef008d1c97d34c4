"""Lines of a child between two looks of the agent: all of them as long as they are few, else those of the protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MOST_LINE = 8192
"""A line is looked at up to so many bytes; the log has it whole."""
MOST_WAITING = 10_000
"""More lines than this are not held for a look that does not come: a training may print faster than anybody reads."""
_PROTOCOL = b"fleet."


class Lines:
    """Filled by the thread that reads a child's output, taken by the agent's loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._rest = b""

    def feed(self, chunk: bytes) -> bool:
        """Take in a piece of output; True if it says something that is meant for the agent."""
        data = self._rest + chunk
        if len(self._waiting) >= MOST_WAITING and _PROTOCOL not in data:
            self._rest = data[data.rfind(b"\n") + 1 :][:MOST_LINE]
            return False
        *whole, rest = data.split(b"\n")
        self._rest = rest[:MOST_LINE]
        for_us = [self._add(line) for line in whole]
        return any(for_us)

    def finish(self) -> None:
        """The output ended; its last line needs no newline."""
        if self._rest:
            self._add(self._rest)
            self._rest = b""

    def take(self) -> list[tuple[float, str]]:
        """The lines since the last call, each with the time when it was read."""
        found = []
        for _ in range(len(self._waiting)):
            at, line = self._waiting.popleft()
            found.append((at, line.decode("utf-8", errors="replace").rstrip("\r")))
        return found

    def _add(self, line: bytes) -> bool:
        for_us = line.startswith(_PROTOCOL)
        if len(self._waiting) >= MOST_WAITING:
            if not for_us:
                return False
            self._waiting.popleft()  # the newest word counts
        self._waiting.append((self._clock(), line[:MOST_LINE]))
        return for_us

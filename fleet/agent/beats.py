"""The agent's word to the world: at once when something changed, else now and then; never in the way of anything."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from fleet.agent.lanes import Lane
from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.documents import Heartbeat
from fleet.store.objects import Objects

LEAST: Seconds = 0.2
"""Two heartbeats are at least so far apart."""
RATE_OVER: Seconds = 60.0


@dataclass
class Rate:
    """Steps per second over the last minute."""

    _points: deque[tuple[Seconds, int]] = field(default_factory=lambda: deque(maxlen=4096))

    def add(self, at: Seconds, step: int) -> None:
        """A step was reported."""
        self._points.append((at, step))

    def value(self, now: Seconds) -> float | None:
        """None until there are two reports to compare."""
        while len(self._points) > 2 and self._points[0][0] < now - RATE_OVER:
            self._points.popleft()
        if len(self._points) < 2:
            return None
        (first_at, first), (last_at, last) = self._points[0], self._points[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at and last >= first else None


@dataclass
class Beats:
    """Writes heartbeats in a lane of its own; only the newest waits while one is under way."""

    objects: Objects
    lane: Lane
    every: Seconds
    written: Heartbeat | None = None
    """The last one that is known to be in the bucket."""
    problem: str = ""
    _sent: Heartbeat | None = None
    _sent_at: Seconds = float("-inf")
    _number: int = 0

    def offer(self, beat: Heartbeat, now: Seconds) -> None:
        """Write ``beat`` if it says something new, or if it is time."""
        self._collect()
        if self.lane.busy or now - self._sent_at < LEAST:
            return
        if not self._news(beat) and now - self._sent_at < self.every:
            return
        self._number += 1
        beat = beat.model_copy(update={"beat": self._number, "at": now})
        self._sent, self._sent_at = beat, now
        key, data = layout.heartbeat(beat.run_id, beat.attempt), document_bytes(beat)
        self.lane.give(lambda: self.objects.put(key, data))

    def again(self) -> None:
        """The next one is due, whatever time it is."""
        self._sent_at = float("-inf")

    def told(self, beat: Heartbeat) -> bool:
        """Whether the bucket holds everything that matters of ``beat``."""
        self._collect()
        return self.written is not None and _essence(self.written) == _essence(beat)

    def _collect(self) -> None:
        done = self.lane.take()
        if done is None:
            return
        self.problem = str(done.error) if done.error is not None else ""
        if done.error is None:
            self.written = self._sent
        else:
            self._sent = None  # so that the next one is news again

    def _news(self, beat: Heartbeat) -> bool:
        return self._sent is None or _essence(self._sent) != _essence(beat)


def _essence(beat: Heartbeat) -> tuple[object, ...]:
    """What is told at once; steps, rates and metrics can wait for the next heartbeat."""
    return (
        beat.phase,
        beat.notice,
        beat.rebalance,
        beat.checkpoint,
        beat.resumed,
        beat.outcome,
        beat.restarts,
        beat.message,
        beat.volume_id,
    )

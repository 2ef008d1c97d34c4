"""Counting what lies in the bucket, once a day, where lying there is paid for.

A large one is counted over several rounds, so that no round waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from fleet.control.setups import aws_setup, gcp_setup
from fleet.core.state import FleetState
from fleet.core.storage import AT_LEAST, due, requests_so_far
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.events import StorageMeasured
from fleet.store.objects import Objects

log = logging.getLogger("fleet.control")

AT_ONCE: Seconds = 5
"""No round counts for longer; S3 lists some 10,000 objects in a second."""
AGAIN: Seconds = 3600
"""A bucket that could not be listed is tried again no sooner."""


@runtime_checkable
class Tallying(Protocol):
    """A bucket that can be counted in parts."""

    def tally(self, after: str | None, go_on: Callable[[], bool]) -> tuple[int, int, str | None]:
        """Bytes and objects behind a key, as long as ``go_on`` says; and the last key, or None at the end."""
        ...


@dataclass
class StorageMeter:
    """One controller's count of its bucket."""

    objects: Objects
    clock: Callable[[], float] = time.monotonic
    _after: str | None = None
    _begun: Seconds = 0.0
    _bytes: int = 0
    _count: int = 0
    _not_before: Seconds = field(default=0.0)

    def look(self, state: FleetState, now: Seconds) -> StorageMeasured | None:
        """Count on, if a count is due: what there is, once all of it was counted. Never raises a FleetError."""
        if now < self._not_before or not isinstance(self.objects, Tallying) or not due(state, now):
            return None
        try:
            return self._count_on(state, now)
        except FleetError as error:
            self._not_before = now + AGAIN
            log.warning("the bucket was not counted: %s", error.message)
            return None

    def _count_on(self, state: FleetState, now: Seconds) -> StorageMeasured | None:
        where = _whose(self.objects)
        if where is None:  # nobody says what lying there costs
            self._not_before = now + AGAIN
            return None
        assert isinstance(self.objects, Tallying)
        if self._after is not None and now - self._begun > AT_LEAST:
            self._after, self._bytes, self._count = None, 0, 0  # another was faster, and this is another day's count
        if self._after is None:
            self._begun = now
        until = self.clock() + AT_ONCE
        size, count, self._after = self.objects.tally(self._after, lambda: self.clock() < until)
        self._bytes, self._count = self._bytes + size, self._count + count
        if self._after is not None:
            return None
        size, count, self._bytes, self._count = self._bytes, self._count, 0, 0
        put, get = requests_so_far(state, count, now)
        return StorageMeasured(at=now, provider=where[0], region=where[1], bytes=size, objects=count, put=put, get=get)


def _whose(objects: Objects) -> tuple[str, str] | None:
    """The cloud that a bucket is in, and its region there; None: nobody set it up. Raises FleetError."""
    if objects.url.startswith("gs:"):
        google = gcp_setup(objects)
        return ("gcp", google.bucket_region) if google is not None else None
    amazon = aws_setup(objects)
    return ("aws", amazon.bucket_region) if amazon is not None else None

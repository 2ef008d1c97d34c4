"""The bucket's clock, carried forward here: journals are written from many laptops, whose clocks differ."""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping

MEASURE_EVERY = 300.0
AGAIN = 30.0
"""A bucket that did not answer is asked again so soon, in a thread: whoever wants the time does not wait for it."""


def suspended_monotonic() -> float:
    """Seconds on a clock that never goes back and counts the time that the computer slept.

    A function is frozen between its calls, and nobody says whether this clock of it goes on meanwhile: there it is the time
    of day, which the cloud itself keeps right.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        return time.time()
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.clock_gettime(time.CLOCK_MONOTONIC)  # on macOS this one counts sleep; time.monotonic() does not


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="bucket-clock", daemon=True).start()


class BucketClock:
    """``now()`` by the Date of the bucket's answers, measured at first use and every five minutes.

    ``fetch`` gives the bucket's time (seconds since 1970) or raises OSError; then the local clock stands in, and
    ``local`` says so.
    """

    def __init__(
        self,
        fetch: Callable[[], float],
        monotonic: Callable[[], float] = suspended_monotonic,
        wall: Callable[[], float] = time.time,
        beside: Callable[[Callable[[], None]], object] = _in_a_thread,
    ) -> None:
        self._beside = beside
        self._asking = False
        self._next_at = float("-inf")
        self._fetch, self._monotonic, self._wall = fetch, monotonic, wall
        self._measured: tuple[float, float] | None = None
        self._lock = threading.Lock()
        self.local = False
        """Whether the bucket's time could not be had, and this computer's is used."""

    def now(self) -> float:
        """Seconds since 1970, by the bucket's clock."""
        with self._lock:
            if self._monotonic() >= self._next_at and not self._asking:
                self._ask()
            assert self._measured is not None
            measured_here, measured_there = self._measured
            return measured_there + (self._monotonic() - measured_here)

    def _ask(self) -> None:
        """At once; beside whoever asks, once the bucket has not answered: it may take a minute to find out again."""
        if not self.local:
            self._measure()
            return
        self._asking = True
        self._beside(self._measure)

    def _measure(self) -> None:
        before = self._monotonic()
        try:
            there = self._fetch()
        except (OSError, ValueError, TypeError, http.client.HTTPException):
            self.local = True
            if self._measured is None:
                self._measured = (before, self._wall())
            self._next_at = self._monotonic() + AGAIN
        else:
            after = self._monotonic()
            # A Date has whole seconds: half of one is added, so that the error is at most half a second either way.
            self._measured, self.local = ((before + after) / 2, there + 0.5), False
            self._next_at = after + MEASURE_EVERY
        finally:
            self._asking = False


def date_of(url: str, timeout: float = 5.0) -> float:
    """The Date of a server's answer to an unsigned HEAD; a refusal has one as well. Raises OSError."""
    return answer_to_head(url, timeout)[0]


def answer_to_head(url: str, timeout: float = 5.0) -> tuple[float, Mapping[str, str]]:
    """The Date and all headers of an answer to an unsigned HEAD, whatever the answer is. Raises OSError."""
    import urllib.error
    import urllib.request
    from email.utils import parsedate_to_datetime

    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        with error:
            headers = error.headers
    date = headers.get("Date")
    if date is None:
        raise OSError(f"{url} answers without a Date")
    return parsedate_to_datetime(date).timestamp(), headers

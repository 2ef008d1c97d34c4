"""The bucket's clock, where the bucket does not answer: nobody waits for it again."""

from __future__ import annotations

import http.client
from collections.abc import Callable

import pytest

from fleet.store.clock import AGAIN, MEASURE_EVERY, BucketClock, suspended_monotonic


class Bucket:
    """Answers with its time, or fails; ``beside`` is work that was put aside."""

    def __init__(self) -> None:
        self.here, self.ahead, self.asked = 1000.0, 50.0, 0
        self.error: Exception | None = None
        self.beside: list[Callable[[], None]] = []
        self.clock = BucketClock(self.fetch, lambda: self.here, lambda: self.here, self.beside.append)

    def fetch(self) -> float:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.here + self.ahead


@pytest.mark.parametrize("error", [OSError("away"), ValueError("no date"), http.client.BadStatusLine("x")])
def test_a_bucket_that_does_not_answer_is_waited_for_once_and_then_asked_beside(error: Exception) -> None:
    bucket = Bucket()
    assert bucket.clock.now() == pytest.approx(1050.5)
    bucket.here += MEASURE_EVERY
    bucket.error = error
    assert bucket.clock.now() == pytest.approx(bucket.here + 50.5)  # carried on
    for _ in range(100):
        bucket.clock.now()
    assert (bucket.asked, bucket.clock.local, bucket.beside) == (2, True, [])
    bucket.here += AGAIN
    for _ in range(100):
        assert bucket.clock.now() == pytest.approx(bucket.here + 50.5)
    assert (bucket.asked, len(bucket.beside)) == (2, 1)
    bucket.error, bucket.ahead = None, 60.0
    bucket.beside.pop()()
    assert bucket.clock.now() == pytest.approx(bucket.here + 60.5)
    assert not bucket.clock.local


def test_a_function_that_was_frozen_between_its_calls_carries_the_time_on_by_the_time_of_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    assert suspended_monotonic() < 1_700_000_000.0
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "fleet-1a2b3c4d-controller")
    assert suspended_monotonic() == 1_800_000_000.0

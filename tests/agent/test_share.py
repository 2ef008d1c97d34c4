"""What saving may take from training."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet.agent.lanes import LOW_PRIORITY, ThreadLane
from fleet.model.job import CheckpointSpec
from fleet.model.jobfile import parse_job
from fleet.model.units import parse_share


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) if sys.platform == "linux" else 0


def test_work_and_the_threads_that_it_starts_have_a_low_priority_and_nobody_else() -> None:
    ended = threading.Event()
    before = priority()
    lane = ThreadLane("work", ended.set, nice=before + LOW_PRIORITY)

    def work() -> list[int]:
        with ThreadPoolExecutor(2) as pool:
            return [priority(), *pool.map(lambda _n: priority(), range(4))]

    lane.give(work)
    assert ended.wait(30)
    done = lane.take()
    assert done is not None
    low = before + LOW_PRIORITY if sys.platform == "linux" else before
    assert done.result == [low] * 5
    assert priority() == before


@pytest.mark.parametrize(("text", "share"), [("25%", 0.25), ("0.5%", 0.005), ("100%", 1.0), (0.25, 0.25), ("0.1", 0.1)])
def test_a_share_is_written_in_percent(text: object, share: float) -> None:
    assert parse_share(text) == share
    assert CheckpointSpec.model_validate({"cpu": text}).cpu == share


@pytest.mark.parametrize("text", ["0%", "-5%", "101%", 25, "much", True, "nan", "%"])
def test_what_is_no_share_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write for example 25%"):
        parse_share(text)


def test_a_job_file_may_limit_the_share() -> None:
    assert parse_job("name: a\nrun: x\ncheckpoint:\n  cpu: 5%\n", "f").checkpoint.cpu == 0.05
    assert parse_job("name: a\nrun: x\n", "f").checkpoint.cpu is None

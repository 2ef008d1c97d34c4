"""A run on machines of Compute Engine that QEMU emulates: firmware, udev, disks and the power button are real, and slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.model import layout
from tests.ec2.emulated_root import bootable
from tests.ec2.training import CHAIN, STEPS, chained, start
from tests.gce.machines import GceBench, GceEmulated, Place, place

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

BOOT = 600.0
"""Seconds that a boot may take where the processor is emulated, and busy."""
TAKEN_AFTER = 30.0


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Place]:
    bootable()  # made before anybody waits for a machine
    with place(tmp_path) as made:
        yield made


@pytest.fixture
def bench(where: Place, tmp_path: Path) -> Iterator[GceBench]:
    made = GceBench(where, tmp_path, GceEmulated)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "chain.py").write_text(CHAIN)
    yield made
    made.close()


def test_a_preempted_machine_keeps_its_disk_through_the_power_button(bench: GceBench) -> None:
    start(bench, 50)
    bench.until(lambda: (beat := bench.beat("chain", 1)) and beat.step == 50, "the first machine trains", BOOT)
    first = bench.cloud.newest()
    assert isinstance(first, GceEmulated)
    given = time.time()
    first.preempt()
    plug = threading.Timer(TAKEN_AFTER, lambda: first.crash() if first.runs else None)
    plug.start()
    bench.until(lambda: not first.runs, "it is off", TAKEN_AFTER + 10)
    plug.cancel()
    beat = bench.beat("chain", 1)
    assert beat is not None
    assert beat.notice is not None
    assert beat.notice.seen_at - given < 4
    assert (beat.phase, beat.checkpoint_step) == ("released", 50)
    assert beat.at - given < TAKEN_AFTER
    bench.until(lambda: (beat := bench.beat("chain", 2)) and beat.resumed, "the second machine has the volume", BOOT)
    second = bench.beat("chain", 2)
    assert second is not None
    assert second.resumed is not None
    assert (second.resumed.source, second.resumed.step) == ("volume", 50)
    bench.until(lambda: bench.run("chain").ended_at, "the run's end", 180)
    assert bench.objects.get(f"{layout.models('chain')}result.txt").decode() == chained(STEPS)
    assert bench.refused() == []

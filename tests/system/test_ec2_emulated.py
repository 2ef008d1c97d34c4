"""A run on machines that QEMU emulates: firmware, kernel, udev, NVMe and the network are real, and slow."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.model import layout
from tests.ec2.bench import Bench, Place, place
from tests.ec2.emulated import Emulated
from tests.ec2.emulated_root import bootable
from tests.ec2.training import CHAIN, STEPS, chained, ready_after, start

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

BOOT = 500.0
"""Seconds that a boot may take where the processor is emulated, and busy."""


@pytest.fixture
def where() -> Iterator[Place]:
    bootable()  # made before anybody waits for a machine
    with place() as made:
        yield made


@pytest.fixture
def bench(where: Place, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(where, tmp_path, Emulated)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "chain.py").write_text(CHAIN)
    yield made
    made.close()


def test_a_run_on_emulated_machines_keeps_its_volume_through_a_notice(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    start(bench, 50)
    bench.until(lambda: (beat := bench.beat("chain", 1)) and beat.step == 50, "the first machine trains", BOOT)
    first = bench.cloud.newest()
    assert isinstance(first, Emulated)
    with capsys.disabled():
        sys.stdout.write(f"\nemulated, stock root: {ready_after(bench, first):.1f} s {first.times()}\n")
    assert bench.host_keys("chain") is not None
    first.told.notice_at = time.time() + 120
    bench.until(lambda: not first.runs, "it powers off", 120)
    beat = bench.beat("chain", 1)
    assert beat is not None
    assert (beat.phase, beat.checkpoint_step) == ("released", 50)
    bench.until(lambda: (beat := bench.beat("chain", 2)) and beat.resumed, "the second machine has the volume", BOOT)
    second = bench.beat("chain", 2)
    assert second is not None
    assert second.resumed is not None
    assert (second.resumed.source, second.resumed.step) == ("volume", 50)
    bench.until(lambda: bench.run("chain").ended_at, "the run's end", 120)
    assert bench.objects.get(f"{layout.models('chain')}result.txt").decode() == chained(STEPS)
    assert bench.gateway.refused() == []

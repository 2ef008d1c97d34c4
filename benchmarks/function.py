"""The controller as a function, a process of its own from its own archive, before moto: a cold start, a minute, a notice.

Processor seconds are of this machine. In Lambda a function of 256 MB has 0.145 of a processor after its start, so that a
second of it takes seven; what a month costs follows from these figures and the requests that tests/aws/test_function_cost.py
counts, by the prices in tests/aws/function_bill.py.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from fleet.boot.function_package import function_zip
from fleet.model.documents import Notice
from tests.aws.ec2_events import INTERRUPTION, about
from tests.aws.function_bill import LAMBDA_GB_SECOND, MEMORY_MB, OVERHEAD, WAITS, WHOLE_PROCESSOR_MB
from tests.aws.function_rig import LAUNCHES, FunctionProcess, FunctionRig, function_rig

ROUNDS = 5
TICKS = 40


def main() -> None:
    """Print the figures."""
    packed = function_zip()
    print(f"archive for Lambda (arm64): {len(packed) / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as folder, function_rig(Path(folder)) as rig:
        starts = [_cold_start(rig) for _ in range(ROUNDS)]
        cpu = [process.ready["cpu"] + told["cpu"] for process, told in starts]
        print(f"cold start, imports and first tick: {_spread(cpu)} s of processor time (wanted: under 2 s)")
        print(f"  of which imports: {_spread([process.ready['cpu'] for process, _ in starts])} s")
        print(f"memory: {max(told['memory_mb'] for _, told in starts):.0f} MB")
        quiet = _quiet(rig)
        print(f"a minute in which nothing happens: {statistics.median(quiet) * 1000:.1f} ms of processor time")
        waits = 2 * WAITS["get"] + WAITS["ec2"]
        seconds = statistics.median(quiet) * WHOLE_PROCESSOR_MB / MEMORY_MB + waits + OVERHEAD
        gb_seconds = seconds * MEMORY_MB / 1024
        print(f"  in Lambda, with {waits:.2f} s of waiting for S3 and EC2: {seconds:.2f} s, {gb_seconds:.3f} GB-seconds")
        print(f"  a month of these: {gb_seconds * 43_200:,.0f} GB-seconds, ${gb_seconds * 43_200 * LAMBDA_GB_SECOND:.3f}")
        took = [_until_launched(rig, number) for number in range(ROUNDS)]
        print(f"interruption event until the replacement's launching call: {_spread(took)} s (wanted: under 3 s)")


def _cold_start(rig: FunctionRig) -> tuple[FunctionProcess, dict[str, Any]]:
    process = rig.process()
    told = process.call()
    process.kill()
    return process, told


def _until_launched(rig: FunctionRig, number: int) -> float:
    """A run whose machine trains, in a process that knows it; then the event, the agent's word lying there already."""
    name, process = f"bench-{number}", rig.process()
    rig.start(name)
    process.call()
    rig.beat(1, 1, name)
    process.call()
    now = rig.objects.now()
    rig.beat(1, 2, name, phase="draining", notice=Notice(kind="notice", seen_at=now, until=now + 120))
    rig.proxy.forget()
    began = time.perf_counter()
    process.send(about(INTERRUPTION, str(rig.attempt(1, name).instance_id)))
    took = rig.until(*LAUNCHES) - began
    process.answer()
    process.kill()
    return took


def _quiet(rig: FunctionRig) -> list[float]:
    """Of one run whose machine trains."""
    process = rig.process()
    rig.start("quiet")
    process.call()
    rig.beat(1, 1, "quiet")
    process.call()
    process.call()
    return [float(process.call()["cpu"]) for _ in range(TICKS)]


def _spread(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f}, worst {max(values):.2f}"


if __name__ == "__main__":
    main()

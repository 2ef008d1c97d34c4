"""What a function's month costs: every request that it makes, and every second that it runs, at the prices of us-east-1.

Prices, in dollars, without any free tier (of Lambda's a million calls and 400,000 GB-seconds a month are free for ever: one
run's controller would cost its bucket's requests alone):

- Lambda, aws.amazon.com/lambda/pricing: 0.20 for a million requests; 0.0000133334 for a GB-second on Arm.
- S3 Standard, aws.amazon.com/s3/pricing: 0.005 for a thousand PUT, COPY, POST and LIST, 0.0004 for a thousand GET and all
  other requests; DELETE is free. The question for the bucket's clock is counted as a GET, though it is refused.
- EventBridge, aws.amazon.com/eventbridge/pricing: events of AWS's own services are free; Scheduler's first 14 million calls
  a month are free, and calls of its interface are not charged. EC2 charges for no call.
- CloudWatch Logs, aws.amazon.com/cloudwatch/pricing: 0.50 for a GB taken in.

A call's time is its processor time, stretched (a function of 256 MB has 256/1769 of a processor: docs.aws.amazon.com/lambda,
"Configure Lambda function memory"), and its waits, one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleet.store.objects import ObjectInfo, Objects

LAMBDA_REQUEST, LAMBDA_GB_SECOND = 0.20 / 1e6, 0.0000133334
S3_GET, S3_PUT_OR_LIST = 0.0004 / 1000, 0.005 / 1000
LOG_BYTE = 0.50 / 1e9
MEMORY_MB = 256
WHOLE_PROCESSOR_MB = 1769
CPU = 0.010
"""Seconds of processor time of a call that finds nothing new (benchmarks/function.py measures it: 0.007)."""
COLD_CPU = 1.0
"""Of a cold start, imports and first tick (the same: 0.9)."""
OVERHEAD = 0.02
"""Seconds that Lambda's own runtime adds to a call."""
WAITS = {"get": 0.02, "put": 0.05, "list": 0.05, "delete": 0.04, "ec2": 0.15}
"""Seconds until an answer within a region, rather long. Those of EC2's that are made at a time count once."""
LOG_OF_A_CALL = 400
"""Bytes that Lambda writes of each call: START, END and REPORT."""
CALLS_OF = {"list": 2, "get": 1, "launch": 3, "terminate": 2, "attach": 3, "detach": 2, "price_history": 1, "boot_target": 2}
"""Calls to EC2 of each method of the provider (fleet/providers/aws/provider.py)."""
AT_A_TIME = {"list": 2}
"""Of them so many at a time."""


@dataclass
class Bill:
    """What was used."""

    calls: int = 0
    cold: int = 0
    used: Counter[str] = field(default_factory=Counter)
    """By kind: get, put, list, delete, ec2."""
    beside: int = 0
    """Calls to EC2 that are made while another is waited for."""
    lines: int = 0
    slept: float = 0.0
    """Seconds between two looks after an event."""

    @property
    def seconds(self) -> float:
        """As billed."""
        processor = (self.calls * CPU + self.cold * COLD_CPU) * WHOLE_PROCESSOR_MB / MEMORY_MB
        waits = sum(WAITS[kind] * times for kind, times in self.used.items()) - WAITS["ec2"] * self.beside
        return processor + self.slept + self.calls * OVERHEAD + waits

    @property
    def dollars(self) -> float:
        """Of all of it."""
        function = self.calls * LAMBDA_REQUEST + self.seconds * MEMORY_MB / 1024 * LAMBDA_GB_SECOND
        bucket = self.used["get"] * S3_GET + (self.used["put"] + self.used["list"]) * S3_PUT_OR_LIST
        return function + bucket + (self.calls * LOG_OF_A_CALL + self.lines * 150) * LOG_BYTE

    def clear(self) -> None:
        """Begin anew."""
        self.calls = self.cold = self.lines = self.beside = 0
        self.slept = 0.0
        self.used.clear()

    def __str__(self) -> str:
        each = ", ".join(f"{kind} {times / max(1, self.calls):.2f}" for kind, times in sorted(self.used.items()))
        return f"{self.calls} calls ({self.cold} cold), {self.seconds / max(1, self.calls):.2f} s each; requests: {each}"


class Counted:
    """A bucket of Amazon's, by its URL, that writes each request on the bill."""

    url = "s3://bucket"

    def __init__(self, inner: Objects, bill: Bill) -> None:
        self._inner, self.bill = inner, bill
        self._asked = float("-inf")

    def now(self) -> float:
        """Its clock is asked every five minutes (fleet/store/clock.py)."""
        found = self._inner.now()
        if found - self._asked >= 300:
            self._asked = found
            self.bill.used["get"] += 1
        return found

    def get(self, key: str) -> bytes:
        self.bill.used["get"] += 1
        return self._inner.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.bill.used["put"] += 1
        self._inner.put(key, data)

    def create(self, key: str, data: bytes) -> None:
        self.bill.used["put"] += 1
        self._inner.create(key, data)

    def upload(self, key: str, path: Path) -> str | None:
        raise AssertionError("no controller uploads files")

    def download(self, key: str, path: Path) -> str | None:
        raise AssertionError("nor downloads any")

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        found = self._inner.list(prefix)
        self.bill.used["list"] += 1 + max(0, len(found) - 1) // 1000
        return found

    def delete(self, keys: Iterable[str]) -> None:
        known = [*keys]
        self.bill.used["delete"] += len(known)
        self._inner.delete(known)

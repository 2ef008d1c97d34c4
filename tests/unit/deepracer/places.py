"""Places for tests of what is made for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleet.workloads.deepracer.place import Place, s3_endpoint
from fleet.workloads.deepracer.prefix import S3Place

PROJECT = "fleet-shanghai-1a2b-3"
ON_INSTANCE = S3Place("bucket", s3_endpoint(PROJECT), "fleet", "a-secret", "eu-west-1")
BY_ROLE = S3Place("mine", None, None, None, "eu-west-1")
"""A bucket of Amazon's, reached with what the machine may."""


def place(**more: Any) -> Place:
    """Attempt 3 of a run."""
    said: dict[str, Any] = {
        "project": PROJECT,
        "run": "shanghai-1a2b",
        "prefix": "shanghai-1a2b-3-1",
        "pretrained": None,
        "pretrained_checkpoint": "last",
        "bucket": "bucket",
        "s3": ON_INSTANCE,
        "own": Path("/own"),
        "volume": Path("/volume"),
        "device": "cpu",
        "labels": {"fleet.run": "shanghai-1a2b"},
        **more,
    }
    return Place(**said)


def in_bucket(**more: Any) -> Place:
    """The same, straight to the run's bucket."""
    return place(s3=BY_ROLE, bucket="mine", prefix="fleet/runs/shanghai-1a2b/deepracer/shanghai-1a2b-3-1", **more)

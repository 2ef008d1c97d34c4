"""What builds left behind that came to nothing: their machines, and what has their tag and never became an image of fleet's.

All raise ProviderError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from fleet.model.base import Micros, Seconds
from fleet.providers.aws import image_calls
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.images import GONE
from fleet.providers.aws.own_images import MARK, SNAPSHOT_GB_MONTH

OLDEST: Seconds = 2 * 3600
"""No build takes so long: a builder ends itself after 90 minutes. A younger one that is stopped may just become an image."""
YOUNG: Seconds = 86_400
"""What is younger may belong to a build that goes on."""


@dataclass(frozen=True, slots=True)
class LeftOver:
    """One thing."""

    region: str
    kind: Literal["machine", "image", "snapshot"]
    id: str
    why: str
    monthly: Micros = 0
    """At most; a machine's is not known."""


def left_over(calls: Calls, region: str, now: Seconds) -> list[LeftOver]:
    """Everything in a region, machines first."""
    found = [
        LeftOver(region, "machine", one.id, f"a builder of more than two hours ago, {one.state}")
        for one in image_calls.builders(calls, region)
        if now - one.launched_at > OLDEST
    ]
    marked = [{"Name": "tag-key", "Values": [image_calls.BUILDER]}]
    images = calls("ec2", region, "describe_images", Owners=["self"], Filters=marked, IncludeDisabled=True)["Images"]
    for one in images:
        made = datetime.fromisoformat(str(one["CreationDate"]).replace("Z", "+00:00")).timestamp()
        if _is_unmarked(one) and now - made > YOUNG:
            found.append(LeftOver(region, "image", str(one["ImageId"]), "a build came to nothing"))
    for one in calls.pages("ec2", region, "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=marked):
        if _is_unmarked(one) and now - one["StartTime"].timestamp() > YOUNG:
            price = int(one["VolumeSize"]) * SNAPSHOT_GB_MONTH
            found.append(LeftOver(region, "snapshot", str(one["SnapshotId"]), "a build came to nothing", price))
    return found


def _is_unmarked(described: Mapping[str, Any]) -> bool:
    return all(tag["Key"] != MARK for tag in described.get("Tags", ()))


def remove(calls: Calls, left: LeftOver) -> bool:
    """Remove one; False: it is in use."""
    if left.kind == "machine":
        gone = ("InvalidInstanceID.NotFound",)
        calls.unless(gone, "ec2", left.region, "terminate_instances", InstanceIds=[left.id])
    elif left.kind == "image":
        calls.unless(GONE, "ec2", left.region, "deregister_image", ImageId=left.id)
    else:
        return image_calls.delete_left(calls, left.region, left.id)
    return True

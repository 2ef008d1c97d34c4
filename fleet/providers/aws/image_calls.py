"""The calls about own images: looked at, tagged, shared, removed. What is gone already is success.

All raise ProviderError.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.model.base import Seconds
from fleet.model.errors import ProviderError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.images import GONE
from fleet.providers.aws.own_images import MARK, OwnImage, own_image

BUILDER = "fleet-image-builder"
"""The tag of the machine that an image is built on."""
ALIVE = ["pending", "running", "shutting-down", "stopping", "stopped"]
RUNNING = ["pending", "running", "stopping", "stopped"]


def look(calls: Calls, region: str) -> list[OwnImage]:
    """Every image that fleet made in a region of this account, the newest first."""
    marked = [{"Name": "tag-key", "Values": [MARK]}]
    answer = calls("ec2", region, "describe_images", Owners=["self"], Filters=marked, IncludeDisabled=True)
    found = [own_image(described, region) for described in answer["Images"]]
    return sorted((one for one in found if one is not None), key=lambda one: (-one.made_at, one.image_id))


def describe(calls: Calls, region: str, image_id: str) -> dict[str, Any]:
    """What EC2 says of one that was just made: waited for until it is seen."""
    answer = calls("ec2", region, "describe_images", unseen=("InvalidAMIID.NotFound",), ImageIds=[image_id])
    found: dict[str, Any] = answer["Images"][0]
    return found


def mark(calls: Calls, region: str, described: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    """Give an image and its snapshots the tags that it lacks; whether there were any."""
    has = {one["Key"]: one["Value"] for one in described.get("Tags", ())}
    if all(has.get(key) == value for key, value in tags.items()):
        return False
    disks = [one["Ebs"] for one in described.get("BlockDeviceMappings", ()) if "Ebs" in one]
    things = [described["ImageId"], *(one["SnapshotId"] for one in disks if one.get("SnapshotId"))]
    told = [{"Key": key, "Value": value} for key, value in tags.items()]
    calls("ec2", region, "create_tags", Resources=things, Tags=told)
    return True


def users(calls: Calls, region: str, image_ids: Sequence[str]) -> dict[str, str]:
    """Images that machines run on, and one such machine."""
    if not image_ids:
        return {}
    filters = [{"Name": "image-id", "Values": list(image_ids)}, {"Name": "instance-state-name", "Values": ALIVE}]
    found = {}
    for reservation in calls.pages("ec2", region, "describe_instances", "Reservations", Filters=filters):
        for one in reservation["Instances"]:
            found[str(one["ImageId"])] = str(one["InstanceId"])
    return found


@dataclass(frozen=True, slots=True)
class Builder:
    """A machine that an image is, or was, built on."""

    id: str
    state: str
    launched_at: Seconds


def builders(calls: Calls, region: str) -> list[Builder]:
    """Machines that images are, or were, built on."""
    filters = [{"Name": "tag-key", "Values": [BUILDER]}, {"Name": "instance-state-name", "Values": RUNNING}]
    pages = calls.pages("ec2", region, "describe_instances", "Reservations", Filters=filters)
    machines = [one for reservation in pages for one in reservation["Instances"]]
    found = [Builder(str(one["InstanceId"]), str(one["State"]["Name"]), _moment(one.get("LaunchTime"))) for one in machines]
    return sorted(found, key=lambda one: one.id)


def deregister(calls: Calls, image: OwnImage) -> None:
    """Remove an image, then its snapshots: these cost."""
    calls.unless(GONE, "ec2", image.region, "deregister_image", ImageId=image.image_id)
    for snapshot in image.snapshots:
        delete_snapshot(calls, image.region, snapshot)


def delete_left(calls: Calls, region: str, snapshot: str) -> bool:
    """One whose image is long gone; False: something else uses it."""
    gone, held = "InvalidSnapshot.NotFound", "InvalidSnapshot.InUse"
    try:
        calls.unless((gone,), "ec2", region, "delete_snapshot", SnapshotId=snapshot)
    except ProviderError as error:
        if error.code != held:
            raise
        return False
    return True


def delete_snapshot(calls: Calls, region: str, snapshot: str) -> None:
    """One. EC2 takes a moment to see that its image is gone."""
    gone, held = ("InvalidSnapshot.NotFound",), ("InvalidSnapshot.InUse",)
    calls.unless(gone, "ec2", region, "delete_snapshot", unseen=held, SnapshotId=snapshot)


def left_snapshots(calls: Calls, region: str, held: Collection[str], before: Seconds) -> dict[str, int]:
    """Snapshots of images that are gone, by id, with their GB. Made before a time: a younger one may get its image yet."""
    marked = [{"Name": "tag-key", "Values": [MARK]}]
    pages = calls.pages("ec2", region, "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=marked)
    return {
        str(one["SnapshotId"]): int(one["VolumeSize"])
        for one in pages
        if one["SnapshotId"] not in held and _moment(one.get("StartTime")) < before
    }


def _moment(made: Any) -> Seconds:
    return made.timestamp() if isinstance(made, datetime) else float("inf")


def shared_with(calls: Calls, image: OwnImage) -> list[str]:
    """Accounts that may launch it; ``all``: everybody."""
    words = {"ImageId": image.image_id, "Attribute": "launchPermission"}
    answer = calls("ec2", image.region, "describe_image_attribute", **words)
    return sorted(str(one.get("UserId") or one.get("Group")) for one in answer.get("LaunchPermissions", ()))


def share(calls: Calls, image: OwnImage, accounts: Iterable[str], *, everybody: bool, stop: bool) -> None:
    """Let accounts launch it, or no longer."""
    who = [{"UserId": one} for one in accounts] + ([{"Group": "all"}] if everybody else [])
    change = {"Remove" if stop else "Add": who}
    calls("ec2", image.region, "modify_image_attribute", ImageId=image.image_id, LaunchPermission=change)

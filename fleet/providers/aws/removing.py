"""The effects of a teardown: what remains in the account is looked at, and removed. What is gone already is success."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fleet.model import layout
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.function_removing import OF_FUNCTION, remove_of_function
from fleet.providers.aws.image_calls import look
from fleet.providers.aws.names import TAG, own_name
from fleet.providers.aws.setup_role import GONE
from fleet.providers.remains import LAST_KEYS, Machine, Remains, Remnant, Removal, contents_of

ALIVE = ["pending", "running", "shutting-down", "stopping", "stopped"]
AT_ONCE = 1_000
"""Keys that S3 deletes in one call."""
DELETED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "launch template": ("delete_launch_template", "LaunchTemplateId", ("InvalidLaunchTemplateId.NotFound",)),
    "key": ("delete_key_pair", "KeyName", ("InvalidKeyPair.NotFound",)),
    "volume": ("delete_volume", "VolumeId", ("InvalidVolume.NotFound",)),
    "snapshot": ("delete_snapshot", "SnapshotId", ("InvalidSnapshot.NotFound",)),
    "security group": ("delete_security_group", "GroupId", ("InvalidGroup.NotFound",)),
}
"""The call, its parameter, and what it says of one that is gone."""


def look_at_remains(
    calls: Calls, fleet_id: str, regions: Iterable[str], home: str, bucket: str | None, record: bool, count: bool
) -> Remains:  # fmt: skip
    """Everything of a fleet. ``bucket``: its name if it is there; ``record``: whether the set-up's document is in it;
    ``count``: look at what lies in it."""
    things: list[Remnant] = []
    machines: list[Machine] = []
    for region in regions if fleet_id else ():
        machines.extend(_machines(calls, region, fleet_id))
        things.extend(_regional(calls, region, fleet_id))
    name = own_name(fleet_id)
    if fleet_id and calls.unless(GONE, "iam", home, "get_instance_profile", InstanceProfileName=name):
        things.append(Remnant("profile", "", name, "handed the role to machines"))
    if fleet_id and calls.unless(GONE, "iam", home, "get_role", RoleName=name):
        things.append(Remnant("role", "", name, "what machines may do in the bucket"))
    if record:
        things.append(Remnant("record", "", layout.AWS_SETUP, "what was set up, in the bucket"))
    if bucket is not None:
        things.append(Remnant("bucket", home, bucket))
    contents = contents_of(list(_listing(calls, home, bucket))) if bucket is not None and count else None
    return Remains(fleet_id, tuple(machines), tuple(things), contents)


def _machines(calls: Calls, region: str, fleet_id: str) -> Iterator[Machine]:
    filters = [*_of(fleet_id), {"Name": "instance-state-name", "Values": ALIVE}]
    for reservation in calls.pages("ec2", region, "describe_instances", "Reservations", Filters=filters):
        for one in reservation["Instances"]:
            yield Machine(region, one["InstanceId"], one["State"]["Name"], _tags(one).get("run", ""))


def _regional(calls: Calls, region: str, fleet_id: str) -> Iterator[Remnant]:
    own = _of(fleet_id)
    for one in calls.pages("ec2", region, "describe_launch_templates", "LaunchTemplates", Filters=own):
        yield Remnant("launch template", region, one["LaunchTemplateId"], "what every machine had")
    for one in calls("ec2", region, "describe_key_pairs", Filters=own)["KeyPairs"]:
        yield Remnant("key", region, one["KeyName"], "your public key; your own file stays")
    for one in calls.pages("ec2", region, "describe_volumes", "Volumes", Filters=own):
        busy = ", ".join(attached["InstanceId"] for attached in one.get("Attachments", ()))
        yield Remnant("volume", region, one["VolumeId"], _run(one), int(one["Size"]), busy)
    for one in calls.pages("ec2", region, "describe_snapshots", "Snapshots", Filters=own, OwnerIds=["self"]):
        yield Remnant("snapshot", region, one["SnapshotId"], _run(one), int(one["VolumeSize"]))
    for image in look(calls, region):
        yield Remnant("image", region, image.image_id, f"made by fleet from {image.base}", image.size_gb)
    for one in calls.pages("ec2", region, "describe_security_groups", "SecurityGroups", Filters=own):
        yield Remnant("security group", region, one["GroupId"], "had no inbound port")


def _of(fleet_id: str) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{TAG}", "Values": [fleet_id]}]


def _tags(answer: dict[str, Any]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in answer.get("Tags", ())}


def _run(answer: dict[str, Any]) -> str:
    run = _tags(answer).get("run", "")
    return f"run {run}" if run else ""


def _listing(calls: Calls, region: str, bucket: str) -> Iterator[tuple[str, int]]:
    more: dict[str, str] = {}
    while True:
        answer = calls("s3", region, "list_objects_v2", Bucket=bucket, **more)
        yield from ((one["Key"], int(one["Size"])) for one in answer.get("Contents", ()))
        if not answer.get("IsTruncated"):
            return
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def remove(calls: Calls, one: Removal, home: str, bucket: str, account: str) -> None:
    """Remove one thing. Raises ProviderError, FleetError."""
    if one.kind in DELETED:
        operation, key, gone = DELETED[one.kind]
        try:
            # A machine that shuts down holds its group a little longer.
            calls.unless(gone, "ec2", one.region, operation, unseen=("DependencyViolation",), **{key: one.name})
        except ProviderError as error:
            if error.code == "DependencyViolation":
                error.hint = "A machine that shuts down may hold it still: the same command removes the rest."
            raise
    elif one.kind == "profile":
        _remove_profile(calls, home, one.name)
    elif one.kind == "role":
        remove_role(calls, home, one.name)
    elif one.kind in ("record", "code"):
        calls("s3", home, "delete_object", Bucket=bucket, Key=one.name, ExpectedBucketOwner=account)
    elif one.kind in OF_FUNCTION:
        remove_of_function(calls, one)
    else:
        _remove_bucket(calls, home, {"Bucket": bucket, "ExpectedBucketOwner": account})


def _remove_profile(calls: Calls, home: str, name: str) -> None:
    profile = {"InstanceProfileName": name}
    answer = calls.unless(GONE, "iam", home, "get_instance_profile", **profile)
    for role in (answer or {}).get("InstanceProfile", {}).get("Roles", ()):
        calls.unless(GONE, "iam", home, "remove_role_from_instance_profile", RoleName=role["RoleName"], **profile)
    calls.unless(GONE, "iam", home, "delete_instance_profile", **profile)


def remove_role(calls: Calls, home: str, name: str) -> None:
    """With every policy that it has: one that somebody attached would else hold it."""
    role = {"RoleName": name}
    try:
        for policy in calls.pages("iam", home, "list_attached_role_policies", "AttachedPolicies", **role):
            calls.unless(GONE, "iam", home, "detach_role_policy", PolicyArn=policy["PolicyArn"], **role)
        for inline in calls.pages("iam", home, "list_role_policies", "PolicyNames", **role):
            calls.unless(GONE, "iam", home, "delete_role_policy", PolicyName=inline, **role)
        calls("iam", home, "delete_role", **role)
    except ProviderError as error:
        if error.code not in GONE:
            raise


def _remove_bucket(calls: Calls, home: str, owner: dict[str, str]) -> None:
    """Everything in it, what says whose it is at the end, then itself."""
    gone = ("NoSuchBucket",)
    uploads = calls.unless(gone, "s3", home, "list_multipart_uploads", **owner)
    for one in (uploads or {}).get("Uploads", ()):
        calls.unless(
            ("NoSuchUpload",), "s3", home, "abort_multipart_upload", Key=one["Key"], UploadId=one["UploadId"], **owner
        )
    for keep in (LAST_KEYS, ()):
        _empty(calls, home, owner, keep)
    try:
        calls.unless(gone, "s3", home, "delete_bucket", **owner)
    except ProviderError as error:
        if error.code == "BucketNotEmpty":
            told = f"something was written to {owner['Bucket']} meanwhile"
            raise FleetError(told, "End whatever writes there, and run it again.") from None
        raise


def _empty(calls: Calls, home: str, owner: dict[str, str], keep: tuple[str, ...]) -> None:
    """Every version of every object but those of some keys."""
    more: dict[str, str] = {}
    while True:
        answer = calls.unless(("NoSuchBucket",), "s3", home, "list_object_versions", MaxKeys=AT_ONCE, **more, **owner)
        if answer is None:
            return
        found = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
        keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found if one["Key"] not in keep]
        if keys:
            told = calls("s3", home, "delete_objects", Delete={"Objects": keys, "Quiet": True}, **owner)
            for error in told.get("Errors", ()):
                raise ProviderError(
                    ErrorClass.DENIED, error["Code"], f"{error['Key']} cannot be deleted: {error['Message']}"
                )
        if not answer.get("IsTruncated"):
            return
        more = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}

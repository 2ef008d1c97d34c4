"""The bucket of a set-up: what is there, and how it is made and mended."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fleet.model.errors import FleetError, ProviderError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.names import TAG, tags_of
from fleet.providers.aws.setup import BUCKET, LIFECYCLE_RULE, UNFINISHED_DAYS
from fleet.providers.wanted import Found

FIRST_REGION = "us-east-1"
OLD_NAMES = {None: FIRST_REGION, "": FIRST_REGION, "EU": "eu-west-1"}
UNSEEN = ("NoSuchBucket", "OperationAborted")
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def look_at_bucket(calls: Calls, bucket: str, account: str, region: str) -> tuple[Found, str] | None:
    """What the bucket is, and its region; None if there is none. Raises FleetError if it is somebody else's."""
    owner = {"Bucket": bucket, "ExpectedBucketOwner": account}
    try:
        calls("s3", region, "head_bucket", **owner)
    except ProviderError as error:
        if error.code in ("404", "NoSuchBucket"):
            return None
        if error.code in ("403", "AccessDenied"):
            raise not_yours(bucket) from None
        raise
    place = calls("s3", region, "get_bucket_location", **owner).get("LocationConstraint")
    region = OLD_NAMES.get(place, str(place))
    fields = {
        "public access": "blocked" if _blocked(calls, region, owner) else "not blocked",
        "encryption": "on" if _encrypted(calls, region, owner) else "off",
        "unfinished uploads": BUCKET["unfinished uploads"] if _aborts(_rules(calls, region, owner)) else "kept",
        "tag": tags_of_bucket(calls, bucket, account, region).get(TAG),
    }
    return Found(bucket, fields), region


def not_yours(bucket: str) -> FleetError:
    """The same for a bucket of another account, and for one that these credentials may not look at."""
    return FleetError(
        f"the bucket {bucket} is another account's, or you may not look at it",
        "Name another with --bucket, or choose another account with AWS_PROFILE, or ask for the permissions that "
        "`fleet policy aws --setup` prints.",
    )


def _blocked(calls: Calls, region: str, owner: dict[str, str]) -> bool:
    answer = calls.unless(("NoSuchPublicAccessBlockConfiguration",), "s3", region, "get_public_access_block", **owner)
    found = (answer or {}).get("PublicAccessBlockConfiguration", {})
    return all(found.get(one) for one in BLOCKS)


def _encrypted(calls: Calls, region: str, owner: dict[str, str]) -> bool:
    absent = ("ServerSideEncryptionConfigurationNotFoundError",)
    answer = calls.unless(absent, "s3", region, "get_bucket_encryption", **owner)
    return bool((answer or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules"))


def _rules(calls: Calls, region: str, owner: dict[str, str]) -> list[dict[str, Any]]:
    absent = ("NoSuchLifecycleConfiguration",)
    answer = calls.unless(absent, "s3", region, "get_bucket_lifecycle_configuration", **owner)
    return list((answer or {}).get("Rules", ()))


def _aborts(rules: list[dict[str, Any]]) -> bool:
    """Whether a rule, of whoever, aborts what lies unfinished anywhere in the bucket for a day."""
    for rule in rules:
        days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation", UNFINISHED_DAYS + 1)
        everywhere = not rule.get("Prefix") and not any(rule.get("Filter", {}).values())
        if rule.get("Status") == "Enabled" and everywhere and days <= UNFINISHED_DAYS:
            return True
    return False


def tags_of_bucket(calls: Calls, bucket: str, account: str, region: str) -> dict[str, str]:
    """All of its tags."""
    answer = calls.unless(("NoSuchTagSet",), "s3", region, "get_bucket_tagging", Bucket=bucket, ExpectedBucketOwner=account)
    return {one["Key"]: one["Value"] for one in (answer or {}).get("TagSet", ())}


def create_bucket(calls: Calls, bucket: str, region: str) -> None:
    """Make it, where it is not there. Raises FleetError if somebody else has the name."""
    place = {} if region == FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        calls.unless(
            ("BucketAlreadyOwnedByYou",), "s3", region, "create_bucket", unseen=("OperationAborted",), Bucket=bucket, **place
        )
    except ProviderError as error:
        if error.code == "BucketAlreadyExists":
            raise not_yours(bucket) from None
        raise


def mend_bucket(calls: Calls, bucket: str, account: str, region: str, fleet_id: str, fields: Collection[str]) -> None:
    """Set these fields. What is not fleet's (other rules, other tags) stays."""
    owner = {"Bucket": bucket, "ExpectedBucketOwner": account}
    if "public access" in fields:
        blocks = dict.fromkeys(BLOCKS, True)
        calls("s3", region, "put_public_access_block", unseen=UNSEEN, PublicAccessBlockConfiguration=blocks, **owner)
    if "encryption" in fields:
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        encryption = {"Rules": [rule]}
        calls("s3", region, "put_bucket_encryption", unseen=UNSEEN, ServerSideEncryptionConfiguration=encryption, **owner)
    if "unfinished uploads" in fields:
        kept = [one for one in _rules(calls, region, owner) if one.get("ID") != LIFECYCLE_RULE]
        own: dict[str, Any] = {
            "ID": LIFECYCLE_RULE,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
        }
        rules = {"Rules": [*kept, own]}
        calls("s3", region, "put_bucket_lifecycle_configuration", unseen=UNSEEN, LifecycleConfiguration=rules, **owner)
    if "tag" in fields:
        others = {k: v for k, v in tags_of_bucket(calls, bucket, account, region).items() if k != TAG}
        tags = [*({"Key": k, "Value": v} for k, v in others.items()), *tags_of(fleet_id)]
        calls("s3", region, "put_bucket_tagging", unseen=UNSEEN, Tagging={"TagSet": tags}, **owner)

"""The bucket of a set-up on Cloud Storage: what is there, and how it is made and mended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fleet.model.errors import FleetError, ProviderError
from fleet.providers.gcp.calling import OFF, Calls, Json
from fleet.providers.gcp.errors import EXISTS, NOT_FOUND
from fleet.providers.gcp.names import FLEET_LABEL
from fleet.providers.gcp.setup import BUCKET, UNFINISHED_DAYS
from fleet.providers.wanted import Found

BUCKETS = "/storage/v1/b"
CONFLICT = frozenset({"conflict", "CONFLICT"})
"""Cloud Storage's word for a name that somebody has, perhaps oneself."""
DENIED = ("forbidden", "PERMISSION_DENIED", "accessDenied", "insufficientPermissions")
ABORTS = "AbortIncompleteMultipartUpload"
ABORT: dict[str, Any] = {"action": {"type": ABORTS}, "condition": {"age": UNFINISHED_DAYS}}


def look_at_bucket(calls: Calls, bucket: str, number: str) -> tuple[Found, str] | None:
    """What the bucket is, and its location (``us-central1``); None if there is none. Raises FleetError if it is another's.

    ``number``: the project's.
    """
    try:
        found = calls("storage", "GET", f"{BUCKETS}/{bucket}", query={"projection": "noAcl"})
    except ProviderError as error:
        if error.code in (*NOT_FOUND, *OFF):
            return None
        if error.code in DENIED:
            raise not_yours(bucket) from None
        raise
    if number and str(found.get("projectNumber", number)) != number:
        raise not_yours(bucket)
    return Found(bucket, fields_of(found)), str(found.get("location", "")).lower()


def fields_of(found: Json) -> dict[str, Any]:
    """The settings that matter, of a bucket as Cloud Storage tells it."""
    access = found.get("iamConfiguration", {})
    uniform = access.get("uniformBucketLevelAccess", {}).get("enabled")
    kept = int(found.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0))
    return {
        "access": "uniform" if uniform else "by object",
        "public access": "prevented" if access.get("publicAccessPrevention") == "enforced" else "not prevented",
        "unfinished uploads": BUCKET["unfinished uploads"] if _aborts(found) else "kept",
        "deleted objects": f"kept {kept // 86_400} days" if kept else "not kept",
        "label": found.get("labels", {}).get(FLEET_LABEL),
    }


def _rules(found: Json) -> list[Json]:
    return list(found.get("lifecycle", {}).get("rule", ()))


def _aborts(found: Json) -> bool:
    """Whether a rule, of whoever, aborts what lies unfinished anywhere in the bucket for a day."""
    ages = [
        int(rule["condition"]["age"])
        for rule in _rules(found)
        if rule.get("action", {}).get("type") == ABORTS and set(rule.get("condition", {})) == {"age"}
    ]
    return any(age <= UNFINISHED_DAYS for age in ages)


def not_yours(bucket: str) -> FleetError:
    """The same for a bucket of another project, and for one that this login may not look at."""
    return FleetError(
        f"the bucket {bucket} is another project's, or you may not look at it",
        "Name another with --bucket gs://NAME, or the project with --project, or ask for the permissions that "
        "`fleet policy gcp --setup` prints.",
    )


def create_bucket(calls: Calls, bucket: str, location: str, fleet_id: str) -> None:
    """Make it as it is wanted, where it is not there. Raises FleetError if somebody else has the name."""
    body = {"name": bucket, "location": location.upper(), "labels": {FLEET_LABEL: fleet_id}, **_wanted()}
    made = calls.unless(EXISTS | CONFLICT, "storage", "POST", BUCKETS, body, query={"project": calls.project}, unseen=OFF)
    if made is None and look_at_bucket(calls, bucket, "") is None:
        raise not_yours(bucket)


def _wanted() -> dict[str, Any]:
    return {
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"},
        "lifecycle": {"rule": [ABORT]},
        "softDeletePolicy": {"retentionDurationSeconds": "0"},
        "storageClass": "STANDARD",
    }


def mend_bucket(calls: Calls, bucket: str, fleet_id: str, fields: Collection[str]) -> None:
    """Set these fields. What is not fleet's (other rules, other labels) stays."""
    wanted, changes = _wanted(), dict[str, Any]()
    if {"access", "public access"} & set(fields):
        changes["iamConfiguration"] = wanted["iamConfiguration"]
    if "unfinished uploads" in fields:
        found = calls("storage", "GET", f"{BUCKETS}/{bucket}", query={"projection": "noAcl"})
        changes["lifecycle"] = {"rule": [*_rules(found), ABORT]}
    if "deleted objects" in fields:
        changes["softDeletePolicy"] = wanted["softDeletePolicy"]
    if "label" in fields:
        changes["labels"] = {FLEET_LABEL: fleet_id}
    _patch(calls, bucket, changes)


def _patch(calls: Calls, bucket: str, changes: Mapping[str, Any]) -> None:
    if changes:
        calls("storage", "PATCH", f"{BUCKETS}/{bucket}", changes)

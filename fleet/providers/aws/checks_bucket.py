"""The bucket's settings. That it can be written and honours exclusive creation is proved through obstore, as it is used."""

from __future__ import annotations

from typing import Any

from fleet.model.errors import ProviderError
from fleet.providers.aws.checks import Look, is_absent
from fleet.providers.looked import Check, Checked

AGAIN = "fleet init aws"


def of(look: Look) -> list[tuple[str, Check]]:
    """Every check of the bucket, and of the profile that lets machines reach it."""
    checks: list[tuple[str, Check]] = []
    if look.bucket:
        checks += [
            ("region", lambda: [region(look)]),
            ("list", lambda: [listing(look)]),
            ("public", lambda: [public(look)]),
            ("uploads", lambda: [lifecycle(look)]),
        ]
    if look.setup is not None:
        checks.append(("profile", lambda: [profile(look)]))
    return checks


def region(look: Look) -> Checked:
    """Where it is: what machines elsewhere send to it is charged, and takes longer."""
    try:
        answer = look.call("s3", look.region, "head_bucket", Bucket=look.bucket)
    except ProviderError as error:
        if error.code not in ("404", "NoSuchBucket"):
            raise
        return Checked("region", "bad", f"there is no bucket {look.bucket}", AGAIN)
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return judge_region(str(look.bucket), str(headers.get("x-amz-bucket-region", "")), look)


def judge_region(bucket: str, where: str, look: Look) -> Checked:
    """Against the set-up, and against the regions that machines may be in."""
    if look.setup is not None and look.setup.bucket == bucket and where not in ("", look.setup.bucket_region):
        told = f"{bucket} is in {where}, and the set-up says {look.setup.bucket_region}"
        return Checked("region", "bad", told, AGAIN)
    far = [one for one in look.regions if where and one != where]
    if far:
        told = f"{bucket} is in {where}; machines in {', '.join(far)} send to it across regions, at about $0.02 per GB"
        return Checked("region", "note", told)
    return Checked("region", "good", f"{bucket} is in {where or 'a place that does not say where'}")


def listing(look: Look) -> Checked:
    """What lies in it can be listed; that it can be read and written is proved by doing so."""
    try:
        look.call("s3", _home(look), "list_objects_v2", Bucket=look.bucket, Prefix=f"{look.prefix}/".lstrip("/"), MaxKeys=1)
    except ProviderError as error:
        if error.code != "AccessDenied":
            raise
        told = f"{look.bucket}: what lies in it may not be listed (s3:ListBucket)"
        return Checked("list", "bad", told, "`fleet policy aws` prints what the controller must be allowed to do.")
    return Checked("list", "good", f"{look.bucket}: what lies in it can be listed")


def public(look: Look) -> Checked:
    """Nothing in it can be made public."""
    try:
        found: dict[str, Any] = look.call("s3", _home(look), "get_public_access_block", Bucket=look.bucket)
    except ProviderError as error:
        if error.code != "NoSuchPublicAccessBlockConfiguration":
            raise
        found = {}
    blocked = found.get("PublicAccessBlockConfiguration", {})
    wanted = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    missing = [one for one in wanted if not blocked.get(one)]
    if missing:
        return Checked("public", "bad", f"{look.bucket} may be made public ({', '.join(missing)} is off)", AGAIN)
    return Checked("public", "good", f"{look.bucket}: public access is blocked")


def lifecycle(look: Look) -> Checked:
    """What was begun and never finished is removed by S3 itself: it is charged, and seen nowhere."""
    try:
        answer = look.call("s3", _home(look), "get_bucket_lifecycle_configuration", Bucket=look.bucket)
    except ProviderError as error:
        if error.code != "NoSuchLifecycleConfiguration":
            raise
        answer = {}
    days = [
        int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        for rule in answer.get("Rules", ())
        if rule.get("Status") == "Enabled" and "AbortIncompleteMultipartUpload" in rule
    ]
    if not days:
        told = f"{look.bucket}: unfinished uploads stay, and are charged, until `fleet gc --delete`"
        return Checked("uploads", "note", told, AGAIN)
    return Checked("uploads", "good", f"{look.bucket}: unfinished uploads are removed after {days_of(min(days))}")


def days_of(number: int) -> str:
    """``1 day``, ``7 days``."""
    return f"{number} day{'s' if number != 1 else ''}"


def profile(look: Look) -> Checked:
    """The instance profile has its role: without it a machine reaches no bucket."""
    assert look.setup is not None
    name = look.setup.instance_profile
    try:
        found = look.call("iam", look.region, "get_instance_profile", InstanceProfileName=name)["InstanceProfile"]
    except ProviderError as error:
        if is_absent(error):
            return Checked("profile", "bad", f"there is no instance profile {name}: launches fail", AGAIN)
        raise
    if not found.get("Roles"):
        return Checked("profile", "bad", f"the instance profile {name} has no role: machines reach no bucket", AGAIN)
    return Checked("profile", "good", f"{name}, with the role {found['Roles'][0]['RoleName']}")


def _home(look: Look) -> str:
    return look.setup.bucket_region if look.setup is not None and look.setup.bucket == look.bucket else look.region

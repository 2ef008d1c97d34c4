"""Where a fleet is in an AWS account: whose credentials these are, which bucket it is, and what lies in it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.setups import BrokenSetupError, aws_setup, gcp_setup
from fleet.model.errors import FleetError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.google_way import GoogleWay, Trusted
from fleet.providers.aws.names import bucket_name, own_name
from fleet.providers.aws.session import aws_session
from fleet.providers.aws.setup_bucket import look_at_bucket
from fleet.store.fleetfile import read_fleet
from fleet.store.objects import Objects

FLEET_ID = re.compile(r"[0-9a-f]{16}")
"""What ``new_fleet_id`` makes."""
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""S3's rule."""


@dataclass(frozen=True, slots=True)
class Place:
    """An account's bucket, and what of a fleet lies in it."""

    account: str
    partition: str
    bucket: str
    """Its name; or the URL of one on Cloud Storage."""
    region: str
    """The bucket's; or where the account is asked for what is in no region."""
    there: bool
    tag: str | None = None
    fleet_id: str | None = None
    """From fleet.json."""
    setup: AwsSetup | None = None
    google: GoogleWay | None = None
    """The bucket is on Cloud Storage: the machines' way there."""

    @property
    def url(self) -> str:
        """As ``open_objects`` takes it."""
        return self.bucket if self.google is not None else f"s3://{self.bucket}"

    @property
    def trusted(self) -> Trusted | None:
        """The machines' role, as Google is to trust it; None: the bucket is on S3, or no fleet is in it."""
        if self.google is None or self.fleet_id is None:
            return None
        return Trusted(self.google, self.fleet_id, self.account, own_name(self.fleet_id), self.partition)


def own_tag(place: Place) -> str | None:
    """The fleet that a bucket's tag names, before anything lies in it. Raises FleetError for a tag that is not fleet's.

    By such a name everything that somebody else calls so would be ours, to end and to delete.
    """
    if place.tag is not None and not FLEET_ID.fullmatch(place.tag):
        raise FleetError(
            f"the bucket {place.bucket} has a tag fleet={place.tag}, which is not this fleet's",
            "Name another bucket with --bucket, or remove the tag.",
        )
    return place.tag


def profile_of(home: Home) -> str | None:
    """The profile to use: the environment's choice goes before what is remembered."""
    if any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID")):
        return None
    known = home.aws()
    return known.profile if known else None


def usual_region(home: Home, profile: str | None) -> str:
    """The one that is configured, else the first that was set up. Raises FleetError if there is none."""
    known = home.aws()
    found = os.environ.get("AWS_REGION") or aws_session(profile).region_name or (known.regions[0] if known else None)
    if not found:
        raise FleetError("no AWS region is configured", "Name one: --region us-east-1")
    return str(found)


def whoami(calls: Calls, region: str) -> tuple[str, str]:
    """Account and partition."""
    found = calls("sts", region, "get_caller_identity")
    return str(found["Account"]), str(found["Arn"]).split(":")[1]


def name_of_bucket(home: Home, account: str, region: str, named: str | None) -> str:
    """The bucket that was named, else the one that is remembered, else the usual one."""
    known = home.aws()
    name = (named or (known.bucket if known else "")).removeprefix("s3://").strip("/") or bucket_name(account, region)
    if name.startswith("gs://"):
        return name
    if not NAME.fullmatch(name):
        raise FleetError(
            f"{name!r} is no name of a bucket", "Small letters, digits and hyphens, 3 to 63 of them: --bucket my-fleet"
        )
    return name


def look_at_place(home: Home, calls: Calls, region: str, bucket: str | None) -> Place:
    """The bucket, and what of a fleet lies in it. Raises FleetError if it is somebody else's."""
    account, partition = whoami(calls, region)
    name = name_of_bucket(home, account, region, bucket)
    if name.startswith("gs://"):
        return _on_google(home, account, partition, name, region)
    found = look_at_bucket(calls, name, account, region)
    if found is None:
        return Place(account, partition, name, region, there=False)
    objects = open_bucket(home, f"s3://{name}")
    info = read_fleet(objects)
    tag = found[0].fields.get("tag")
    fleet_id = info.fleet_id if info else None
    return Place(account, partition, name, found[1], there=True, tag=tag, fleet_id=fleet_id, setup=read_setup(objects))


def _on_google(home: Home, account: str, partition: str, url: str, region: str) -> Place:
    """A fleet that is in a Google Cloud project already, and gets machines here too. Raises FleetError if there is none."""
    objects = open_bucket(home, url)
    info, google = read_fleet(objects), gcp_setup(objects)
    if info is None or google is None:
        told = f"no fleet was set up in {url}"
        hint = f"`fleet init gcp --bucket {url}` makes a fleet there, and then `fleet init aws` adds machines of EC2."
        raise FleetError(told, hint)
    way, setup = GoogleWay(google.project, google.number, google.service_account), read_setup(objects)
    where = setup.bucket_region if setup is not None else region
    return Place(account, partition, url, where, there=True, fleet_id=info.fleet_id, setup=setup, google=way)


def read_setup(objects: Objects) -> AwsSetup | None:
    """The record of a set-up; None if there is none, or a broken one: then it is written anew.

    Raises NewerVersionError for one of a newer fleet's.
    """
    try:
        return aws_setup(objects)
    except BrokenSetupError:
        return None

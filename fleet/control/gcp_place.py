"""Where a fleet is in a Google Cloud project: whose login this is, which project and bucket it is, and what lies there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.setups import BrokenSetupError, aws_setup, gcp_setup
from fleet.model.errors import FleetError
from fleet.model.setup import GcpSetup
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.making import look_at_apis
from fleet.providers.gcp.session import default_project
from fleet.providers.gcp.setup import APIS, IAP_API, AwsTrust, bucket_name
from fleet.providers.gcp.setup_bucket import look_at_bucket
from fleet.store.fleetfile import read_fleet
from fleet.store.objects import Objects

FLEET_ID = re.compile(r"[0-9a-f]{16}")
"""What ``new_fleet_id`` makes."""
NAME = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]/?")
"""Cloud Storage's rule. A bucket is a fleet's as a whole."""
PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
LISTED = "`gcloud projects list` lists them."
FIRST_REGION = "us-central1"
"""Where no other is named: it has every kind of GPU, at the lowest prices."""


@dataclass(frozen=True, slots=True)
class Place:
    """A project, its fleet's bucket (on either cloud), and what of a fleet lies in it."""

    project: str
    number: str
    apis: Mapping[str, Any]
    """Which interfaces are enabled."""
    bucket: str
    """Its URL."""
    region: str
    """Where it is."""
    there: bool = True
    label: str | None = None
    fleet_id: str | None = None
    """From fleet.json."""
    setup: GcpSetup | None = None
    trust: AwsTrust | None = None
    """Whose bucket it is, if it is on S3."""

    @property
    def on_google(self) -> bool:
        """Whether the bucket is on Cloud Storage."""
        return self.bucket.startswith("gs://")


def own_label(place: Place) -> str | None:
    """The fleet that a bucket's label names, before anything lies in it. Raises FleetError for one that is not fleet's."""
    if place.label is not None and not FLEET_ID.fullmatch(place.label):
        raise FleetError(
            f"the bucket {place.bucket} has a label fleet={place.label}, which is not this fleet's",
            "Name another bucket with --bucket, or remove the label.",
        )
    return place.label


def project_of(home: Home, named: str | None) -> str:
    """The project that was named, else the remembered one, else the login's. Raises FleetError if there is none."""
    known = home.gcp()
    found = named or os.environ.get("GOOGLE_CLOUD_PROJECT") or (known.project if known else None) or default_project()
    if not found:
        raise FleetError("no Google Cloud project is known", f"Name one: --project my-project. {LISTED}")
    if not PROJECT.fullmatch(found):
        raise FleetError(f"{found!r} is no project's id", f"It is neither its name nor its number. {LISTED}")
    return found


def usual_region(home: Home) -> str:
    """The one that gcloud's environment names, else the first that was set up, else the usual one."""
    known = home.gcp()
    first = known.regions[0] if known is not None and known.regions else FIRST_REGION
    return os.environ.get("CLOUDSDK_COMPUTE_REGION") or first


def url_of_bucket(home: Home, project: str, region: str, named: str | None) -> str:
    """The bucket that was named, else the one that is remembered for this project, else the usual one."""
    known = home.gcp()
    remembered = known.bucket if known is not None and known.project == project else ""
    url = named or remembered or f"gs://{bucket_name(project, region)}"
    url = url if "://" in url else f"gs://{url}"
    if not url.startswith("s3://") and not NAME.fullmatch(url):
        raise FleetError(f"{url!r} is no bucket's name", "Small letters, digits and dashes, 3 to 63 of them: gs://my-fleet")
    return url.rstrip("/")


def look_at_place(home: Home, calls: Calls, region: str, named: str | None) -> Place:
    """The project and its bucket, and what of a fleet lies in it. Raises FleetError if it is somebody else's."""
    apis, number = look_at_apis(calls, (*APIS, IAP_API))
    url = url_of_bucket(home, calls.project, region, named)
    if url.startswith("s3://"):
        return _on_amazon(home, calls.project, number, apis, url)
    found = look_at_bucket(calls, url.removeprefix("gs://"), number)
    if found is None:
        return Place(calls.project, number, apis, url, region, there=False)
    objects = open_bucket(home, url)
    info = read_fleet(objects)
    label, fleet_id = found[0].fields.get("label"), info.fleet_id if info else None
    return Place(calls.project, number, apis, url, found[1], label=label, fleet_id=fleet_id, setup=_read(objects))


def _on_amazon(home: Home, project: str, number: str, apis: Mapping[str, Any], url: str) -> Place:
    """A fleet that is in an AWS account already, and gets machines here too. Raises FleetError if there is none."""
    objects = open_bucket(home, url)
    info = read_fleet(objects)
    trust = trust_in(home, objects) if info is not None else None
    if info is None or trust is None:
        told = "`fleet init aws` makes a fleet on S3, and then `fleet init gcp --bucket s3://…` adds machines here."
        raise FleetError(f"there is no fleet of AWS in {url}", told)
    return Place(project, number, apis, url, trust.region, fleet_id=info.fleet_id, setup=_read(objects), trust=trust)


def trust_in(home: Home, objects: Objects) -> AwsTrust | None:
    """The AWS account whose bucket that is; None: it is not on S3, or `fleet init aws` made nothing there."""
    amazon = aws_setup(objects) if objects.url.startswith("s3://") else None
    if amazon is None:
        return None
    return AwsTrust(amazon.account, amazon.partition, amazon.bucket, amazon.bucket_region, home.aws_profile(objects.url))


def _read(objects: Objects) -> GcpSetup | None:
    """The record of a set-up; None if there is none, or a broken one: then it is written anew."""
    try:
        return gcp_setup(objects)
    except BrokenSetupError:
        return None

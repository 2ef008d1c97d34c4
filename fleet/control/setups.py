"""What the clouds were set up with, as the bucket says."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import ValidationError

from fleet.model import layout
from fleet.model.base import Frozen
from fleet.model.errors import NewerVersionError, NotFoundError, StoreError
from fleet.model.setup import AwsFunction, AwsSetup, GcpSetup
from fleet.store.objects import Objects

Record = TypeVar("Record", bound=Frozen)
VERSION = 1
"""Of all these documents."""
CLOUDS = ("s3://", "gs://")
"""Buckets that machines of a cloud can reach: a folder's fleet was set up for none."""


class BrokenSetupError(StoreError):
    """The record of a set-up cannot be read."""


def aws_setup(objects: Objects) -> AwsSetup | None:
    """What ``fleet init aws`` left in a bucket; None if it never was there.

    Raises BrokenSetupError if it cannot be read, NewerVersionError if a newer fleet wrote it, StoreError.
    """
    return _read(objects, layout.AWS_SETUP, AwsSetup, "set-up", "fleet init aws")


def gcp_setup(objects: Objects) -> GcpSetup | None:
    """What ``fleet init gcp`` left in a bucket, of either cloud; None if it never was there.

    Raises BrokenSetupError if it cannot be read, NewerVersionError if a newer fleet wrote it, StoreError.
    """
    return _read(objects, layout.GCP_SETUP, GcpSetup, "set-up", "fleet init gcp")


def aws_function(objects: Objects) -> AwsFunction | None:
    """What ``fleet controller deploy aws`` left in a bucket; None if it never was there.

    Raises BrokenSetupError if it cannot be read, NewerVersionError if a newer fleet wrote it, StoreError.
    """
    return _read(objects, layout.AWS_FUNCTION, AwsFunction, "controller", "fleet controller deploy aws")


def _read(objects: Objects, key: str, kind: type[Record], what: str, command: str) -> Record | None:
    if not objects.url.startswith(CLOUDS):
        return None
    try:
        data = objects.get(key)
    except NotFoundError:
        return None
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        version = re.search(rb'"v":(\d+)', data)
        if version and int(version[1]) > VERSION:
            told = f"{objects.url}/{key} was written by a newer fleet"
            raise NewerVersionError(told, "Upgrade fleet (pip install -U fleet).") from None
        told = error.errors()[0]["msg"] if error.errors() else "unreadable"
        raise BrokenSetupError(
            f"{key} holds no {what} that this version knows: {told}", f"Write it anew: {command}"
        ) from None

"""What the clouds were set up with, as the bucket says."""

from __future__ import annotations

import re

from pydantic import ValidationError

from fleet.model import layout
from fleet.model.errors import NewerVersionError, NotFoundError, StoreError
from fleet.model.setup import AwsFunction, AwsSetup
from fleet.store.objects import Objects

SETUP_VERSION = 1
FUNCTION_VERSION = 1


class BrokenSetupError(StoreError):
    """The record of a set-up cannot be read."""


def aws_setup(objects: Objects) -> AwsSetup | None:
    """What ``fleet init aws`` left in a bucket; None if it never was there.

    Raises BrokenSetupError if it cannot be read, NewerVersionError if a newer fleet wrote it, StoreError.
    """
    if not objects.url.startswith("s3://"):
        return None
    try:
        data = objects.get(layout.AWS_SETUP)
    except NotFoundError:
        return None
    try:
        return AwsSetup.model_validate_json(data)
    except ValidationError as error:
        version = re.search(rb'"v":(\d+)', data)
        if version and int(version[1]) > SETUP_VERSION:
            told = f"{objects.url}/{layout.AWS_SETUP} was written by a newer fleet"
            raise NewerVersionError(told, "Upgrade fleet (pip install -U fleet).") from None
        told = error.errors()[0]["msg"] if error.errors() else "unreadable"
        raise BrokenSetupError(
            f"{layout.AWS_SETUP} holds no set-up that this version knows: {told}", "Write it anew: fleet init aws"
        ) from None


def aws_function(objects: Objects) -> AwsFunction | None:
    """What ``fleet controller deploy aws`` left in a bucket; None if it never was there.

    Raises BrokenSetupError if it cannot be read, NewerVersionError if a newer fleet wrote it, StoreError.
    """
    if not objects.url.startswith("s3://"):
        return None
    try:
        data = objects.get(layout.AWS_FUNCTION)
    except NotFoundError:
        return None
    try:
        return AwsFunction.model_validate_json(data)
    except ValidationError:
        version = re.search(rb'"v":(\d+)', data)
        if version and int(version[1]) > FUNCTION_VERSION:
            told = f"{objects.url}/{layout.AWS_FUNCTION} was written by a newer fleet"
            raise NewerVersionError(told, "Upgrade fleet (pip install -U fleet).") from None
        told = f"{layout.AWS_FUNCTION} holds no controller that this version knows"
        raise BrokenSetupError(told, "Write it anew: fleet controller deploy aws") from None

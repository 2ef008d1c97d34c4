"""The account that a fleet's machines are in, as its bucket tells of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import ValidationError

from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.model import layout
from fleet.model.errors import NotFoundError, StoreError
from fleet.model.setup import AwsSetup
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.providers.aws.sweeping import Account

FIRST_REGION = "us-east-1"


def aws_setup(objects: Objects) -> AwsSetup | None:
    """What ``fleet init aws`` made. Raises StoreError if it cannot be read."""
    try:
        return AwsSetup.model_validate_json(objects.get(layout.AWS_SETUP))
    except NotFoundError:
        return None
    except ValidationError:
        raise StoreError(
            f"{objects.url}/{layout.AWS_SETUP} does not hold what this version of fleet writes there", "Upgrade fleet."
        ) from None


def account_of(controller: Controller) -> Account | None:
    """Where this fleet's things may be; None: in no account. A bucket on S3 is in one, also once its set-up was undone."""
    url = urlsplit(controller.objects.url)
    setup = aws_setup(controller.objects)
    if setup is None and url.scheme != "s3":
        return None
    from fleet.providers.aws.sweeping import Account

    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    on_s3 = url.scheme == "s3"
    return Account(
        controller.state.fleet_id,
        setup.bucket_region if setup is not None else named or FIRST_REGION,
        bucket=url.netloc if on_s3 else None,
        prefix=url.path.strip("/") if on_s3 else "",
        setup=setup,
        profile=open_home().aws_profile(controller.objects.url),
    )

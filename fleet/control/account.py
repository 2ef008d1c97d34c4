"""The account that a fleet's machines are in, as its bucket tells of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.setups import aws_setup

if TYPE_CHECKING:
    from fleet.providers.aws.sweeping import Account

FIRST_REGION = "us-east-1"


def account_of(controller: Controller) -> Account | None:
    """Where this fleet's things may be; None: in no account. A bucket on S3 is in one, also once its set-up was undone."""
    url = urlsplit(controller.objects.url)
    setup = aws_setup(controller.objects)
    if setup is None and url.scheme != "s3":
        return None
    from fleet.providers.aws.sweeping import Account

    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    on_s3 = url.scheme == "s3"
    set_up = (setup.bucket_region or min(setup.regions, default="")) if setup is not None else ""  # it may be Google's
    return Account(
        controller.state.fleet_id,
        set_up or named or FIRST_REGION,
        bucket=url.netloc if on_s3 else None,
        prefix=url.path.strip("/") if on_s3 else "",
        setup=setup,
        profile=open_home().aws_profile(controller.objects.url),
    )

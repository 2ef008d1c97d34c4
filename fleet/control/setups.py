"""What the clouds were set up with, as the bucket says."""

from __future__ import annotations

from pydantic import ValidationError

from fleet.model import layout
from fleet.model.errors import NotFoundError, StoreError
from fleet.model.setup import AwsSetup
from fleet.store.objects import Objects


def aws_setup(objects: Objects) -> AwsSetup | None:
    """What ``fleet init aws`` left in a bucket; None if it never was there. Raises StoreError if it cannot be read."""
    if not objects.url.startswith("s3://"):
        return None
    try:
        return AwsSetup.model_validate_json(objects.get(layout.AWS_SETUP))
    except NotFoundError:
        return None
    except ValidationError as error:
        told = error.errors()[0]["msg"] if error.errors() else "unreadable"
        raise StoreError(
            f"{layout.AWS_SETUP} holds no set-up that this version knows: {told}",
            "Upgrade fleet, or write it anew: fleet init aws",
        ) from None

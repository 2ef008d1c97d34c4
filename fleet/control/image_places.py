"""Where own images are looked for: whose account, which regions, and the bucket that says more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.control.aws_place import profile_of, usual_region
from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.names import nearest
from fleet.control.setups import aws_setup
from fleet.model.errors import FleetError
from fleet.model.setup import AwsSetup
from fleet.providers.aws import image_calls
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.own_images import OwnImage
from fleet.store.objects import Objects

DENIED_IMAGES = "`fleet policy aws --images` prints the policy that this needs, beside the controller's."


@dataclass(frozen=True, slots=True)
class ImagePlace:
    """An account's images. Without a set-up there is no bucket, and they are there all the same."""

    home: Home
    calls: Calls
    regions: tuple[str, ...]
    url: str | None = None
    objects: Objects | None = None
    setup: AwsSetup | None = None


def image_place(home: Home, bucket: str | None, regions: Sequence[str]) -> ImagePlace:
    """The bucket that was named, else the one that is remembered; the regions likewise. Raises FleetError."""
    calls, known = Calls(profile_of(home), denied=DENIED_IMAGES), home.aws()
    url = known.bucket if known is not None else None
    if bucket:
        url = bucket if bucket.startswith("gs://") else f"s3://{bucket.removeprefix('s3://').strip('/')}"
    objects = open_bucket(home, url) if url is not None else None
    setup = aws_setup(objects) if objects is not None else None
    there = tuple(setup.regions) if setup is not None else known.regions if known is not None else ()
    wanted = tuple(dict.fromkeys(regions)) or there or (usual_region(home, calls.profile),)
    return ImagePlace(home, calls, wanted, url, objects, setup)


def find_image(place: ImagePlace, image_id: str) -> OwnImage:
    """One of the own images, by its id. Raises FleetError if there is none."""
    found = [one for region in place.regions for one in image_calls.look(place.calls, region)]
    for one in found:
        if one.image_id == image_id:
            return one
    told = nearest(image_id, [one.image_id for one in found])
    where = ", ".join(place.regions)
    raise FleetError(f"fleet made no image {image_id!r} in {where}; {told}", "`fleet ami list` lists them.")

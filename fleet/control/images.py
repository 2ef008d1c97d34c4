"""Prepared images as the fleet knows them: their records in the bucket, and what is to be said of them before a launch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from fleet.control.prices import wanted_regions
from fleet.control.setups import aws_setup
from fleet.core.allowed import fitting
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.errors import FleetError, NotFoundError
from fleet.model.image import ImageRecord
from fleet.model.job import Job
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.control.home import Home
    from fleet.model.setup import AwsSetup
    from fleet.providers.aws.image_notes import Need


def records(objects: Objects) -> list[ImageRecord]:
    """Every image that was ever built and not pruned, by its id. What another version wrote is passed over.

    Raises StoreError.
    """
    found = []
    for entry in sorted(objects.list(layout.IMAGES), key=lambda one: one.key):
        try:
            found.append(ImageRecord.model_validate_json(objects.get(entry.key)))
        except (NotFoundError, ValidationError):
            continue
    return found


def keep_record(objects: Objects, record: ImageRecord) -> None:
    """Write down what an image is made of. Raises StoreError."""
    objects.put(layout.image(record.image_id), document_bytes(record))


def forget_record(objects: Objects, image_id: str) -> None:
    """The image is gone. Raises StoreError."""
    objects.delete([layout.image(image_id)])


def image_notes(home: Home, objects: Objects, job: Job) -> tuple[str, ...]:
    """Which prepared image is old, gone, or only in another region, a line each. Never raises: stock images do, too."""
    try:
        setup = aws_setup(objects)
        needs = _needs(home, setup, job) if setup is not None else []
        return _notes(home, objects, setup, needs) if needs and setup is not None else ()
    except FleetError:
        return ()


def _notes(home: Home, objects: Objects, setup: AwsSetup, needs: list[Need]) -> tuple[str, ...]:
    from fleet.providers.aws.image_notes import notes
    from fleet.providers.aws.images import Images

    look, known = Images(home.cache / "aws", account=setup.account), records(objects)
    there = {}
    for region in dict.fromkeys(need.region for need in needs):
        found = look.known(region)
        missing = {one.image_id for one in known if one.region == region} - {one.image_id for one in found or ()}
        if found is not None and missing:
            found = look.known(region, anew=True)  # built elsewhere since, perhaps
        if found is not None:
            there[region] = found
    return tuple(notes(needs, there, known, objects.now()))


def _needs(home: Home, setup: AwsSetup, job: Job) -> list[Need]:
    """Of every machine that the job could run on; none if it names an image itself."""
    from fleet.providers.aws.image_notes import Need
    from fleet.providers.aws.images import needs_of
    from fleet.providers.aws.offers import offers
    from fleet.providers.aws.own_images import BASES
    from fleet.providers.aws.published import DEFAULT, OLDER

    named, cache = job.resources.image_id, home.cache / "aws"
    if named is not None and named not in BASES:
        return []
    found: dict[Need, None] = {}
    for region in wanted_regions(job, setup):
        types = {one.instance_type for one in offers(setup, region, cache) if fitting(one, job.resources)}
        for arch, driver in sorted({needs_of(name, cache) for name in types}, key=str):
            found[Need(region, named or OLDER.get(driver or "", DEFAULT), arch, driver)] = None
    return list(found)

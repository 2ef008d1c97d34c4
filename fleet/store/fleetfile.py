"""``fleet.json``: what makes a bucket a fleet's."""

from __future__ import annotations

import secrets

from pydantic import ValidationError

from fleet.model import layout
from fleet.model.base import Frozen, document_bytes
from fleet.model.errors import AlreadyExistsError, NewerVersionError, NotFoundError, UnsuitableStoreError
from fleet.store.objects import Objects
from fleet.store.probe import check_exclusive_creation


class FleetInfo(Frozen):
    """A fleet's random id, and the version of the bucket's layout."""

    fleet_id: str
    layout: int


def new_fleet_id() -> str:
    """Random: nobody else's fleet is called so."""
    return secrets.token_hex(8)


def read_fleet(objects: Objects) -> FleetInfo | None:
    """The fleet of a bucket; None if it has none. Raises NewerVersionError for a layout of a newer fleet's."""
    try:
        data = objects.get(layout.FLEET)
    except NotFoundError:
        return None
    try:
        info = FleetInfo.model_validate_json(data)
    except ValidationError:
        raise UnsuitableStoreError(
            f"{objects.url}/{layout.FLEET} does not hold what fleet writes there", "Name another bucket or folder."
        ) from None
    if info.layout > layout.LAYOUT_VERSION:
        raise NewerVersionError(
            f"{objects.url} has layout version {info.layout}; this fleet knows {layout.LAYOUT_VERSION}",
            "Upgrade fleet (pip install -U fleet).",
        )
    return info


def ensure_fleet(objects: Objects, fleet_id: str | None = None) -> FleetInfo:
    """The fleet of a bucket, set up if there is none: only where exclusive creation is honoured.

    ``fleet_id``: what a new one is called, if that was decided before; else a random id.
    Raises UnsuitableStoreError if it is not, StoreError if the bucket cannot be written.
    """
    found = read_fleet(objects)
    if found is not None:
        return found
    check_exclusive_creation(objects)
    info = FleetInfo(fleet_id=fleet_id or new_fleet_id(), layout=layout.LAYOUT_VERSION)
    try:
        objects.create(layout.FLEET, document_bytes(info))
    except AlreadyExistsError:
        found = read_fleet(objects)  # another set-up was first, or our own answer was lost
    return found or info

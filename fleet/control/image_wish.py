"""What kind of image the user wants, and whether machines could boot from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.control.image_places import ImagePlace
from fleet.control.names import nearest
from fleet.model.errors import FleetError
from fleet.model.image import Variant
from fleet.providers.aws.own_images import BASES
from fleet.providers.aws.published import DEFAULT, OLDER, Arch
from fleet.providers.gpus import GPUS, NEWEST

_PULL = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user said. What is not said is the usual."""

    base: str | None = None
    variant: Variant = "cpu"
    driver: str | None = None
    arch: Arch = "x86_64"
    region: str | None = None
    pulls: tuple[str, ...] = ()
    instance_type: str | None = None
    disk_gb: int | None = None
    come_from: str | None = None
    """The address that the builder is reached from; None: found out."""


def driver_of(wish: Wish) -> str:
    """NVIDIA's branch; empty: none. Raises FleetError for one that no machine wants."""
    known = sorted({gpu.branch for gpu in GPUS.values() if gpu.branch is not None})
    if wish.variant == "cpu":
        if wish.driver is not None:
            raise FleetError("an image without a GPU's driver takes no --driver", "Add --variant gpu.")
        return ""
    driver = wish.driver or NEWEST.branch or ""
    if driver not in known:
        told = f"no machine that fleet knows boots with the driver {driver!r}; {nearest(driver, known)}"
        raise FleetError(told, f"Drivers: {', '.join(known)}. `fleet prices TYPE` says which a type needs.")
    return driver


def base_of(wish: Wish, driver: str) -> str:
    """What it is made from. Raises FleetError if the rest of the wish does not go with it."""
    base = wish.base or OLDER.get(driver, DEFAULT)
    if base not in BASES:
        raise FleetError(f"images are not made from {base!r}; {nearest(base, BASES)}", f"--base {BASES[0]}")
    older = OLDER.get(driver, base)
    if older != base:
        told = f"the driver {driver} has ended, and is not built for the kernel of {base}"
        raise FleetError(told, f"Machines that need it boot from {older}: --base {older}, or no --base at all.")
    for name in wish.pulls:
        if not _PULL.fullmatch(name):
            told = f"{name!r} is no image by its digest"
            raise FleetError(told, "For example python@sha256:…: `docker buildx imagetools inspect NAME` tells it.")
    return base


def where(place: ImagePlace, wish: Wish) -> tuple[str, str]:
    """Region and subnet: where the fleet's machines stand, too. Raises FleetError if there are none."""
    setup = place.setup
    if setup is None or place.objects is None:
        raise FleetError("no AWS account was set up from here, and images are for its machines", "Once: fleet init aws")
    region = wish.region or (setup.bucket_region if setup.bucket_region in setup.regions else min(setup.regions))
    if region not in setup.regions:
        told = f"{region} is not set up: no machine would boot from the image; {nearest(region, setup.regions)}"
        raise FleetError(told, f"fleet init aws --region {region}")
    subnets = setup.regions[region].subnets
    # The builder is reached from here: it needs a public address, which those of such a set-up have not.
    return region, subnets[min(subnets)] if subnets and setup.public_ip else ""


def ssh_from(named: str | None) -> str:
    """Who may reach the builder: this computer alone. Raises FleetError."""
    from fleet.providers.addresses import Address, caller_address
    from fleet.providers.doors import narrow

    return narrow(named) if named else caller_address(Address("0.0.0.0", public=True))  # noqa: S104 - of anybody outside

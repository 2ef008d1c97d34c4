"""``fleet ami share``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.control.home import open_home
from fleet.model.errors import FleetError, ProviderError

if TYPE_CHECKING:
    from fleet.cli.objects import SharedImageObject
    from fleet.providers.aws.own_images import OwnImage

ACCOUNT = re.compile(r"\d{12}")
PUBLIC = """\
PUBLIC: everybody with an AWS account will be able to start machines from {image}, to read everything in it (the docker
images that were pulled ahead among it), and to keep copies. Mostly accounts are meant: fleet ami share {image} ACCOUNT"""


def share(
    image_id: str, accounts: Sequence[str], bucket: str | None, regions: Sequence[str], *,
    public: bool, stop: bool, yes: bool, as_json: bool,
) -> int:  # fmt: skip
    """Look, show, ask, do."""
    from fleet.control.image_places import find_image, image_place
    from fleet.providers.aws import image_calls

    _check(accounts, public=public)
    place = image_place(open_home(), bucket, regions)
    image = find_image(place, image_id)
    if not stop:
        refuse_encrypted(image)
    who = "everybody" if public else ", ".join(accounts)
    if public and not stop:
        say(PUBLIC.format(image=image_id))
    change = f"Let {who} no longer launch" if stop else f"Let {who} launch"
    confirm(f"{change} machines from {image_id} in {image.region}?", yes=yes, otherwise="nothing was changed")
    try:
        image_calls.share(place.calls, image, accounts, everybody=public, stop=stop)
    except ProviderError as error:
        if public and error.code == "OperationNotPermitted":
            error.hint = "The account blocks public images: EC2's setting `block public access for AMIs`, in each region."
        raise
    now = image_calls.shared_with(place.calls, image)
    others = ", ".join("everybody" if one == "all" else one for one in now) or "nobody"
    say(f"{image_id} in {image.region} may be launched by this account and {others}.")
    if now:
        say(f"There it is named in the job: resources: {{image_id: {image_id}}}. Its snapshot stays yours to pay.")
    if as_json:
        told: SharedImageObject = {
            "image": image_id,
            "region": image.region,
            "accounts": [one for one in now if one != "all"],
            "public": "all" in now,
        }
        emit(told)
    return 0


def _check(accounts: Sequence[str], *, public: bool) -> None:
    for one in accounts:
        if not ACCOUNT.fullmatch(one):
            raise FleetError(
                f"{one!r} is no AWS account: they have 12 digits", "`aws sts get-caller-identity` tells one's own."
            )
    if bool(accounts) == public:
        told = "both accounts and --public" if public else "neither an account nor --public"
        raise FleetError(f"with whom? {told}", "For example: fleet ami share IMAGE 210987654321")


def refuse_encrypted(image: OwnImage) -> None:
    """Raises FleetError: nobody else could boot from it."""
    if image.encrypted:
        raise FleetError(
            f"{image.image_id} cannot be shared: its snapshot is encrypted with this account's key, which no other has",
            "EC2 encrypts new disks if `EBS encryption by default` is on in the region. fleet does not ask for it, since "
            "nothing secret is in an image (its machines' disks are encrypted): build it where the setting is off.",
        )

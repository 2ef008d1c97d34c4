"""What ``fleet destroy aws`` removes, and what it leaves: a pure function of what remains in the account.

The bucket's record of the set-up goes last: as long as it is there, the next run knows where everything is.
"""

from __future__ import annotations

from fleet.model.units import format_money
from fleet.providers.remains import Rates, Remains, Remnant, Removal, Wish, removal_of

RATES = Rates({"volume": 80_000, "snapshot": 50_000, "image": 50_000}, 23_000)
"""gp3, and a snapshot at most, in most regions; and S3."""
ORDER: tuple[str, ...] = (
    "schedule", "rule", "alarm", "topic", "function", "log group", "code",
    "launch template", "key", "volume", "snapshot", "security group", "google trust",
    "google pool", "profile", "role", "record", "image", "bucket",
)  # fmt: skip
"""The controller in the account first: what calls it before itself, itself before its role."""


def plan_removal(remains: Remains, *, delete_volumes: bool, delete_bucket: bool) -> list[Removal]:
    """What is done about each thing, in the order of doing."""
    wish = Wish(delete_volumes, delete_bucket)
    things = sorted(remains.things, key=lambda one: (ORDER.index(one.kind), one.region, one.id))
    return [_image(one) if one.kind == "image" else removal_of(one, remains.contents, RATES, wish) for one in things]


def _image(one: Remnant) -> Removal:
    """The account's, not a fleet's: other fleets' machines may boot from it."""
    price = one.size_gb * RATES.gb_month["image"]
    told = f"{one.told}, {format_money(price)} a month at most; `fleet ami prune --all --region {one.region}` removes it"
    return Removal("leave", one.kind, one.region, one.id, told, price)

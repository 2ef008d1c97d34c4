"""What ``fleet destroy gcp`` removes, and what it leaves: a pure function of what remains in the project."""

from __future__ import annotations

from fleet.providers.remains import Rates, Remains, Removal, Wish, removal_of

RATES = Rates({"volume": 100_000}, 20_000)
"""pd-balanced in most regions, and Standard storage in us-central1. fleet makes no snapshots here."""
ORDER = (
    "volume", "rule", "router", "subnet", "network", "aws role", "secrets", "rights", "service account",
    "record", "bucket",
)  # fmt: skip
"""What holds something else goes before it."""


def plan_removal(remains: Remains, *, delete_volumes: bool, delete_bucket: bool) -> list[Removal]:
    """What is done about each thing, in the order of doing."""
    wish = Wish(delete_volumes, delete_bucket)
    things = sorted(remains.things, key=lambda one: (ORDER.index(one.kind), one.region, one.id))
    return [removal_of(one, remains.contents, RATES, wish) for one in things]

"""EC2's descriptions in fleet's words: pure.

A machine's own disks (its root, which ends with it) are no volumes of a run: they are never listed. They are told by
``DeleteOnTermination``, by the device that is a root's, and, when nothing holds them, by the snapshot they came from: a
run's volume is made blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import EndedBy, Instance, InstanceState, Market, Offer, PriceSince, Volume, VolumeState
from fleet.providers.aws.rates import volume_price

REQUEST_TAG = "request"
"""Holds the digest of what was asked for, since EC2 does not tell it afterwards. Not shown."""
VOLUME_TOKEN_TAG = "token"  # noqa: S105  # the name of a tag
"""By it a volume is found that was made outside a launch. Not shown."""
ROOTS = frozenset({"/dev/sda1", "/dev/xvda", "/dev/sda"})
_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")

_ENDED_BY: dict[str, EndedBy] = {
    "Server.SpotInstanceTermination": "cloud",
    "Server.SpotInstanceShutdown": "cloud",
    "Server.ScheduledStop": "cloud",
    "Server.InsufficientInstanceCapacity": "cloud",
    "Server.InternalError": "cloud",
    "Client.InstanceInitiatedShutdown": "itself",
    "Client.UserInitiatedShutdown": "fleet",  # or a person in the console: the account's own wish
    "Client.UserInitiatedHibernate": "fleet",
}
"""What else there is (``Client.InternalError``: a key that may not be used; ``Client.VolumeLimitExceeded``) says that a
launch failed, not who ended a machine: ``unknown``."""


def tags_of(described: Mapping[str, Any], hidden: Iterable[str] = ()) -> dict[str, str]:
    """The tags that fleet gave it: without EC2's own, and without those that are for this provider alone."""
    found = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    left_out = set(hidden)
    return {key: value for key, value in sorted(found.items()) if not key.startswith("aws:") and key not in left_out}


def tag(described: Mapping[str, Any], key: str) -> str | None:
    """One tag's value."""
    return next((one["Value"] for one in described.get("Tags", []) if one["Key"] == key), None)


def moment(value: datetime | str) -> Seconds:
    """A time of EC2's as seconds since 1970."""
    found = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def ended(described: Mapping[str, Any]) -> tuple[Seconds | None, EndedBy | None]:
    """When a machine ended and by whom; (None, None) while it has not. The time may be missing: nobody said it."""
    if described["State"]["Name"] not in ("terminated", "stopped"):
        return None, None
    found = _AT.search(described.get("StateTransitionReason") or "")
    at = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp() if found else None
    code = described.get("StateReason", {}).get("Code") or ""
    launched = moment(described["LaunchTime"])
    return (max(at, launched) if at is not None else None), _ENDED_BY.get(code, "unknown")


def instance(described: Mapping[str, Any], region: str, book: Mapping[str, Offer]) -> Instance:
    """A machine. ``book`` holds offers by key: what it costs, and which accelerators it has."""
    ended_at, ended_by = ended(described)
    return Instance(
        instance_id=described["InstanceId"],
        offer=offer_of(described, region, book),
        state=InstanceState(described["State"]["Name"]),
        launched_at=moment(described["LaunchTime"]),
        ended_at=ended_at,
        ended_by=ended_by,
        tags=tags_of(described, (REQUEST_TAG,)),
        volume_ids=tuple(sorted(_disks(described, own=False))),
    )


def offer_of(described: Mapping[str, Any], region: str, book: Mapping[str, Offer]) -> Offer:
    """Which offer a machine became.

    EC2 does not say what a machine costs. The price is the one that is known of its offer now; of an offer that is no longer
    sold, what its type costs in another zone; else 0, until the price history says it (it corrects all of these).
    """
    market = Market.SPOT if described.get("InstanceLifecycle") == "spot" else Market.ON_DEMAND
    bare = Offer(
        provider="aws",
        region=region,
        zone=described["Placement"]["AvailabilityZone"],
        instance_type=described["InstanceType"],
        market=market,
        price=0,
        on_demand_price=0,
    )
    if bare.key in book:
        return book[bare.key]
    alike = [o for o in book.values() if (o.instance_type, o.market) == (bare.instance_type, market)]
    if not alike:
        return bare
    like = max(alike, key=lambda offer: (offer.price, offer.key))
    return like.model_copy(update={"zone": bare.zone})


def own_disks(described: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The disks that end with their machines."""
    return frozenset(disk for one in described for disk in _disks(one, own=True))


def _disks(described: Mapping[str, Any], *, own: bool) -> Iterable[str]:
    root = described.get("RootDeviceName")
    for mapping in described.get("BlockDeviceMappings", []):
        disk = mapping.get("Ebs", {})
        ends_with_it = disk.get("DeleteOnTermination", False) or mapping.get("DeviceName") == root
        if "VolumeId" in disk and ends_with_it == own:
            yield disk["VolumeId"]


def volume(described: Mapping[str, Any], region: str) -> Volume | None:
    """A volume; None for one that is gone."""
    if described["State"] == "deleted":
        return None
    state, held_by = _held(described)
    return Volume(
        volume_id=described["VolumeId"],
        region=region,
        zone=described["AvailabilityZone"],
        size_gb=described["Size"],  # GiB, which EC2's own price list calls GB
        state=state,
        attached_to=held_by,
        created_at=moment(described["CreateTime"]),
        price=volume_price(region),
        tags=tags_of(described, (VOLUME_TOKEN_TAG,)),
    )


def _held(described: Mapping[str, Any]) -> tuple[VolumeState, str | None]:
    """State and holder: EC2 says half of it with the volume, half with the attachment."""
    state = described["State"]
    attachment = next((one for one in described.get("Attachments", []) if one.get("State") != "detached"), None)
    if state in ("deleting", "error"):  # what failed cannot be used, only deleted
        return VolumeState.DELETING, None
    if attachment is None:
        return (VolumeState.CREATING if state == "creating" else VolumeState.AVAILABLE), None
    told = {"attaching": VolumeState.ATTACHING, "detaching": VolumeState.DETACHING, "busy": VolumeState.DETACHING}
    return told.get(attachment.get("State", "attached"), VolumeState.IN_USE), attachment["InstanceId"]


def is_own_disk(described: Mapping[str, Any], own: frozenset[str] = frozenset()) -> bool:
    """Whether a volume is a machine's root, not a run's disk."""
    if described["VolumeId"] in own:
        return True
    attachments = described.get("Attachments", [])
    if any(one.get("DeleteOnTermination") or one.get("Device") in ROOTS for one in attachments):
        return True
    return not attachments and bool(described.get("SnapshotId"))


def price_steps(found: Iterable[Mapping[str, Any]], since: Seconds, until: Seconds) -> tuple[PriceSince, ...]:
    """A price history from a time on: the price in force then, and each change after it."""
    steps = sorted((moment(one["Timestamp"]), micros(one["SpotPrice"])) for one in found)
    before = [price for at, price in steps if at <= since]
    after = [(at, price) for at, price in steps if since < at <= until]
    if before:
        after.insert(0, (since, before[-1]))
    changes = [step for index, step in enumerate(after) if index == 0 or step[1] != after[index - 1][1]]
    return tuple(PriceSince(at=at, price=price) for at, price in changes)


def micros(dollars: str) -> Micros:
    """A price of EC2's (``0.157800``) in micro-dollars."""
    return int((Decimal(dollars) * 1_000_000).to_integral_value(ROUND_HALF_UP))


def when(at: Seconds) -> datetime:
    """Seconds since 1970 as EC2 would tell them."""
    return datetime.fromtimestamp(at, timezone.utc)

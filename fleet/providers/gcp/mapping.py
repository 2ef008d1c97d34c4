"""Compute Engine's descriptions in fleet's words: pure.

A machine's boot disk, which ends with it, is no volume of a run: it is never listed. It is told by the image that it came
from, and within a machine's description by being its boot disk: a run's volume is made blank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from fleet.model.base import Micros, Seconds
from fleet.model.cloud import EndedBy, Instance, InstanceState, Market, Offer, Volume, VolumeState
from fleet.providers.gcp import shapes
from fleet.providers.gcp.names import FLEET_LABEL, NAMED, id_of, label, last, region_of, tags_of

PROVIDER = "gcp"
_STATES = {
    "PENDING": InstanceState.PENDING,
    "PROVISIONING": InstanceState.PENDING,
    "STAGING": InstanceState.PENDING,
    "RUNNING": InstanceState.RUNNING,
    "REPAIRING": InstanceState.RUNNING,  # as far as anybody may rely on: it may be back, and is charged for
    "PENDING_STOP": InstanceState.STOPPING,
    "STOPPING": InstanceState.STOPPING,
    "SUSPENDING": InstanceState.STOPPING,
    "DEPROVISIONING": InstanceState.SHUTTING_DOWN,
    "STOPPED": InstanceState.STOPPED,
    "SUSPENDED": InstanceState.STOPPED,
    "TERMINATED": InstanceState.STOPPED,  # Compute Engine's word for a machine that is only stopped
}
_MADE_OF = ("sourceImage", "sourceSnapshot", "sourceInstantSnapshot", "sourceDisk")
_FRACTION = re.compile(r"\.(\d+)")


def moment(text: str) -> Seconds:
    """A time of Compute Engine's (``2026-03-01T10:20:30.456-08:00``) as seconds since 1970."""
    # Python 3.10 reads fractions of three or six digits only.
    whole = _FRACTION.sub(lambda found: "." + found[1][:6].ljust(6, "0"), text).replace("Z", "+00:00")
    found = datetime.fromisoformat(whole)
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def when(at: Seconds) -> str:
    """Seconds since 1970 as Compute Engine is told them, whole seconds."""
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_mine(described: Mapping[str, Any], fleet_id: str) -> bool:
    """Whether a machine or a disk is this fleet's: by its label, and by what its description says exactly.

    A label alone says nothing: people put them on machines of their own, to find them on the bill. Only a machine's own
    disk, which is made with no description, is told by its label and its name.
    """
    said = tags_of(described.get("description", "")).get("fleet")
    own_disk = said is None and is_boot_disk(described) and str(described.get("name", "")).startswith(NAMED)
    return described.get("labels", {}).get(FLEET_LABEL) == label(fleet_id) and (said == fleet_id or own_disk)


def machine_id(described: Mapping[str, Any]) -> str:
    """A machine's or a disk's id."""
    return id_of(described["name"], described["zone"])


def state_of(described: Mapping[str, Any]) -> InstanceState:
    """How far a machine is in its life."""
    return _STATES.get(described.get("status", ""), InstanceState.PENDING)


def is_made(described: Mapping[str, Any]) -> bool:
    """Whether a machine came to be. One that has not run yet has a name and an entry in the lists, and may still come to
    nothing: as if it had never been. Its token's next offer is asked for then, and its name may be another's.
    """
    return described.get("status") not in ("PENDING", "PROVISIONING", "STAGING")


def market_of(described: Mapping[str, Any]) -> Market:
    """Whether the cloud may take a machine back."""
    scheduling = described.get("scheduling", {})
    spot = scheduling.get("provisioningModel") == "SPOT" or scheduling.get("preemptible", False)
    return Market.SPOT if spot else Market.ON_DEMAND


def instance(
    described: Mapping[str, Any], book: Mapping[str, Offer], *, ended_by: EndedBy | None = None, deleting: bool = False
) -> Instance:
    """A machine. ``book`` holds offers by key: what it costs, and which accelerators it has. ``ended_by`` says who stopped
    one that is stopped; ``deleting``: what is told to stop is on its way to be deleted."""
    state = state_of(described)
    if state is InstanceState.STOPPING and deleting:
        state = InstanceState.SHUTTING_DOWN
    stopped = state is InstanceState.STOPPED
    at = described.get("lastStopTimestamp") or described.get("lastSuspendedTimestamp")
    launched = moment(described["creationTimestamp"])
    return Instance(
        instance_id=machine_id(described),
        offer=offer_of(described, book),
        state=state,
        launched_at=launched,
        ended_at=max(launched, moment(at)) if stopped and at else None,
        ended_by=(ended_by or "unknown") if stopped else None,
        tags=tags_of(described.get("description", "")),
        volume_ids=tuple(sorted(attached(described))),
    )


def attached(described: Mapping[str, Any]) -> Iterable[str]:
    """The ids of the disks at a machine that outlive it."""
    for disk in described.get("disks", []):
        if disk.get("source") and not disk.get("boot") and not disk.get("autoDelete"):
            yield disk_id(disk["source"], described["zone"])


def disk_id(source: str, zone: str) -> str:
    """The id of a disk by its URL. A regional disk has no zone of its own, and is none of fleet's."""
    found = re.search(r"zones/([^/]+)/disks/", source)
    return id_of(last(source), found[1] if found else zone)


def device_of(described: Mapping[str, Any], disk_name: str) -> str | None:
    """The device name by which a machine holds a disk; None: it does not."""
    for disk in described.get("disks", []):
        if disk.get("source") and last(disk["source"]) == disk_name:
            return str(disk.get("deviceName") or disk_name)
    return None


def offer_of(described: Mapping[str, Any], book: Mapping[str, Offer]) -> Offer:
    """Which offer a machine became.

    Compute Engine does not say what a machine costs. The price is the one that is known of its offer now; of an offer that
    is no longer sold, what its type costs in another zone of the region; else 0.
    """
    zone, market = last(described["zone"]), market_of(described)
    bare = Offer(
        provider=PROVIDER,
        region=region_of(zone),
        zone=zone,
        instance_type=shapes.named(described.get("machineType", ""), described.get("guestAccelerators", ())),
        market=market,
        price=0,
        on_demand_price=0,
    )
    if bare.key in book:
        return book[bare.key]
    alike = [o for o in book.values() if (o.region, o.instance_type, o.market) == (bare.region, bare.instance_type, market)]
    if not alike:
        return bare
    return max(alike, key=lambda offer: (offer.price, offer.key)).model_copy(update={"zone": zone})


def is_boot_disk(described: Mapping[str, Any]) -> bool:
    """Whether a disk is a machine's own, not a run's: it was made of something."""
    return any(described.get(one) for one in _MADE_OF)


def volume(described: Mapping[str, Any], price: Callable[[str], Micros]) -> Volume:
    """A volume. ``price`` tells micro-dollars per GB and month in a region."""
    zone = last(described["zone"])
    users = sorted(id_of(last(user), zone) for user in described.get("users", []))
    return Volume(
        volume_id=machine_id(described),
        region=region_of(zone),
        zone=zone,
        size_gb=int(described["sizeGb"]),  # 2^30 bytes, which Google's own price list calls GB
        state=_volume_state(described.get("status", ""), held=bool(users)),
        attached_to=users[0] if users else None,
        created_at=moment(described["creationTimestamp"]),
        price=price(region_of(zone)),
        tags=tags_of(described.get("description", "")),
    )


def _volume_state(status: str, *, held: bool) -> VolumeState:
    if status in ("CREATING", "RESTORING"):
        return VolumeState.CREATING
    if status in ("DELETING", "FAILED"):  # what failed cannot be used, only deleted
        return VolumeState.DELETING
    return VolumeState.IN_USE if held else VolumeState.AVAILABLE

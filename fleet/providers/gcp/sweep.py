"""What lies about in a project with a fleet's label, and nobody owns: found, and priced. Pure.

Nothing of another fleet's, nothing young, nothing that goes by itself. Stopped machines count: their disks cost money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.core.costs import HOURS_PER_MONTH
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import InstanceState, Offer
from fleet.model.setup import GcpSetup
from fleet.providers.gcp.mapping import instance, is_boot_disk, is_mine, machine_id, moment
from fleet.providers.gcp.names import id_of, last, region_of, tags_of
from fleet.providers.gcp.rules import own_rules
from fleet.providers.gcp.uploads import Unfinished
from fleet.providers.let_in import forgotten
from fleet.providers.strays import YOUNG, Owned, Stray, upload_stray, whose_run

Described = Mapping[str, Any]
LIVES = frozenset({InstanceState.PENDING, InstanceState.RUNNING, InstanceState.STOPPING, InstanceState.STOPPED})


@dataclass(frozen=True, slots=True)
class Found:
    """What a project holds, as it was described."""

    machines: Sequence[Described] = ()
    disks: Sequence[Described] = ()
    rules: Sequence[Described] = ()
    """Of the fleet's network."""
    uploads: Sequence[Unfinished] = ()
    book: Mapping[str, Offer] = field(default_factory=dict)
    """What machines cost, by their offers."""


def strays(
    found: Found, setup: GcpSetup, owned: Owned, now: Seconds, disk: Callable[[str], Micros], stored: Micros = 0
) -> list[Stray]:
    """Everything that is this fleet's and nobody's. ``disk`` tells what a GB and month of a disk costs in a region;
    ``stored``: of what lies in the bucket."""
    uploads = (
        upload_stray(setup.bucket, one.upload_id, one.key, one.size, now - one.begun_at, stored) for one in found.uploads
    )
    return [
        *_machines(found, setup.fleet_id, owned, now, disk),
        *_disks(found, setup.fleet_id, owned, now, disk),
        *_rules(found, setup, now),
        *(one for one in uploads if one is not None),
    ]


def _old(described: Described, now: Seconds) -> bool:
    made = described.get("creationTimestamp")
    return made is not None and now - moment(made) >= YOUNG


def _machines(found: Found, fleet_id: str, owned: Owned, now: Seconds, disk: Callable[[str], Micros]) -> Iterator[Stray]:
    for one in found.machines:
        if not is_mine(one, fleet_id) or not _old(one, now):
            continue
        seen = instance(one, found.book)
        if seen.state not in LIVES or owned.owns(seen.tags, seen.instance_id):
            continue
        why = f"no attempt of this fleet owns it ({seen.offer.instance_type}, {seen.state.value})"
        stopped = seen.state is InstanceState.STOPPED
        if not seen.offer.price and not stopped:
            why += "; its own price is not known"
        own = sum(int(each.get("diskSizeGb", 0)) for each in one.get("disks", ()) if each.get("autoDelete"))
        monthly = own * disk(seen.offer.region) + (0 if stopped else seen.offer.price * HOURS_PER_MONTH)
        yield Stray("machine", seen.offer.region, seen.instance_id, why, monthly)


def _disks(found: Found, fleet_id: str, owned: Owned, now: Seconds, disk: Callable[[str], Micros]) -> Iterator[Stray]:
    """Those that a run would have kept; and a machine's own one whose machine is gone."""
    for one in found.disks:
        region, size = region_of(one["zone"]), int(one.get("sizeGb", 0))
        holders = [id_of(last(user), one["zone"]) for user in one.get("users", ())]
        if not is_mine(one, fleet_id) or not _old(one, now) or one.get("status") == "DELETING":
            continue
        run = tags_of(one.get("description", "")).get("run", "")
        if is_boot_disk(one):
            if not holders:
                told = f"it is a machine's own, and that is gone ({size} GB)"
                yield Stray("volume", region, machine_id(one), told, size * disk(region))
            continue
        if run in owned.runs or owned.instances & set(holders):
            continue
        why = whose_run(run) + (f"; attached to {holders[0]}" if holders else "")
        yield Stray("volume", region, machine_id(one), f"{why} ({size} GB)", size * disk(region))


def _rules(found: Found, setup: GcpSetup, now: Seconds) -> Iterator[Stray]:
    """Ports that were opened for a while, which has passed. What says something else is the user's own."""
    region = min(setup.regions, default="")  # a rule is the network's; it is told with the first region
    for rule in forgotten(own_rules(region, found.rules, setup), now):
        why = f"port 22 was open for {rule.cidr}, and that is over"
        yield Stray("ingress-rule", rule.region, rule.rule_id, why, 0, rule.group_id)

"""What lies about in an account with a fleet's tag, and nobody owns: found, priced, and removed on a word.

The decision is pure: what EC2 and S3 describe of one region goes in, a list of what is nobody's comes out. Nothing of
another fleet's, nothing young (a launch on its way owns what no journal knows yet), nothing that goes by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet.core.costs import HOURS_PER_MONTH
from fleet.model.base import Micros, Seconds
from fleet.providers.aws.rules import own_rules
from fleet.providers.let_in import forgotten
from fleet.providers.strays import YOUNG, Owned, Stray, upload_stray, whose_run

Described = Mapping[str, Any]
"""One thing, as EC2's or S3's own answer has it."""

GB_MONTH: Mapping[str, Micros] = {
    "gp3": 80_000,
    "gp2": 100_000,
    "io1": 125_000,
    "io2": 125_000,
    "st1": 45_000,
    "sc1": 15_000,
    "standard": 50_000,
}
"""Of disks, by their type, in us-east-1: elsewhere up to half as much again."""
SNAPSHOT_GB_MONTH: Micros = 50_000
"""Of the disk's whole size: a snapshot is charged for what is in it, which EC2 does not tell."""
UPLOAD_GB_MONTH: Micros = 23_000
ADDRESS_HOUR: Micros = 5_000
"""A public IPv4 address."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one region holds, as it was described."""

    region: str
    instances: Sequence[Described] = ()
    volumes: Sequence[Described] = ()
    snapshots: Sequence[Described] = ()
    spot_requests: Sequence[Described] = ()
    rules: Sequence[Described] = ()
    """Of the fleet's security groups."""
    templates: Sequence[Described] = ()
    """Versions, each with the Tags of its template."""
    template: tuple[str, str] | None = None
    """The id and the version that machines are launched with; None: no set-up uses this region."""
    uploads: Sequence[Described] = ()
    """Unfinished, each with its size as Bytes."""
    prices: Mapping[str, Micros] = field(default_factory=dict)
    """Micro-dollars per hour, by instance id: what each machine costs, where that could be found out."""


def strays(found: Found, fleet_id: str, owned: Owned, now: Seconds) -> list[Stray]:
    """Everything in one region that is this fleet's and nobody's."""
    return [
        *_machines(found, fleet_id, owned, now),
        *_spot_requests(found, fleet_id, owned, now),
        *_volumes(found, fleet_id, owned, now),
        *_snapshots(found, fleet_id, owned, now),
        *_rules(found, fleet_id, now),
        *_templates(found, fleet_id, now),
        *_uploads(found, now),
    ]


def _tags(one: Described) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in one.get("Tags") or ()}


def _is_ours(one: Described, fleet_id: str) -> bool:
    return _tags(one).get("fleet") == fleet_id


def _age(made: Any, now: Seconds) -> Seconds:
    """Of something made at a time; of no time at all: it cannot be told, so it is young."""
    return now - made.timestamp() if isinstance(made, datetime) else 0.0


def _machines(found: Found, fleet_id: str, owned: Owned, now: Seconds) -> Iterator[Stray]:
    for one in found.instances:
        state, name = one["State"]["Name"], one["InstanceId"]
        if state not in ("pending", "running", "stopping", "stopped") or not _is_ours(one, fleet_id):
            continue
        if _age(one.get("LaunchTime"), now) < YOUNG or owned.owns(_tags(one), name):
            continue
        hourly = found.prices.get(name, 0) + (ADDRESS_HOUR if one.get("PublicIpAddress") else 0)
        roots = sum(_monthly(v) for v in found.volumes if any(a.get("InstanceId") == name for a in _goes_with(v)))
        why = f"no attempt of this fleet owns it ({one['InstanceType']}, {state})"
        if name not in found.prices and state != "stopped":
            why += "; its own price is not known"
        monthly = roots + (hourly * HOURS_PER_MONTH if state != "stopped" else 0)
        yield Stray("machine", found.region, name, why, monthly)


def _goes_with(volume: Described) -> list[Described]:
    """Attachments that take the disk with them when their machine ends."""
    return [one for one in volume.get("Attachments") or () if one.get("DeleteOnTermination")]


def _monthly(volume: Described) -> Micros:
    return int(volume["Size"]) * GB_MONTH.get(volume.get("VolumeType", "gp3"), GB_MONTH["gp3"])


def _volumes(found: Found, fleet_id: str, owned: Owned, now: Seconds) -> Iterator[Stray]:
    for one in found.volumes:
        if not _is_ours(one, fleet_id) or one.get("State") in ("deleting", "deleted") or _goes_with(one):
            continue
        run = _tags(one).get("run", "")
        holders = [a.get("InstanceId", "") for a in one.get("Attachments") or ()]
        if run in owned.runs or owned.instances & set(holders) or _age(one.get("CreateTime"), now) < YOUNG:
            continue
        why = whose_run(run)
        why += f"; attached to {holders[0]}" if holders else ""
        yield Stray("volume", found.region, one["VolumeId"], f"{why} ({one['Size']} GB)", _monthly(one))


def _snapshots(found: Found, fleet_id: str, owned: Owned, now: Seconds) -> Iterator[Stray]:
    for one in found.snapshots:
        run = _tags(one).get("run", "")
        if not _is_ours(one, fleet_id) or run in owned.runs or _age(one.get("StartTime"), now) < YOUNG:
            continue
        size = int(one["VolumeSize"])
        why = whose_run(run)
        yield Stray("snapshot", found.region, one["SnapshotId"], f"{why} (at most {size} GB)", size * SNAPSHOT_GB_MONTH)


def _spot_requests(found: Found, fleet_id: str, owned: Owned, now: Seconds) -> Iterator[Stray]:
    """Those that may still bring a machine. A one-time request that brought one is over once the machine is."""
    for one in found.spot_requests:
        lasting = one.get("Type") == "persistent"
        if one["State"] not in (("open", "active", "disabled") if lasting else ("open",)) or not _is_ours(one, fleet_id):
            continue
        if _age(one.get("CreateTime"), now) < YOUNG or owned.owns(_tags(one), one.get("InstanceId")):
            continue
        why = "it launches machines again and again" if lasting else "it may still launch a machine, for no attempt"
        yield Stray("spot-request", found.region, one["SpotInstanceRequestId"], why, 0)


def _rules(found: Found, fleet_id: str, now: Seconds) -> Iterator[Stray]:
    """Ports that were opened for a while, which has passed. What says something else is the user's own."""
    for one in found.rules:
        for rule in forgotten(own_rules(found.region, [one], fleet_id), now):
            why = f"port {one.get('FromPort')} was open for {rule.cidr}, and that is over"
            yield Stray("ingress-rule", rule.region, rule.rule_id, why, 0, rule.group_id)


def _templates(found: Found, fleet_id: str, now: Seconds) -> Iterator[Stray]:
    """Versions that no launch names any more: not the set-up's, once that one is no news itself."""
    ours = [one for one in found.templates if _is_ours(one, fleet_id)]
    newest = [one for one in ours if (one["LaunchTemplateId"], str(one["VersionNumber"])) == found.template]
    if found.template is not None and (not newest or _age(newest[0].get("CreateTime"), now) < YOUNG):
        return  # a set-up is at work, or a launch that began before it
    used = found.template[0] if found.template else ""
    young = {one["LaunchTemplateId"] for one in ours if _age(one.get("CreateTime"), now) < YOUNG}
    for one in ours:
        if one in newest or one["LaunchTemplateId"] in young:  # a template that is not used goes whole, or not at all
            continue
        name = f"{one['LaunchTemplateId']}:{one['VersionNumber']}"
        last = one["LaunchTemplateId"] == used
        why = "machines are launched with another version" if last else "no machine is launched with this template"
        yield Stray("template-version", found.region, name, why, 0, one["LaunchTemplateId"])


def _uploads(found: Found, now: Seconds) -> Iterator[Stray]:
    for one in found.uploads:
        age, size = _age(one.get("Initiated"), now), int(one.get("Bytes", 0))
        stray = upload_stray(found.region, one["UploadId"], one["Key"], size, age, UPLOAD_GB_MONTH)
        if stray is not None:
            yield stray

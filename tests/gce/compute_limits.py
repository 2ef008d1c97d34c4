"""What stops a machine that is asked for rightly: the project's quotas, and what a zone has left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.gce.compute_data import ACCELERATORS, DISK_TYPES
from tests.gce.compute_insert import Checked
from tests.gce.compute_operations import Failed
from tests.gce.compute_stock import Stock
from tests.gce.compute_world import Thing, World
from tests.gce.discovery import document
from tests.gce.wire import Json, Refused

GLOBAL = {"GPUS_ALL_REGIONS": 16.0, "CPUS_ALL_REGIONS": 256.0, "NETWORKS": 15.0, "FIREWALLS": 100.0}
REGIONAL = {
    "CPUS": 128.0,
    "N2_CPUS": 64.0,
    "C3_CPUS": 64.0,
    "A2_CPUS": 48.0,
    "T2A_CPUS": 16.0,
    "PREEMPTIBLE_CPUS": 0.0,
    "INSTANCES": 100.0,
    "IN_USE_ADDRESSES": 69.0,
    "DISKS_TOTAL_GB": 40960.0,
    "SSD_TOTAL_GB": 40960.0,
    "HDB_TOTAL_GB": 40960.0,
    "LOCAL_SSD_TOTAL_GB": 6000.0,
    **{quota: 8.0 for _, _, quota in ACCELERATORS.values() if quota != "NVIDIA_H100_GPUS"},
    **{f"PREEMPTIBLE_{quota}": 0.0 for _, _, quota in ACCELERATORS.values()},
}
_FAMILIES = {"n2": "N2_CPUS", "c3": "C3_CPUS", "a2": "A2_CPUS", "t2a": "T2A_CPUS"}
_TROUBLE = "https://cloud.google.com/compute/docs/resource-error"


@dataclass
class Shortage:
    """A zone has no more than ``left`` machines of a kind at a time."""

    zone: str
    what: str
    """A machine type, an accelerator type, or ``*``."""
    market: str = ""
    """``SPOT``, ``STANDARD``, or both."""
    left: int = 0
    details: bool = True
    """With ``…_WITH_DETAILS``, as for most machines today; or the short code."""
    elsewhere: list[str] = field(default_factory=list)
    """Zones that the answer recommends."""

    def meets(self, zone: str, checked: Checked) -> bool:
        """Whether a machine is of this kind."""
        kinds = ("*", checked.kind, *checked.accelerators)
        return self.zone == zone and self.what in kinds and self.market in ("", checked.scheduling["provisioningModel"])


class Limits:
    """Those of one project."""

    def __init__(self, world: World, stock: Stock) -> None:
        self.world = world
        self.limits: dict[str, dict[str, float]] = {"global": dict(GLOBAL)}
        for region in stock.regions():
            self.limits[region] = dict(REGIONAL)
        self.shortages: list[Shortage] = []
        self.at_once = False
        """Quotas are refused at once (403 quotaExceeded), not by the operation: Google does either."""
        stock.checks.append(self._check)
        stock.places.append(self._place)
        stock.disk_checks.append(self._check_disk)

    def uses(self) -> dict[str, Counter[str]]:
        """What is in use now, by region and metric."""
        found: dict[str, Counter[str]] = {scope: Counter() for scope in self.limits}
        for instance in self.world.all("instances"):
            # A stopped machine holds neither processors nor accelerators; one whose place is not yet found, neither.
            if instance.extra.get("placed") and instance.data["status"] != "TERMINATED":
                for scope, metric, count in self._needs(instance.scope, instance.extra["checked"]):
                    found[scope][metric] += int(count)
        for disk in self.world.all("disks"):
            kind = disk.data["type"].rpartition("/")[2]
            found[_region(disk.scope)][DISK_TYPES[kind].quota] += int(disk.data["sizeGb"])
        return found

    def quotas(self, scope: str) -> list[Json]:
        """As ``regions.get`` and ``projects.get`` show them: only those that the discovery document has a name for."""
        known = set(document("compute", "v1").schemas["Quota"]["properties"]["metric"]["enum"])
        uses = self.uses()[scope]
        return [
            {"metric": metric, "limit": limit, "usage": float(uses[metric])}
            for metric, limit in sorted(self.limits[scope].items())
            if metric in known
        ]

    def _needs(self, zone: str, checked: Checked) -> list[tuple[str, str, float]]:
        region, shape = _region(zone), checked.shape
        needs: list[tuple[str, str, float]] = [
            (region, "INSTANCES", 1),
            (region, self._metric(region, _FAMILIES.get(checked.kind.partition("-")[0], "CPUS"), checked.spot), shape.cpus),
            ("global", "CPUS_ALL_REGIONS", shape.cpus),
        ]
        for kind, count in checked.accelerators.items():
            needs.append((region, self._metric(region, ACCELERATORS[kind][2], checked.spot), count))
            needs.append(("global", "GPUS_ALL_REGIONS", count))
        return needs

    def _metric(self, region: str, metric: str, spot: bool) -> str:
        # A project that was granted preemptible quota has its Spot machines counted there, any other with the standard ones.
        preemptible = "PREEMPTIBLE_CPUS" if metric.endswith("CPUS") else f"PREEMPTIBLE_{metric}"
        return preemptible if spot and self.limits[region].get(preemptible, 0) > 0 else metric

    def _exceeded(self, zone: str, checked: Checked) -> tuple[str, Json] | None:
        uses = self.uses()
        for scope, metric, count in self._needs(zone, checked):
            limit = self.limits[scope].get(metric, 0.0)
            if uses[scope][metric] + count > limit:
                return _said(scope, metric, limit)
        return None

    def _check(self, checked: Checked) -> None:
        if self.at_once and (exceeded := self._exceeded(checked.zone, checked)):
            raise Refused(403, "quotaExceeded", exceeded[0])

    def _check_disk(self, zone: str, kind: str, size: int) -> None:
        region, metric = _region(zone), DISK_TYPES[kind].quota
        limit = self.limits[region].get(metric, 0.0)
        if self.uses()[region][metric] + size > limit:
            raise Refused(403, "quotaExceeded", _said(region, metric, limit)[0])

    def _place(self, instance: Thing) -> None:
        checked: Checked = instance.extra["checked"]
        if exceeded := self._exceeded(instance.scope, checked):
            message, info = exceeded
            raise Failed("QUOTA_EXCEEDED", message, 403, "FORBIDDEN", [{"quotaInfo": info}])
        for shortage in self.shortages:
            if shortage.meets(instance.scope, checked) and self._there(shortage) >= shortage.left:
                raise self._exhausted(instance.scope, checked, shortage)
        instance.extra["placed"] = True

    def _there(self, shortage: Shortage) -> int:
        return sum(
            1
            for instance in self.world.all("instances")
            if instance.extra.get("placed")
            and instance.data["status"] != "TERMINATED"
            and shortage.meets(instance.scope, instance.extra["checked"])
        )

    def _exhausted(self, zone: str, checked: Checked, shortage: Shortage) -> Failed:
        where = f"projects/{self.world.cloud.project}/zones/{zone}"
        message = f"The zone '{where}' does not have enough resources available to fulfill the request."
        if not shortage.details:
            return Failed(
                "ZONE_RESOURCE_POOL_EXHAUSTED",
                f"{message}  Try a different zone, or try again later.",
                503,
                "SERVICE UNAVAILABLE",
            )
        extras = ",".join(f"{kind}={count}" for kind, count in sorted(checked.accelerators.items()))
        with_ = "".join(f" with {count} {kind} accelerator(s)" for kind, count in sorted(checked.accelerators.items()))
        local = f"A {checked.kind} VM instance{with_} is currently unavailable in the {zone} zone."
        others = ", ".join(shortage.elsewhere)
        if others:
            local += f" Consider trying your request in the {others} zone(s), which currently has capacity."
        else:
            local += " You can try your request again with a different VM hardware configuration or at a later time."
        metadatas = {"vmType": checked.kind, "zone": zone, "zonesAvailable": others, "attachment": extras}
        details: list[Json] = [
            {"errorInfo": {"reason": "resource_availability", "domain": "compute.googleapis.com", "metadatas": metadatas}},
            {"localizedMessage": {"locale": "en-US", "message": local}},
            {"help": {"links": [{"description": "Troubleshooting documentation", "url": _TROUBLE}]}},
        ]
        said = f"{message[:-1]}, '(resource type:compute)'."
        return Failed("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", said, 503, "SERVICE UNAVAILABLE", details)


def _region(zone: str) -> str:
    return zone.rpartition("-")[0]


def _said(scope: str, metric: str, limit: float) -> tuple[str, Json]:
    where = "globally" if scope == "global" else f"in region {scope}"
    short = metric.replace("_", "-")
    info = {
        "metricName": f"compute.googleapis.com/{metric.lower()}",
        "limitName": f"{short}-per-project" + ("" if scope == "global" else "-region"),
        "dimensions": {} if scope == "global" else {"region": scope},
        "limit": limit,
    }
    return f"Quota '{metric}' exceeded.  Limit: {limit:.1f} {where}.", info

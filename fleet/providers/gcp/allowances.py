"""How many GPUs, processors and disks a project may have at once, and where to ask for more.

A new project may have no GPU at all: said at set-up, it is a form to fill in; said by the first launch, a lost evening.
(https://cloud.google.com/compute/resource-usage#gpu_quota)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.model.cloud import Market
from fleet.model.errors import FleetError
from fleet.providers.gcp import quotas
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.quotas import ALL_GPUS, Quota, device_metric, page

GPUS = ("T4", "L4", "A100")
"""What is told of; what a job needs is looked at for itself."""
OTHERS = {
    "CPUS": ("processors", 4, "a machine with 4"),
    "SSD_TOTAL_GB": ("GB of balanced disk", 600, "a volume of 500 GB beside a machine's own disk"),
    "IN_USE_ADDRESSES": ("public addresses", 1, "a machine"),
}
"""What each machine takes besides: what it is, the least that is of use, and for what."""
NO_GPU = (
    "no GPU anywhere. A billing account on the free trial never gets one: upgrade it to a paid account first (its credit "
    "stays), then ask for 1"
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One of them."""

    region: str
    """Empty: everywhere together."""
    metric: str
    what: str
    limit: float | None
    """None: it could not be looked at."""
    used: float | None
    told: str
    request: str = ""
    """Where to ask for more; empty if what there is will do for a machine."""

    @property
    def enough(self) -> bool:
        """Whether a machine may be had by it, as far as is known."""
        return not self.request


def allowances(calls: Calls, regions: Iterable[str]) -> list[Allowance]:
    """The GPUs of the whole project first. Never fails: whoever may not look may still launch."""
    found = [_everywhere(calls)]
    for region in regions:
        found.extend(in_region(calls, region))
    return found


def _everywhere(calls: Calls) -> Allowance:
    try:
        return of_project(calls.project, _by_metric(quotas.of_project(calls.project)))
    except FleetError as error:
        return _unknown(calls.project, "", ALL_GPUS, "GPUs", error)


def in_region(calls: Calls, region: str, gpus: Iterable[str] = GPUS) -> list[Allowance]:
    """Those of one region. Never fails."""
    try:
        return of_region(calls.project, region, _by_metric(quotas.of_region(calls.project, region)), gpus)
    except FleetError as error:
        return [_unknown(calls.project, region, "CPUS", "processors, disks, GPUs", error)]


def of_project(project: str, known: Mapping[str, Quota]) -> Allowance:
    """GPUs everywhere together. ``known``: by metric."""
    gpus = known.get(ALL_GPUS, Quota(ALL_GPUS, "", 0.0))
    limit, used = gpus.limit, gpus.usage
    if gpus.left >= 1:
        return Allowance("", ALL_GPUS, "GPUs", limit, used, f"{limit:.0f} GPUs in all regions together{_in_use(used)}")
    told = NO_GPU if limit < 1 else f"all {limit:.0f} GPUs are in use: ask for more"
    return Allowance("", ALL_GPUS, "GPUs", limit, used, told, page(project, ALL_GPUS))


def of_region(project: str, region: str, known: Mapping[str, Quota], gpus: Iterable[str] = GPUS) -> list[Allowance]:
    """Of one region: for each GPU, on spot and on demand; then processors, disks and addresses."""
    found = [_gpu(project, region, name, known) for name in gpus if device_metric(name, Market.SPOT)]
    for metric, (what, least, whom) in OTHERS.items():
        quota = known.get(metric, Quota(metric, region, 0.0))
        told = f"{quota.limit:.0f} {what}{_in_use(quota.usage)}"
        few = quota.left < least
        told, request = (f"{told}: too few for {whom}", page(project, metric)) if few else (told, "")
        found.append(Allowance(region, metric, what, quota.limit, quota.usage, told, request))
    return found


def _gpu(project: str, region: str, name: str, known: Mapping[str, Quota]) -> Allowance:
    """Spot takes its own quota once there is one, else that of on-demand."""
    metric, other = str(device_metric(name, Market.SPOT)), device_metric(name, Market.ON_DEMAND)
    demand = known.get(other or "", Quota(metric, region, 0.0))
    spot = known.get(metric, Quota(metric, region, 0.0))
    spot = spot if spot.limit else demand
    told = f"{spot.limit:.0f} {name} on spot, {demand.limit:.0f} on demand{_in_use(spot.usage)}"
    request = "" if max(spot.left, demand.left) >= 1 else page(project, metric)
    return Allowance(region, metric, f"{name} GPUs", spot.limit, spot.usage, told, request)


def _by_metric(found: Iterable[Quota]) -> dict[str, Quota]:
    return {one.metric: one for one in found}


def _in_use(used: float) -> str:
    return f", {used:.0f} in use" if used else ""


def _unknown(project: str, region: str, metric: str, what: str, error: FleetError) -> Allowance:
    reason = getattr(error, "code", type(error).__name__)
    return Allowance(region, metric, what, None, None, f"cannot be looked at ({reason}); see {page(project, metric)}")

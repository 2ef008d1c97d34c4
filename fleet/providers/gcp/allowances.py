"""How many GPUs, processors and disks a project may have at once, and where to ask for more.

A new project may have no GPU at all: said at set-up, it is a form to fill in; said by the first launch, a lost evening.
(https://cloud.google.com/compute/resource-usage#gpu_quota)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.model.errors import FleetError
from fleet.providers.gcp.calling import Calls

GLOBAL = "GPUS_ALL_REGIONS"
GPUS = {"T4": "NVIDIA_T4_GPUS", "L4": "NVIDIA_L4_GPUS", "A100": "NVIDIA_A100_GPUS"}
"""What fleet's GPUs count as in a region; for spot ``PREEMPTIBLE_`` stands before it."""
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
        quotas = _by_metric(calls.compute("GET", ""))
    except FleetError as error:
        return _unknown(calls.project, "", GLOBAL, "GPUs", error)
    return of_project(calls.project, quotas)


def in_region(calls: Calls, region: str) -> list[Allowance]:
    """Those of one region. Never fails."""
    try:
        return of_region(calls.project, region, _by_metric(calls.compute("GET", f"/regions/{region}")))
    except FleetError as error:
        return [_unknown(calls.project, region, "CPUS", "processors, disks, GPUs", error)]


def of_project(project: str, quotas: Mapping[str, tuple[float, float]]) -> Allowance:
    """GPUs everywhere together: by metric, what may be had and what there is already."""
    limit, used = quotas.get(GLOBAL, (0.0, 0.0))
    if limit - used >= 1:
        return Allowance("", GLOBAL, "GPUs", limit, used, f"{limit:.0f} GPUs in all regions together{_in_use(used)}")
    told = NO_GPU if limit < 1 else f"all {limit:.0f} GPUs are in use: ask for more"
    return Allowance("", GLOBAL, "GPUs", limit, used, told, page(project, GLOBAL))


def of_region(project: str, region: str, quotas: Mapping[str, tuple[float, float]]) -> list[Allowance]:
    """Of one region: for each GPU, on spot and on demand; then processors, disks and addresses."""
    found = [_gpu(project, region, name, metric, quotas) for name, metric in GPUS.items()]
    for metric, (what, least, whom) in OTHERS.items():
        limit, used = quotas.get(metric, (0.0, 0.0))
        told = f"{limit:.0f} {what}{_in_use(used)}"
        if limit - used < least:
            found.append(Allowance(region, metric, what, limit, used, f"{told}: too few for {whom}", page(project, metric)))
        else:
            found.append(Allowance(region, metric, what, limit, used, told))
    return found


def _gpu(project: str, region: str, name: str, metric: str, quotas: Mapping[str, tuple[float, float]]) -> Allowance:
    """Spot takes its own quota once there is one, else that of on-demand."""
    spot, demand = quotas.get(f"PREEMPTIBLE_{metric}", (0.0, 0.0)), quotas.get(metric, (0.0, 0.0))
    limit, used = spot if spot[0] else demand
    told = f"{limit:.0f} {name} on spot, {demand[0]:.0f} on demand{_in_use(used)}"
    enough = max(limit - used, demand[0] - demand[1]) >= 1
    return Allowance(
        region, metric, f"{name} GPUs", limit, used, told, "" if enough else page(project, f"PREEMPTIBLE_{metric}")
    )


def _by_metric(answer: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {str(one["metric"]): (float(one.get("limit", 0)), float(one.get("usage", 0))) for one in answer.get("quotas", ())}


def _in_use(used: float) -> str:
    return f", {used:.0f} in use" if used else ""


def _unknown(project: str, region: str, metric: str, what: str, error: FleetError) -> Allowance:
    reason = getattr(error, "code", type(error).__name__)
    return Allowance(region, metric, what, None, None, f"cannot be looked at ({reason}); see {page(project, metric)}")


def page(project: str, metric: str) -> str:
    """Where it can be looked at and asked for in a browser."""
    return (
        f"https://console.cloud.google.com/iam-admin/quotas?project={project}&metric=compute.googleapis.com/{metric.lower()}"
    )

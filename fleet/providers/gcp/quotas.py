"""Which quotas a machine counts against, what they are, and how to ask for more.

A machine with a GPU counts against three: the device's in its region (spot machines have their own,
``PREEMPTIBLE_NVIDIA_T4_GPUS``), all GPUs of the project together (``GPUS_ALL_REGIONS``, which a new project has none of),
and its vCPUs in the region. Where a project was never given a quota for spot vCPUs, they count as others do.

The words are Compute Engine's own (``Quota.metric`` in its discovery document); of newer devices and series than stand
there quotas are told by other words, in the refusal alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.model.cloud import Market
from fleet.providers.gcp.machines import series_of
from fleet.providers.gcp.rest import get

ALL_GPUS = "GPUS_ALL_REGIONS"
ALL_CPUS = "CPUS_ALL_REGIONS"
_DEVICES = {
    "T4": "NVIDIA_T4_GPUS",
    "P4": "NVIDIA_P4_GPUS",
    "P100": "NVIDIA_P100_GPUS",
    "V100": "NVIDIA_V100_GPUS",
    "L4": "NVIDIA_L4_GPUS",
    "A100": "NVIDIA_A100_GPUS",
    "A100-80GB": "NVIDIA_A100_80GB_GPUS",
    "H100": "NVIDIA_H100_GPUS",
}
_SPOT_ONLY = frozenset({"NVIDIA_H100_GPUS"})
"""On demand these have quotas of another kind (by the devices' family)."""
_SERIES = {"n2": "N2_CPUS", "n2d": "N2D_CPUS", "c2": "C2_CPUS", "c2d": "C2D_CPUS", "c3": "C3_CPUS", "e2": "E2_CPUS",
           "t2d": "T2D_CPUS", "t2a": "T2A_CPUS", "a2": "A2_CPUS"}  # fmt: skip
"""Series whose vCPUs on demand are counted apart; others' are ``CPUS``. (G2 counts by its devices alone.)"""
_TOLD = re.compile(r"[Qq]uota '?(?P<metric>[A-Z0-9_]+)'? exceeded\.?(?:\s+Limit: (?P<limit>[0-9.]+))?")


@dataclass(frozen=True, slots=True)
class Quota:
    """One of them, as it is."""

    metric: str
    """``NVIDIA_T4_GPUS``."""
    region: str
    """Empty: the whole project's."""
    limit: float
    usage: float = 0.0

    @property
    def left(self) -> float:
        """What is not in use."""
        return max(0.0, self.limit - self.usage)


@dataclass(frozen=True, slots=True)
class Need:
    """What a machine takes of a quota."""

    metric: str
    count: int
    everywhere: bool = False
    """It is the whole project's."""


def device_metric(gpu: str, market: Market) -> str | None:
    """The quota of a device, by the name that jobs use; None: its quota is told by other words."""
    metric = _DEVICES.get(gpu)
    if metric is None or (metric in _SPOT_ONLY and market is not Market.SPOT):
        return None
    return f"PREEMPTIBLE_{metric}" if market is Market.SPOT else metric


def needs(instance_type: str, accelerators: Iterable[str], vcpus: int, market: Market) -> list[Need]:
    """What a machine counts against, the scarcest first."""
    devices = list(accelerators)
    found: list[Need] = []
    if devices:
        metric = device_metric(devices[0], market)
        found += [Need(metric, len(devices))] if metric else []
        found.append(Need(ALL_GPUS, len(devices), everywhere=True))
    series = series_of(instance_type)
    if series is not None and series.rate not in ("g2", "g4", "a3", "a3plus"):
        metric = "PREEMPTIBLE_CPUS" if market is Market.SPOT else _SERIES.get(series.rate, "CPUS")
        found.append(Need(metric, vcpus))
    return found


def of_region(project: str, region: str) -> list[Quota]:
    """Every quota of a region. Raises ProviderError."""
    found = get("compute", f"/compute/v1/projects/{project}/regions/{region}", "regions.get")
    return [_quota(row, region) for row in found.get("quotas", ())]


def of_project(project: str) -> list[Quota]:
    """Every quota of the whole project. Raises ProviderError."""
    found = get("compute", f"/compute/v1/projects/{project}", "projects.get")
    return [_quota(row, "") for row in found.get("quotas", ())]


def _quota(row: Mapping[str, Any], region: str) -> Quota:
    return Quota(str(row.get("metric", "")), region, float(row.get("limit", 0)), float(row.get("usage", 0)))


def short(wanted: Iterable[Need], known: Iterable[Quota]) -> list[tuple[Need, Quota]]:
    """Which of a machine's needs the quotas have no room for. What is not told of is not held against it.

    Spot vCPUs count as others where a project was never given any of their own.
    """
    quotas = {one.metric: one for one in known}
    found = []
    for need in wanted:
        quota = quotas.get(need.metric)
        if need.metric == "PREEMPTIBLE_CPUS" and (quota is None or quota.limit == 0):
            quota = quotas.get("CPUS")
        if quota is not None and quota.left < need.count:
            found.append((need, quota))
    return found


def of_message(message: str) -> tuple[str, float | None] | None:
    """Quota and limit that a refusal names: ``Quota 'NVIDIA_T4_GPUS' exceeded.  Limit: 0.0 in region us-central1.``"""
    found = _TOLD.search(message)
    return (found["metric"], float(found["limit"].rstrip(".")) if found["limit"] else None) if found else None


def what_to_ask_for(project: str, region: str, metric: str) -> str:
    """What the user does about it."""
    where = "" if metric in (ALL_GPUS, ALL_CPUS) else f" in {region}"
    return f"ask for more of {metric}{where}: {page(project, metric)}"


def advice(project: str, region: str, instance_type: str, accelerators: Iterable[str], market: Market, message: str) -> str:
    """The same for a launch that was refused: by what the refusal names, else by what such a machine counts against."""
    named = of_message(message)
    if named is not None:
        return what_to_ask_for(project, region, named[0])
    metrics = [need.metric for need in needs(instance_type, accelerators, 0, market)]
    if not metrics:
        return f"ask for more of what {instance_type} counts against in {region}: {page(project)}"
    return "; ".join(what_to_ask_for(project, region, metric) for metric in metrics[:2])


def page(project: str, metric: str = "") -> str:
    """Where quotas are looked at and asked for in a browser."""
    return f"https://console.cloud.google.com/iam-admin/quotas?project={project}{f'&metric={metric}' if metric else ''}"

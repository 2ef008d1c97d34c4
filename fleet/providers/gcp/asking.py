"""The questions behind offers: what a region's zones have, in the form in which it is kept. They only look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import machines
from fleet.providers.gcp.names import last
from fleet.providers.gcp.rest import get, rows

LARGEST_PAGE = 500
_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z]")
"""Zones for AI (``us-central1-ai1a``) are none that machines are bought in one by one."""


def zones_of(project: str, region: str) -> list[str]:
    """A region's zones. Raises ProviderError."""
    found = get("compute", f"/compute/v1/projects/{project}/regions/{region}", "regions.get")
    return sorted(name for name in map(last, found.get("zones", ())) if _ZONE.fullmatch(name))


def offered(project: str, region: str) -> dict[str, Any]:
    """What each zone of a region has. Raises ProviderError.

    ``machines``: each type's figures; ``zones``: the types of each zone; ``gpus``: the devices that can be put into one of
    its machines, and how many at most.
    """
    types: dict[str, list[Any]] = {}
    there: dict[str, list[str]] = {}
    gpus: dict[str, dict[str, int]] = {}
    for zone in zones_of(project, region):
        found = list(_machines(project, zone))
        types.update({one.name: kept(one) for one in found})
        there[zone] = sorted(one.name for one in found)
        gpus[zone] = dict(_gpus(project, zone))
    if not any(there.values()):
        raise ProviderError(
            ErrorClass.UNAVAILABLE, "NoMachineTypes", f"no zone of {region} has a machine type that fleet knows"
        )
    return {"machines": types, "zones": there, "gpus": gpus}


def _machines(project: str, zone: str) -> Iterator[machines.Machine]:
    path = f"/compute/v1/projects/{project}/zones/{zone}/machineTypes"
    for row in rows("compute", path, "machineTypes.list", maxResults=LARGEST_PAGE):
        found = machines.described(row)
        if found is not None:
            yield found


def _gpus(project: str, zone: str) -> Iterator[tuple[str, int]]:
    path = f"/compute/v1/projects/{project}/zones/{zone}/acceleratorTypes"
    for row in rows("compute", path, "acceleratorTypes.list", maxResults=LARGEST_PAGE):
        name = machines.gpu_of(str(row.get("name", "")))
        if name is not None and machines.DEVICES[name].most_vcpus:
            yield name, int(row.get("maximumCardsPerInstance", 0))


def kept(machine: machines.Machine) -> list[Any]:
    """A type's figures as they are kept."""
    return [machine.vcpus, machine.memory_gib, machine.arch, machine.gpu, machine.gpus, machine.local_ssds]


def machine_of(name: str, figures: list[Any]) -> machines.Machine:
    """The other way."""
    vcpus, memory, arch, gpu, gpus, ssds = figures
    return machines.Machine(name, int(vcpus), float(memory), arch, gpu, int(gpus), int(ssds))

"""Machine types of Compute Engine: what a name says, which accelerators an N1 takes, and which disks it can have.

What a zone offers, and how large each type is, Compute Engine says itself (machineTypes.list, ``described``); here stands
what it does not say. An N1 with accelerators has a name of fleet's own, ``n1-standard-4+1xT4``: Compute Engine sells the two
apart. Types with built-in devices (``g2-standard-4``) have them by their names.

How many of a device an N1 takes, by its vCPUs: cloud.google.com/compute/docs/gpus, as SkyPilot 0.14.1 keeps it (four P100
go with 96 vCPUs in most zones, with 64 in all). How the price list calls each: build/mapping.csv of
Cyclenerd/google-cloud-pricing-cost-calculator (2026-08), whose totals were matched against invoices.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from fleet.providers.gpus import GPUS, NEWEST, Gpu

Arch = Literal["x86_64", "aarch64"]
Disk = Literal["pd-balanced", "hyperdisk-balanced"]


PROCESSORS: Mapping[str, str] = {
    "n1": "N1 Predefined Instance",
    "n2": "N2 Instance",
    "n2d": "N2D AMD Instance",
    "e2": "E2 Instance",
    "t2d": "T2D AMD Instance",
    "t2a": "T2A Arm Instance",
    "c2": "Compute optimized",
    "c2d": "C2D AMD Instance",
    "c3": "C3 Instance",
    "c3d": "C3D Instance",
    "c4": "C4 Instance",
    "c4a": "C4A Arm Instance",
    "c4d": "C4D Instance",
    "n4": "N4 Instance",
    "g2": "G2 Instance",
    "g4": "G4 Instance",
    "a2": "A2 Instance",
    "a3": "A3 Instance",
    "a3plus": "A3Plus Instance",
}
"""How the price list calls a series: ``G2 Instance`` of ``G2 Instance Core running in Tokyo``."""


class Series(NamedTuple):
    """What machine types of one beginning share."""

    rate: str
    """Whose prices its vCPUs and its memory have: a key of ``PROCESSORS``."""
    gpu: str | None = None
    """The device that is built in, by the name that jobs use."""


SERIES: Mapping[str, Series] = {
    **{f"{name}-": Series(name) for name in PROCESSORS if name[0] in "cent"},
    "g2-": Series("g2", "L4"),
    "g4-": Series("g4", "RTX-PRO-6000"),
    "a2-highgpu-": Series("a2", "A100"),
    "a2-megagpu-": Series("a2", "A100"),
    "a2-ultragpu-": Series("a2", "A100-80GB"),
    "a3-highgpu-": Series("a3", "H100"),
    "a3-megagpu-": Series("a3plus", "H100-MEGA"),
}
"""By the beginning of the name. Others are sold otherwise (in blocks, by reservation), or fleet cannot tell their prices."""


class Device(NamedTuple):
    """An accelerator as Compute Engine names it."""

    accelerator_type: str
    words: str
    """How the price list calls it."""
    memory_gib: int
    most_vcpus: Mapping[int, int] = {}
    """Attached to an N1: how many there may be, and the vCPUs that the machine has at most then. Empty: only built in."""


DEVICES: Mapping[str, Device] = {
    "T4": Device("nvidia-tesla-t4", "Nvidia Tesla T4 GPU", 16, {1: 48, 2: 48, 4: 96}),
    "P4": Device("nvidia-tesla-p4", "Nvidia Tesla P4 GPU", 8, {1: 24, 2: 48, 4: 96}),
    "V100": Device("nvidia-tesla-v100", "Nvidia Tesla V100 GPU", 16, {1: 12, 2: 24, 4: 48, 8: 96}),
    "P100": Device("nvidia-tesla-p100", "Nvidia Tesla P100 GPU", 16, {1: 16, 2: 32, 4: 64}),
    "L4": Device("nvidia-l4", "Nvidia L4 GPU", 24),
    "A100": Device("nvidia-tesla-a100", "Nvidia Tesla A100 GPU", 40),
    "A100-80GB": Device("nvidia-a100-80gb", "Nvidia Tesla A100 80GB GPU", 80),
    "H100": Device("nvidia-h100-80gb", "Nvidia H100 80GB GPU", 80),
    "H100-MEGA": Device("nvidia-h100-mega-80gb", "Nvidia H100 80GB Mega GPU", 80),
    "RTX-PRO-6000": Device("nvidia-rtx-pro-6000", "RTX 6000 96GB", 96),
}
"""By the name that jobs use in ``accelerators``."""

ATTACHED = {"T4": (4, 8, 16), "P4": (4, 8, 16), "P100": (4, 8, 16), "V100": (4, 8, 16, 32)}
"""vCPUs of the smallest N1 that one, two, four, eight devices are offered with unasked; one twice as large is, too."""
UNASKED = (
    *(
        f"n1-standard-{vcpus}+{2**power}x{gpu}"
        for gpu, sizes in ATTACHED.items()
        for power, least in enumerate(sizes)
        for vcpus in (least, 2 * least)
    ),
    *(f"g2-standard-{n}" for n in (4, 8, 12, 16, 24, 32, 48, 96)),
    *(f"a2-highgpu-{n}g" for n in (1, 2, 4, 8)),
    *(f"a2-ultragpu-{n}g" for n in (1, 2, 4, 8)),
    *(f"a3-highgpu-{n}g" for n in (1, 2, 4, 8)),
    *(f"{series}-standard-{n}" for series in ("n1", "e2", "n2", "c2") for n in (4, 8, 16)),
    *(f"{kind}-{n}" for kind in ("n2-highmem", "c2d-highcpu") for n in (8, 16)),
)
"""The types that are looked for where a job names none: all take balanced persistent disks."""
USUAL = (
    *("n1-standard-4+1xT4", "n1-standard-8+1xT4", "n1-standard-8+1xV100", "g2-standard-4", "g2-standard-8"),
    *("a2-highgpu-1g", "e2-standard-8", "n2-standard-8"),
)
"""Shown where nobody named a type."""

LOCAL_SSD_GIB = 375
"""Of one partition."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine type, with the accelerators that are attached to it."""

    name: str
    """As offers have it: ``n1-standard-4+1xT4``, ``g2-standard-4``."""
    vcpus: int
    memory_gib: float
    arch: Arch = "x86_64"
    gpu: str | None = None
    """The name that jobs use in ``accelerators``."""
    gpus: int = 0
    local_ssds: int = 0
    """Partitions of 375 GiB that come with it, and are paid for."""

    @property
    def accelerators(self) -> tuple[str, ...]:
        """One name for each device, as an offer has them."""
        return (self.gpu,) * self.gpus if self.gpu is not None else ()

    @property
    def gpu_facts(self) -> Gpu | None:
        """Which driver runs the device; None: it has none."""
        return GPUS.get(self.gpu, NEWEST) if self.gpu is not None else None


def series_of(instance_type: str) -> Series | None:
    """What is known of a type's series; None: fleet does not know it, and offers none of it."""
    return next((one for start, one in SERIES.items() if instance_type.startswith(start)), None)


def accelerators_of(instance_type: str) -> tuple[str, int] | None:
    """Which device a type's name says that it has, and how many; None: none, or it does not say."""
    _, plus, put_in = instance_type.partition("+")
    if plus:
        count, _, name = put_in.partition("x")
        return (name, int(count)) if name in DEVICES and count.isdigit() else None
    series, number = series_of(instance_type), instance_type.rpartition("-")[2].rstrip("g")
    if series is None or series.gpu is None:
        return None
    return series.gpu, int(number) if series.rate.startswith("a") and number.isdigit() else 1


@functools.cache
def gpu_of(accelerator_type: str) -> str | None:
    """The name that jobs use for an accelerator type (``nvidia-tesla-t4``); None: fleet does not know it."""
    return next((name for name, one in DEVICES.items() if one.accelerator_type == accelerator_type), None)


def combinations(machine: Machine, gpus: Mapping[str, int]) -> Iterator[Machine]:
    """An N1 with each number of each of a zone's devices that it takes. ``gpus``: the most that one machine may have."""
    if not machine.name.startswith("n1-"):
        return
    for name, most in gpus.items():
        for count, vcpus in DEVICES[name].most_vcpus.items():
            if count <= most and machine.vcpus <= vcpus:
                whole = f"{machine.name}+{count}x{name}"
                yield Machine(whole, machine.vcpus, machine.memory_gib, machine.arch, name, count, machine.local_ssds)


def described(row: Mapping[str, Any]) -> Machine | None:
    """What Compute Engine says of a machine type (one of machineTypes.list's ``items``); None: none that fleet can offer.

    Types that share a processor, that are sold no longer, and of series that the table lacks are none.
    """
    name = str(row.get("name", ""))
    series = series_of(name)
    if series is None or row.get("isSharedCpu") or _is_deprecated(row):
        return None
    devices = [one for one in row.get("accelerators", ()) if one.get("guestAcceleratorCount")]
    gpu = gpu_of(str(devices[0].get("guestAcceleratorType", ""))) if devices else None
    if (series.gpu is not None or devices) and gpu is None:
        return None
    return Machine(
        name=name,
        vcpus=int(row["guestCpus"]),
        memory_gib=int(row["memoryMb"]) / 1024,
        arch="aarch64" if row.get("architecture") == "ARM64" else "x86_64",
        gpu=gpu,
        gpus=sum(int(one["guestAcceleratorCount"]) for one in devices),
        local_ssds=int(row.get("bundledLocalSsds", {}).get("partitionCount", 0)),
    )


def _is_deprecated(row: Mapping[str, Any]) -> bool:
    return row.get("deprecated", {}).get("state") in ("OBSOLETE", "DELETED")

"""What is known of an instance type without asking: architecture, devices, the driver that runs them, what serves instead.

Where each fact comes from, and of when it is, stands in families.py and gpus.py. Types that are not in the table are
described by EC2 itself (DescribeInstanceTypes, ``facts_of``), and kept with the prices.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.providers.aws.families import FAMILIES, SUCCESSORS, Family, Size, sizes_of
from fleet.providers.gpus import GPUS, NEWEST
from fleet.providers.priced import Arch, TypeFacts, accelerators

USUAL = (
    *("g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge", "g5.2xlarge", "g6.xlarge", "g6.2xlarge", "g6e.xlarge"),
    *("c5.2xlarge", "c7i.2xlarge"),
)
"""Shown where nobody named a type."""


@functools.cache
def _table() -> Mapping[str, TypeFacts]:
    return {f"{name}.{size}": _facts(f"{name}.{size}", one, sizes) for name, one in FAMILIES.items()
            for size, sizes in sizes_of(one).items()}  # fmt: skip


def _facts(name: str, family: Family, size: Size) -> TypeFacts:
    traits = family.traits.split()
    gpu = GPUS[family.gpu] if family.gpu is not None else None
    return TypeFacts(
        name=name,
        arch="aarch64" if "arm" in traits else "x86_64",
        vcpus=size.vcpus,
        memory_gib=size.memory_gib,
        gpu=family.gpu,
        gpus=size.devices,
        gpu_memory_gib=family.gpu_gib,
        hypervisor="xen" if "xen" in traits else "nitro",
        driver_branch=gpu.branch if gpu else None,
        open_kernel=gpu.open_kernel if gpu else False,
        fabric_manager="fabric" in traits and size.devices > 1,
        generation=gpu.architecture if gpu else "",
        cuda=gpu.cuda if gpu else "",
        stack=gpu.note if gpu else "",
        gone=bool(family.gone),
        gone_since=family.gone,
        successors=SUCCESSORS.get(name, ()),
        on_request="asked" in traits or name.endswith(".metal"),
    )


def type_of(instance_type: str) -> TypeFacts | None:
    """What the table says of a type; None: it does not know it."""
    return _table().get(instance_type)


def known_types() -> Sequence[str]:
    """Every type of the table."""
    return tuple(_table())


def offered_unasked() -> Sequence[str]:
    """The types that are looked for where a job names none."""
    return tuple(name for name, facts in _table().items() if not facts.on_request)


def arch_of(instance_type: str) -> Arch | None:
    """The architecture that an image must have; None: not in the table."""
    facts = type_of(instance_type)
    return facts.arch if facts else None


def accelerators_of(instance_type: str) -> tuple[str, ...]:
    """One name for each device, as an offer has them."""
    return accelerators(type_of(instance_type))


def successors_of(instance_type: str) -> tuple[str, ...]:
    """Types that serve instead of one that is gone, the nearest first."""
    return SUCCESSORS.get(instance_type, ())


def with_gpu(gpu: str) -> Sequence[str]:
    """The table's types that have a device of this name, whatever its case."""
    return tuple(name for name, facts in _table().items() if (facts.gpu or "").casefold() == gpu.casefold())


def facts_of(described: Mapping[str, Any]) -> TypeFacts:
    """What EC2 says of a type (one of DescribeInstanceTypes' ``InstanceTypes``).

    A share of a GPU (``g6f``) counts as no accelerator: a job that asks for an L4 means a whole one.
    """
    devices = [one for one in described.get("GpuInfo", {}).get("Gpus", []) if one.get("Count")]
    gpu = str(devices[0]["Name"]).replace(" ", "-") if devices else None
    known = GPUS.get(gpu, NEWEST if devices[0].get("Manufacturer") == "NVIDIA" else None) if gpu is not None else None
    arm = "arm64" in described.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    return TypeFacts(
        name=described["InstanceType"],
        arch="aarch64" if arm else "x86_64",
        vcpus=int(described["VCpuInfo"]["DefaultVCpus"]),
        memory_gib=int(described["MemoryInfo"]["SizeInMiB"]) / 1024,
        gpu=gpu,
        gpus=sum(int(one["Count"]) for one in devices),
        gpu_memory_gib=int(devices[0].get("MemoryInfo", {}).get("SizeInMiB", 0)) // 1024 if devices else 0,
        hypervisor="xen" if described.get("Hypervisor") == "xen" else "nitro",
        driver_branch=known.branch if known else None,
        open_kernel=known.open_kernel if known else False,
        generation=known.architecture if known else "",
        cuda=known.cuda if known else "",
        stack=known.note if known else "",
    )

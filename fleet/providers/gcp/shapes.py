"""Machine types as fleet names them, and which disks each takes: pure.

What can be bought is a machine type, and for N1 a number of GPUs that are put into it: ``n1-standard-4+1xT4``. The newer
types bring their GPUs along and are named alone (``g2-standard-4``, ``a2-highgpu-1g``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.providers.gcp.names import last

PUT_IN = {"T4": "nvidia-tesla-t4", "V100": "nvidia-tesla-v100", "P100": "nvidia-tesla-p100", "P4": "nvidia-tesla-p4"}
"""GPUs that are put into an N1, by fleet's name: Compute Engine's (https://cloud.google.com/compute/docs/gpus)."""
_NAMES = {url_name: name for name, url_name in PUT_IN.items()}
_TYPE = re.compile(r"([a-z0-9-]+)(?:\+(\d+)x([A-Z0-9]+))?")

BALANCED, HYPER = "pd-balanced", "hyperdisk-balanced"
LEAST_GB = 10
"""No persistent disk is smaller (https://cloud.google.com/compute/docs/disks)."""
_HYPER_ONLY = frozenset({"n4", "n4a", "n4d", "c4", "c4a", "c4d", "a4", "a4x", "g4", "h4d", "m4", "x4"})
_BOTH = frozenset({"c3", "c3d", "h3", "m3", "z3", "a3"})
"""Families by the disks that they take (https://cloud.google.com/compute/docs/machine-resource): all others take persistent
disks only, as far as fleet uses them."""
_NO_MIGRATION = frozenset({"a2", "a3", "a4", "a4x", "g2", "g4", "h3", "h4d", "z3"})
"""Families that no maintenance moves elsewhere: with GPUs, or with disks of their own."""
_ARM = frozenset({"t2a", "c4a", "n4a", "a4x"})


def named(machine_type: str, accelerators: Sequence[Mapping[str, Any]] = ()) -> str:
    """Fleet's name of a machine: by the URL of its type, and its ``guestAccelerators``."""
    bare = last(machine_type)
    if not bare.startswith("n1-"):
        return bare
    put_in = [(_NAMES.get(last(str(one["acceleratorType"]))), int(one.get("acceleratorCount", 0))) for one in accelerators]
    return "".join((bare, *(f"+{count}x{name}" for name, count in put_in if name and count)))


def parts(instance_type: str) -> tuple[str, str | None, int]:
    """Machine type, Compute Engine's name of the GPUs that are put into it, and their number. Raises ValueError."""
    found = _TYPE.fullmatch(instance_type)
    if found is None or (found[3] is not None and found[3] not in PUT_IN):
        raise ValueError(f"{instance_type!r} is no machine type of Compute Engine's")
    return found[1], PUT_IN.get(found[3] or ""), int(found[2] or 0)


def family(instance_type: str) -> str:
    """``n1`` of ``n1-standard-4+1xT4``."""
    return instance_type.partition("-")[0]


def has_gpus(instance_type: str) -> bool:
    """Whether it has GPUs, its own or such that are put in."""
    return "+" in instance_type or family(instance_type) in ("a2", "a3", "a4", "a4x", "g2", "g4")


def architecture(instance_type: str) -> str:
    """``x86_64`` or ``aarch64``."""
    return "aarch64" if family(instance_type) in _ARM else "x86_64"


def disk_type(instance_type: str) -> str:
    """What its disks are made as."""
    hyper = family(instance_type) in _HYPER_ONLY or instance_type.startswith("a3-ultragpu")
    return HYPER if hyper else BALANCED


def takes(instance_type: str, kind: str) -> bool:
    """Whether a machine can be given a disk of this type (``pd-…`` or ``hyperdisk-…``)."""
    if kind.startswith("pd-"):
        return disk_type(instance_type) == BALANCED
    return disk_type(instance_type) == HYPER or family(instance_type) in _BOTH


def migrates(instance_type: str) -> bool:
    """Whether maintenance of its host moves it elsewhere while it runs."""
    return not has_gpus(instance_type) and family(instance_type) not in _NO_MIGRATION

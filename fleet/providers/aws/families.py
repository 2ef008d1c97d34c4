"""EC2's instance types that fleet knows by heart: what each has, which are gone, and which serve instead.

Sources, each with the date of what it says:

- Sizes, memory, devices, hypervisor and architecture: answers of DescribeInstanceTypes as moto 5.2.5 ships them (2026);
  a test compares every row with them. For p2, p3, g3 and g4ad, which these answers no longer hold: Karpenter's reference
  of instance types for its version 1.0 (aws/karpenter-provider-aws, 2024-08), made from the same call.
- P2 retired: aws/deep-learning-containers#3950 (2024-05-28), eksctl-io/eksctl#7826 (2024-06-10).
- G3 retired on 2025-10-31, no new users since 2025-01-01: AWS's notice in SummitRoute/aws_breaking_changes#114 (2024-10-30).
- P3 retired on 2025-12-20: AWS's notice in zalando-incubator/kubernetes-on-aws#8685 (2024-12-23); no longer described
  by the API: dstackai/gpuhunt#233 (2026-05-25). The answers above still hold p3dn.24xlarge.
- G4ad no longer listed in any region: vantage-sh/ec2instances.info#996 (2026-09-11).
- Successors: AWS's notices say "newer generation G or P"; which size serves is fleet's reading: as many devices, as
  near in vCPUs as there is.

The cloud's word goes before this table: a type that EC2 offers in a zone is an offer, whatever stands here.
"""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """One type of a family."""

    vcpus: int
    memory_gib: float
    devices: int = 0


class Family(NamedTuple):
    """Types that differ in size only."""

    gpu: str | None
    """Its name as EC2 has it, spaces as hyphens."""
    gpu_gib: int
    """Of one device."""
    traits: str
    """Words: ``arm`` 64-bit ARM, ``xen`` not Nitro, ``asked`` offered only to who names it, ``fabric`` NVSwitch."""
    sizes: str
    """``xlarge 4/16/1``: vCPUs, GiB of memory, devices."""
    gone: str = ""
    """Since when AWS no longer offers it."""


_C = "large 2/4, xlarge 4/8, 2xlarge 8/16, 4xlarge 16/32, 8xlarge 32/64, 12xlarge 48/96, 16xlarge 64/128, 24xlarge 96/192"
_M = "large 2/8, xlarge 4/16, 2xlarge 8/32, 4xlarge 16/64, 8xlarge 32/128, 12xlarge 48/192, 16xlarge 64/256, 24xlarge 96/384"
_R = "large 2/16, xlarge 4/32, 2xlarge 8/64, 4xlarge 16/128, 8xlarge 32/256, 12xlarge 48/384, 16xlarge 64/512"
_T = "micro 2/1, small 2/2, medium 2/4, large 2/8, xlarge 4/16, 2xlarge 8/32"
_ARM_C = "medium 1/2, large 2/4, xlarge 4/8, 2xlarge 8/16, 4xlarge 16/32, 8xlarge 32/64, 12xlarge 48/96, 16xlarge 64/128"
_ARM_M = "medium 1/4, large 2/8, xlarge 4/16, 2xlarge 8/32, 4xlarge 16/64, 8xlarge 32/128, 12xlarge 48/192, 16xlarge 64/256"
_G = "xlarge 4/16/1, 2xlarge 8/32/1, 4xlarge 16/64/1, 8xlarge 32/128/1, 12xlarge 48/192/4, 16xlarge 64/256/1"
_C5 = "large 2/4, xlarge 4/8, 2xlarge 8/16, 4xlarge 16/32, 9xlarge 36/72, 12xlarge 48/96, 18xlarge 72/144, 24xlarge 96/192"

FAMILIES: dict[str, Family] = {
    "c5": Family(None, 0, "", _C5),
    **{name: Family(None, 0, "", _C) for name in ("c5a", "c6a", "c6i", "c7a", "c7i", "c8i")},
    **{name: Family(None, 0, "", _M) for name in ("m5", "m6a", "m6i", "m7a", "m7i", "m8i")},
    **{name: Family(None, 0, "", _R) for name in ("r5", "r6i", "r7i")},
    "t3": Family(None, 0, "asked", _T),
    "t4g": Family(None, 0, "arm asked", _T),
    **{name: Family(None, 0, "arm asked", _ARM_C) for name in ("c6g", "c7g", "c8g")},
    **{name: Family(None, 0, "arm asked", _ARM_M) for name in ("m6g", "m7g", "m8g")},
    "p2": Family("K80", 12, "xen", "xlarge 4/61/1, 8xlarge 32/488/8, 16xlarge 64/732/16", gone="2024"),
    "g3s": Family("M60", 8, "xen", "xlarge 4/30.5/1", gone="2025-10-31"),
    "g3": Family("M60", 8, "xen", "4xlarge 16/122/1, 8xlarge 32/244/2, 16xlarge 64/488/4", gone="2025-10-31"),
    "p3": Family("V100", 16, "xen", "2xlarge 8/61/1, 8xlarge 32/244/4, 16xlarge 64/488/8", gone="2025-12-20"),
    "p3dn": Family("V100", 32, "", "24xlarge 96/768/8", gone="2025-12-20"),
    "g4ad": Family("Radeon-Pro-V520", 8, "", "xlarge 4/16/1, 2xlarge 8/32/1, 4xlarge 16/64/1, 8xlarge 32/128/2, "
                   "16xlarge 64/256/4", gone="2026"),
    "g4dn": Family("T4", 16, "", f"{_G}, metal 96/384/8"),
    "g5": Family("A10G", 22, "", f"{_G}, 24xlarge 96/384/4, 48xlarge 192/768/8"),
    "g5g": Family("T4g", 16, "arm", "xlarge 4/8/1, 2xlarge 8/16/1, 4xlarge 16/32/1, 8xlarge 32/64/1, 16xlarge 64/128/2, "
                  "metal 64/128/2"),
    "g6": Family("L4", 22, "", f"{_G}, 24xlarge 96/384/4, 48xlarge 192/768/8"),
    "gr6": Family("L4", 22, "", "4xlarge 16/128/1, 8xlarge 32/256/1"),
    "g6e": Family("L40S", 44, "", "xlarge 4/32/1, 2xlarge 8/64/1, 4xlarge 16/128/1, 8xlarge 32/256/1, 12xlarge 48/384/4, "
                  "16xlarge 64/512/1, 24xlarge 96/768/4, 48xlarge 192/1536/8"),
    "g7": Family("RTX-PRO-4500", 32, "", "2xlarge 8/32/1, 4xlarge 16/64/1, 8xlarge 32/128/1, 12xlarge 48/192/2, "
                 "24xlarge 96/384/4, 48xlarge 192/768/8"),
    "g7e": Family("RTX-PRO-Server-6000", 96, "", "2xlarge 8/64/1, 4xlarge 16/128/1, 8xlarge 32/256/1, 12xlarge 48/512/2, "
                  "24xlarge 96/1024/4, 48xlarge 192/2048/8"),
    "p4d": Family("A100", 40, "fabric", "24xlarge 96/1152/8"),
    "p4de": Family("A100", 80, "fabric", "24xlarge 96/1152/8"),
    "p5": Family("H100", 80, "fabric", "4xlarge 16/256/1, 48xlarge 192/2048/8"),
    "p5e": Family("H200", 141, "fabric", "48xlarge 192/2048/8"),
    "p5en": Family("H200", 141, "fabric", "48xlarge 192/2048/8"),
    "p6-b200": Family("B200", 179, "fabric", "48xlarge 192/2048/8"),
    "p6-b300": Family("B300", 268, "fabric", "48xlarge 192/4096/8"),
}  # fmt: skip

_ONE = {
    "xlarge": ("g4dn.xlarge", "g5.xlarge", "g6.xlarge"),
    "2xlarge": ("g4dn.2xlarge", "g5.2xlarge", "g6.2xlarge"),
    "4xlarge": ("g4dn.4xlarge", "g5.4xlarge", "g6.4xlarge"),
}
_FOUR = ("g4dn.12xlarge", "g5.12xlarge", "g6.12xlarge")
_EIGHT = ("g4dn.metal", "g5.48xlarge", "g6.48xlarge")

SUCCESSORS: dict[str, tuple[str, ...]] = {
    "p2.xlarge": _ONE["xlarge"],
    "p2.8xlarge": _EIGHT,
    "p2.16xlarge": _EIGHT,
    "g3s.xlarge": _ONE["xlarge"],
    "g3.4xlarge": _ONE["4xlarge"],
    "g3.8xlarge": _FOUR,
    "g3.16xlarge": _FOUR,
    "p3.2xlarge": ("g5.2xlarge", "g6e.2xlarge", "p5.4xlarge"),
    "p3.8xlarge": ("g5.12xlarge", "g6e.12xlarge"),
    "p3.16xlarge": ("g6e.48xlarge", "p4d.24xlarge", "p5.48xlarge"),
    "p3dn.24xlarge": ("g6e.48xlarge", "p4d.24xlarge", "p5.48xlarge"),
    "g4ad.xlarge": _ONE["xlarge"],
    "g4ad.2xlarge": _ONE["2xlarge"],
    "g4ad.4xlarge": _ONE["4xlarge"],
    "g4ad.8xlarge": _FOUR,
    "g4ad.16xlarge": _FOUR,
}
"""For every type that is gone, those that serve instead, the nearest first."""


def sizes_of(family: Family) -> dict[str, Size]:
    """By the word behind the dot."""
    found: dict[str, Size] = {}
    for row in family.sizes.split(", "):
        word, _, numbers = row.partition(" ")
        vcpus, memory, *devices = numbers.split("/")
        found[word] = Size(int(vcpus), float(memory), int(devices[0]) if devices else 0)
    return found

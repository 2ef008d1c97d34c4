"""What the stand-in has to offer: some zones, machine types, accelerators, disk types and images.

Their sizes are those of Google's documentation; which zone has what is the same everywhere, until a test says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

ZONES = {
    "us-central1": ("a", "b", "c", "f"),
    "us-east1": ("b", "c", "d"),
    "europe-west4": ("a", "b", "c"),
}


@dataclass(frozen=True)
class Shape:
    """A machine type."""

    cpus: int
    memory_mb: int
    accelerator: str = ""
    accelerators: int = 0
    local_ssds: int = 0
    description: str = ""


MACHINE_TYPES = {
    "e2-standard-2": Shape(2, 8192),
    "e2-standard-4": Shape(4, 16384),
    "e2-standard-8": Shape(8, 32768),
    "e2-highmem-4": Shape(4, 32768),
    "e2-medium": Shape(2, 4096),
    "n1-standard-1": Shape(1, 3840),
    "n1-standard-2": Shape(2, 7680),
    "n1-standard-4": Shape(4, 15360),
    "n1-standard-8": Shape(8, 30720),
    "n1-standard-16": Shape(16, 61440),
    "n1-highmem-4": Shape(4, 26624),
    "n1-highmem-8": Shape(8, 53248),
    "n2-standard-4": Shape(4, 16384),
    "n2-standard-8": Shape(8, 32768),
    "n4-standard-4": Shape(4, 16384),
    "c3-standard-4": Shape(4, 16384),
    "g2-standard-4": Shape(4, 16384, "nvidia-l4", 1),
    "g2-standard-8": Shape(8, 32768, "nvidia-l4", 1),
    "g2-standard-12": Shape(12, 49152, "nvidia-l4", 1),
    "g2-standard-24": Shape(24, 98304, "nvidia-l4", 2),
    "a2-highgpu-1g": Shape(12, 87040, "nvidia-tesla-a100", 1),
    "a2-highgpu-2g": Shape(24, 174080, "nvidia-tesla-a100", 2),
    "a2-ultragpu-1g": Shape(12, 174080, "nvidia-a100-80gb", 1, 1),
    "a3-highgpu-1g": Shape(26, 239616, "nvidia-h100-80gb", 1, 2),
    "t2a-standard-4": Shape(4, 16384),
}


@dataclass(frozen=True)
class DiskType:
    """A kind of disk."""

    least_gb: int
    usual_gb: int
    quota: str
    iops: int = 0
    throughput: int = 0


DISK_TYPES = {
    "pd-standard": DiskType(10, 500, "DISKS_TOTAL_GB"),
    "pd-balanced": DiskType(10, 100, "SSD_TOTAL_GB"),
    "pd-ssd": DiskType(10, 100, "SSD_TOTAL_GB"),
    "hyperdisk-balanced": DiskType(4, 100, "HDB_TOTAL_GB", 3600, 290),
}
ACCELERATORS = {
    "nvidia-tesla-t4": ("NVIDIA T4", 4, "NVIDIA_T4_GPUS"),
    "nvidia-tesla-p100": ("NVIDIA Tesla P100", 4, "NVIDIA_P100_GPUS"),
    "nvidia-tesla-v100": ("NVIDIA V100", 8, "NVIDIA_V100_GPUS"),
    "nvidia-l4": ("NVIDIA L4", 8, "NVIDIA_L4_GPUS"),
    "nvidia-tesla-a100": ("NVIDIA A100 40GB", 16, "NVIDIA_A100_GPUS"),
    "nvidia-a100-80gb": ("NVIDIA A100 80GB", 8, "NVIDIA_A100_80GB_GPUS"),
    "nvidia-h100-80gb": ("NVIDIA H100 80GB", 8, "NVIDIA_H100_GPUS"),
}


IMAGES = {
    ("ubuntu-os-cloud", "ubuntu-2404-lts-amd64"): ("ubuntu-2404-noble-amd64-v20260210", 10),
    ("ubuntu-os-cloud", "ubuntu-2204-lts"): ("ubuntu-2204-jammy-v20260201", 10),
    ("debian-cloud", "debian-12"): ("debian-12-bookworm-v20260210", 10),
    ("deeplearning-platform-release", "common-cu129-ubuntu-2404-nvidia-580"): (
        "common-cu129-ubuntu-2404-nvidia-580-v20260831",
        50,
    ),
    ("ubuntu-os-accelerator-images", "ubuntu-accelerator-2404-amd64-with-nvidia-580"): (
        "ubuntu-accelerator-2404-amd64-with-nvidia-580-v20260225",
        20,
    ),
    ("deeplearning-platform-release", "common-cu129-ubuntu-2204-nvidia-580"): (
        "common-cu129-ubuntu-2204-nvidia-580-v20260130",
        50,
    ),
    ("deeplearning-platform-release", "common-cu128-ubuntu-2204-nvidia-570"): (
        "common-cu128-ubuntu-2204-nvidia-570-v20260130",
        50,
    ),
}
"""By project and family: the newest image's name, and its size in GB."""
FEATURES = ("VIRTIO_SCSI_MULTIQUEUE", "SEV_CAPABLE", "UEFI_COMPATIBLE", "GVNIC")

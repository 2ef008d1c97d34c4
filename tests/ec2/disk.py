"""Volumes as loop devices: sparse files that outlive the machines they are attached to."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from tests.system.engine import asked

GB = 1000**3
_OURS = re.compile(r"/(vol-0[0-9a-f]{16}|fleet-[a-z0-9-]+\.[a-z]+-[a-z]+[0-9]-[a-z])( \(deleted\))?$")


def forget_disks() -> None:
    """Let go of the devices that a test session left that was killed."""
    for line in asked("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
        device, _, file = line.strip().partition(" ")
        if _OURS.search(file):
            asked("losetup", "--detach", device)


class Disk:
    """One volume."""

    def __init__(self, folder: Path, size_gb: int, volume_id: str = "") -> None:
        self.volume_id = volume_id or f"vol-0{secrets.token_hex(8)}"
        self.size_gb = size_gb
        self.path = folder / self.volume_id
        self.path.touch()
        os.truncate(self.path, size_gb * GB)
        self._device = asked("losetup", "--find", "--show", str(self.path)).strip()

    @property
    def serial(self) -> str:
        """As the machine sees it: the id without its dash."""
        return self.volume_id.replace("-", "")

    @property
    def link(self) -> str:
        """What udev calls it below /dev/disk/by-id."""
        return f"nvme-Amazon_Elastic_Block_Store_{self.serial}"

    @property
    def number(self) -> str:
        """The device's major and minor number."""
        device = Path(self._device).stat().st_rdev
        return f"{os.major(device)}:{os.minor(device)}"

    def grow(self, size_gb: int) -> None:
        """More room at its end, seen by a machine at once."""
        self.size_gb = size_gb
        os.truncate(self.path, size_gb * GB)
        asked("losetup", "--set-capacity", self._device)

    def kind(self) -> str:
        """What file system is on it; empty: none."""
        return asked("sh", "-c", f"blkid -p -o value -s TYPE {self._device} || true").strip()

    def uuid(self) -> str:
        """That of its file system: another after it was formatted again."""
        return asked("sh", "-c", f"blkid -p -o value -s UUID {self._device} || true").strip()

    def delete(self) -> None:
        """Gone, and its bytes."""
        asked("losetup", "--detach", self._device)
        self.path.unlink()

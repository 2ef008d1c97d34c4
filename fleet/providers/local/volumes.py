"""Volumes of ``local``: folders, as strict about zones and attachments as a cloud. Callers hold the home's lock."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet.model.cloud import Volume, VolumeState
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.local.folder import read_json, write_json

PRICE = 80_000
"""Micro-dollars per GB and month, as gp3."""


class LocalVolumes:
    """The volumes of a home that carry one fleet's tag."""

    def __init__(self, home: Path, fleet_id: str, clock: Callable[[], float]) -> None:
        self._home = home
        self._fleet_id = fleet_id
        self._clock = clock

    def all(self) -> list[Volume]:
        """Every volume of this fleet, by id."""
        records = [read_json(path) for path in sorted((self._home / "volumes").glob("*/volume.json"))]
        return [_volume(r) for r in records if r is not None and r["tags"].get("fleet") == self._fleet_id]

    def create(self, region: str, zone: str, size_gb: int, token: str, tags: dict[str, str]) -> Volume:
        """A new, empty volume; the same one for the same token."""
        volume_id = f"vol-{hashlib.sha256(token.encode()).hexdigest()[:17]}"
        known = self._record(volume_id)
        if known is not None:
            return _volume(known)
        folder = self._folder(volume_id)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        record = {
            "volume_id": volume_id,
            "region": region,
            "zone": zone,
            "size_gb": size_gb,
            "attached_to": None,
            "created_at": self._clock(),
            "tags": dict(tags),
        }
        write_json(folder / "volume.json", record)
        return _volume(record)

    def hold(self, volume_id: str, instance_id: str, machine: Path) -> None:
        """Record that a machine has the volume, and show it there."""
        record = self._record(volume_id) or {}
        write_json(self._folder(volume_id) / "volume.json", {**record, "attached_to": instance_id})
        link = machine / "dev" / volume_id
        link.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(self._folder(volume_id) / "data")

    def attach(self, volume_id: str, instance: dict[str, Any] | None, machine: Path) -> None:
        """See the contract."""
        volume = self._record(volume_id)
        if volume is None:
            raise ProviderError(ErrorClass.INVALID, "InvalidVolume.NotFound", f"there is no volume {volume_id}")
        if instance is None or instance["state"] in ("shutting-down", "terminated"):
            raise ProviderError(ErrorClass.INVALID, "IncorrectInstanceState", "the instance has ended, or never was")
        if volume["zone"] != instance["offer"]["zone"]:
            raise ProviderError(ErrorClass.INVALID, "InvalidVolume.ZoneMismatch", f"{volume_id} is in {volume['zone']}")
        if volume["attached_to"] == instance["instance_id"]:
            return
        if volume["attached_to"] is not None:
            raise ProviderError(ErrorClass.NOT_YET, "VolumeInUse", f"{volume_id} is at {volume['attached_to']}")
        if instance["state"] != "running":
            raise ProviderError(ErrorClass.NOT_YET, "IncorrectState", "the instance does not run yet")
        self.hold(volume_id, instance["instance_id"], machine)

    def detach(self, volume_id: str, instance_id: str, machine: Path) -> None:
        """See the contract."""
        volume = self._record(volume_id)
        if volume is None or volume["attached_to"] != instance_id:
            return
        with contextlib.suppress(OSError):
            (machine / "dev" / volume_id).unlink()
        write_json(self._folder(volume_id) / "volume.json", {**volume, "attached_to": None})

    def grow(self, volume_id: str, size_gb: int) -> None:
        """See the contract."""
        volume = self._record(volume_id)
        if volume is None:
            raise ProviderError(ErrorClass.INVALID, "InvalidVolume.NotFound", f"there is no volume {volume_id}")
        if volume["size_gb"] < size_gb:
            write_json(self._folder(volume_id) / "volume.json", {**volume, "size_gb": size_gb})

    def delete(self, volume_id: str) -> None:
        """See the contract."""
        volume = self._record(volume_id)
        if volume is None:
            return
        if volume["attached_to"] is not None:
            raise ProviderError(ErrorClass.NOT_YET, "VolumeInUse", f"{volume_id} is at {volume['attached_to']}")
        shutil.rmtree(self._folder(volume_id))

    def _folder(self, volume_id: str) -> Path:
        return self._home / "volumes" / Path(volume_id).name

    def _record(self, volume_id: str) -> dict[str, Any] | None:
        record = read_json(self._folder(volume_id) / "volume.json")
        return record if record is not None and record["tags"].get("fleet") == self._fleet_id else None


def _volume(record: dict[str, Any]) -> Volume:
    return Volume(
        volume_id=record["volume_id"],
        region=record["region"],
        zone=record["zone"],
        size_gb=record["size_gb"],
        state=VolumeState.IN_USE if record["attached_to"] else VolumeState.AVAILABLE,
        attached_to=record["attached_to"],
        created_at=record["created_at"],
        price=PRICE,
        tags=record["tags"],
    )

"""EBS volumes outside a launch.

What a call would do wrong is looked for first, by describing: EC2 refuses it too, but with codes that mean several things,
and its look-alikes let it pass.
"""

from __future__ import annotations

import hashlib
from typing import Any

from fleet.model.cloud import NewVolume, Volume, VolumeState
from fleet.model.errors import ProviderError
from fleet.providers.asked import MOST_TOKEN
from fleet.providers.aws import calls, mapping
from fleet.providers.aws.errors import refusal
from fleet.providers.aws.launch import DATA_DEVICE

FREE, HELD = VolumeState.AVAILABLE, (VolumeState.ATTACHING, VolumeState.IN_USE)
GONE = frozenset({"InvalidVolume.NotFound", "InvalidAttachment.NotFound", "InvalidInstanceID.NotFound"})


class Volumes:
    """One fleet's volumes."""

    def __init__(self, fleet_id: str) -> None:
        self._fleet_id = fleet_id

    def create(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Make one; the same token gives the same."""
        if tags.get("fleet") != self._fleet_id:
            raise refusal("InvalidParameterValue", "the volume's tags do not say whose it is")
        key = token if token.isascii() and len(token) <= MOST_TOKEN else hashlib.sha256(token.encode()).hexdigest()
        filters = calls.tagged(**{"fleet": self._fleet_id, mapping.VOLUME_TOKEN_TAG: key})
        known, _ = calls.every(region, "DescribeVolumes", "Volumes", Filters=filters)
        if not known:
            known = [calls.ec2(region, "CreateVolume", **volume_request(zone, volume, key, tags))]
        made = mapping.volume(known[0], region)
        if made is None:
            raise refusal("InvalidVolume.NotFound", "the volume of this token was deleted")
        if (made.zone, made.size_gb) != (zone, volume.size_gb):
            raise refusal("IdempotentParameterMismatch", "this token was used for another volume")
        return made

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Attach one; see the contract."""
        volume, machine = self._mine(region, volume_id), calls.instance(region, instance_id)
        if volume is None:
            raise refusal("InvalidVolume.NotFound", f"there is no volume {volume_id}")
        if machine is None or mapping.tag(machine, "fleet") != self._fleet_id:
            raise refusal("InvalidInstanceID.NotFound", f"there is no machine {instance_id}")
        if check_attach(volume, machine):
            calls.ec2(region, "AttachVolume", VolumeId=volume_id, InstanceId=instance_id, Device=DATA_DEVICE)

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Take one off; see the contract."""
        volume = self._mine(region, volume_id)
        if volume is None or volume.attached_to != instance_id or volume.state is VolumeState.DETACHING:
            return
        try:
            calls.ec2(region, "DetachVolume", VolumeId=volume_id, InstanceId=instance_id, Force=False)
        except ProviderError as error:
            now = self._mine(region, volume_id) if error.code in (*GONE, "IncorrectState") else volume
            if now is not None and now.attached_to == instance_id and now.state is not VolumeState.DETACHING:
                raise

    def grow(self, region: str, volume_id: str, size_gb: int) -> None:
        """Enlarge one; see the contract."""
        volume = self._mine(region, volume_id)
        if volume is None:
            raise refusal("InvalidVolume.NotFound", f"there is no volume {volume_id}")
        if volume.size_gb < size_gb:
            calls.ec2(region, "ModifyVolume", VolumeId=volume_id, Size=size_gb)

    def delete(self, region: str, volume_id: str) -> None:
        """Delete one; see the contract."""
        volume = self._mine(region, volume_id)
        if volume is None:
            return
        if volume.attached_to is not None:
            raise refusal("VolumeInUse", f"{volume_id} is {volume.state.value} at {volume.attached_to}")
        try:
            calls.ec2(region, "DeleteVolume", VolumeId=volume_id)
        except ProviderError as error:
            if error.code not in GONE:
                raise

    def _mine(self, region: str, volume_id: str) -> Volume | None:
        found = calls.volume(region, volume_id)
        if found is None or mapping.tag(found, "fleet") != self._fleet_id:
            return None
        return mapping.volume(found, region)


def volume_request(zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> dict[str, Any]:
    """``CreateVolume``: gp3, encrypted, tagged at once."""
    marked = {**tags, mapping.VOLUME_TOKEN_TAG: token}
    return {
        "AvailabilityZone": zone,
        "Size": volume.size_gb,
        "VolumeType": "gp3",
        "Encrypted": True,
        "ClientToken": token,
        "TagSpecifications": [
            {"ResourceType": "volume", "Tags": [{"Key": key, "Value": value} for key, value in sorted(marked.items())]}
        ],
    }


def check_attach(volume: Volume, machine: dict[str, Any]) -> bool:
    """Whether there is anything to do. Raises ProviderError for what cannot be, or not yet."""
    volume_id, instance_id, state = volume.volume_id, machine["InstanceId"], machine["State"]["Name"]
    if state not in ("pending", "running"):
        raise refusal("InvalidParameterValue", f"{instance_id} is {state}: nothing can be attached to it")
    if machine["Placement"]["AvailabilityZone"] != volume.zone:
        raise refusal("InvalidVolume.ZoneMismatch", f"{volume_id} is in {volume.zone}, {instance_id} is not")
    if volume.attached_to == instance_id and volume.state in HELD:
        return False
    if volume.attached_to is not None:
        raise refusal("VolumeInUse", f"{volume_id} is {volume.state.value} at {volume.attached_to}")
    if volume.state is not FREE or state != "running":
        raise refusal("IncorrectState", f"{volume_id} is {volume.state.value}, {instance_id} is {state}")
    return True

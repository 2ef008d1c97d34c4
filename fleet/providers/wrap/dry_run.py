"""What would be done, without doing it: reading goes through, changes are noted down."""

from __future__ import annotations

import time
from collections.abc import Callable

from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule, Instance, InstanceState, LaunchRequest, Listing, NewVolume, Volume, VolumeState
from fleet.providers.base import InTime, Provider, always
from fleet.providers.wrap.around import Call, Wrapper


class DryRun(Wrapper):
    """Changes nothing. What it would have made it lists as if it were there, so that a plan goes on as it would."""

    def __init__(self, inner: Provider, *, clock: Callable[[], Seconds] = time.time) -> None:
        super().__init__(inner)
        self._clock = clock
        self.calls: list[Call] = []
        """Changes that were asked for, in order."""
        self._instances: dict[str, Instance] = {}
        self._volumes: dict[str, Volume] = {}

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """A machine that would boot, of the first offer."""
        offer = request.offers[0]
        self.calls.append(Call("launch", offer.region, {"request": request}))
        made = Instance(
            instance_id=f"dry-{request.token[:17]}",
            offer=offer,
            state=InstanceState.PENDING,
            launched_at=self._clock(),
            tags=dict(request.tags),
        )
        return self._instances.setdefault(made.instance_id, made)

    def list(self, region: str) -> Listing:
        """What is there, and what would be."""
        there = self.inner.list(region)
        return there.model_copy(
            update={
                "instances": (*there.instances, *(i for i in self._instances.values() if i.offer.region == region)),
                "volumes": (*there.volumes, *(v for v in self._volumes.values() if v.region == region)),
            }
        )

    def get(self, region: str, instance_id: str) -> Instance | None:
        """One machine, there or not quite."""
        return self._instances.get(instance_id) or self.inner.get(region, instance_id)

    def terminate(self, region: str, instance_id: str) -> None:
        """Note it down."""
        self.calls.append(Call("terminate", region, {"instance_id": instance_id}))
        self._instances.pop(instance_id, None)

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """A disk that would be made."""
        self.calls.append(Call("create_volume", region, {"zone": zone, "volume": volume, "token": token, "tags": tags}))
        made = Volume(
            volume_id=f"dry-{token[:17]}",
            region=region,
            zone=zone,
            size_gb=volume.size_gb,
            state=VolumeState.AVAILABLE,
            created_at=self._clock(),
            price=self.capabilities.volume_price_in(region),
            tags=dict(tags),
        )
        return self._volumes.setdefault(made.volume_id, made)

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Note it down."""
        self.calls.append(Call("attach", region, {"volume_id": volume_id, "instance_id": instance_id}))

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Note it down."""
        self.calls.append(Call("detach", region, {"volume_id": volume_id, "instance_id": instance_id}))

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """Note it down."""
        self.calls.append(Call("grow_volume", region, {"volume_id": volume_id, "size_gb": size_gb}))

    def delete_volume(self, region: str, volume_id: str) -> None:
        """Note it down."""
        self.calls.append(Call("delete_volume", region, {"volume_id": volume_id}))
        self._volumes.pop(volume_id, None)

    def close_access(self, rule: AccessRule) -> None:
        """Note it down."""
        self.calls.append(Call("close_access", rule.region, {"rule": rule}))

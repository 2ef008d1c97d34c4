"""The common form of wrappers: every call goes through one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fleet.model.base import Seconds
from fleet.model.cloud import (
    AccessRule,
    BootTarget,
    Capabilities,
    Instance,
    LaunchRequest,
    Listing,
    NewVolume,
    Offer,
    PriceSince,
    Volume,
)
from fleet.providers.base import InTime, Provider, always

T = TypeVar("T")

READS = frozenset({"offers", "list", "get", "price_history", "boot_target", "console", "access_rules"})
"""Calls that change nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the contract."""

    method: str
    region: str
    arguments: dict[str, Any]
    """By name, without the region."""

    @property
    def changes(self) -> bool:
        """Whether it may change something in the cloud."""
        return self.method not in READS


class Wrapper:
    """A provider around a provider. Subclasses say in ``around`` what happens to each call."""

    def __init__(self, inner: Provider) -> None:
        self.inner = inner

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Make the call (or not, or more than once)."""
        return do()

    @property
    def name(self) -> str:
        """The wrapped provider's."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        """The wrapped provider's."""
        return self.inner.capabilities

    def regions(self) -> Sequence[str]:
        """The wrapped provider's; no call to a cloud."""
        return self.inner.regions()

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        """See the contract."""
        return self.around(Call("offers", region or "", {}), lambda: self.inner.offers(region))

    def price_history(self, offer: Offer, since: Seconds, until: Seconds) -> Sequence[PriceSince]:
        """See the contract."""
        call = Call("price_history", offer.region, {"offer": offer, "since": since, "until": until})
        return self.around(call, lambda: self.inner.price_history(offer, since, until))

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        """See the contract."""
        call = Call("boot_target", offers[0].region if offers else "", {"offers": offers, "image_id": image_id})
        return self.around(call, lambda: self.inner.boot_target(offers, image_id))

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """See the contract."""
        region = request.offers[0].region if request.offers else ""
        return self.around(Call("launch", region, {"request": request}), lambda: self.inner.launch(request, in_time))

    def list(self, region: str) -> Listing:
        """See the contract."""
        return self.around(Call("list", region, {}), lambda: self.inner.list(region))

    def get(self, region: str, instance_id: str) -> Instance | None:
        """See the contract."""
        call = Call("get", region, {"instance_id": instance_id})
        return self.around(call, lambda: self.inner.get(region, instance_id))

    def console(self, region: str, instance_id: str) -> str:
        """See the contract."""
        call = Call("console", region, {"instance_id": instance_id})
        return self.around(call, lambda: self.inner.console(region, instance_id))

    def terminate(self, region: str, instance_id: str) -> None:
        """See the contract."""
        call = Call("terminate", region, {"instance_id": instance_id})
        self.around(call, lambda: self.inner.terminate(region, instance_id))

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """See the contract."""
        call = Call("create_volume", region, {"zone": zone, "volume": volume, "token": token, "tags": tags})
        return self.around(call, lambda: self.inner.create_volume(region, zone, volume, token, tags))

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """See the contract."""
        call = Call("attach", region, {"volume_id": volume_id, "instance_id": instance_id})
        self.around(call, lambda: self.inner.attach(region, volume_id, instance_id))

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """See the contract."""
        call = Call("detach", region, {"volume_id": volume_id, "instance_id": instance_id})
        self.around(call, lambda: self.inner.detach(region, volume_id, instance_id))

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """See the contract."""
        call = Call("grow_volume", region, {"volume_id": volume_id, "size_gb": size_gb})
        self.around(call, lambda: self.inner.grow_volume(region, volume_id, size_gb))

    def delete_volume(self, region: str, volume_id: str) -> None:
        """See the contract."""
        call = Call("delete_volume", region, {"volume_id": volume_id})
        self.around(call, lambda: self.inner.delete_volume(region, volume_id))

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """See the contract."""
        return self.around(Call("access_rules", region, {}), lambda: self.inner.access_rules(region))

    def close_access(self, rule: AccessRule) -> None:
        """See the contract."""
        self.around(Call("close_access", rule.region, {"rule": rule}), lambda: self.inner.close_access(rule))

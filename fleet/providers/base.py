"""The contract that every provider keeps. One conformance suite (tests/contract) runs over all of them.

Rules that hold for every method:

- A refusal is a ``ProviderError`` with an ``ErrorClass``; no SDK's own exception ever leaves a provider. An answer that
  was lost is ``transient``: the effect may have happened, and calling again is how one finds out.
- Every method but ``launch`` and ``create_volume`` may be called again at any time with the same effect as once; those
  two are made idempotent by their token.
- Times are seconds since 1970-01-01 UTC by the provider's own clock, prices integer micro-dollars per hour,
  sizes GB (10^9 bytes).
- Only what carries this fleet's ``fleet`` tag is ever listed, changed or ended.
- Calls block for as long as the cloud takes to answer, never until a state is reached: a state is observed by listing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

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

InTime = Callable[[], bool]
"""Whether a call may still be sent; asked at the last moment."""


def always() -> bool:
    """Whenever."""
    return True


@runtime_checkable
class Provider(Protocol):
    """A cloud, as far as fleet needs one."""

    @property
    def name(self) -> str:
        """The provider's word in ``infra`` and in offers, for example ``local``."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as data. Never changes."""
        ...

    def regions(self) -> Sequence[str]:
        """Every region that this fleet may use, for the sweep. Cheap: no call to the cloud is needed."""
        ...

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        """What can be bought now, with prices, in no particular order. An offer is no promise of capacity."""
        ...

    def price_history(self, offer: Offer, since: Seconds, until: Seconds) -> Sequence[PriceSince]:
        """What an instance of a spot offer was charged per hour: the price in force at ``since``, then each change.

        Only asked where ``capabilities.price_history`` says so; else empty. Times are not before ``since``.
        """
        ...

    def boot_target(self, offers: Sequence[Offer], image_id: str | None) -> BootTarget | None:
        """What machines of these offers boot from, ``image_id`` being the job's wish; asked once, before a try is frozen.

        Only asked where ``capabilities.images`` says so; else None: machines find the boot document as their user-data.
        """
        ...

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """Start one instance of the first offer in ``request.offers`` that can be had, everything tagged at once.

        The same token gives the same instance however often it is called, also after that instance ended (then it is
        returned as terminated, and nothing is started; once the cloud has forgotten it, that is a refusal of the class
        ``capacity``: the try is over). The same token with another request is ``invalid``. A new
        volume is made, tagged and attached in the same call, in the zone the instance got, and outlives it. An existing
        volume is *not* attached here. If no offer can be had, the error has the class of the most hopeful refusal
        (capacity before price before quota) and nothing was made. Never launched above ``request.max_price``.

        ``in_time`` is asked right before each request that could make a machine is sent, however long the call waited, was
        tried again, or the computer slept until then. Once it says no, none is: TooLateError, unless the token's machine is
        found. Others may have given the token up meanwhile, and have another machine under the next one.
        """
        ...

    def list(self, region: str) -> Listing:
        """Every instance and volume with this fleet's tag in a region, terminated ones for a while too.

        May lag: something just made may be missing for up to ``capabilities.visible_within`` seconds, something ended
        may still look alive. Absence proves nothing; ask ``get``.
        """
        ...

    def get(self, region: str, instance_id: str) -> Instance | None:
        """One instance by id, as fresh as the cloud can tell. None: the cloud knows none such (any more, or yet)."""
        ...

    def console(self, region: str, instance_id: str) -> str:
        """What a machine printed while it booted, its last 64 kB at most. Only asked where ``capabilities.console`` says
        so. Empty while the cloud has nothing."""
        ...

    def terminate(self, region: str, instance_id: str) -> None:
        """Ask for an instance to be ended for good. Returns once asked; ending is observed. Unknown ids and instances
        already ended are success."""
        ...

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Make a volume outside a launch. Same token, same volume."""
        ...

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Attach a volume. Success if it is attached there already.

        ``not-yet`` while either side is not ready or the volume is held by another instance; ``invalid`` across zones,
        for an ended instance, or for an unknown volume.
        """
        ...

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Ask for a volume to be taken off an instance, never by force. Success if it is not attached there."""
        ...

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """Ask for a volume to be enlarged, attached or not. Success if it has that size or more already: none is ever
        made smaller. ``not-yet`` while the cloud cannot (EC2: once in six hours); ``invalid`` for an unknown volume. Only
        asked where ``capabilities.growing`` says so."""
        ...

    def delete_volume(self, region: str, volume_id: str) -> None:
        """Delete a volume for good. ``not-yet`` while it is attached; an unknown id is success."""
        ...

    def access_rules(self, region: str) -> Sequence[AccessRule]:
        """The address ranges that this fleet let in, each with its time. Only asked where ``capabilities.access_rules``
        says so."""
        ...

    def close_access(self, rule: AccessRule) -> None:
        """Let an address range in no longer; success if it is not let in any more."""
        ...

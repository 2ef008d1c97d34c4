"""What the provider of any cloud does alike, whose machines are bought by offers and whose disks are kept beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from fleet.model.base import Seconds
from fleet.model.cloud import NewVolume, Offer, Volume
from fleet.model.errors import ProviderError

BOOK_SECONDS = 300.0
"""How long the offers are remembered by which machines are priced: reading them from disk at every tick is a waste."""

Shop = Callable[[str], Sequence[Offer]]
log = logging.getLogger("fleet.providers")


class Disks(Protocol):
    """A fleet's volumes, as base.py has each of these."""

    def create(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Make one."""
        ...

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Attach one."""
        ...

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Take one off."""
        ...

    def grow(self, region: str, volume_id: str, size_gb: int) -> None:
        """Enlarge one."""
        ...

    def delete(self, region: str, volume_id: str) -> None:
        """Delete one."""
        ...


class Account:
    """One fleet's view of one account."""

    def __init__(
        self, regions: Sequence[str], volumes: Disks, shop: Shop, book: Shop | None, clock: Callable[[], Seconds]
    ) -> None:
        """``shop`` tells a region's offers; ``book`` what its machines were offered at, if not what is sold there now."""
        self._regions, self._volumes = tuple(sorted(regions)), volumes
        self._shop, self._told, self._clock = shop, book, clock
        self._books: dict[str, tuple[float, dict[str, Offer]]] = {}

    def regions(self) -> Sequence[str]:
        """Those that set-up made ready."""
        return self._regions

    def offers(self, region: str | None = None) -> Sequence[Offer]:
        """Every type in every zone, on spot and on demand, at prices that may be some time old.

        A region that tells none is passed over as long as another tells some.
        """
        found: list[Offer] = []
        failed: ProviderError | None = None
        for one in self.regions() if region is None else (region,):
            try:
                found.extend(self._shop(one))
            except ProviderError as error:
                log.warning("fleet: %s tells no prices: %s", one, error.message)
                failed = failed or error
        if failed is not None and not found:
            raise failed
        return found

    def create_volume(self, region: str, zone: str, volume: NewVolume, token: str, tags: dict[str, str]) -> Volume:
        """Make a volume outside a launch."""
        return self._volumes.create(region, zone, volume, token, tags)

    def attach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Attach a volume; see the contract."""
        self._volumes.attach(region, volume_id, instance_id)

    def detach(self, region: str, volume_id: str, instance_id: str) -> None:
        """Take a volume off; see the contract."""
        self._volumes.detach(region, volume_id, instance_id)

    def grow_volume(self, region: str, volume_id: str, size_gb: int) -> None:
        """Enlarge a volume; see the contract."""
        self._volumes.grow(region, volume_id, size_gb)

    def delete_volume(self, region: str, volume_id: str) -> None:
        """Delete a volume; see the contract."""
        self._volumes.delete(region, volume_id)

    def _book(self, region: str) -> dict[str, Offer]:
        """The region's offers by key. Machines are listed also where nobody can say what they cost."""
        if self._told is not None:
            return {offer.key: offer for offer in self._told(region)}
        at, book = self._books.get(region, (float("-inf"), {}))
        if self._clock() - at > BOOK_SECONDS:
            try:
                book = {offer.key: offer for offer in self._shop(region)}
            except ProviderError:
                return book
            self._books[region] = self._clock(), book
        return book

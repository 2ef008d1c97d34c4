"""Which cloud a world has: the strict simulated one, or Compute Engine's stand-in (google.py).

Whatever it is, a world and its laws look at it as at a ``SimCloud``: what exists, since when, until when, at whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fleet.providers.base import Provider
from fleet.providers.sim.cloud import Manners, SimCloud
from fleet.providers.sim.market import Weather
from fleet.providers.sim.provider import SimProvider

if TYPE_CHECKING:
    from tests.simulation.chaos.clients import Laptop
    from tests.simulation.chaos.world import World


class Kind(Protocol):
    """A cloud, and how it is called by those who use it."""

    @property
    def word(self) -> str:
        """The provider's, in ``infra`` and in offers."""
        ...

    @property
    def infras(self) -> tuple[str, ...]:
        """Where a user may want a run: anywhere, in one of two regions, in one zone."""
        ...

    def cloud(self, world: World, weather: Weather) -> SimCloud:
        """A new one, on the world's clock."""
        ...

    def provider(self, world: World, fleet_id: str, client: Laptop | None) -> Provider:
        """The way of a client to it; None: of somebody for whom nothing goes wrong."""
        ...


class Simulated:
    """The simulated cloud itself."""

    word = "sim"
    infras = ("sim", "sim/sim-1", "sim/sim-2", "sim/sim-1/sim-1b")

    def cloud(self, world: World, weather: Weather) -> SimCloud:
        return SimCloud(world.clock, world.seed, Manners(weather=weather))

    def provider(self, world: World, fleet_id: str, client: Laptop | None) -> Provider:
        return SimProvider(world.cloud, fleet_id)


SIM = Simulated()


def kind(word: str) -> Kind:
    """By its word. What only one of them needs is imported only for it."""
    if word == SIM.word:
        return SIM
    from tests.simulation.chaos.google import Google

    return Google()

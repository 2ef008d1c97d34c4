"""A policy's run through a window of a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet.core.deadlines.model import Do
from fleet.core.ticks.model import BOTH, ON_DEMAND, SPOT, Places, Seen, Terms, checked


class Policy(Protocol):
    """A rule that chooses. One object serves one run at a time: ``begin`` makes it forget the one before."""

    def begin(self, terms: Terms) -> None:
        """A run under these terms starts."""

    def choose(self, seen: Seen) -> Do:
        """What to do in the tick that begins. SPOT and BOTH only where ``seen.spot``."""


class ZonePolicy(Policy, Protocol):
    """A policy that also says where: asked only where its choice needs a spot machine and there are several zones."""

    def where(self, seen: Seen) -> int:
        """The zone's index, one that is up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    cost_od_hours: float
    """Hours of on-demand that cost as much."""
    finish_tick: int
    """The tick at whose beginning no work was left."""
    late: bool
    launches: int
    moves: int
    """Changes of region."""
    filled: int
    """Ticks beyond the window's end that the runner itself filled with on-demand, asking no policy."""
    choices: tuple[Do, ...]
    zones: tuple[int, ...]
    """Where, for each choice; -1: no spot machine."""


_ONE = ((False,), (True,))


def simulate(policy: Policy, window: Sequence[int | bool], terms: Terms) -> Outcome:
    """Run a policy in one zone, from the window's first tick. Positive is available."""
    return simulate_zones(policy, [_ONE[bool(up > 0)] for up in window], terms, Places((terms.price,), ("",)))


def simulate_zones(policy: Policy, ticks: Sequence[Sequence[bool]], terms: Terms, places: Places) -> Outcome:
    """Run a policy over several zones; each tick says where spot is up.

    Beyond the window's end nothing is known of spot, and it counts as not available. Once the deadline has passed too, or
    without one, on-demand does what is left: a window's end must not make a run free, nor endless.
    """
    checked(terms)
    seen = Seen(terms, places)
    policy.begin(terms)
    choices: list[Do] = []
    zones: list[int] = []
    where = getattr(policy, "where", nearest)
    several = len(places.prices) > 1
    fill_at = max(len(ticks), terms.ticks or 0)
    for tick, spots in enumerate(_endless(ticks, (False,) * len(places.prices))):
        if not seen.see(spots):
            break
        do = policy.choose(seen) if tick < fill_at else ON_DEMAND
        zone = (where(seen) if several else 0) if do is SPOT or do is BOTH else -1
        seen.take(do, zone)
        choices.append(do)
        zones.append(zone)
    finish = seen.tick
    late = terms.ticks is not None and finish > terms.ticks
    filled = max(0, finish - fill_at)
    return Outcome(seen.cost, finish, late, seen.launches, seen.moves, filled, tuple(choices), tuple(zones))


def nearest(seen: Seen) -> int:
    """Where a policy that does not say where goes: it stays, else the cheapest zone that is up."""
    return seen.zone if seen.zone >= 0 else cheapest(seen)


def cheapest(seen: Seen, first: Sequence[int] = ()) -> int:
    """The cheapest zone that is up, the first of equals: of those that come first, else of all."""
    up = [zone for zone in first if seen.spots[zone]] or [zone for zone, is_up in enumerate(seen.spots) if is_up]
    return min(up, key=seen.places.prices.__getitem__)


def _endless(ticks: Sequence[Sequence[bool]], nowhere: Sequence[bool]) -> Iterator[Sequence[bool]]:
    yield from ticks
    while True:
        yield nowhere

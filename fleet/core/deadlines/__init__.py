"""A stand-in with the interface of the solved tables: spot while it is safe, on-demand when it must be."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.core.deadlines.model import Decision, Do, Situation, Sky, Terms

__all__ = ["Belief", "Decision", "Do", "Situation", "Sky", "Table", "Terms", "decide", "table"]


@dataclass(frozen=True)
class Belief:
    """What a sequence of observations says."""

    up: bool = True
    age: float = 0.0
    flicker: float = 0.0

    def see(self, up: bool, seconds: float) -> Belief:
        """Spot was up, or not, for so long."""
        changed = up != self.up
        return Belief(up, seconds if changed else self.age + seconds, self.flicker + changed)

    @property
    def sky(self) -> Sky:
        """As the table takes it."""
        return Sky(self.up, self.age, self.flicker, (1.0,))


@dataclass(frozen=True)
class Table:
    """Nothing is solved."""

    terms: Terms


def table(terms: Terms, horizon: float, slack: float) -> Table:  # noqa: ARG001
    """The table for some terms."""
    return Table(terms)


def decide(table: Table, s: Situation) -> Decision:
    """Spot while one more overhead can be paid, else on-demand."""
    terms = table.terms
    d, tick = terms.overhead, terms.tick
    latest = s.left - s.work - (s.rem if s.running is Do.ON_DEMAND else d)
    hours = s.work / 3600
    costs = {Do.SPOT: hours * terms.price, Do.ON_DEMAND: hours}
    if s.running is Do.ON_DEMAND:
        safe = s.sky.up and s.left >= s.work + terms.restore + d + tick and hours > 0.25
        do = (Do.SPOT if s.beside == 0 else Do.BOTH) if safe else Do.ON_DEMAND
    elif s.running is Do.SPOT:
        do = Do.SPOT if s.left >= s.work + s.rem + d else Do.ON_DEMAND
    elif s.sky.up:
        do = Do.SPOT if s.left >= s.work + 2 * d else Do.ON_DEMAND
    else:
        do = Do.WAIT if s.left >= s.work + d + 2 * tick else Do.ON_DEMAND
    cost = costs.get(do, hours * terms.price)
    others = tuple((other, c) for other, c in costs.items() if other is not do)
    return Decision(do, cost, others, do is Do.ON_DEMAND and latest < tick, latest)

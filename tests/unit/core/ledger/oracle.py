"""What a story of machines and disks costs, told second by second with fractions: it shares no code with the ledger.

Everything in a story happens at whole seconds. A machine is what was recorded of it in the order of recording; a disk is a
list of moments at which it had another size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

MINIMUM = 60
FREE_WITHIN = 3600
HOUR = 3600
MONTH = 730 * 3600


@dataclass
class Machine:
    """One machine's life."""

    launched: int
    price: int
    on_demand: int
    seen: list[tuple[int, int]] = field(default_factory=list)
    """Changes of its price as they were recorded: at which second, to what. A clock may have gone back in between."""
    history: list[tuple[int, int]] | None = None
    """What the provider told afterwards, which replaces what was seen from its first second on."""
    ended: int | None = None
    by: str = "fleet"
    hold: int = 0
    """So many seconds from its launch on have one price each: that of the first of them."""

    def seconds(self, now: int) -> range:
        """Those that are charged."""
        end = self.ended if self.ended is not None else now
        return range(self.launched, max(end, self.launched + MINIMUM))

    def price_in(self, second: int) -> int:
        """What it is charged in one second."""
        if self.hold:
            second = self.launched + (second - self.launched) // self.hold * self.hold
        if self.history and second >= self.history[0][0]:
            told = self.history
        else:
            told = [(self.launched, self.price), *self.seen]
            if self.history:
                told = [one for one in told if one[0] < self.history[0][0]]
        in_force = self.price
        for at, price in told:
            if at <= second:
                in_force = price
        return in_force

    def free(self) -> bool:
        """Taken back by the cloud in its first hour."""
        return self.by == "cloud" and self.ended is not None and self.ended - self.launched <= FREE_WITHIN

    def cost(self, now: int, start: int = 0, end: int = 10**9) -> Fraction:
        """Micro-dollars within a window."""
        if self.free():
            return Fraction(0)
        return Fraction(sum(self.price_in(s) for s in self.seconds(now) if start <= s < end), HOUR)

    def twin(self, now: int, start: int = 0, end: int = 10**9) -> Fraction:
        """The same on demand."""
        return Fraction(self.on_demand, HOUR) * sum(start <= s < end for s in self.seconds(now))


@dataclass
class Disk:
    """One disk of a run."""

    made: int
    size: int
    price: int
    grown: list[tuple[int, int]] = field(default_factory=list)
    deleted: int | None = None

    def cost(self, now: int, start: int = 0, end: int = 10**9) -> Fraction:
        """Micro-dollars within a window."""
        paid = 0
        for second in range(self.made, self.deleted if self.deleted is not None else now):
            size = self.size
            for at, larger in self.grown:
                if at <= second:
                    size = max(size, larger)
            if start <= second < end:
                paid += size * self.price
        return Fraction(paid, MONTH)


def rounded(amount: Fraction) -> int:
    """Half up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)

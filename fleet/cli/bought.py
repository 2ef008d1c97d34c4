"""What was got for the money, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.cli.views import dollars
from fleet.control.runs import RunView
from fleet.core.bought import PARTS, WORDS, Part, Shares, Yield, paid, shares, steps
from fleet.model.base import Micros, Steps
from fleet.model.calendar import Span
from fleet.model.units import format_duration, format_money

if TYPE_CHECKING:
    from fleet.cli.bought_objects import BoughtObject, YieldObject

USEFUL: tuple[Part, ...] = ("training",)
LEAST = 0.005
"""A part of less is not told: it would read 0 %."""


@dataclass(frozen=True, slots=True)
class Bought:
    """What one run got for its money until it was looked at."""

    shares: Shares
    steps: Steps | None
    paid: dict[Part, Micros]

    @property
    def per_thousand(self) -> Micros | None:
        """Micro-dollars of its machines for 1,000 steps that were kept; None: there are none."""
        return round(sum(self.paid.values()) * 1000 / self.steps) if self.steps else None

    @property
    def wasted(self) -> Micros:
        """For what was no training."""
        return sum(amount for part, amount in self.paid.items() if part not in USEFUL)


def bought_of(seen: RunView) -> Bought:
    """All of a run."""
    whole = Span(min(0.0, seen.run.created_at), seen.at + 1)
    return Bought(
        shares=shares(seen.run, whole, seen.at, seen.beats),
        steps=steps(seen.run, whole, seen.at, seen.beats),
        paid=paid(seen.run, whole, seen.at, seen.billing, seen.beats),
    )


def told_bought(found: Bought) -> Iterator[tuple[str, str]]:
    """Lines for ``fleet status``: a word, and what stands behind it. Nothing before there was a machine."""
    machine = found.shares.machine
    if not machine:
        return
    parts = [(WORDS[part], share / machine) for part, share in found.shares.parts.items()]
    told = ", ".join(f"{word} {share:.0%}" for word, share in parts if share >= LEAST)
    waiting = f"; {format_duration(found.shares.waiting)} without one" if found.shares.waiting >= 1 else ""
    yield "time", f"{format_duration(machine)} of machines: {told}{waiting}"
    reasons = [(part, found.paid[part]) for part in PARTS if part not in USEFUL and found.paid[part] > 0]
    dearest = ", ".join(f"{WORDS[part]} {format_money(amount)}" for part, amount in sorted(reasons, key=_dearest))
    bought = f"{found.steps:,} steps kept" if found.steps is not None else "no steps that training tells"
    each = f", {format_money(found.per_thousand)} for 1,000" if found.per_thousand is not None else ""
    yield "bought", f"{bought}{each}; wasted {format_money(found.wasted)}{f' ({dearest})' if dearest else ''}"


def _dearest(one: tuple[Part, Micros]) -> Micros:
    return -one[1]


def bought_object(found: Bought) -> BoughtObject:
    """As ``-o json`` prints it."""
    time, money = found.shares, found.paid
    return {
        "steps": found.steps,
        "time": {
            "machine_seconds": time.machine,
            "training_seconds": time.training,
            "boot_seconds": time.boot,
            "restore_seconds": time.restore,
            "lost_seconds": time.lost,
            "idle_seconds": time.idle,
            "leaving_seconds": time.leaving,
            "waiting_seconds": time.waiting,
        },
        "money": {
            "training_usd": dollars(money["training"]),
            "boot_usd": dollars(money["boot"]),
            "restore_usd": dollars(money["restore"]),
            "lost_usd": dollars(money["lost"]),
            "idle_usd": dollars(money["idle"]),
            "leaving_usd": dollars(money["leaving"]),
        },
        "usd_per_1000_steps": dollars(found.per_thousand) if found.per_thousand is not None else None,
    }


def told_yield(one: Yield) -> str:
    """What a type came to, in a line."""
    kept = f"{one.training / one.seconds:.0%} of it kept training" if one.seconds else "none of it training"
    time = f"{format_duration(one.seconds)} of machines, {kept}"
    kind = f"{one.instance_type} {one.market.value}"
    if one.per_thousand is None:
        return f"no steps that were told on {kind} for {format_money(one.paid)} ({time})"
    return f"1,000 steps for {format_money(one.per_thousand)} on {kind} so far ({one.steps:,} steps; {time})"


def yield_object(one: Yield) -> YieldObject:
    """As ``-o json`` prints it."""
    return {
        "provider": one.provider,
        "instance_type": one.instance_type,
        "market": one.market.value,
        "steps": one.steps,
        "machine_seconds": one.seconds,
        "training_seconds": one.training,
        "usd": dollars(one.paid),
        "usd_per_1000_steps": dollars(one.per_thousand) if one.per_thousand is not None else None,
    }

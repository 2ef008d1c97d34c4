"""How long a spot machine of a pool lives, and how long a pool stays refused: from parameters that come with fleet, from
what is told of the pool, and from what this fleet saw there. Works with nothing at all.

A machine of age t is taken with the hazard f · h(t): h falls with age and was fitted to traces (survival_learned.py names
them, scripts/calibrate_survival.py makes it), f is the pool's own factor. What is not known of f is a gamma: its
mean comes from what the cloud tells of the pool, and each machine seen to live or to be taken there moves it (both are
added to its two parameters, which is exact). The chance to live past an age is (b / (b + H(age)))^a, in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from fleet.core.pools import AGES, PoolRecord, faded, hours_by_age
from fleet.model.base import Seconds

LOOSEST_SHAPE = 2.0
"""The traces are of two kinds of machine, both scarce: other pools differ from them by more than they from each other."""
BANDS = (0.09, 0.27, 0.46, 0.67, 1.0)
"""The advisor's bands, as factors of the hazard: -ln(1 - share), of shares 2.5, 7.5, 12.5, 17.5 and 25 % a month, the last
one for 1: there the traces' machines were."""
USUAL_PRICE_SHARE = 0.35
"""Of on-demand's price. Dearer spot is scarcer, but price alone foretells little: by this power only, and within a limit."""
PRICE_POWER, PRICE_LIMIT = 0.25, 1.4
REBALANCE = 0.25
"""A rebalance signal counts as so much of an interruption."""
FRESH: Seconds = 3600
"""What was seen of a pool so long ago is still so."""
COMPARED: Seconds = 6 * 3600
"""Hazards are compared by what they come to until this age."""
SCORE_WEIGHT = 3.0
"""A placement score counts as so many launches, of which score/10 were had."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What the cloud tells of a pool."""

    band: int | None = None
    """Interruption band, from 0, the quietest, to 4."""
    label: str | None = None
    """The band in the cloud's words."""
    score: int | None = None
    """Placement score, 1 to 10."""
    price_share: float | None = None
    """Spot's price as a share of on-demand's."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of a pool before anything was seen there."""

    hazard: tuple[float, ...]
    """Per hour, by age: of a machine to be taken."""
    shape: float
    back: tuple[float, ...]
    """Per hour, by how long it has been refused: of a refused pool to have machines again."""
    back_shape: float
    had: float
    """Launches, as if they had been seen."""
    refused: float
    factor: float = 1.0
    """The pool's expected factor of the hazard."""


@lru_cache(maxsize=1)
def parameters() -> dict[str, dict[str, object]]:
    """What was learned, by class of machine."""
    from fleet.core.survival_learned import LEARNED  # whoever only looks at runs needs no parameters

    found: dict[str, dict[str, object]] = LEARNED["classes"]
    return found


@lru_cache(maxsize=4096)
def prior_of(accelerators: int = 1, hints: Hints = Hints()) -> Prior:
    """What the parameters and the cloud's words say of a pool whose machines have so many accelerators."""
    kind: dict[str, dict[str, object]] = parameters()["several" if accelerators > 1 else "one"]  # type: ignore[assignment]
    up, down, share = kind["up"], kind["down"], kind["share"]
    factor = BANDS[min(hints.band, len(BANDS) - 1)] if hints.band is not None else 1.0
    if hints.price_share is not None and hints.price_share > 0 and math.isfinite(hints.price_share):
        dearer = (hints.price_share / USUAL_PRICE_SHARE) ** PRICE_POWER
        factor *= min(PRICE_LIMIT, max(1 / PRICE_LIMIT, dearer))
    had, refused = _number(share["had"]), _number(share["refused"])
    if hints.score is not None:
        part = min(10, max(1, hints.score)) / 10
        had, refused = had + SCORE_WEIGHT * part, refused + SCORE_WEIGHT * (1 - part)
    return Prior(
        hazard=_numbers(up["hazard_per_hour"]),
        shape=min(LOOSEST_SHAPE, _number(up["shape"])),
        back=_numbers(down["hazard_per_hour"]),
        back_shape=min(LOOSEST_SHAPE, _number(down["shape"])),
        had=had,
        refused=refused,
        factor=factor,
    )


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


def _numbers(values: object) -> tuple[float, ...]:
    return tuple(float(value) for value in values)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Lives:
    """The distribution of a length: of a machine's life, or of a stretch of refusals."""

    hazard: tuple[float, ...]
    shape: float
    rate: float

    def expected(self, age: Seconds) -> float:
        """The hazard summed up to an age, for a factor of 1."""
        total, low = 0.0, 0.0
        for hazard, high in zip(self.hazard, AGES, strict=True):
            if age <= low:
                break
            total += hazard * (min(age, high) - low) / 3600
            low = high
        return total

    def past(self, seconds: Seconds, age: Seconds = 0.0) -> float:
        """The chance that it lasts so much longer, having lasted for ``age``."""
        begin = self.rate + self.expected(age)
        return math.pow(begin / (self.rate + self.expected(age + seconds)), self.shape)

    def mean(self, horizon: Seconds, age: Seconds = 0.0) -> Seconds:
        """How much longer it lasts on average, having lasted for ``age``; what is past the horizon does not count."""
        begin = self.rate + self.expected(age)
        low, total, before = age, 0.0, begin
        for hazard, high in zip(self.hazard, AGES, strict=True):
            if high <= low:
                continue
            end = min(high, age + horizon)
            after = before + hazard * (end - low) / 3600
            total += _area(begin, before, after, self.shape) * (end - low)
            low, before = end, after
            if end >= age + horizon:
                break
        return total


def _area(begin: float, low: float, high: float, shape: float) -> float:
    """The mean of (begin / x)^shape for x from low to high."""
    if high - low < 1e-9 * low:
        return math.pow(begin / low, shape)
    if abs(shape - 1) < 1e-9:
        return begin * math.log(high / low) / (high - low)
    power = shape - 1
    return begin * (math.pow(begin / low, power) - math.pow(begin / high, power)) / (power * (high - low))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected of a pool, from now on."""

    life: Lives
    """Of a machine that is launched now."""
    refusal: Lives
    """Of a stretch of refusals."""
    share: float
    """Of the time in which machines can be had, in the long run."""
    up: bool | None
    """As last seen."""
    age: Seconds
    """Since when that is so, up to when it was last seen."""
    ago: Seconds
    """When it was last seen."""
    launched: float = 0.0
    refused: float = 0.0
    taken: float = 0.0
    """What was seen, faded."""

    @property
    def chance(self) -> float:
        """That a machine can be had now. What was seen a moment ago weighs more than the long run."""
        if self.up is None:
            return self.share
        if self.up:
            return self.share + (1 - self.share) * self.life.past(self.ago, self.age)
        return self.share * (1 - self.refusal.past(self.ago, self.age))

    @property
    def standing(self) -> Seconds:
        """For how long machines have been had there, if that was seen lately: it is such runs of a pool that the hazards
        were fitted to, and a machine that is launched in the midst of one inherits its age."""
        return self.age if self.up and self.ago <= FRESH else 0.0

    def wait(self, horizon: Seconds) -> Seconds:
        """How long until a machine can be had, on average, within a horizon."""
        age = self.age + self.ago if self.up is False else 0.0
        return (1 - self.chance) * self.refusal.mean(horizon, age)


def outlook(record: PoolRecord | None, prior: Prior, now: Seconds) -> Outlook:
    """What is to be expected of a pool: the prior, and what was seen, the machines that live there now among it."""
    seen = faded(record, now) if record is not None else PoolRecord()
    lived = list(seen.lived)
    for since in seen.living.values():
        for index, hours in enumerate(hours_by_age(0.0, max(0.0, now - since))):
            lived[index] += hours
    spent = sum(hazard * hours for hazard, hours in zip(prior.hazard, lived, strict=True))
    waited = sum(hazard * hours for hazard, hours in zip(prior.back, seen.waited, strict=True))
    had, refused = prior.had + seen.launched, prior.refused + seen.refused
    last = now if seen.up and seen.living else min(now, seen.seen_at)
    return Outlook(
        life=Lives(prior.hazard, prior.shape + seen.taken + REBALANCE * seen.rebalanced, prior.shape / prior.factor + spent),
        refusal=Lives(prior.back, prior.back_shape + seen.came_back, prior.back_shape + waited),
        share=had / (had + refused),
        up=seen.up,
        age=max(0.0, last - seen.since),
        ago=max(0.0, now - last),
        launched=seen.launched,
        refused=seen.refused,
        taken=seen.taken,
    )


def mean_life(record: PoolRecord | None, prior: Prior, now: Seconds, horizon: Seconds = 30 * 86400) -> Seconds:
    """How long a machine that is launched now lives on average; at most the horizon."""
    expected = outlook(record, prior, now)
    return expected.life.mean(horizon, expected.standing)


def taken_within(record: PoolRecord | None, prior: Prior, now: Seconds, seconds: Seconds, age: Seconds = 0.0) -> float:
    """The chance that a machine of an age is taken within so many seconds."""
    return 1 - outlook(record, prior, now).life.past(seconds, age)


def risk_of(record: PoolRecord | None, prior: Prior, now: Seconds) -> float:
    """How often machines of a pool are taken, as a multiple of what the deadline's tables were learned from."""
    life = outlook(record, prior, now).life
    return life.shape / life.rate * life.expected(COMPARED) / _learned_hazard()


@lru_cache(maxsize=1)
def _learned_hazard() -> float:
    """Of the deadline's tables, summed up to an age."""
    from fleet.core.deadlines.weather import EDGES, LEARNED, TICK

    total, low = 0.0, 0.0
    for chance, high in zip(LEARNED.up, (*EDGES, math.inf), strict=True):
        total -= math.log(1 - chance) * max(0.0, min(high, COMPARED) - low) / TICK
        low = high
        if high >= COMPARED:
            break
    return total

"""Asking a deadline's table. What is safe is computed exactly; a table only says what the safe choices cost.

So a table need not be solved for a run's very figures, which change with each measured boot and each hour's prices: it is
solved for figures nearby, on a coarse grid, and a run, its sisters and the next controller ask the same few ones. The grid
is such that launches take whole parts of a tick, or whole halves: then nothing is interpolated while a table is solved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from fleet.core.deadlines.model import Decision, Do, Situation, Terms
from fleet.model.base import Seconds

TICKS = 96
"""A table has about so many steps from the run's creation to its deadline."""
LEVELS = 32
"""Values of slack in a table, close together where there is little, between which it is interpolated: with these figures it
takes 3 to 12 MB (a function in the account has 256), and loses nothing against the finest on measured traces."""
TICKS_OF_OVERHEAD = 2
"""One overhead takes at most so many ticks: each is a row of the table."""
PARTS = 4
"""It takes this part of a tick at least."""
TICK_LEAST: Seconds = 60
TICK_MOST: Seconds = 600
"""With half an hour, the longest of these runs cost a tenth more: young spot comes and goes within it."""
TICKS_MOST = 500
"""But for so many, however far the deadline is: a table must fit into memory."""
OCTAVE = 8
"""A table's horizon is one of so many between one and its double."""
RESTORE_LEAST: Seconds = 60
PRICE = 0.05
"""Between two shares of the price that tables are solved for."""
SOONER = 0.02
"""Spot that is there is not passed by for less than this share of the expected costs: to end sooner is worth it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a table is looked for, exactly."""

    horizon: Seconds
    """From the run's creation to its deadline."""
    least: Seconds
    """Of the work: with less of it than this the costs of more slack are not told apart."""
    overhead: Seconds
    """What losing a machine costs at the most: it is kept in reserve."""
    launch: Seconds
    """And what it costs on average."""
    restore: Seconds
    price: float
    zones: int


def asked(question: Question, at: Situation) -> Decision:
    """What is best, and what it is expected to cost."""
    terms, horizon, slack = nearby(question)
    return choose(terms, replace(at, left=min(at.left, at.work + slack)), horizon, slack, question)


def nearby(question: Question) -> tuple[Terms, Seconds, Seconds]:
    """The table's terms, horizon and slack."""
    horizon = _rounded_up(question.horizon)
    tick = min(TICK_MOST, max(TICK_LEAST, _up(horizon / TICKS, 60)))
    tick = max(tick, _up(horizon / TICKS_MOST, 60), _up(question.launch / TICKS_OF_OVERHEAD, 60))
    overhead = _launch(question.launch, tick)
    restore = RESTORE_LEAST * 2.0 ** max(0, round(math.log2(max(question.restore, 1.0) / RESTORE_LEAST)))
    price = min(1.0, max(PRICE, round(question.price / PRICE) * PRICE))
    slack = max(tick, _up(_rounded_up(max(question.horizon - question.least, horizon / OCTAVE)), tick))
    terms = Terms(
        tick=tick,
        overhead=overhead,
        restore=min(restore, overhead),
        price=round(price, 6),
        overlap=True,
        zones=min(2, question.zones),
    )
    return terms, _up(horizon, tick), min(slack, _up(horizon, tick))


def _rounded_up(seconds: Seconds) -> Seconds:
    """To the next of a few that lie evenly between a power of 2 and the next."""
    power: Seconds = 2.0 ** math.floor(math.log2(max(seconds, 1.0)))
    return _up(seconds, power / OCTAVE)


def _launch(overhead: Seconds, tick: Seconds) -> Seconds:
    """Near it, a part of a tick, or so many halves of one."""
    if overhead >= tick:
        return round(2 * overhead / tick) * tick / 2
    return tick / min(PARTS, max(1, round(tick / max(overhead, 1.0))))


def choose(terms: Terms, situation: Situation, horizon: Seconds, slack: Seconds, question: Question) -> Decision:
    """What ``core/deadlines`` says. Its table is solved once for each terms and horizon, in a part of a second."""
    from fleet.core.deadlines import decide, table

    found = decide(table(terms, horizon, slack, LEVELS), situation, question.overhead)
    found = _goes_on(_at_price(found, situation, question.price - terms.price, terms.price), situation)
    spot = dict(found.others).get(Do.SPOT)
    if found.do is not Do.WAIT or spot is None or spot > found.cost * (1 + SOONER):
        return found
    others = tuple((Do.WAIT, found.cost) if do is Do.SPOT else (do, cost) for do, cost in found.others)
    return replace(found, do=Do.SPOT, cost=spot, others=others)


def _at_price(found: Decision, at: Situation, dearer: float, price: float) -> Decision:
    """Costs where spot asks somewhat more or less than the table has it. Some machine is paid for as long as there is work;
    what it costs less than on-demand is spot's part in it."""
    hours = at.work / 3600

    def told(cost: float) -> float:
        return cost + dearer * min(max(hours - cost, 0.0) / max(1.0 - price, PRICE), hours)

    return replace(found, cost=told(found.cost), others=tuple((do, told(cost)) for do, cost in found.others))


def _goes_on(found: Decision, at: Situation) -> Decision:
    """On-demand that trains is not ended to wait for spot: it is left once spot is there."""
    paid = dict(found.others).get(Do.ON_DEMAND)
    if found.do is not Do.WAIT or at.running is not Do.ON_DEMAND or paid is None:
        return found
    others = tuple((Do.WAIT, found.cost) if do is Do.ON_DEMAND else (do, cost) for do, cost in found.others)
    return replace(found, do=Do.ON_DEMAND, cost=paid, others=others)


def _up(value: Seconds, step: Seconds) -> Seconds:
    return math.ceil(value / step - 1e-9) * step

"""``decide``: the choice that is expected to cost least among those that keep the deadline whatever spot does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from fleet.core.deadlines.chain import state_of
from fleet.core.deadlines.model import Decision, Do, Situation
from fleet.core.deadlines.solve import NEVER, Table
from fleet.model.base import Seconds

SMALL = 1e-6
"""Seconds: less is rounding."""
WORTH = 1e-4
"""Ticks of on-demand by which another choice must be cheaper than going on as it is."""

DEAREST = 2.0
"""On-demand and spot together come to no more than this in any tick: what costs more is infeasible on some path."""

Option = tuple[Do, float, float, int]
"""A choice, what its next tick costs (in ticks of on-demand), the slack that it loses, and the table's row after it."""


def decide(table: Table, at: Situation, overhead: Seconds | None = None) -> Decision:
    """The best choice for the next tick. A microsecond or a few.

    Safety does not hang on the table: after a choice, with spot gone and nothing running, on-demand must still make it.
    Where nothing can make it any more, the choice that finishes soonest is taken, and said to be late.

    ``overhead``: at the most, of a table that was solved for what a launch takes on average. What is safe follows from it;
    costs are the table's at as much slack beyond an overhead.
    """
    overhead = table.terms.overhead if overhead is None else overhead
    spare = table.terms.overhead - overhead
    safe = [(option[0], _cost(table, at, option, spare)) for option in _safe(table, at, overhead)]
    most = DEAREST * (table.ticks + 1)
    weighed = [one for one in safe if one[1] <= most] or safe  # some are safe for the moment only
    latest = at.slack - (at.rem if at.running is Do.ON_DEMAND else overhead)
    if not weighed:
        return Decision(_soonest(at), float("inf"), (), forced=True, late=True, latest_on_demand=latest)
    best = min(weighed, key=lambda pair: pair[1] - (WORTH if pair[0] is at.running else 0.0))
    hour = table.terms.tick / 3600
    rest = tuple((do, cost * hour) for do, cost in weighed if do is not best[0])
    return Decision(best[0], best[1] * hour, rest, forced=not rest, late=False, latest_on_demand=latest)


def _soonest(at: Situation) -> Do:
    """What runs goes on, unless it has more overhead before it than a new one. Spot that trains may last."""
    if at.running is Do.SPOT and at.sky.up and at.rem <= SMALL:
        return Do.SPOT
    return Do.ON_DEMAND


def _safe(table: Table, at: Situation, overhead: Seconds) -> Iterator[Option]:
    """The choices that keep the deadline, each with its next tick. Slack is what they use up until the next decision; a
    launch of on-demand is kept in reserve."""
    terms, shape, slack = table.terms, table.shape, at.slack + SMALL
    tick, step = terms.tick, at.step
    if slack >= step + overhead:
        yield Do.WAIT, 0.0, tick, 0
    on, launch = at.running, terms.overhead
    going = at.rem if on is Do.ON_DEMAND else launch
    if slack >= (at.rem if on is Do.ON_DEMAND else overhead):
        yield Do.ON_DEMAND, 1.0, min(going, tick), shape.on_demand(_ticks_after(table, going))
    if not at.sky.up:
        return
    going = at.rem if on is Do.SPOT else launch
    ready = at.beside is not None and at.beside <= SMALL and on is Do.ON_DEMAND
    if ready:
        going = shape.restore
    least = going if ready or on is Do.SPOT else overhead
    if slack >= min(least, step) + overhead or _done(at, least):
        row = shape.booting if ready else shape.spot(_ticks_after(table, going))
        yield Do.SPOT, terms.price, min(going, tick), row
    if terms.overlap and on is Do.ON_DEMAND and at.rem <= SMALL and not ready and slack >= 0:
        yield from _both(table, at, overhead)


def _done(at: Situation, going: Seconds) -> bool:
    """Spot is sure to finish the work."""
    return at.step > 0 and at.work <= at.step - going + SMALL


def _both(table: Table, at: Situation, overhead: Seconds) -> Iterator[Option]:
    """On-demand trains while a spot machine boots, and hands over within the tick in which that is ready."""
    terms, shape = table.terms, table.shape
    if at.slack + SMALL < shape.restore + overhead and not _done(at, shape.restore):
        return  # it could never take over
    boots = terms.overhead - shape.restore
    if at.beside is not None:
        boots = min(at.beside, boots)
    if boots >= terms.tick:
        passed = shape.beside - int(boots // terms.tick) + 1
        yield Do.BOTH, 1.0 + terms.price, 0.0, shape.both(min(max(passed, 1), shape.beside))
    else:
        yield Do.BOTH, terms.price + boots / terms.tick, shape.restore, shape.spot(shape.booting)


def _ticks_after(table: Table, rem: Seconds) -> int:
    """How many ticks after a launch a machine stands a tick from now, if it has so much overhead before it now."""
    shape = table.shape
    left = rem - shape.tick
    ticks = shape.booting
    while ticks > 1 and shape.rem(ticks - 1) <= left + SMALL:
        ticks -= 1
    return ticks


def _cost(table: Table, at: Situation, option: Option, spare: Seconds) -> float:
    """Ticks of on-demand: the table's value between its levels of slack and its ticks, at so much more slack."""
    _, cost, lost, row = option
    if at.work <= table.terms.tick - lost + SMALL:
        return cost
    slack, slacks = at.slack + spare - lost, table.slacks
    low = max(0, bisect_right(slacks, slack + SMALL) - 1)
    part = 0.0
    if low + 1 < len(slacks) and slack > slacks[low] + SMALL:
        part = (slack - slacks[low]) / (slacks[low + 1] - slacks[low])
    ticks = at.left / table.terms.tick
    first = min(max(int(ticks + SMALL), 1), table.ticks)
    value = _between(table, first, row, low, part, at)
    later = ticks - first
    if later > SMALL and first < table.ticks:
        value += (_between(table, first + 1, row, low, part, at) - value) * later
    return min(cost + value, NEVER)


def _between(table: Table, ticks: int, row: int, low: int, part: float, at: Situation) -> float:
    states = table.states
    index = ((ticks * table.shape.rows + row) * len(table.slacks) + low) * states + state_of(at.sky) % states
    value: float = table.values[index]
    if part:
        upper: float = table.values[index + states]
        value += (upper - value) * part
    return value

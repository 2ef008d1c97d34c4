"""The cost model once more, as plainly as can be, and by itself: what the quick one is checked against."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fleet.core.ticks.model import Places, Terms

NONE, USUAL = "none", "on-demand"
Instance = str | int
"""``none``, ``on-demand``, or the zone of a spot machine."""


@dataclass(frozen=True)
class State:
    tick: int
    instance: Instance
    rem: float
    left: float
    cost: float
    home: str
    launches: int


def begun(terms: Terms) -> State:
    return State(0, NONE, 0.0, terms.work, 0.0, "", 0)


def seen(state: State, up: Sequence[bool], terms: Terms) -> State:
    """Steps 1 and 2 at the state's tick."""
    instance, rem, left = state.instance, state.rem, state.left
    if instance != NONE:
        progress = max(terms.tick - rem, 0.0)
        rem -= terms.tick - progress
        left -= min(progress, left)
    if isinstance(instance, int) and not up[instance]:
        instance = NONE
    return replace(state, instance=instance, rem=rem, left=left)


def chosen(state: State, choice: Instance, terms: Terms, places: Places) -> State:
    """Steps 4 and 5, and the bill of the tick that begins; cost in hours of on-demand."""
    rem, cost, home, launches = state.rem, state.cost, state.home, state.launches
    if choice not in (NONE, state.instance):
        rem = terms.overhead
        launches += 1
        if isinstance(choice, int):
            region = places.regions[choice]
            cost += places.transfer if home not in ("", region) else 0.0
            home = region
    rate = 0.0 if choice == NONE else places.prices[choice] if isinstance(choice, int) else 1.0
    return State(state.tick + 1, choice, rem, state.left, cost + rate * terms.tick / 3600, home, launches)


def ups(ticks: Sequence[Sequence[bool]], tick: int, zones: int) -> Sequence[bool]:
    return ticks[tick] if tick < len(ticks) else [False] * zones


def ends(ticks: Sequence[Sequence[bool]], terms: Terms, places: Places) -> Iterator[State]:
    """Every end that any choices whatever lead to in time; without a deadline on-demand fills what the window leaves."""
    zones = len(places.prices)
    last = len(ticks) if terms.deadline is None else math.floor(terms.deadline / terms.tick)
    open_states = [begun(terms)]
    while open_states:
        state = open_states.pop()
        up = ups(ticks, state.tick, zones)
        now = seen(state, up, terms)
        if now.left <= 0:
            yield now
        elif state.tick < last:
            choices: list[Instance] = [NONE, USUAL, *(zone for zone in range(zones) if up[zone])]
            open_states += [chosen(now, choice, terms, places) for choice in choices]
        elif terms.deadline is None:
            open_states.append(chosen(now, USUAL, terms, places))


def net(choice: str, state: State, up: bool, terms: Terms) -> str:
    """The safety net, with the page's own rounding."""
    assert terms.deadline is not None
    g, d, left, on_spot = terms.tick, terms.overhead, state.left, state.instance == 0
    room = math.floor((terms.deadline - state.tick * g) / g) * g
    one, two = math.ceil((left + d) / g) * g, math.ceil((left + 2 * d) / g) * g
    if two >= room and not on_spot:
        choice = USUAL
    if one >= room:
        choice = "spot" if on_spot and abs(state.rem) <= 1e-3 else USUAL
    return choice


def greedy(state: State, up: bool, terms: Terms) -> str:
    return net("spot" if up else NONE, state, up, terms)


def uniform(state: State, up: bool, terms: Terms) -> str:
    assert terms.deadline is not None
    choice = "spot" if up else NONE
    done, elapsed, work, deadline = terms.work - state.left, state.tick * terms.tick, terms.work, terms.deadline
    if done < elapsed * work / deadline:
        choice = "spot" if up else USUAL
    if state.instance == USUAL and (not up or (elapsed + 2 * terms.overhead) * work / deadline >= done):
        choice = USUAL
    return net(choice, state, up, terms)


def always(state: State, up: bool, terms: Terms) -> str:
    return USUAL


RULES = {"greedy": greedy, "uniform-progress": uniform, "on-demand": always}


def run(name: str, window: Sequence[int], terms: Terms) -> tuple[State, list[str]]:
    """One zone under one of the rules: the end, and every tick's choice."""
    places = Places((terms.price,), ("",))
    state = begun(terms)
    choices: list[str] = []
    while True:
        up = state.tick < len(window) and window[state.tick] > 0
        now = seen(state, [up], terms)
        if now.left <= 0:
            return now, choices
        choice = RULES[name](now, up, terms)
        choices.append(choice)
        state = chosen(now, 0 if choice == "spot" else choice, terms, places)

"""Others' policies: against a plain transcription of their definitions, and what each promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.ticks.model import PRICE, Places, Terms
from fleet.core.ticks.omniscient import omniscient
from fleet.core.ticks.peers import EagerNextRegion, Failover, StayAndWait
from fleet.core.ticks.registry import PEERS, policies
from fleet.core.ticks.run import Policy, simulate, simulate_zones
from tests.system import traces
from tests.unit.core.ticks import plainly

OVERHEADS = st.sampled_from([0.0, 1.0, 60.0, 180.0, 599.0, 600.0, 601.0, 720.0, 1800.0])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], Terms]:
    """Spot that comes and goes in runs, and terms that can just be met or easily."""
    tick, overhead = draw(st.sampled_from([195.0, 300.0, 600.0])), draw(OVERHEADS)
    work = draw(st.integers(1, 60)) * 300.0
    needed = Terms(work, None, overhead, tick).on_demand_ticks(work, overhead)
    deadline = (needed + draw(st.integers(0, 60))) * tick + draw(st.sampled_from([0.0, 17.0]))
    runs = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 20)), max_size=20))
    return [up for up, count in runs for _ in range(count)], Terms(work, deadline, overhead, tick)


def same(name: str, window: Sequence[int], terms: Terms) -> None:
    plain, choices = plainly.run(name, window, terms)
    outcome = simulate(PEERS[name](), window, terms)
    assert [choice.value for choice in outcome.choices] == choices
    assert (outcome.finish_tick, outcome.launches) == (plain.tick, plain.launches)
    assert outcome.cost_od_hours == pytest.approx(plain.cost, rel=1e-12)


@settings(max_examples=300, deadline=None)
@given(cases(), st.sampled_from(sorted(plainly.RULES)))
def test_a_policy_does_what_its_definition_says_at_every_tick(case: tuple[list[int], Terms], name: str) -> None:
    same(name, *case)


@settings(max_examples=200, deadline=None)
@given(cases(), st.sampled_from(sorted(PEERS)))
def test_who_has_the_net_is_never_late(case: tuple[list[int], Terms], name: str) -> None:
    assert not simulate(PEERS[name](), *case).late


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from(sorted(PEERS)))
def test_a_run_is_billed_for_its_choices_and_for_nothing_else(case: tuple[list[int], Terms], name: str) -> None:
    window, terms = case
    outcome = simulate(PEERS[name](), window, terms)
    words = [choice.value for choice in outcome.choices]
    ticks = words.count("on-demand") + PRICE * words.count("spot")
    assert outcome.cost_od_hours == pytest.approx(ticks * terms.tick / 3600)
    assert len(words) == outcome.finish_tick
    assert all(window[tick] for tick, word in enumerate(words) if word == "spot")


def made(seed: int) -> list[int]:
    """Two weeks of runs and droughts of all lengths."""
    found: list[int] = []
    state = seed
    while len(found) < 2016:
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        found += [len(found) % 2] * (1 + (state >> 40) % (3, 12, 60, 144)[state >> 60 & 3])
    return found


def windows() -> list[tuple[str, list[int], float]]:
    """Stretches that overlap not, of made traces and of the measured ones that are at hand."""
    found = [(f"made {seed}", made(seed), 600.0) for seed in range(3)]
    folder = traces.folder()
    for path in sorted(folder.glob("availability/1-node/*/*_v100_1.json")) if folder else ():
        trace = json.loads(path.read_text())
        found.append((f"{path.parent.name} {path.stem}", trace["data"], trace["metadata"]["gap_seconds"]))
    cut = [(name, data, gap, int(70 * 3600 / gap)) for name, data, gap in found]
    return [(name, data[first : first + size], gap) for name, data, gap, size in cut for first in (0, len(data) // 2)]


@pytest.mark.parametrize("overhead", [180.0, 720.0])
@pytest.mark.parametrize("hours", [52, 70])
def test_the_benchmarks_own_windows_come_out_to_the_tick(hours: int, overhead: float) -> None:
    for _, window, gap in windows():
        terms = Terms(48 * 3600, hours * 3600, overhead, gap)
        for name in plainly.RULES:
            same(name, window, terms)


def test_the_optimum_is_below_everyone_in_windows_of_the_benchmark() -> None:
    for name, window, gap in windows()[:8]:
        terms = Terms(48 * 3600, 52 * 3600, 720, gap)
        best = omniscient(window, terms)
        assert not best.late
        for policy, make in policies().items():
            outcome = simulate(make(), window, terms)
            assert not outcome.late, (name, policy)
            if policy != "fleet-overlap":  # two machines at once may be cheaper than any one after the other
                assert best.cost_od_hours <= outcome.cost_od_hours + 1e-9, (name, policy)


PLACES = Places((0.3, 0.25, 0.2, 0.35), ("a", "a", "b", "c"))


def over_zones(make: Callable[[], Policy], *ticks: str) -> list[int]:
    terms = Terms(len(ticks) * 600.0, None, 0.0, 600.0)
    return list(simulate_zones(make(), [[c == "1" for c in tick] for tick in ticks], terms, PLACES).zones[: len(ticks)])


def test_failover_tries_the_same_region_first_and_then_the_cheapest_anywhere() -> None:
    assert over_zones(Failover, "1100", "1011", "0011", "0000", "1001") == [1, 0, 2, -1, 0]


def test_the_eager_leave_the_region_and_come_back_to_it_only_where_no_other_is_up() -> None:
    assert over_zones(EagerNextRegion, "1100", "1001", "1100", "1000", "0000", "1001") == [1, 3, 1, 0, -1, 0]


def test_who_stays_waits_for_the_zone_that_was_cheapest_at_first() -> None:
    assert over_zones(StayAndWait, "1001", "0110", "0110", "1111") == [0, -1, -1, 0]


def test_a_policy_that_does_not_say_where_stays_or_takes_the_cheapest() -> None:
    assert over_zones(PEERS["greedy"], "1000", "1111", "0111", "0001") == [0, 0, 2, 3]


def test_policies_forget_the_run_before() -> None:
    ticks, again = [(False, True, False, False)] * 3, [(True, True, False, False)] * 3
    terms = Terms(1800.0, None, 0.0, 600.0)
    policy = StayAndWait()
    assert simulate_zones(policy, ticks, terms, PLACES).zones == (1, 1, 1)
    assert simulate_zones(policy, [(True, False, False, False)] * 3, terms, PLACES).zones == (0, 0, 0)
    assert simulate_zones(policy, again, terms, PLACES).zones == (1, 1, 1)

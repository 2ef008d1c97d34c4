"""The ledger against a naive loop over seconds, which shares no code with it."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.costs import run_cost
from fleet.core.ledger import Line, group, ledger, total
from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.model.base import FURTHEST
from fleet.model.calendar import Span
from fleet.model.rates import Rates
from tests.unit.core.ledger.oracle import Disk, Machine, rounded
from tests.unit.core.ledger.stories import BILLING, RUN, created, disk_events, folded, machine_events

LONG, DAY = 5000, 86_400
RATES = Rates.model_validate(
    {
        "of": "2026-07-01", "root_gb": 100, "root_gb_month": 80_001, "address_hour": 5_000, "address_since": 700.0,
        "storage_gb_month": 23_000, "put_per_thousand": 5_000, "get_per_thousand": 400,
    }
)  # fmt: skip
prices = st.one_of(st.just(0), st.integers(1, 5_000_000))
moments = st.integers(0, LONG)
changes = st.lists(st.tuples(moments, prices), max_size=5)
histories = st.one_of(st.none(), st.lists(st.tuples(moments, prices), min_size=1, max_size=4, unique_by=lambda one: one[0]))


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Changes in any order: the clocks of several controllers. An end before the beginning: two clouds' clocks."""
    launched = draw(moments)
    told = draw(histories)
    return Machine(
        launched=launched,
        price=draw(prices),
        on_demand=draw(prices),
        seen=draw(changes),
        history=sorted((max(at, launched), price) for at, price in told) if told else None,
        ended=draw(st.one_of(st.none(), st.integers(-50, LONG).map(lambda after: launched + after))),
        by=draw(st.sampled_from(["cloud", "fleet", "itself", "unknown"])),
    )


@st.composite
def disks(draw: st.DrawFn) -> Disk:
    made = draw(moments)
    grown = sorted(draw(st.lists(st.tuples(st.integers(made, LONG), st.integers(1, 900)), max_size=3)))
    deleted = draw(st.one_of(st.none(), st.integers(made, LONG)))
    return Disk(made, draw(st.integers(1, 500)), draw(prices), grown, deleted)


def lines_of(state: FleetState, now: int, start: float = -1e9, end: float = FURTHEST, hold: int = 0) -> list[Line]:
    return ledger(state, Span(start, end), now, {"sim": BILLING["sim"].model_copy(update={"price_holds_seconds": hold})}, {})


def amounts(lines: list[Line], kind: str) -> dict[str, int]:
    return {line.resource: line.amount for line in lines if line.kind == kind}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(machines(), min_size=1, max_size=3), st.lists(disks(), max_size=2), st.integers(LONG, 2 * LONG), st.booleans()
)
def test_every_second_is_paid_for_once_at_the_price_in_force(
    fleet: list[Machine], store: list[Disk], now: int, twice: bool
) -> None:
    """Prices that change, machines beside each other, ends that nobody saw, clocks that jump, several controllers."""
    state = folded(
        [created()],
        *(machine_events(number, one) for number, one in enumerate(fleet, 1)),
        *(disk_events(f"v-{number}", one) for number, one in enumerate(store)),
        twice=twice,
    )
    lines = lines_of(state, now)
    for number, one in enumerate(fleet, 1):
        line = next(line for line in lines if line.resource == f"i-{number}")
        assert line.amount == rounded(one.cost(now))
        assert line.on_demand == rounded(one.twin(now))
        assert line.quantity == len(one.seconds(now))
    for number, disk in enumerate(store):
        assert amounts(lines, "volume").get(f"v-{number}", 0) == rounded(disk.cost(now))
    told = run_cost(state.runs[RUN], now, BILLING)
    assert total(lines).amount == told.total
    assert total(lines).on_demand == told.on_demand


@settings(max_examples=150, deadline=None)
@given(
    st.lists(machines(), min_size=1, max_size=3),
    st.lists(disks(), max_size=2),
    st.integers(LONG, 2 * LONG),
    st.lists(st.floats(-100, 3 * LONG), max_size=6).map(sorted),
)
def test_wherever_time_is_cut_the_parts_add_up_to_the_whole(
    fleet: list[Machine], store: list[Disk], now: int, cuts: list[float]
) -> None:
    state = folded(
        [created()],
        *(machine_events(number, one) for number, one in enumerate(fleet, 1)),
        *(disk_events(f"v-{number}", one) for number, one in enumerate(store)),
    )
    whole = total(lines_of(state, now))
    edges = [-1e9, *cuts, FURTHEST]
    parts = [total(lines_of(state, now, *pair)) for pair in pairwise(edges)]
    assert sum(part.instances for part in parts) == whole.instances
    assert sum(part.volumes for part in parts) == whole.volumes
    assert sum(part.on_demand for part in parts) == whole.on_demand
    at_once = ledger(state, Span(-1e9, FURTHEST), now, BILLING, {}, cuts=cuts)
    assert total(at_once).amount == whole.amount
    assert sum(one.amount for one in group(at_once, "attempt")) == whole.amount
    assert all(line.amount >= 0 and line.start < line.end for line in at_once)
    assert not any(line.start < cut < line.end for line in at_once for cut in cuts)


counts = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 10**13), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=3
)


@settings(max_examples=200, deadline=None)
@given(machines(), counts, st.lists(st.floats(-100, 10 * DAY), max_size=6).map(sorted))
def test_so_do_the_parts_of_the_small_things(
    machine: Machine, counted: list[tuple[int, int, int, int]], cuts: list[float]
) -> None:
    """Root disks, addresses, what lies in the bucket and what was asked of it."""
    measured, at = list[ev.Event](), 0
    for days, size, put, get in counted:
        at += days * DAY
        what = {"bytes": size, "objects": 1, "put": put, "get": get}
        measured.append(ev.StorageMeasured(at=at, provider="sim", region="r", **what))
    state, now = folded([created()], machine_events(1, machine), measured), at + DAY

    def by_kind(start: float, end: float) -> Counter[str]:
        found = Counter[str]()
        for line in ledger(state, Span(start, end), now, BILLING, {"sim": RATES}):
            assert line.amount >= 0
            found[line.kind] += line.amount
        return found

    whole = by_kind(-1e9, FURTHEST)
    parts = sum((by_kind(*pair) for pair in pairwise([-1e9, *cuts, FURTHEST])), Counter[str]())
    assert +parts == +whole
    charged = sum(second >= RATES.address_since for second in machine.seconds(now))
    assert whole["address"] == rounded(Fraction(charged * RATES.address_hour, 3600))
    assert whole["root-disk"] == rounded(Fraction(len(machine.seconds(now)) * 100 * RATES.root_gb_month, 730 * 3600))


@settings(max_examples=200, deadline=None)
@given(machines(), st.integers(1, 4000), st.integers(LONG, 2 * LONG))
def test_a_provider_may_hold_each_price_for_a_while(machine: Machine, hold: int, now: int) -> None:
    machine.hold = hold
    (line,) = lines_of(folded([created()], machine_events(1, machine)), now, hold=hold)
    assert line.amount == rounded(machine.cost(now))


@settings(max_examples=200, deadline=None)
@given(machines(), disks(), st.tuples(moments, moments).map(sorted))
def test_a_part_is_what_its_seconds_cost(machine: Machine, disk: Disk, window: list[int]) -> None:
    """To a micro-dollar: both its ends are rounded."""
    state = folded([created()], machine_events(1, machine), disk_events("v", disk))
    lines = lines_of(state, LONG, *window)
    expected: dict[str, Fraction] = {"instance": machine.cost(LONG, *window), "volume": disk.cost(LONG, *window)}
    for kind, exact in expected.items():
        assert abs(sum(line.amount for line in lines if line.kind == kind) - exact) <= 1

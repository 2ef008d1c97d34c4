"""What was got for the money: worked by hand, and laws that hold for whatever a journal says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.bought import PARTS, Shares, by_week, paid, shares, steps, wasted, weeks, yields
from fleet.core.costs import attempt_cost
from fleet.core.ledger import ledger
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.core.stretches import lives
from fleet.model.calendar import Span, date_text
from fleet.model.cloud import Billing, Market, NewVolume, PriceSince
from fleet.model.documents import CheckpointRef, Heartbeat, Notice, Resumed
from tests.unit.core.world import RUN, folded, job, offer

ALL = Span(-1e6, 1e9)
PER_SECOND = Billing(minimum_seconds=60, free_if_interrupted_within=3600)
FIRST: list[dict[str, Any]] = [
    {"run-created": {}},
    {"launch-intended": {"at": 0}},
    {"launch-succeeded": {"at": 0}},
    {"attempt-began": {"at": 100}},
    {"attempt-resumed": {"at": 150, "trained": 0.0}},
    {"notice-seen": {"at": 3750}},
    {"attempt-released": {"at": 3800, "step": 3500, "checkpoint_step": 3000, "saved": 3000.0}},
    {"attempt-gone": {"at": 3870, "step": 3500, "saved_step": 3000, "saved": 3000.0, "trained": 3500.0}},
]
"""A machine that sets its training up for 100 s, trains 3,500 s at a step a second, and is taken 500 s after it saved."""
SECOND: list[dict[str, Any]] = [
    {"launch-intended": {"attempt": 2, "at": 4000, "predecessor": 1}},
    {"launch-succeeded": {"attempt": 2, "at": 4000}},
    {"attempt-began": {"attempt": 2, "at": 4120}},
    {
        "attempt-resumed": {
            "attempt": 2, "at": 4200, "ref": CheckpointRef(attempt=1, seq=1), "source": "bucket", "step": 3000,
            "reached": 3500, "lost_steps": 500, "lost_seconds": 500.0, "trained": 3000.0,
        }
    },
    {"attempt-finished": {"attempt": 2, "at": 6000, "kind": "succeeded"}},
    {"attempt-released": {"attempt": 2, "at": 6010, "step": 4800}},
    {"attempt-gone": {"attempt": 2, "at": 6040, "ended_by": "itself", "step": 4800, "trained": 4800.0}},
    {"run-ended": {"at": 6045, "outcome": "succeeded"}},
]  # fmt: skip
NOW = 10_000.0


def run_of(events: list[dict[str, Any]]) -> RunState:
    return folded(events).runs[RUN]


def resumed_at(at: float, **fields: Any) -> dict[str, Any]:
    return {"attempt-resumed": {"at": at, **fields}}


def test_a_night_worked_by_hand() -> None:
    run = run_of([*FIRST, *SECOND])
    assert shares(run, ALL, NOW) == Shares(training=4800, boot=220, restore=230, lost=500, idle=40, leaving=120, waiting=135)
    assert shares(run, ALL, NOW).machine == 3870 + 2040
    assert steps(run, ALL, NOW) == 4800
    # At $0.1 an hour; each part is rounded against what was paid up to its start.
    assert paid(run, ALL, NOW, {}) == {
        "training": 83_334 + 50_000, "boot": 2_778 + 3_333, "restore": 4_166 + 2_223, "lost": 13_889, "idle": 1_111,
        "leaving": 2_222 + 1_111,
    }  # fmt: skip
    assert sum(paid(run, ALL, NOW, {}).values()) == sum(attempt_cost(a, NOW, Billing()) for a in run.attempts.values())
    assert list(wasted([run], ALL, NOW, {})) == ["boot", "restore", "lost", "idle", "leaving"]


def test_until_it_is_known_what_a_machine_lost_nothing_is_held_for_lost() -> None:
    assert shares(run_of(FIRST), ALL, NOW).lost == 0
    assert shares(run_of(FIRST), ALL, NOW).waiting == NOW - 3870
    assert steps(run_of(FIRST), ALL, NOW) == 3500


def test_what_a_run_that_was_ended_had_not_saved_is_lost() -> None:
    ended = run_of([*FIRST, {"run-ended": {"at": 3900, "outcome": "stopped"}}])
    assert (shares(ended, ALL, NOW).lost, shares(ended, ALL, NOW).training, steps(ended, ALL, NOW)) == (500, 3000, 3000)
    done = run_of([*FIRST, {"run-ended": {"at": 3900, "outcome": "succeeded"}}])
    assert (shares(done, ALL, NOW).lost, steps(done, ALL, NOW)) == (0, 3500)


def test_a_window_has_its_part() -> None:
    run = run_of([*FIRST, *SECOND])
    early, late = Span(0, 1750), Span(1750, 1e6)
    assert shares(run, early, NOW) == Shares(training=1500, boot=100, restore=150)
    assert (steps(run, early, NOW), steps(run, late, NOW)) == (1500, 3300)
    assert shares(run, Span(3900, 3950), NOW) == Shares(waiting=50)


def test_what_is_free_cost_nothing_and_took_its_time() -> None:
    young = run_of([*FIRST[:-1], {"attempt-gone": {"at": 3590, "ended_by": "cloud"}}])
    assert sum(paid(young, ALL, NOW, {"sim": PER_SECOND}).values()) == 0
    assert shares(young, ALL, NOW).machine == 3590


def test_a_minute_that_is_charged_at_least_is_paid_for_the_last_that_it_did() -> None:
    short = run_of([*FIRST[:3], {"attempt-gone": {"at": 6, "ended_by": "itself"}}])
    assert paid(short, ALL, NOW, {"sim": PER_SECOND})["boot"] == 1_667
    assert shares(short, ALL, NOW).boot == 6
    none = run_of([*FIRST[:3], {"attempt-gone": {"at": 0, "ended_by": "itself"}}])
    assert paid(none, ALL, NOW, {"sim": PER_SECOND})["boot"] == 1_667


def test_a_machine_that_never_spoke_only_booted_until_it_was_ended() -> None:
    dumb = run_of([*FIRST[:3], {"terminate-intended": {"at": 900}}, {"attempt-gone": {"at": 930, "ended_by": "fleet"}}])
    assert shares(dumb, ALL, 930.0) == Shares(boot=900, leaving=30)


def test_one_that_stays_after_it_let_go_is_idle_until_somebody_ends_it() -> None:
    events = [
        *FIRST[:5],
        {"attempt-finished": {"at": 1000, "kind": "succeeded"}},
        {"attempt-released": {"at": 1010, "step": 750}},
        {"terminate-intended": {"at": 5000}},
        {"attempt-gone": {"at": 5020, "ended_by": "fleet"}},
    ]
    assert shares(run_of(events), ALL, 5020.0) == Shares(training=850, boot=100, restore=50, leaving=60, idle=3960)


BESIDE = [
    *FIRST[:5],
    {"launch-intended": {"attempt": 2, "at": 3000, "predecessor": 1}},
    {"launch-succeeded": {"attempt": 2, "at": 3000}},
    {"attempt-began": {"attempt": 2, "at": 3100}},
    {"attempt-relieved": {"at": 3400}},
    {"attempt-released": {"at": 3450, "step": 3000, "saved": 3250.0}},
    {"attempt-gone": {"at": 3470, "ended_by": "itself", "step": 3000, "trained": 3250.0}},
    {
        "attempt-resumed": {
            "attempt": 2, "at": 3500, "ref": CheckpointRef(attempt=1, seq=9), "source": "bucket", "step": 3000,
            "trained": 3250.0,
        }
    },
]  # fmt: skip


def test_one_that_waits_beside_another_is_idle_and_both_are_paid_for() -> None:
    run = run_of(BESIDE)
    assert shares(run, ALL, 3500.0) == Shares(training=3250, boot=200, restore=100, idle=350, leaving=70)
    assert shares(run, ALL, 3500.0).machine == 3470 + 500
    assert shares(run, ALL, 3500.0).waiting == 0


def test_one_that_waits_beside_another_to_this_day_is_idle_and_dismissed_it_leaves() -> None:
    run = run_of(BESIDE[:8])
    assert shares(run, ALL, 3300.0).idle == 200
    sent_off = run_of([*BESIDE[:8], {"terminate-intended": {"attempt": 2, "at": 3200}}])
    assert (shares(sent_off, ALL, 3300.0).idle, shares(sent_off, ALL, 3300.0).leaving) == (100, 100)


def test_a_living_machine_is_as_far_as_it_last_said() -> None:
    run = run_of(FIRST[:5])
    told = beat(at=1000.0, step=600, trained=600.0)
    assert steps(run, ALL, 1010.0) is None
    assert steps(run, ALL, 1010.0, told) == 600
    assert shares(run, ALL, 1010.0, told) == Shares(training=610, boot=100, restore=300)
    other = beat(at=1000.0, step=600, trained=600.0, instance_id="i-other")
    assert steps(run, ALL, 1010.0, other) is None
    setting_up = beat(at=1000.0, phase="setup", trained=0.0)
    assert shares(run, ALL, 1010.0, setting_up) == Shares(boot=100, restore=910)


def beat(**fields: Any) -> dict[tuple[str, int], Heartbeat]:
    usual = {"run_id": RUN, "attempt": 1, "instance_id": "i-1", "boot_id": "b", "beat": 1, "phase": "training"}
    return {(RUN, 1): Heartbeat(**{**usual, **fields})}


def test_a_run_that_never_reported_steps_has_none_and_still_has_its_time() -> None:
    events = [*FIRST[:5], {"attempt-gone": {"at": 3750, "ended_by": "itself"}}]
    assert steps(run_of(events), ALL, NOW) is None
    assert shares(run_of(events), ALL, 3750.0).training == 3600
    (one,) = yields([run_of(events)], ALL, NOW, {})
    assert (one.steps, one.per_thousand) == (None, None)


def test_steps_that_go_back_are_never_fewer_than_none() -> None:
    events = [
        *FIRST[:-1],
        {"attempt-gone": {"at": 3870, "step": 3500, "trained": 3500.0}},
        *SECOND[:3],
        resumed_at(4200, attempt=2, ref=CheckpointRef(attempt=1, seq=1), source="bucket", step=3000, trained=3000.0),
        {"attempt-gone": {"attempt": 2, "at": 6040, "step": 40, "trained": 4800.0}},
    ]
    assert steps(run_of(events), ALL, NOW) == 3000


def test_what_several_machines_trained_since_an_old_checkpoint_is_lost_of_all_of_them() -> None:
    """The second resumed at 3,000; the third could only from 1,000: what is kept is what led there."""
    events = [
        *FIRST,
        *SECOND[:4],
        {"attempt-gone": {"attempt": 2, "at": 6000, "step": 4800, "trained": 4800.0}},
        {"launch-intended": {"attempt": 3, "at": 6000, "predecessor": 2}},
        {"launch-succeeded": {"attempt": 3, "at": 6000}},
        {"attempt-began": {"attempt": 3, "at": 6100}},
        resumed_at(6100, attempt=3, ref=CheckpointRef(attempt=1, seq=1), source="bucket", step=1000, trained=1000.0),
    ]
    found = shares(run_of(events), ALL, 6100.0)
    assert (found.training, found.lost) == (1000, 2500 + 1800)
    assert steps(run_of(events), ALL, 6100.0) == 1000


def test_where_nobody_counted_training_the_time_since_the_checkpoint_tells_what_was_lost() -> None:
    events = [*FIRST[:4], resumed_at(150), FIRST[5], {"attempt-gone": {"at": 3870, "step": 3500}}]
    again = [*SECOND[:3], resumed_at(4200, attempt=2, lost_seconds=400.0, lost_steps=400, step=3100)]
    found = shares(run_of([*events, *again]), ALL, 4200.0)
    assert (found.training, found.lost) == (3200, 400)


def test_a_training_that_did_not_begin_at_step_0_is_counted_by_its_speed() -> None:
    events = [*FIRST[:5], {"attempt-gone": {"at": 1150, "step": 90_800, "rate": 0.8, "trained": 1000.0}}]
    assert steps(run_of(events), ALL, NOW) == 800


def test_a_run_that_had_ended_for_a_while_did_not_wait_meanwhile() -> None:
    ended = {"run-ended": {"at": 3900, "outcome": "stopped"}}
    run = run_of([*FIRST, ended, {"run-resumed": {"at": 9000}}])
    assert shares(run, ALL, NOW).waiting == 30 + 1000
    assert run.breaks == ((3900, 9000),)


def test_clocks_that_disagree_make_no_stretch_negative() -> None:
    events = [
        *FIRST[:3],
        {"attempt-began": {"at": -500}},
        resumed_at(90_000, trained=50.0),
        {"notice-seen": {"at": 20, "seen_at": -3600.0}},
        {"attempt-gone": {"at": 3600, "step": 10, "trained": 3.0}},
    ]
    found = shares(run_of(events), ALL, NOW)
    assert found.machine == 3600
    assert min(found.parts.values()) >= 0
    backwards = run_of([*FIRST[:3], {"attempt-gone": {"at": -5, "ended_by": "itself"}}])
    assert shares(backwards, ALL, NOW).machine == 0


def test_a_machine_whose_clocks_left_it_no_time_still_has_its_steps_once_however_time_is_cut() -> None:
    run = run_of([*FIRST[:3], resumed_at(0.0), {"attempt-gone": {"at": 0, "step": 7, "ended_by": "itself"}}])
    assert [steps(run, span, NOW) or 0 for span in (ALL, Span(-1e6, 0), Span(0, 1e6))] == [7, 7, 0]


def test_types_and_markets_are_told_apart_the_cheapest_steps_first() -> None:
    dear = [
        {"launch-intended": {"attempt": 2, "at": 4000, "offers": ["a-large-on-demand"]}},
        {"launch-succeeded": {"attempt": 2, "at": 4000, "offer": "a-large-on-demand"}},
    ]
    run = run_of([*FIRST, *dear, *SECOND[2:]])
    cheap, other = yields([run], ALL, NOW, {})
    assert (cheap.instance_type, cheap.market, cheap.steps, cheap.paid) == ("small", Market.SPOT, 3000, 107_500)
    assert cheap.per_thousand == 35_833
    assert (other.instance_type, other.market, other.steps, other.seconds) == ("large", Market.ON_DEMAND, 1800, 2040)


def test_weeks_begin_on_the_users_monday_and_add_up() -> None:
    week = 7 * 86_400.0
    start = 1_793_491_200.0  # 2026-11-01, a Sunday, at midnight in Kolkata less half an hour
    events: list[dict[str, Any]] = [
        {"run-created": {"at": start}},
        {"launch-intended": {"at": start}},
        {"launch-succeeded": {"at": start}},
        {"attempt-began": {"at": start}},
        resumed_at(start, trained=0.0),
        {"attempt-gone": {"at": start + 2 * week, "step": 1_000_000, "trained": 2 * week, "ended_by": "itself"}},
    ]
    run = run_of(events)
    found = by_week([run], Span(0.0, 3e9), "Asia/Kolkata", start + 3 * week, {})
    assert [date_text(span.start, "Asia/Kolkata") for span, _ in found] == ["2026-11-01", "2026-11-02", "2026-11-09"]
    assert sum(one.steps or 0 for _, (one,) in found) == 1_000_000
    assert sum(one.paid for _, (one,) in found) == attempt_cost(run.attempts[1], start, Billing())
    assert weeks(Span(start, start), "UTC") == []


# --- laws

moments = st.integers(-100_000, 20_000_000).map(lambda ms: ms / 1000)
maybe = st.none() | moments
trained = st.none() | st.floats(-100, 20_000, allow_nan=False)
step_counts = st.none() | st.integers(-50, 10_000)


@st.composite
def resumptions(draw: st.DrawFn) -> Resumed | None:
    if draw(st.booleans()):
        return None
    return Resumed(
        ref=draw(st.none() | st.builds(CheckpointRef, attempt=st.integers(1, 5), seq=st.just(1))),
        source="bucket", step=draw(step_counts), reached=draw(step_counts), lost_steps=0,
        lost_seconds=draw(st.floats(0, 5000)), at=draw(moments), trained=draw(trained),
    )  # fmt: skip


@st.composite
def attempts(draw: st.DrawFn, number: int) -> AttemptState:
    """Whatever may stand in a journal, sensible or not."""
    launched = draw(maybe)
    ended = draw(maybe)
    noticed = draw(maybe)
    prices = sorted(draw(st.lists(st.tuples(moments, st.integers(0, 10**7)), max_size=3)))
    first = (PriceSince(at=launched or 0.0, price=draw(st.integers(0, 10**6))),) if launched is not None else ()
    later = tuple(PriceSince(at=at, price=price) for at, price in prices if launched is not None and at > launched)
    return AttemptState(
        number=number, phase="gone" if ended is not None else "running", try_no=1, token="t", offers=(), volume=VOLUME,
        predecessor=draw(st.none() | st.integers(1, 5)), why="", intended_at=0.0, instance_id=f"i-{number}",
        offer=offer(draw(st.sampled_from(["a-small-spot", "b-large-on-demand"]))), launched_at=launched,
        prices=first + later, began_at=draw(maybe), resumed=draw(resumptions()),
        notice=Notice(kind="notice", seen_at=noticed) if noticed is not None else None, relieved_at=draw(maybe),
        released_at=draw(maybe), finished_at=draw(maybe), terminate_at=draw(maybe), ended_at=ended,
        ended_by=draw(st.sampled_from(["cloud", "fleet", "itself", "unknown"])) if ended is not None else None,
        step=draw(step_counts), rate=draw(st.none() | st.floats(0, 100)), trained=draw(trained), saved=draw(trained),
        saved_step=draw(step_counts),
    )  # fmt: skip


VOLUME = NewVolume(size_gb=1)


@st.composite
def histories(draw: st.DrawFn) -> RunState:
    count = draw(st.integers(0, 4))
    start, end = draw(moments), draw(maybe)
    return RunState(
        run_id=RUN, name="racer", job=job({}), workdir_key=None, created_at=start,
        attempts={n: draw(attempts(n)) for n in range(1, count + 1)}, ended_at=end,
        outcome=draw(st.sampled_from(["succeeded", "stopped"])) if end is not None else None,
    )  # fmt: skip


beats = st.builds(
    lambda at, step, told, phase: beat(at=at, step=step, trained=told, phase=phase),
    moments, step_counts, trained, st.sampled_from(["training", "setup", "draining"]),
)  # fmt: skip
billings = st.builds(
    Billing, minimum_seconds=st.sampled_from([0, 60]), free_if_interrupted_within=st.sampled_from([0, 3600])
)


@settings(max_examples=300, deadline=None)
@given(histories(), moments, st.none() | beats, billings, st.lists(moments, min_size=2, max_size=5))
def test_parts_add_up_exactly_whatever_the_journal_says_and_however_time_is_cut(
    run: RunState, now: float, told: Any, billing: Billing, cuts: list[float]
) -> None:
    rules = {"sim": billing}
    whole = shares(run, ALL, now, told)
    charged = [a for a in run.attempts.values() if a.launched_at is not None]
    times = [(a.launched_at or 0.0, a.ended_at if a.ended_at is not None else now) for a in charged]
    assert round(whole.machine * 1000) == sum(max(0, round(end * 1000) - round(start * 1000)) for start, end in times)
    assert min(*whole.parts.values(), whole.waiting) >= 0
    assert sum(paid(run, ALL, now, rules, told).values()) == sum(attempt_cost(a, now, billing) for a in charged)
    assert sum(one.paid for one in yields([run], ALL, now, rules, told)) == sum(
        attempt_cost(a, now, billing) for a in charged
    )
    edges = sorted([ALL.start, ALL.end, *cuts])
    spans = [Span(start, end) for start, end in pairwise(edges)]
    for part in (*PARTS, "waiting"):
        pieces = [round(getattr(shares(run, span, now, told), part) * 1000) for span in spans]
        assert sum(pieces) == round(getattr(whole, part) * 1000), part
    for part in PARTS:
        assert sum(paid(run, span, now, rules, told)[part] for span in spans) == paid(run, ALL, now, rules, told)[part]
    kept = [steps(run, span, now, told) for span in spans]
    assert sum(one or 0 for one in kept) == (steps(run, ALL, now, told) or 0)
    assert all(one is None or one >= 0 for one in kept)


@settings(max_examples=300, deadline=None)
@given(histories(), moments, billings, st.lists(moments, min_size=2, max_size=2, unique=True))
def test_the_parts_are_what_the_ledger_says_of_the_machines_in_any_stretch_of_time(
    run: RunState, now: float, billing: Billing, edges: list[float]
) -> None:
    span = Span(*sorted(edges))
    lines = ledger(FleetState(runs={RUN: run}), span, now, {"sim": billing}, {})
    paid_for = sum(line.amount for line in lines if line.kind == "instance")
    assert sum(paid(run, span, now, {"sim": billing}).values()) == paid_for


@settings(max_examples=300, deadline=None)
@given(histories(), moments)
def test_a_run_has_a_machine_or_waits_at_each_moment_of_its_life(run: RunState, now: float) -> None:
    """Against a count of each moment, that shares nothing with how it is reckoned."""
    end = round((run.ended_at if run.ended_at is not None else now) * 1000)
    edges = sorted({round(run.created_at * 1000), end, *(m for life in lives(run, now) for m in (life.start, life.end))})
    waits = 0
    for start, until in pairwise(edges):
        lives_then = any(life.start <= start and until <= life.end for life in lives(run, now))
        if run.created_at * 1000 <= start + 0.5 and until <= end and not lives_then:
            waits += until - start
    assert round(shares(run, ALL, now).waiting * 1000) == waits


@settings(max_examples=300, deadline=None)
@given(histories(), moments)
def test_stretches_follow_one_another_from_a_machines_launch_to_its_end(run: RunState, now: float) -> None:
    for life in lives(run, now):
        edges = [life.start, *(one.end for one in life.stretches)]
        assert [one.start for one in life.stretches] == edges[:-1]
        assert edges[-1] == life.end
        assert all(one.length > 0 for one in life.stretches)

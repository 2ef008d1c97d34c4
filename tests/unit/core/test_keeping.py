"""Deadlines: how much work is left, what is promised, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.core.deadlines.model import Do
from fleet.core.fold import fold
from fleet.core.keeping import judge, told
from fleet.core.keeping.forecast import forecast
from fleet.core.keeping.refusing import refusal
from fleet.core.keeping.verdict import Verdict, known_offers
from fleet.core.keeping.work import deadline_of, learned, work_of
from fleet.core.overheads import Overheads
from fleet.core.plan.launching import waits_for
from fleet.core.state import FleetState
from tests.unit.core.world import RUN, event, folded, job, observed, offer

HOUR = 3600.0
KNOWN = Overheads(boot=120, restore=30, lost=150)
CREATED: dict[str, Any] = {"run-created": {"deadline": "12h", "estimate": "8h"}}
ON_DEMAND: list[dict[str, Any]] = [
    CREATED,
    {"launch-intended": {"at": 100, "offers": ["a-small-on-demand"]}},
    {"launch-succeeded": {"at": 100, "offer": "a-small-on-demand"}},
    {"attempt-began": {"at": 200}},
    {"attempt-resumed": {"at": 230, "trained": 0}},
]
SPOT: list[dict[str, Any]] = [
    CREATED,
    {"launch-intended": {"at": 100}},
    {"launch-succeeded": {"at": 100}},
    {"attempt-began": {"at": 200}},
    {"attempt-resumed": {"at": 230, "trained": 0}},
]
OFFERS = ["a-small-spot", "a-small-on-demand"]


def verdict(events: list[dict[str, Any]], now: float, **world: Any) -> Verdict:
    state = folded(events)
    found = judge(state, state.runs[RUN], observed({"offers": OFFERS, **world}, now))
    assert found is not None
    return found


def left(events: list[dict[str, Any]], now: float, *beats: dict[str, Any]) -> tuple[float, float]:
    """Work left: if all goes on, and if the machine were lost now."""
    found = work_of(folded(events).runs[RUN], observed({"heartbeats": beats}, now).heartbeats, now)
    assert found is not None
    return found.left, found.kept


def test_what_no_checkpoint_holds_is_not_done_if_the_machine_is_lost() -> None:
    assert left(SPOT, 4000, {"trained": 3700, "saved": 3000}) == (8 * HOUR - 3700, 8 * HOUR - 3000)


def test_training_is_reckoned_on_from_a_machines_last_word_for_a_minute() -> None:
    beat = {"at": 4000, "trained": 3700, "saved": 3000}
    assert left(SPOT, 4010, beat)[0] == 8 * HOUR - 3710
    assert left(SPOT, 5000, beat)[0] == 8 * HOUR - 3760


def test_once_a_machine_is_gone_what_its_checkpoints_hold_is_done() -> None:
    gone = [*SPOT, {"attempt-gone": {"at": 5000, "saved": 3000.0}}]
    assert left(gone, 5100) == (8 * HOUR - 3000, 8 * HOUR - 3000)
    again = [*gone, {"launch-intended": {"at": 5100, "attempt": 2}}, {"attempt-resumed": {"attempt": 2, "trained": 2900}}]
    assert left(again, 5300) == (8 * HOUR - 2900, 8 * HOUR - 2900)  # the newest was broken, and the one before it is taken


def test_what_is_learned_replaces_the_estimate() -> None:
    learned = {"work-learned": {"work": 10 * HOUR, "step": 10, "total": 100}}
    assert left([*SPOT, learned], 4000, {"trained": HOUR, "saved": 0})[0] == 9 * HOUR


def test_a_training_that_goes_on_past_its_estimate_is_never_said_to_be_done() -> None:
    assert left(SPOT, 40_000, {"trained": 9 * HOUR, "saved": 9 * HOUR}) == (288, 288)


@pytest.mark.parametrize("deadline", ["2026-11-27 08:00:00+02:00", "2026-11-27T06:00:00Z"])
def test_a_deadline_may_be_a_time(deadline: str) -> None:
    run = folded([{"run-created": {"deadline": deadline, "at": 5.0}}]).runs[RUN]
    assert run.job.deadline == "2026-11-27T06:00:00+00:00"
    assert deadline_of(run) == 1_795_759_200.0


def test_a_deadline_counts_from_the_runs_creation() -> None:
    assert deadline_of(folded([{"run-created": {"deadline": "12h", "at": 5.0}}]).runs[RUN]) == 12 * HOUR + 5


def test_the_margin_is_twice_the_time_that_a_refused_offer_is_left_alone_and_a_share_of_the_work() -> None:
    assert verdict([CREATED], 0).margin == pytest.approx(600 + 0.02 * 8 * HOUR)


def test_on_demand_is_due_when_slack_is_down_to_one_overhead() -> None:
    """12 h less 8 h of work, the margin, and 450 s: boot, restore, and what a lost machine may take along."""
    found = verdict([CREATED], 0)
    assert found.latest == pytest.approx(4 * HOUR - 1176 - 450)
    late = [now for now in range(0, 14_400, 60) if verdict([CREATED], now).do is Do.ON_DEMAND]
    assert late
    assert late == list(range(late[0], 14_400, 60))  # once it is due it stays so
    assert late[0] <= found.latest < late[-1]


def test_machines_measured_boots_are_the_overhead() -> None:
    slow: list[dict[str, Any]] = [
        CREATED,
        {"launch-intended": {}},
        {"launch-succeeded": {}},
        {"attempt-began": {"at": 700}},
        {"attempt-gone": {"at": 800}},
    ]
    assert verdict(slow, 900).overhead == 700 + 30 + 300 + 20  # in steps of half a minute


def test_spot_that_trains_is_not_left_for_a_heartbeat_that_comes_late() -> None:
    """Slack is what it was as long as it trains; less than a minute of it is the look's own delay."""
    now = 12 * HOUR - (8 * HOUR - 1000) - 600 - 0.02 * (8 * HOUR - 1000) - 430 + 30  # it booted in 100 s
    beat = {"trained": 1000.0, "saved": 900.0}
    assert verdict(SPOT, now, heartbeats=[beat]).do is Do.SPOT
    assert verdict(SPOT, now + 60, heartbeats=[beat]).do is Do.ON_DEMAND


def test_a_run_says_for_what_it_waits_in_numbers() -> None:
    refused: list[dict[str, Any]] = [
        CREATED,
        {"launch-intended": {"offers": ["a-small-spot"]}},
        {"launch-failed": {"at": 9, "error_class": "capacity"}},
    ]
    state = folded(refused)
    why = waits_for(state, state.runs[RUN], observed({"offers": OFFERS}, 10))
    assert why is not None
    assert why.startswith("waiting for spot: $")
    assert "on-demand $" in why
    assert "on-demand must begin in 3h32m at the latest (8h00m of work, 11h59m left, 19m36s of them as margin)" in why


def test_a_run_with_a_machine_waits_for_nothing_though_one_beside_it_cannot_be_had() -> None:
    state = folded(ON_DEMAND)
    world = {"offers": OFFERS, "heartbeats": [{"trained": 3700, "saved": 3600}], "blind": True}
    assert waits_for(state, state.runs[RUN], observed(world, 4000)) is None


def test_while_two_machines_carry_a_run_the_older_one_is_told_of() -> None:
    beside: list[dict[str, Any]] = [
        *ON_DEMAND,
        {"launch-intended": {"at": 4000, "attempt": 2, "offers": ["a-small-spot"]}},
        {"launch-succeeded": {"at": 4000, "attempt": 2}},
    ]
    run = folded(beside).runs[RUN]
    assert run.carrier is run.attempts[1]
    relieved = folded([*beside, {"attempt-relieved": {"at": 4100}}]).runs[RUN]
    assert relieved.carrier is relieved.attempts[2]


def test_a_machine_that_was_relieved_was_not_interrupted() -> None:
    from fleet.core.summary import interruptions

    over: list[dict[str, Any]] = [
        *ON_DEMAND,
        {"attempt-relieved": {"at": 4100}},
        {"attempt-finished": {"at": 4110, "kind": "interrupted"}},
        {"attempt-released": {"at": 4110}},
        {"attempt-gone": {"at": 4120, "ended_by": "itself"}},
    ]
    run = folded(over).runs[RUN]
    assert interruptions(run) == []
    assert run.crashes == 0


def test_an_event_of_a_version_without_deadlines_is_understood() -> None:
    from fleet.core.upcast import decode, encode

    raw = encode(event({"launch-intended": {}}))
    del raw["besides"]
    assert decode({**raw, "v": 1}) == event({"launch-intended": {}})
    gone = encode(event({"attempt-gone": {}}))
    del gone["saved"]
    assert decode({**gone, "v": 2}) == event({"attempt-gone": {}})


@pytest.mark.parametrize(
    ("fields", "now", "why", "earliest"),
    [
        ({"deadline": "8h", "estimate": "8h"}, 0.0, "8h00m of work need 27m06s more", 8 * HOUR + 1176 + 450),
        ({"deadline": "7h", "estimate": "8h"}, 50.0, "in 7h00m cannot be kept", 50 + 8 * HOUR + 1176 + 450),
        ({"deadline": "1970-01-01 01:00:00Z", "estimate": "8h"}, 2 * HOUR, "was 1h00m ago", 10 * HOUR),
        ({"deadline": "1970-01-01 01:00:00Z"}, 2 * HOUR, "was 1h00m ago", 2 * HOUR),
        ({"deadline": "1970-01-01 09:00:00Z", "estimate": "8h"}, 1 * HOUR, "in 8h00m cannot be kept", 9 * HOUR + 1626),
    ],
)
def test_a_deadline_that_is_impossible_from_the_start_is_refused(
    fields: dict[str, Any], now: float, why: str, earliest: float
) -> None:
    found = refusal(job(fields), now, KNOWN)
    assert found is not None
    assert why in found[0]
    assert found[1] >= earliest


@pytest.mark.parametrize("fields", [{}, {"deadline": "12h"}, {"estimate": "8h"}, {"deadline": "8h30m", "estimate": "8h"}])
def test_what_can_be_kept_is_not_refused(fields: dict[str, Any]) -> None:
    assert refusal(job(fields), 0.0, KNOWN) is None


def test_the_earliest_deadline_that_is_named_is_not_refused() -> None:
    found = refusal(job({"deadline": "1h", "estimate": "8h"}), 0.0, KNOWN)
    assert found is not None
    assert refusal(job({"deadline": f"{found[1]}s", "estimate": "8h"}), 0.0, KNOWN) is None


def test_a_run_is_forecast_to_end_once_its_work_is_done() -> None:
    run = folded(SPOT).runs[RUN]
    seen = forecast(run, observed({"heartbeats": [{"trained": 3700, "saved": 3600}]}, 4000).heartbeats, 4000)
    assert seen is not None
    assert (seen.finish, seen.late) == (4000 + 8 * HOUR - 3700, False)
    seen = forecast(run, observed({"heartbeats": [{"trained": 3700, "saved": 3600}]}, 20_000).heartbeats, 20_000)
    assert seen is not None
    assert (seen.finish, seen.late) == (20_000 + 8 * HOUR - 3700, True)


def test_a_run_that_ended_in_time_is_not_late() -> None:
    run = folded([*SPOT, {"run-ended": {"at": 12 * HOUR, "outcome": "succeeded"}}]).runs[RUN]
    seen = forecast(run, {}, 20 * HOUR)
    assert seen is not None
    assert not seen.late


def test_those_who_only_look_know_the_offers_of_the_runs_launches_and_what_they_cost_on_demand() -> None:
    known = known_offers(folded(SPOT).runs[RUN])
    assert {(o.market.value, o.price) for o in known} == {("spot", 100_000), ("on-demand", 300_000)}


@pytest.mark.parametrize(
    ("events", "now", "words"),
    [
        ([CREATED], 10, ("spot: $", "expected to the end", "on-demand must begin in")),
        ([CREATED], 15_000, ("on-demand, as fast as it can be", "cannot be kept any more", "late")),
        ([CREATED], 50_000, ("the deadline has passed",)),
        ([{"run-created": {"deadline": "12h"}}], 10, ("cannot be planned for yet",)),
    ],
)
def test_the_choice_is_told_in_a_sentence(events: list[dict[str, Any]], now: float, words: tuple[str, ...]) -> None:
    text = told(verdict(events, now))
    assert all(word in text for word in words), text


@pytest.mark.parametrize("fields", [{}, {"deadline": "12h", "estimate": "8h", "resources": {"market": "on-demand"}}])
def test_without_a_choice_nothing_is_judged(fields: dict[str, Any]) -> None:
    state = folded([{"run-created": fields}])
    assert judge(state, state.runs[RUN], observed({"offers": OFFERS}, 10)) is None


def test_whatever_happens_a_deadline_that_can_be_kept_is_never_given_away() -> None:
    """Spot comes and goes as badly as it can: it is lost, with all that it may lose, whenever it was chosen."""
    for factor in (1.1, 1.3, 2.0, 3.0):
        estimate, now, done = 8 * HOUR, 0.0, 0.0
        state = fold(
            FleetState(fleet_id="f"), 1, 0.0, [event({"run-created": {"deadline": factor * estimate, "estimate": estimate}})]
        )
        run = state.runs[RUN]
        while True:
            found = judge(state, run, observed({"offers": OFFERS}, now))
            assert found is not None
            assert found.mood == "planned"
            if found.do is Do.ON_DEMAND:
                break
            now += 300  # launched, booted, lost before it trained
        assert now + 150 + estimate - done + found.margin <= factor * estimate


BESIDE: list[dict[str, Any]] = [
    *ON_DEMAND,
    {"launch-intended": {"at": 4000, "attempt": 2, "offers": ["a-small-spot"]}},
    {"launch-succeeded": {"at": 4000, "attempt": 2}},
]


@pytest.mark.parametrize("offers", [[], ["a-small-on-demand"], ["a-small-spot"]])
def test_of_two_machines_one_has_to_go_though_a_controller_knows_no_offers_yet(offers: list[str]) -> None:
    """A function that was called for the first time has asked for none; or spot's prices cannot be had."""
    beats = [{"at": 4090, "trained": 3700, "saved": 3600}]
    found = verdict(BESIDE, 4100, offers=offers, heartbeats=beats)
    assert found.mood == "planned"
    assert found.decision is not None


def test_a_late_run_is_not_restarted_while_its_spot_machine_trains() -> None:
    found = verdict(SPOT, 30_000, heartbeats=[{"at": 29_990, "trained": 3700, "saved": 3600}])
    assert (found.mood, found.do) == ("late", Do.SPOT)
    assert told(found).startswith("spot, which trains: the deadline in")


def test_on_demand_that_trains_is_not_ended_to_wait_for_spot() -> None:
    state = folded([*ON_DEMAND])
    refused = state.model_copy(update={"cooling": {offer("a-small-spot").key: 9e9}})
    world = observed({"offers": OFFERS, "heartbeats": [{"at": 3990, "trained": 3700, "saved": 3600}]}, 4000)
    found = judge(refused, state.runs[RUN], world)
    assert found is not None
    assert found.do is Do.ON_DEMAND


def test_tables_are_few_and_small_however_rare_checkpoints_are() -> None:
    """What is kept in reserve is no part of a table. The function in the account has 256 MB for everything."""
    from fleet.core.deadlines import shelf, solve

    shelf.table.cache_clear()
    sizes: list[int] = []
    real = solve.solved

    def solved(*words: Any) -> solve.Table:
        made = real(*words)
        sizes.append(made.values.nbytes)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "solved", solved)
        for deadline, every in (("12h", "1h"), ("200m", "30m"), ("12h", "5m"), ("200m", "5m")):
            estimate = "8h" if deadline == "12h" else "90m"
            verdict([{"run-created": {"deadline": deadline, "estimate": estimate, "checkpoint": {"every": every}}}], 0)
    assert len(sizes) == 2
    assert max(sizes) < 8_000_000


def test_slack_is_reckoned_with_the_checkpoints_of_the_machines_before() -> None:
    """Else each new machine would begin with slack that its first checkpoint takes away: on-demand, spot, on-demand."""
    brought = {"ref": {"attempt": 1, "seq": 5}, "source": "volume", "trained": 3000.0}
    again: list[dict[str, Any]] = [
        *SPOT,
        {"attempt-gone": {"at": 3300, "saved": 3000.0}},
        {"launch-intended": {"at": 3300, "attempt": 2}},
        {"launch-succeeded": {"at": 3300, "attempt": 2}},
        {"attempt-began": {"at": 3400, "attempt": 2}},
        {"attempt-resumed": {"at": 3430, "attempt": 2, **brought}},
    ]
    trains = {"at": 3600, "attempt": 2, "trained": 3170.0, "saved": 3000.0}
    assert verdict(again, 3600, heartbeats=[trains]).overhead == pytest.approx(100 + 30 + 600, abs=30)


def test_dearer_spot_is_told_as_dearer_though_the_table_is_the_same() -> None:
    usual = offer("a-small-on-demand").price
    told = [
        verdict([CREATED], 0, offers=[f"a-small-spot@{price}", OFFERS[1]]).decision
        for price in (round(0.33 * usual), round(0.36 * usual))
    ]
    assert told[0] is not None
    assert told[1] is not None
    assert told[0].cost < told[1].cost


@pytest.mark.parametrize(
    ("beat", "work"),
    [
        ({"step": 100, "total": 1000, "trained": 400.0, "rate": 0.25}, 4000),
        ({"step": 100, "total": 1000, "trained": 400.0}, 4000),
        ({"step": 901_000, "total": 1_000_000, "trained": 300.0, "rate": 3.3}, 300 + 99_000 / 3.3),  # from a checkpoint
        ({"step": 10, "total": 1000, "trained": 4000.0, "rate": 2.0}, 4000 + 990 / 2),  # steps that are counted anew
        ({"step": 1000, "total": 1000, "trained": 400.0, "rate": 2.5}, 400),
    ],
)
def test_work_is_learned_from_the_speed_wherever_the_steps_began(beat: dict[str, Any], work: float) -> None:
    run = folded([*SPOT]).runs[RUN]
    (said,) = observed({"heartbeats": [{"at": 4000, **beat}]}, 4000).heartbeats.values()
    assert learned(run, said, 300) == pytest.approx(work, abs=0.1)

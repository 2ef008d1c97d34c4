"""How the laps on a track end."""

from __future__ import annotations

from dataclasses import replace

from fleet.workloads.deepracer.evaluating.steer import NO_LAP, TRACED_WITHIN, Ends, Facts, decide
from fleet.workloads.deepracer.faults import of_kind
from fleet.workloads.deepracer.steer import SETTLE, Exited

DRIVES = Facts(now=100.0, driven=2, wanted=5, moved=90.0)
ALL = replace(DRIVES, driven=5)
GONE = (Exited("simulator", 1, 0.0),)


def test_it_goes_on_while_laps_come() -> None:
    assert decide(DRIVES) is None
    assert decide(replace(DRIVES, now=DRIVES.moved + NO_LAP)) is None


def test_all_laps_are_the_end_once_the_traces_are_there_or_do_not_come() -> None:
    assert decide(ALL) is None
    for end in ({"traced": True}, {"exited": GONE, "exited_at": 100.0}, {"stop_asked": True}, {"now": 90.0 + TRACED_WITHIN}):
        assert decide(replace(ALL, **end)) == Ends("driven")


def test_what_goes_wrong_after_the_last_lap_spoils_nothing() -> None:
    assert decide(replace(ALL, traced=True, fault=of_kind("credentials"))) == Ends("driven")


def test_a_wish_to_stop_is_heeded_at_once() -> None:
    assert decide(replace(DRIVES, stop_asked=True, fault=of_kind("disk-full"))) == Ends("stopped")


def test_a_simulator_that_ends_is_named_unless_its_last_words_tell_more() -> None:
    ended = replace(DRIVES, exited=GONE, exited_at=100.0)
    assert decide(ended) is None
    late = replace(ended, now=100.0 + SETTLE)
    found = decide(late)
    assert found is not None
    assert found.fault is not None
    assert (found.how, found.fault.code) == ("fault", "simulator-ended")
    cause = of_kind("out-of-memory")
    assert decide(replace(late, fault=cause)) == Ends("fault", cause)


def test_a_simulator_whose_laps_never_end_is_named() -> None:
    found = decide(replace(DRIVES, now=DRIVES.moved + NO_LAP + 1))
    assert found is not None
    assert found.fault is not None
    assert found.fault.code == "no-lap"
    assert "3601 s" in found.fault.message

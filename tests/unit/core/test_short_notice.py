"""What a notice leaves time for, from what is known to what is done."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fleet.core.short_notice import LAST_WORD, RELEASE, SAVE_LEAST, TRAINING_SHARE, Program, Situation, Upload, program

GRACE = 90.0
MB, GB = 10**6, 10**9
GCE, EC2 = 30.0, 120.0
KNOWN = Situation(left=GCE, on_volume=True, fresh=100 * MB, uploads=(Upload(100 * MB, 5.0),))


def decided(**changes: Any) -> Program:
    return program(dataclasses.replace(KNOWN, **changes), GRACE)


def test_what_fits_is_all_done_and_training_gets_what_sending_leaves() -> None:
    found = decided()
    assert found == Program(train=18.0, send=True, stop_sending=False, until=GCE - RELEASE)
    slower = decided(uploads=(Upload(100 * MB, 15.0),))
    assert slower == Program(train=9.0, send=True, stop_sending=False, until=24.0)


def test_two_minutes_are_shared_as_ever_where_sending_takes_seconds() -> None:
    assert decided(left=EC2) == Program(train=72.0, send=True, stop_sending=False, until=EC2 - RELEASE)
    assert decided(left=900.0).train == GRACE


def test_a_save_that_cannot_be_sent_in_time_stays_on_the_volume_and_that_is_said() -> None:
    found = decided(fresh=4 * GB, uploads=(Upload(4 * GB, 80.0),))
    assert (found.send, found.stop_sending, found.train) == (False, True, 24.0)
    assert found.left_out == (
        "the last checkpoint stays on the volume and is sent by the next machine: sending 4.0 GB takes 1m20s at the rate"
        " measured here, and 30s are left"
    )
    assert not decided(fresh=4 * GB, uploads=(Upload(4 * GB, 80.0),), left=EC2).send  # 40 s of writing come before
    enough = decided(fresh=4 * GB, uploads=(Upload(4 * GB, 60.0),), left=EC2)
    assert (enough.send, enough.train, enough.left_out) == (True, 54.0, "")


def test_a_larger_set_is_judged_by_the_rate_and_a_smaller_one_takes_no_less_than_it_took() -> None:
    assert not decided(fresh=GB).send  # at 20 MB/s
    assert decided(fresh=1000).train == 18.0
    assert not decided(fresh=1000, uploads=(Upload(1000, 23.0),)).send  # what costs the time is not the bytes


def test_the_slowest_of_the_last_uploads_counts_and_older_ones_do_not() -> None:
    slow, fast = Upload(100 * MB, 60.0), Upload(100 * MB, 5.0)
    assert not decided(uploads=(slow, fast, fast)).send
    assert decided(uploads=(slow, fast, fast, fast)).send


def test_a_save_that_was_seen_to_take_long_leaves_less_for_sending() -> None:
    assert decided(uploads=(Upload(100 * MB, 15.0),), save=9.0) == Program(9.0, send=True, stop_sending=False, until=24.0)
    assert not decided(uploads=(Upload(100 * MB, 15.0),), save=9.5).send
    assert decided(fresh=1000, uploads=(Upload(1000, 22.0),)).train == SAVE_LEAST


def test_an_older_checkpoint_under_way_makes_room_for_the_newer_one() -> None:
    sending: dict[str, Any] = {"uploads": (Upload(100 * MB, 15.0),), "sending": 100 * MB}
    assert not decided(**sending, sent_for=14.0).stop_sending  # it is through before training has saved
    found = decided(**sending, sent_for=1.0)
    assert (found.send, found.stop_sending, found.left_out) == (True, True, "")


def test_without_a_volume_a_finished_checkpoint_goes_before_one_that_would_be_lost() -> None:
    lost: dict[str, Any] = {"on_volume": False, "fresh": 4 * GB, "uploads": (Upload(4 * GB, 80.0),)}
    found = decided(**lost, sending=4 * GB, sent_for=60.0)
    assert (found.train, found.send, found.stop_sending, found.until) == (0.0, False, False, GCE - LAST_WORD)
    assert found.left_out.startswith("training is not asked to save, the checkpoint that is being sent goes first: ")
    hopeless = decided(**lost, sending=4 * GB, sent_for=10.0)
    assert (hopeless.send, hopeless.stop_sending) == (True, True)
    assert "will hardly reach the bucket in time" in hopeless.left_out
    assert decided(**lost).send  # nothing else is to be done with the time


def test_where_nothing_was_measured_it_is_tried_and_the_way_out_keeps_its_time() -> None:
    cases: tuple[dict[str, Any], ...] = ({"uploads": ()}, {"fresh": None})
    for what in cases:
        found = decided(**what)
        assert (found.train, found.send, found.until) == (18.0, True, 24.0)
        assert "was never measured" in found.left_out
        assert decided(**what, left=EC2).left_out == ""


def test_without_training_only_the_way_out_is_kept() -> None:
    assert decided(fresh=0) == Program(train=18.0, send=True, stop_sending=False, until=24.0)
    assert decided(fresh=0, sending=4 * GB, uploads=(Upload(4 * GB, 80.0),)).stop_sending is False


@pytest.mark.parametrize("left", [0.0, 1.0, 5.9, 8.0, 20.0, 30.0, 120.0])
@pytest.mark.parametrize("on_volume", [True, False])
@pytest.mark.parametrize("took", [0.1, 5.0, 500.0])
def test_the_way_out_has_its_time_however_little_is_left(left: float, on_volume: bool, took: float) -> None:
    found = decided(left=left, on_volume=on_volume, uploads=(Upload(100 * MB, took),))
    kept = min(RELEASE if on_volume else LAST_WORD, (1 - TRAINING_SHARE) * left)
    assert 0 <= found.train <= found.until == left - kept

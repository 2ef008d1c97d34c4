"""Which set training goes on from, of all that lie on the volume and in fleet's checkpoints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.workloads.deepracer.course import Course
from fleet.workloads.deepracer.resume import (
    FROM,
    Candidate,
    Kept,
    actions_of,
    candidates,
    merged,
    must_keep,
    next_prefix,
)

RUN = "racer-1"


def leg(course: Course, k: int, source: int | None, *kept: int, attempt: int = 1) -> Course:
    found = course.begun(f"{RUN}-{attempt}-{k}", attempt, "volume" if source else "nothing", source, 0.0, 0.0)
    for n in kept:
        found = found.kept(n, float(n))
    return found


FIRST = leg(Course(run=RUN), 1, None, 1, 2, 3)
SECOND = leg(FIRST, 1, 3, 4, 5, attempt=2)


def first(course: Course, volume: dict[str, list[int]], *kept: Kept) -> Candidate | None:
    return next(iter(candidates(course, volume, kept)), None)


def test_the_newest_leg_is_gone_on_from() -> None:
    volume = {"racer-1-1-1": [1, 2, 3], "racer-1-2-1": [4, 5]}
    found = candidates(SECOND, volume, [])
    assert [(one.place, one.n) for one in found] == [
        ("racer-1-2-1", 5),
        ("racer-1-2-1", 4),
        ("racer-1-1-1", 3),
        ("racer-1-1-1", 2),
        ("racer-1-1-1", 1),
    ]


def test_what_an_earlier_leg_trained_beyond_what_a_later_one_began_from_is_never_taken() -> None:
    volume = {"racer-1-1-1": [1, 2, 3, 4, 5, 6, 7, 8]}
    assert first(SECOND, volume) == Candidate("volume", "racer-1-1-1", 3)


def test_a_leg_that_began_anew_leaves_nothing_before_it() -> None:
    anew = leg(FIRST, 2, None)
    assert first(anew, {"racer-1-1-1": [1, 2, 3]}) is None


def test_a_leg_that_died_before_it_saved_is_begun_again_from_its_source() -> None:
    third = leg(SECOND, 1, 5, attempt=3)
    volume = {"racer-1-2-1": [4, 5], f"racer-1-3-1{FROM}": [5]}
    assert first(third, volume) == Candidate("volume", f"racer-1-3-1{FROM}", 5)
    assert first(third, {"racer-1-2-1": [4, 5]}) == Candidate("volume", "racer-1-2-1", 5)


def test_the_volume_wins_where_it_is_newer_than_what_was_kept_and_where_it_is_as_new() -> None:
    kept = Kept("4", 4, leg(FIRST, 1, 3, 4, attempt=2))
    assert first(SECOND, {"racer-1-2-1": [4, 5]}, kept) == Candidate("volume", "racer-1-2-1", 5)
    assert first(SECOND, {"racer-1-2-1": [3, 4]}, kept) == Candidate("volume", "racer-1-2-1", 4)


def test_a_checkpoint_is_taken_where_the_volume_has_no_whole_set() -> None:
    kept = [Kept("4", 4, leg(FIRST, 1, 3, 4, attempt=2)), Kept("5", 5, SECOND)]
    assert first(merged(None, kept, [], RUN), {}, *kept) == Candidate("checkpoint", "5", 5)


def test_a_volume_that_the_run_left_behind_does_not_win() -> None:
    """Attempt 2 ran elsewhere, from what had been committed: the old volume's later sets are of no attempt's chain."""
    stale = FIRST.kept(4, 4.0)
    elsewhere = leg(FIRST, 1, 3, 4, 5, 6, attempt=2)
    kept = [Kept("6", 6, elsewhere)]
    course = merged(stale, kept, ["racer-1-1-1"], RUN)
    assert course == elsewhere
    assert first(course, {"racer-1-1-1": [2, 3, 4, 5, 6, 7]}, *kept) == Candidate("checkpoint", "6", 6)


def test_a_volume_whose_course_is_lost_is_read_by_the_names_of_its_prefixes() -> None:
    names = [
        "racer-1-10-1",
        "racer-1-2-1",
        "racer-1-1-1",
        "racer-1-2-1-from",
        "custom_files",
        "racer-10-1-1",
        "racer-1-2-1b",
    ]
    course = merged(None, [], names, RUN)
    assert course.prefixes == ["racer-1-1-1", "racer-1-2-1", "racer-1-10-1"]
    kept = [Kept("5", 5, SECOND)]
    after = merged(None, kept, names, RUN)
    assert after.prefixes == ["racer-1-1-1", "racer-1-2-1", "racer-1-10-1"]
    assert first(after, {"racer-1-10-1": [6, 7]}, *kept) == Candidate("volume", "racer-1-10-1", 7)
    assert first(after, {"racer-1-10-1": []}, *kept) == Candidate("checkpoint", "5", 5)


def test_sets_beyond_a_nan_are_not_taken_wherever_they_lie() -> None:
    bad = SECOND.went_bad(3, None)
    volume = {"racer-1-1-1": [1, 2, 3], "racer-1-2-1": [4, 5]}
    kept = [Kept("5", 5, SECOND), Kept("4", 4, leg(FIRST, 1, 3, 4, attempt=2))]
    assert first(merged(bad, kept, volume, RUN), volume, *kept) == Candidate("volume", "racer-1-1-1", 3)


def test_a_checkpoint_whose_course_cannot_be_read_is_better_than_nothing() -> None:
    kept = [Kept("5", 5, None)]
    assert first(merged(None, kept, [], RUN), {}, *kept) == Candidate("checkpoint", "5", 5)
    assert first(SECOND, {"racer-1-2-1": [4]}, *kept) == Candidate("volume", "racer-1-2-1", 4)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "racer-1-2-1"),
        (["racer-1-1-7", "custom_files", "racer-1-2x-3"], "racer-1-2-1"),
        (["racer-1-2-1"], "racer-1-2-2"),
        (["racer-1-2-9", "racer-1-2-10"], "racer-1-2-11"),
        (["racer-1-2-4-from"], "racer-1-2-5"),
        (["racer-1-20-4", "racer-11-2-4"], "racer-1-2-1"),
    ],
)
def test_a_prefix_is_never_used_again(names: list[str], expected: str) -> None:
    assert next_prefix(RUN, 2, names) == expected


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=6), st.data())
def test_whatever_became_of_the_legs_none_goes_on_from_what_a_later_one_did_not_have(
    legs: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Each leg trains some sets from any set that the rules offer it, and keeps the last ones or not."""
    course = Course(run=RUN)
    volume: dict[str, list[int]] = {}
    kept: list[Kept] = []
    line: list[int] = []
    for k, (trained, lost, keeps) in enumerate(legs, start=1):
        offered = candidates(course, volume, kept)
        source = data.draw(st.sampled_from(offered[:3])).n if offered else None
        line = [n for n in line if source is not None and n <= source]
        assert source is None or source in line
        course = leg(course, k, source)
        made = list(range((source or 0) + 1, (source or 0) + trained + 1))
        line += made
        volume[course.leg.prefix] = made[: max(0, len(made) - lost)]
        for n in made[len(made) - keeps :] if keeps else []:
            course = course.kept(n, float(n))
            kept = [*kept, Kept(str(n), n, course)][-2:]
    best = first(course, volume, *kept)
    assert best is None or best.n in line
    assert [one.n for one in candidates(course, volume, kept)] == sorted(
        {one.n for one in candidates(course, volume, kept)}, reverse=True
    )


def test_a_course_of_a_dead_machine_is_known_by_its_beginning() -> None:
    assert SECOND.continues(FIRST)
    assert not FIRST.continues(SECOND)
    other = FIRST.model_copy(update={"legs": (FIRST.leg.model_copy(update={"prefix": "racer-1-9-1"}),)})
    assert not SECOND.continues(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"action_space": [{"index": 0}, {"index": 1}]}', 2),
        ('{"action_space": []}', 0),
        ('{"action_space": {"speed": {"low": 1}}}', None),
        ('{"version": "4"}', None),
        ("[]", None),
        ("", None),
        ("[" * 5000, None),
    ],
)
def test_actions_are_counted_where_they_are_numbered(text: str, expected: int | None) -> None:
    assert actions_of(text.encode()) == expected


@pytest.mark.parametrize(
    ("source", "kept", "retries", "expected"),
    [
        (Candidate("volume", "p", 5), [], 0, True),
        (Candidate("volume", "p", 5), [Kept("4", 4, FIRST)], 0, True),
        (Candidate("volume", "p", 5), [Kept("4", 4, FIRST), Kept("5", 5, FIRST)], 0, False),
        (Candidate("checkpoint", "4", 4), [Kept("4", 4, FIRST), Kept("6", 6, FIRST)], 1, True),  # after a NaN
        (Candidate("checkpoint", "5", 5), [Kept("5", 5, FIRST)], 1, True),  # the retry is to be remembered
        (Candidate("checkpoint", "5", 5), [Kept("5", 5, None)], 0, True),
        (Candidate("pretrained", "old", 307), [], 0, False),
    ],
)
def test_what_a_leg_begins_from_is_kept_unless_fleet_has_it(
    source: Candidate, kept: list[Kept], retries: int, *, expected: bool
) -> None:
    assert must_keep(source, kept, FIRST.model_copy(update={"nan_retries": retries})) == expected

"""The chain of bases: a law over every shape that attempts and checkpoints can take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.core.chain import late_refs, newest_based, predecessor_of, valid_refs
from fleet.model.documents import Base, CheckpointRef

Story = list[tuple[str, int]]
stories = st.lists(st.tuples(st.sampled_from(["commit", "base", "late"]), st.integers(1, 6)), max_size=40)


def play(story: Story) -> tuple[dict[int, Base], dict[int, list[int]], list[CheckpointRef]]:
    """Attempts that take over and commit in any order; and what a reader who saw it all would trust, oldest first."""
    bases: dict[int, Base] = {}
    committed: dict[int, list[int]] = {}
    trusted: list[CheckpointRef] = []
    for act, number in story:
        head = newest_based(bases)
        if act == "base" and number not in bases and (head is None or number > head):
            before = predecessor_of(number, bases)
            ref = trusted[-1] if trusted else None
            bases[number] = Base(predecessor=before, ref=ref, at=0.0)
        elif act == "commit" and number == head:
            seq = max(committed.get(number, []), default=0) + 1
            committed.setdefault(number, []).append(seq)
            trusted.append(CheckpointRef(attempt=number, seq=seq))
        elif act == "late" and number in bases and head is not None and number < head:
            seq = max(committed.get(number, []), default=0) + 1
            committed.setdefault(number, []).append(seq)  # fenced off, and written all the same
    return bases, committed, trusted


@given(stories)
def test_trusted_is_what_was_committed_by_whoever_had_taken_over_last(story: Story) -> None:
    bases, committed, trusted = play(story)
    assert valid_refs(newest_based(bases), bases, committed) == trusted[::-1]


@given(stories)
def test_everything_is_either_trusted_or_late(story: Story) -> None:
    bases, committed, _ = play(story)
    valid = valid_refs(newest_based(bases), bases, committed)
    late = late_refs(bases, committed)
    everything = {CheckpointRef(attempt=n, seq=s) for n, seqs in committed.items() for s in seqs}
    assert set(valid) | set(late) == everything
    assert not set(valid) & set(late)


@given(
    st.dictionaries(st.integers(1, 6), st.tuples(st.integers(0, 8), st.integers(1, 4)), max_size=6),
    st.dictionaries(st.integers(1, 6), st.lists(st.integers(1, 5), unique=True), max_size=6),
)
def test_documents_that_contradict_each_other_end_the_chain_and_not_the_program(
    refs: dict[int, tuple[int, int]], committed: dict[int, list[int]]
) -> None:
    bases = {
        n: Base(predecessor=None, ref=CheckpointRef(attempt=a, seq=s) if a else None, at=0.0) for n, (a, s) in refs.items()
    }
    found = valid_refs(newest_based(bases), bases, committed)
    assert len(found) == len(set(found))


def test_a_base_that_was_pruned_before_it_was_written_is_stood_in_for_by_the_first_behind_it() -> None:
    bases = {
        1: Base(predecessor=None, ref=None, at=0.0),
        2: Base(predecessor=1, ref=CheckpointRef(attempt=1, seq=7), at=0.0),
    }
    survivors = {1: [8, 9, 10, 11, 12]}
    assert valid_refs(2, bases, survivors) == [CheckpointRef(attempt=1, seq=8)]
    assert valid_refs(2, bases, {1: [6, 8, 9]}) == [CheckpointRef(attempt=1, seq=6)]
    assert valid_refs(2, bases, {1: [7, 8]}) == [CheckpointRef(attempt=1, seq=7)]


def test_further_down_what_is_late_never_stands_in_for_what_retention_removed() -> None:
    bases = {
        1: Base(predecessor=None, ref=None, at=0.0),
        2: Base(predecessor=1, ref=CheckpointRef(attempt=1, seq=7), at=0.0),
        3: Base(predecessor=2, ref=CheckpointRef(attempt=2, seq=3), at=0.0),
    }
    late = {1: [8], 2: [2, 3], 3: [1]}
    assert [(r.attempt, r.seq) for r in valid_refs(3, bases, late)] == [(3, 1), (2, 3), (2, 2)]

"""All parts of a run as one: iterations go on, episodes count once, what a later part did not begin from is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.workloads.deepracer.metrics import Episode
from fleet.workloads.deepracer.whole_run import Part, WholeRun, whole_run


def episode(iteration: int, number: int, *, worker: int = 0, evaluation: bool = False, progress: float = 20.0) -> Episode:
    """Ten seconds each, one after the other."""
    began = 10.0 * number
    phase = "evaluation" if evaluation else "training"
    status = "Lap complete" if progress == 100 else "Off track"
    return Episode(worker, number, iteration, phase, float(iteration), progress, status, began, began + 10.0)  # type: ignore[arg-type]


def part(name: str, counts: list[int], source: int | None = None, **more: object) -> Part:
    """So many episodes in each iteration."""
    episodes, number = [], 0
    for iteration, count in enumerate(counts):
        for _ in range(count):
            episodes.append(episode(iteration, number))
            number += 1
    return Part(name, source=source, episodes=tuple(episodes), **more)  # type: ignore[arg-type]


def numbers(run: WholeRun) -> list[int]:
    return [one.n for one in run.iterations]


def test_the_first_iteration_makes_set_1_and_a_part_from_set_7_makes_9_first() -> None:
    run = whole_run([part("a", [20] * 7 + [5]), part("b", [20, 20, 3], source=7)])
    assert numbers(run) == [1, 2, 3, 4, 5, 6, 7, 9, 10, 11]
    assert [one.prefix for one in run.iterations] == ["a"] * 7 + ["b"] * 3
    assert [one.done for one in run.iterations] == [True] * 9 + [False]
    assert run.episodes == 7 * 20 + 43
    assert run.done == 10


def test_what_was_begun_beyond_the_source_is_lost_in_its_share_and_time() -> None:
    (lost,) = whole_run([part("a", [20] * 7 + [5], attempt=1), part("b", [20], source=7)]).lost
    assert (lost.prefix, lost.attempt, lost.resumed_from) == ("a", 1, 7)
    assert (lost.iterations, lost.episodes, lost.seconds) == (0.25, 5, 50.0)


def test_nothing_is_lost_by_a_part_that_ended_with_its_iteration() -> None:
    run = whole_run([part("a", [20, 20]), part("b", [20], source=2)])
    (lost,) = run.lost
    assert (lost.iterations, lost.episodes, lost.seconds) == (0.0, 0, 0.0)
    assert [one.done for one in run.iterations] == [True, True, False]  # the source proves the second


def test_going_back_further_takes_whole_parts_along() -> None:
    run = whole_run([part("a", [10] * 4), part("b", [10] * 3, source=4), part("c", [10], source=3)])
    assert numbers(run) == [1, 2, 3, 5]
    first, second = run.lost
    assert (first.episodes, second.episodes) == (0, 40)
    assert second.iterations == 4.0  # one of a, three of b


def test_a_part_that_begins_from_nothing_again_loses_everything() -> None:
    run = whole_run([part("a", [10, 10]), part("b", [10])])
    assert (numbers(run), run.lost[0].episodes, run.lost[0].resumed_from) == ([1], 20, None)


def test_a_first_part_from_a_pretrained_model_goes_on_counting() -> None:
    assert numbers(whole_run([part("a", [5, 5], source=307)])) == [309, 310]


def test_the_trainers_own_word_on_its_first_set_counts() -> None:
    assert numbers(whole_run([part("a", [5, 5], source=307, first=307)])) == [308, 309]


def test_without_knowing_the_source_it_is_taken_to_have_gone_on_and_that_is_said() -> None:
    run = whole_run([part("a", [10, 10, 2], told=False), part("b", [10], told=False)])
    assert run.guessed
    assert (numbers(run), run.lost[0].episodes) == ([1, 2, 4], 2)
    assert not whole_run([part("a", [10], told=False)]).guessed


def test_the_time_of_several_workers_is_that_of_the_slowest() -> None:
    two = Part("a", episodes=(episode(0, 0), episode(0, 0, worker=1), episode(0, 1, worker=1)))
    (lost,) = whole_run([two, part("b", [1])]).lost
    assert (lost.episodes, lost.seconds) == (3, 20.0)


def test_the_best_set_is_the_newest_of_those_evaluated_best_and_none_that_was_lost() -> None:
    def evaluated(iteration: int, progress: float) -> Episode:
        return episode(iteration, 99, evaluation=True, progress=progress)

    first = part("a", [2, 2, 2, 2])
    first = replace(
        first, episodes=(*first.episodes, evaluated(0, 40), evaluated(1, 70), evaluated(2, 70), evaluated(3, 100))
    )
    alone = whole_run([first]).best
    assert alone is not None
    assert (alone.n, alone.result.laps) == (3, 1)
    resumed = whole_run([first, part("b", [2], source=2)]).best
    assert resumed is not None
    assert (resumed.n, resumed.result.progress) == (2, 70.0)  # of 1 and 2 the newer: evaluation i drives set i


MEASURED = [
    3.4, 19.6, 2.4, 7.8, 20.6, 3.6, 5.4, 40.0, 32.0, 27.2, 63.8, 67.2, 71.2, 84.2, 80.8, 78.4, 85.2, 47.8, 55.2, 82.6, 80.0,
    89.4, 100.0, 100.0, 100.0, 100.0, 100.0,
]  # fmt: skip
"""How far evaluations came, of one iteration after the other, in a real training of June 2022 (deepracer-utils, MIT-0)."""
SAID = [
    (0, 0), (0, 0), (1, 1), (1, 2), (1, 3), (4, 4), (4, 5), (4, 6), (7, 7), (7, 8), (7, 9), (10, 10), (11, 11), (12, 12),
    (13, 13), (13, 14), (13, 15), (16, 16), (16, 17), (16, 18), (16, 19), (16, 20), (21, 21), (22, 22), (23, 23), (24, 24),
    (25, 25), (26, 26),
]  # fmt: skip
"""What its trainer's log said meanwhile: ``Best checkpoint number: 22, Last checkpoint number: 22``."""


def test_the_best_set_is_the_one_that_a_real_trainer_named() -> None:
    for best, last in SAID:
        episodes = [
            one for n in range(last + 1) for one in (episode(n, n), episode(n, n, evaluation=True, progress=MEASURED[n]))
        ]
        found = whole_run([Part("a", episodes=tuple(episodes))]).best
        assert found is not None
        assert found.n == best


def test_by_reward_where_the_stack_chooses_so() -> None:
    episodes = (episode(0, 1), episode(0, 1, evaluation=True, progress=90), episode(1, 2), episode(1, 2, evaluation=True))
    best = whole_run([Part("a", episodes=episodes)], "reward").best
    assert best is not None
    assert best.n == 1


def test_no_parts_are_an_empty_run() -> None:
    run = whole_run([])
    assert (run.iterations, run.episodes, run.done, run.best, run.lost) == ((), 0, 0, None, ())


@st.composite
def runs(draw: st.DrawFn) -> list[Part]:
    parts: list[Part] = []
    reached: list[int | None] = [None]
    for number in range(draw(st.integers(1, 5))):
        source = draw(st.sampled_from(reached)) if number else None
        made = part(str(number), draw(st.lists(st.integers(1, 6), max_size=5)), source=source)
        first = 0 if source is None else source + 1
        top = source if source is not None else -1
        reached = [
            None,
            *range(top + 1 if top >= 0 else 0, first + len(made.episodes and {e.iteration for e in made.episodes})),
        ]
        reached += [n for n in (source,) if n is not None]
        parts.append(made)
    return parts


@settings(max_examples=100, deadline=None)
@given(runs())
def test_every_episode_is_counted_or_lost_and_never_both(parts: list[Part]) -> None:
    run = whole_run(parts)
    assert run.episodes + sum(one.episodes for one in run.lost) == sum(len(one.episodes) for one in parts)
    assert numbers(run) == sorted(set(numbers(run)))
    assert len(run.lost) == len(parts) - 1
    assert all(one.iterations <= one.episodes for one in run.lost)
    source = parts[-1].source
    earlier = [one.n for one in run.iterations if one.prefix != parts[-1].prefix]
    assert all(source is not None and n <= source for n in earlier)


@pytest.mark.parametrize("counts", [[20, 20, 7], [1], []])
def test_a_part_alone_is_told_as_it_is(counts: list[int]) -> None:
    run = whole_run([part("a", counts)])
    assert (run.episodes, run.lost) == (sum(counts), ())
    assert [len(one.episodes) for one in run.iterations] == counts

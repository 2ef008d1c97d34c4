"""Which set of a model is taken: the one that was asked for, or an error that says what there is."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.chosen import Best, Wanted, choose, numbers, parse_wanted
from fleet.workloads.deepracer.pointers import ASIDE, COACH, JSON, TEXT, text_bytes
from fleet.workloads.deepracer.sets import SUFFIXES
from tests.unit.deepracer.test_metrics import entry, text
from tests.unit.deepracer.trainer import Memory


def model(*stems: str, coach: str | None = None, best: str | None = None, metric: float | None = 83.5) -> Memory:
    """Whole sets with their graphs, and today's pointers."""
    prefix = Memory()
    for stem in stems:
        for suffix in SUFFIXES:
            prefix.write(f"model/{stem}.ckpt{suffix}", f"{stem}{suffix}".encode())
        prefix.write(f"model/model_{stem.partition('_')[0]}.pb", stem.encode())
    if coach is not None:
        prefix.write(COACH, f"{coach}.ckpt".encode())
    if best is not None:
        entry = {"name": f"{best}.ckpt", "avg_eval_metric": metric, "time_stamp": 1}
        prefix.write(JSON, json.dumps({"best_checkpoint": entry, "last_checkpoint": entry}).encode())
    return prefix


def said(prefix: Memory, wanted: Wanted) -> str:
    with pytest.raises(FleetError) as caught:
        choose(prefix, wanted)
    return str(caught.value)


def test_one_is_not_ten() -> None:
    prefix = model("1_Step-100", "10_Step-5", "11_Step-9", coach="11_Step-9")
    found = choose(prefix, 1)
    assert (found.set.stem, found.graph) == ("1_Step-100.ckpt", "model/model_1.pb")
    assert sorted(found.set.files) == sorted(SUFFIXES)
    told = said(model("10_Step-5", "11_Step-9", coach="11_Step-9"), 1)
    assert "set 1 cannot be taken: it is not there" in told
    assert "There are sets 10, 11." in told


def test_the_last_is_the_committed_one_while_a_newer_one_is_being_saved() -> None:
    found = choose(model("3_Step-30", "4_Step-40", coach="3_Step-30"), "last")
    assert found.set.n == 3
    assert "set 4 is newer, but no pointer names it" in found.words


@pytest.mark.parametrize("coach", [None, "9_Step-9", "rubbish"])
def test_without_a_pointer_that_holds_the_last_is_the_newest_whole_one(coach: str | None) -> None:
    prefix = model("3_Step-30", "4_Step-0", coach=coach)
    prefix.write("model/5_Step-50.ckpt.index", b"x")
    assert choose(prefix, "last").set.stem == "4_Step-0.ckpt"


def test_the_pointer_of_2019_counts() -> None:
    prefix = model("3_Step-30", "4_Step-40")
    prefix.write(TEXT, text_bytes("3_Step-30.ckpt"))
    assert choose(prefix, "last").set.n == 3


def test_the_best_is_what_the_trainer_says() -> None:
    found = choose(model("3_Step-30", "7_Step-70", coach="7_Step-70", best="3_Step-30"), "best")
    assert found.set.n == 3
    assert "the trainer's best (83.50 in its evaluation)" in found.words


def test_a_best_that_is_not_kept_any_more_is_said_and_nothing_else_taken() -> None:
    told = said(model("6_Step-60", "7_Step-70", coach="7_Step-70", best="3_Step-30"), "best")
    assert "set 3 cannot be taken: it is the trainer's best (83.50 in its evaluation), and not there" in told
    assert "There are sets 6, 7." in told


def test_where_the_trainer_says_nothing_its_evaluations_do() -> None:
    prefix = model("0_Step-0", "1_Step-10", "2_Step-20", coach="2_Step-20", best="2_Step-20", metric=None)
    episodes = [
        entry(1, 1),
        entry(2, 1, phase="evaluation", completion_percentage=20),
        entry(3, 1),
        entry(4, 1, phase="evaluation", completion_percentage=70),
        entry(5, 1),
        entry(6, 1, phase="evaluation", completion_percentage=40),
    ]
    prefix.write("metrics/TrainingMetrics.json", text(episodes).encode())
    found = choose(prefix, "best")
    assert found.set.n == 1
    assert "70.0 % of a lap" in found.words


def test_metrics_of_a_model_that_began_from_another_are_not_matched_to_sets() -> None:
    prefix = model("41_Step-10", "42_Step-20", coach="42_Step-20")
    episodes = [entry(1, 1), entry(2, 1, phase="evaluation", completion_percentage=20), entry(3, 1)]
    prefix.write("metrics/TrainingMetrics.json", text(episodes).encode())
    assert "no evaluation is known" in said(prefix, "best")


def test_a_best_without_evaluation_is_taken_as_it_is_named_and_so_is_the_only_set() -> None:
    named = choose(model("3_Step-30", "9_Step-9", coach="9_Step-9", best="3_Step-30", metric=None), "best")
    assert (named.set.n, "no evaluation of it is told" in named.words) == (3, True)
    only = choose(model("9_Step-9", coach="9_Step-9"), "best")
    assert (only.set.n, "the only one" in only.words) == (9, True)


@dataclass
class Told(Memory):
    """A run's: it knows by itself."""

    found: Best | None = None

    def best(self) -> Best | None:
        return self.found


def test_a_run_knows_its_best_better_than_the_json_beside_its_newest_set() -> None:
    files = model("3_Step-30", "7_Step-70", coach="7_Step-70", best="7_Step-70").files
    assert choose(Told(files=files, found=Best(3, "the best by its evaluation")), "best").set.n == 3
    assert "no evaluation is known" in said(Told(files=files), "best")


def test_a_set_that_is_not_whole_is_refused_with_what_it_lacks() -> None:
    prefix = model("3_Step-30", "4_Step-40", coach="3_Step-30")
    prefix.write("model/4_Step-40.ckpt.meta", b"")
    prefix.remove("model/4_Step-40.ckpt.index")
    told = said(prefix, 4)
    assert "set 4 cannot be taken: it is not whole: .index missing, .meta empty" in told


def test_of_one_number_twice_the_later_is_taken_and_the_other_named() -> None:
    found = choose(model("4_Step-400", "4_Step-0", coach="4_Step-0"), 4)
    assert found.set.stem == "4_Step-0.ckpt"
    assert "4_Step-400.ckpt" in found.words


def test_the_last_of_one_number_twice_is_the_one_that_the_pointer_names() -> None:
    """A trainer that was started again in the same prefix saves what it loaded first."""
    found = choose(model("4_Step-400", "4_Step-0", coach="4_Step-400"), "last")
    assert (found.set.stem, found.words) == ("4_Step-400.ckpt", "Set 4 (4_Step-400.ckpt) is the last.")


@settings(max_examples=200)
@given(
    st.dictionaries(st.integers(0, 120), st.tuples(st.integers(0, 9), st.integers(0, 8)), max_size=8),
    st.integers(0, 120),
    st.one_of(st.integers(0, 120), st.sampled_from(["best", "last"])),
)
def test_what_is_chosen_is_what_was_asked_for_whole_or_an_error(
    there: dict[int, tuple[int, int]], coach: int, wanted: Wanted
) -> None:
    """Of some sets a file is missing, or empty; names begin alike."""
    prefix = model(*(f"{n}_Step-{y}" for n, (y, _) in there.items()), coach=f"{coach}_Step-{there.get(coach, (0, 0))[0]}")
    for n, (y, fault) in there.items():
        for index, suffix in enumerate(SUFFIXES):
            if fault == index:
                prefix.remove(f"model/{n}_Step-{y}.ckpt{suffix}")
            elif fault == index + 3:
                prefix.write(f"model/{n}_Step-{y}.ckpt{suffix}", b"")
    whole = {n for n, (_, fault) in there.items() if fault > 5}
    try:
        found = choose(prefix, wanted)
    except FleetError:
        assert wanted == "best" or wanted not in whole
        assert wanted != "last" or not whole
        return
    assert found.set.whole
    assert found.set.n in whole
    assert wanted in ("best", "last") or found.set.n == wanted
    assert wanted != "last" or found.set.n == (coach if coach in whole else max(whole))
    assert found.graph in (None, f"model/model_{found.set.n}.pb")


def test_what_a_repair_after_a_nan_gave_up_is_not_taken() -> None:
    prefix = model("3_Step-30", "4_Step-40", "5_Step-50", coach="3_Step-30")
    files = [f"model/{n}_Step-{n}0.ckpt{suffix}" for n in (4, 5) for suffix in SUFFIXES]
    prefix.write(f"{ASIDE}1/repair.json", json.dumps({"committed": "3_Step-30.ckpt", "back": 2, "files": files}).encode())
    assert "a repair after a NaN gave it up" in said(prefix, 5)
    assert choose(prefix, "last").set.n == 3


def test_a_model_without_a_whole_set_is_said_to_be_none() -> None:
    assert "holds no whole set of a model" in said(Memory(), "last")
    prefix = Memory()
    prefix.write("model/4_Step-40.ckpt.index", b"x")
    assert ".meta and .data-00000-of-00001 missing" in said(prefix, 4)


@pytest.mark.parametrize(("text", "wanted"), [("best", "best"), ("last", "last"), ("0", 0), ("308", 308)])
def test_what_can_be_wanted(text: str, wanted: Wanted) -> None:
    assert parse_wanted(text) == wanted


@pytest.mark.parametrize("text", ["", "Best", "-1", "1_", "1.5", "٣", "9" * 40, "10_Step-5.ckpt"])
def test_what_cannot_be_wanted(text: str) -> None:
    with pytest.raises(FleetError, match="names no set"):
        parse_wanted(text)


def test_numbers_are_told_shortly() -> None:
    assert numbers([3, 1, 2, 7, 9, 10]) == "1 to 3, 7, 9, 10"
    assert numbers(range(0, 60, 2)) == "…, 44, 46, 48, 50, 52, 54, 56, 58"

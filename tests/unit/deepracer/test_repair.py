"""Repair's rules, one by one; and the whole of it in a folder and in a bucket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT, read_pointers
from fleet.workloads.deepracer.prefix import Prefix, S3Place, open_folder, open_s3
from fleet.workloads.deepracer.repair import SIGNALS, Format, Repair, carry_out, eras_of, plan_repair
from fleet.workloads.deepracer.sets import SUFFIXES, newest_whole
from tests.unit.deepracer.trainer import Crash, Memory, Trainer, content, kept, load


def with_sets(prefix: Prefix, *stems: str) -> None:
    for stem in stems:
        for suffix in SUFFIXES:
            prefix.write(f"model/{stem}{suffix}", content(stem, suffix))


def four(coach: str | None = "6_Step-60.ckpt") -> Memory:
    """Four sets and what belongs to them."""
    prefix = Memory()
    for n in (3, 4, 5, 6):
        with_sets(prefix, f"{n}_Step-{10 * n}.ckpt")
        prefix.write(f"model/model_{n}.pb", b"graph")
    if coach is not None:
        prefix.write(COACH, coach.encode())
    return prefix


def plan_of(prefix: Prefix, form: Format = "auto", back: int = 0) -> Repair:
    listing = prefix.list()
    return plan_repair(listing, read_pointers(prefix, listing), format=form, back=back)


def with_json(prefix: Memory, last: str, best: str) -> Memory:
    told = {"best_checkpoint": best, "last_checkpoint": last}
    entries = {key: {"name": stem, "avg_eval_metric": 7.5, "time_stamp": 3} for key, stem in told.items()}
    prefix.write(JSON, json.dumps(entries).encode())
    return prefix


def test_a_prefix_that_is_as_it_should_be_is_left_alone_and_that_is_said() -> None:
    plan = plan_of(with_json(four(), "6_Step-60.ckpt", "4_Step-40.ckpt"))
    assert plan.idle
    assert plan == Repair("6_Step-60.ckpt", "6_Step-60.ckpt", words=plan.words)
    assert plan.words[-1] == "Nothing to repair."


def test_the_pointer_is_moved_on_to_a_whole_set_that_the_trainer_had_no_time_to_name() -> None:
    plan = plan_of(four(coach="5_Step-50.ckpt"))
    assert (plan.committed, plan.was) == ("6_Step-60.ckpt", "5_Step-50.ckpt")
    assert plan.written == {COACH: b"6_Step-60.ckpt"}
    assert (plan.removed, plan.set_aside) == ((), ())
    assert any("though 6_Step-60.ckpt is newer and whole" in one for one in plan.words)


def test_a_pointer_to_a_set_that_is_gone_or_partial_is_said_and_moved_back() -> None:
    prefix = four(coach="7_Step-70.ckpt")
    plan = plan_of(prefix)
    assert (plan.committed, plan.was) == ("6_Step-60.ckpt", "7_Step-70.ckpt")
    assert any("of which there is no file" in one for one in plan.words)
    prefix.write("model/7_Step-70.ckpt.meta", b"x")
    plan = plan_of(prefix)
    assert plan.set_aside == ("model/7_Step-70.ckpt.meta",)
    assert any("names 7_Step-70.ckpt, which is partial" in one for one in plan.words)
    assert "7_Step-70.ckpt is partial: .index and .data-00000-of-00001 missing." in plan.words


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\xef\xbb\xbf6_Step-60.ckpt", b"6_Step-60.ckpt\n"])
def test_a_broken_pointer_is_written_anew_exactly_as_the_trainer_does(data: bytes) -> None:
    prefix = four()
    prefix.write(COACH, data)
    assert plan_of(prefix).written == {COACH: b"6_Step-60.ckpt"}


def test_the_jsons_last_becomes_the_committed_one_and_the_best_stays_if_its_set_is_there() -> None:
    plan = plan_of(with_json(four(), "5_Step-50.ckpt", "3_Step-30.ckpt"))
    told = json.loads(plan.written[JSON])
    assert told["last_checkpoint"] == {"name": "6_Step-60.ckpt", "avg_eval_metric": None, "time_stamp": 15.0}
    assert told["best_checkpoint"] == {"name": "3_Step-30.ckpt", "avg_eval_metric": 7.5, "time_stamp": 3}


@pytest.mark.parametrize("best", ["2_Step-20.ckpt", "7_Step-70.ckpt", ""])
def test_the_jsons_best_becomes_the_committed_one_if_its_set_is_gone_or_partial(best: str) -> None:
    prefix = with_json(four(), "6_Step-60.ckpt", best)
    prefix.write("model/7_Step-70.ckpt.meta", b"x")
    told = json.loads(plan_of(prefix).written[JSON])
    assert told["best_checkpoint"] == told["last_checkpoint"]
    assert told["best_checkpoint"]["name"] == "6_Step-60.ckpt"
    assert told["best_checkpoint"]["avg_eval_metric"] == 7.5  # as it was evaluated


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"last_checkpoint": []}', b"\xff\xfe{}"])
def test_a_broken_json_is_written_anew_and_what_else_it_held_stays(data: bytes) -> None:
    prefix = four()
    prefix.write(JSON, data)
    told = json.loads(plan_of(prefix).written[JSON])
    assert {told[key]["name"] for key in ("best_checkpoint", "last_checkpoint")} == {"6_Step-60.ckpt"}
    prefix.write(JSON, b'{"other": 1}')
    assert json.loads(plan_of(prefix).written[JSON])["other"] == 1


def test_a_json_with_a_byte_order_mark_or_nan_is_made_readable_for_everybody() -> None:
    prefix = with_json(four(), "6_Step-60.ckpt", "4_Step-40.ckpt")
    right = prefix.read(JSON)
    prefix.write(JSON, b"\xef\xbb\xbf" + right)
    assert plan_of(prefix).written == {JSON: right}
    prefix.write(JSON, right.replace(b"6_Step-60", b"5_Step-50").replace(b"7.5", b"NaN"))
    written = plan_of(prefix).written[JSON]
    assert b"NaN" not in written
    assert json.loads(written)["best_checkpoint"]["name"] == "4_Step-40.ckpt"


def test_a_json_that_is_not_there_is_not_made() -> None:
    assert JSON not in plan_of(four(coach="5_Step-50.ckpt")).written


def test_only_signals_are_removed_and_the_lock_last() -> None:
    prefix = four()
    for name in (*SIGNALS, "ip/hyperparameters.json", "metrics/TrainingMetrics.json", "model/model_metadata.json"):
        prefix.write(name, b"")
    plan = plan_of(prefix)
    assert set(plan.removed) == {"model/.lock", "model/.finished", "model/.ready", "ip/ip.json", "ip/done"}
    assert plan.removed[-1] == "model/.lock"
    assert (plan.set_aside, plan.written) == ((), {})


def test_partial_sets_are_set_aside_where_no_loader_and_no_listing_of_model_looks() -> None:
    prefix = four()
    prefix.write("model/2_Step-20.ckpt.index", b"of a deletion that was cut off")
    prefix.write("model/model_2.pb", b"graph")
    prefix.write("model/7_Step-5.ckpt.data-00000-of-00001", b"")
    prefix.write("model/7_Step-5.ckpt.data-00000-of-00001.8aF3", b"half")
    plan = plan_of(prefix)
    assert plan.set_aside == (
        "model/2_Step-20.ckpt.index",
        "model/7_Step-5.ckpt.data-00000-of-00001",
        "model/7_Step-5.ckpt.data-00000-of-00001.8aF3",
    )
    carry_out(prefix, plan)
    assert plan.aside == "set-aside/1/"
    assert prefix.read("set-aside/1/2_Step-20.ckpt.index") == b"of a deletion that was cut off"
    assert not any("/model/" in f"/{name}" for name in prefix.list() if name.startswith("set-aside/"))
    assert json.loads(prefix.read("set-aside/1/repair.json"))["files"] == list(plan.set_aside)
    prefix.write("model/7_Step-5.ckpt.meta", b"another one")
    again = plan_of(prefix)
    assert again.aside == "set-aside/2/"  # what was set aside before is never written over
    carry_out(prefix, again)
    assert prefix.read("set-aside/2/7_Step-5.ckpt.meta") == b"another one"


def test_a_file_of_the_same_name_that_was_set_aside_meanwhile_is_not_replaced() -> None:
    prefix = four()
    prefix.write("model/7_Step-5.ckpt.meta", b"mine")
    plan = plan_of(prefix)
    prefix.write("set-aside/1/7_Step-5.ckpt.meta", b"another's")
    carry_out(prefix, plan)
    assert prefix.read("set-aside/1/7_Step-5.ckpt.meta") == b"another's"
    assert prefix.read("set-aside/1/7_Step-5.ckpt.meta.2") == b"mine"


def test_after_a_nan_it_goes_two_sets_back_and_the_newer_ones_are_set_aside_with_their_graphs() -> None:
    prefix = with_json(four(), "5_Step-50.ckpt", "5_Step-50.ckpt")
    plan = plan_of(prefix, back=2)
    assert plan.committed == "4_Step-40.ckpt"
    moved = [f"model/{n}_Step-{10 * n}.ckpt{suffix}" for n in (5, 6) for suffix in sorted(SUFFIXES)]
    assert plan.set_aside == (*moved, "model/model_5.pb", "model/model_6.pb")
    told = json.loads(plan.written[JSON])
    assert {told[key]["name"] for key in told} == {"4_Step-40.ckpt"}  # a best with weights that may be no numbers is none
    carry_out(prefix, plan)
    assert "model/model_4.pb" in prefix.files
    assert load(prefix.contents, "today") == "4_Step-40.ckpt"


def test_going_back_is_done_once_unless_training_went_on_or_it_is_asked_for_again() -> None:
    prefix = four()
    carry_out(prefix, plan_of(prefix, back=2))
    same = plan_of(prefix, back=2)
    assert same.idle
    assert any("nothing was trained since" in one for one in same.words)
    listing = prefix.list()
    further = plan_repair(listing, replace(read_pointers(prefix, listing), note=None), back=2)
    assert further.committed == "3_Step-30.ckpt"
    with_sets(prefix, "5_Step-1.ckpt", "6_Step-2.ckpt", "7_Step-3.ckpt")
    assert plan_of(prefix).committed == "7_Step-3.ckpt"
    assert plan_of(prefix, back=2).committed == "5_Step-1.ckpt"


def test_with_fewer_sets_than_it_would_go_back_it_takes_the_oldest_and_says_so() -> None:
    prefix = Memory()
    with_sets(prefix, "0_Step-0.ckpt", "1_Step-10.ckpt")
    plan = plan_of(prefix, back=2)
    assert plan.committed == "0_Step-0.ckpt"
    assert any("There are no 2 sets to go back by" in one for one in plan.words)


def test_without_a_whole_set_the_rest_is_set_aside_and_no_pointer_is_made_up() -> None:
    prefix = Memory()
    for name in ("model/0_Step-0.ckpt.meta", "model/model_0.pb", COACH, JSON, "model/.lock", "ip/done"):
        prefix.write(name, b"0_Step-0.ckpt")
    plan = plan_of(prefix)
    assert (plan.committed, plan.was) == (None, "0_Step-0.ckpt")
    assert plan.set_aside == ("model/0_Step-0.ckpt.meta",)
    assert plan.removed == ("ip/done", "model/.lock")
    assert plan.written == {}
    assert plan.words[0].startswith("There is no whole set")
    carry_out(prefix, plan)
    assert plan_of(prefix).idle
    assert load(prefix.contents, "today") is None


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ("today",)),
        ([TEXT], ("2019",)),
        ([COACH], ("today",)),
        ([TEXT, COACH], ("today", "2019")),
        ([TEXT, JSON], ("today", "2019")),
        ([TEXT, "model/.ready"], ("today", "2019")),
        ([TEXT, "training_params_1.yaml"], ("today", "2019")),
        ([TEXT, "custom/training_params.yaml"], ("2019",)),
    ],
)
def test_the_format_is_told_by_the_pointers_that_are_there(names: list[str], found: tuple[str, ...]) -> None:
    prefix = Memory()
    for name in names:
        prefix.write(name, b"")
    assert eras_of(prefix.list()) == found
    assert eras_of(prefix.list(), "2019") == ("2019",)


def test_a_model_of_2019_gets_the_text_pointer_of_two_lines_and_none_of_today() -> None:
    prefix = four(coach=None)
    prefix.write(TEXT, b'model_checkpoint_path: "5_Step-50.ckpt"\nall_model_checkpoint_paths: "4_Step-40.ckpt"\n')
    plan = plan_of(prefix)
    two = b'model_checkpoint_path: "6_Step-60.ckpt"\nall_model_checkpoint_paths: "6_Step-60.ckpt"\n'
    assert plan.written == {TEXT: two}
    assert plan.was == "5_Step-50.ckpt"


def test_a_prefix_that_holds_both_formats_gets_both_pointers_right_or_only_the_one_that_is_asked_for() -> None:
    prefix = four(coach="5_Step-50.ckpt")
    prefix.write(TEXT, b'model_checkpoint_path: "3_Step-30.ckpt"\n')
    both = plan_of(prefix)
    assert both.written.keys() == {COACH, TEXT}
    assert both.was == "5_Step-50.ckpt"
    assert any("both formats" in one for one in both.words)
    today, old = plan_of(prefix, "today"), plan_of(prefix, "2019")
    assert (set(today.written), today.was) == ({COACH}, "5_Step-50.ckpt")
    assert (set(old.written), old.was) == ({TEXT}, "3_Step-30.ckpt")
    assert any(f"{TEXT} is left alone" in one for one in today.words)
    carry_out(prefix, both)
    assert load(prefix.contents, "today") == load(prefix.contents, "2019") == "6_Step-60.ckpt"


def test_a_pointer_far_behind_the_newest_set_is_taken_for_a_sign_of_two_trainings() -> None:
    prefix = four(coach="3_Step-30.ckpt")
    assert any("do two trainings share this prefix" in one for one in plan_of(prefix).words)


def test_a_data_file_that_is_shorter_than_the_others_is_named_since_it_may_be_cut_off() -> None:
    prefix = four()
    assert not any("cut off" in one for one in plan_of(prefix).words)
    prefix.write("model/6_Step-60.ckpt.data-00000-of-00001", b"the w")
    plan = plan_of(prefix)
    assert plan.committed == "6_Step-60.ckpt"  # by the rules it is whole
    assert any(one.startswith("6_Step-60.ckpt.data-00000-of-00001 has 5 bytes, another set's") for one in plan.words)


class Fragile:
    """A real place whose machine dies before one of its effects."""

    def __init__(self, real: Prefix, fuse: int) -> None:
        self.real, self.fuse = real, fuse

    def __getattr__(self, name: str) -> Callable[..., None]:
        def effect(*given: object) -> None:
            if self.fuse == 0:
                raise Crash
            self.fuse -= 1
            getattr(self.real, name)(*given)

        return effect


@pytest.mark.parametrize("kind", ["folder", "bucket"])
@pytest.mark.parametrize("fuse", [1, 3, 6, 11, 100])
def test_folders_and_buckets_are_repaired_also_in_two_goes(
    kind: str, fuse: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "folder":
        places: list[Prefix] = [open_folder(tmp_path / name) for name in ("model-1", "model-10")]
    else:
        place = S3Place(request.getfixturevalue("s3_url").split("/")[2], request.getfixturevalue("s3_server"), "k", "s")
        places = [open_s3(place, name) for name in ("model-1", "model-10")]
    trainer, model = Trainer("today", "beside"), Memory()
    for effect in list(trainer.life(0, 6))[:-6]:
        model.carry(effect)
    for one in places:
        for name, data in model.contents.items():
            one.write(name, data)
    prefix, other = places
    untouched = other.list()
    expected = trainer.whole(model.contents)[-3]
    try:
        carry_out(Fragile(prefix, fuse), plan_of(prefix, back=2))  # type: ignore[arg-type]
    except Crash:
        carry_out(prefix, plan_of(prefix))
    files = {name: prefix.read(name) for name in prefix.list()}
    assert load(files, "today") == expected
    found = newest_whole(prefix.list())
    assert found is not None
    assert found.stem == expected
    assert kept(files) == kept(model.contents)
    assert plan_of(prefix).idle
    assert plan_of(prefix, back=2).idle
    assert other.list() == untouched

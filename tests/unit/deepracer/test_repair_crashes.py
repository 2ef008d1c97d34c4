"""A crash at every write of the trainer's, in every order: repair finds the newest whole set, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT, Era, committed, read_pointers
from fleet.workloads.deepracer.repair import SIGNALS, Format, Repair, carry_out, eras_of, plan_repair
from fleet.workloads.deepracer.sets import SUFFIXES, newest_whole
from tests.unit.deepracer.trainer import Crash, Memory, Trainer, Writing, highest, intact, kept, load

ERAS: Sequence[Era] = ("today", "2019")
FORMATS: Sequence[Format] = ("auto", "today", "2019")
WRITINGS: Sequence[Writing] = ("at once", "empty first", "beside")


def plan_for(prefix: Memory, back: int = 0) -> Repair:
    listing = prefix.list()
    return plan_repair(listing, read_pointers(prefix, listing), back=back)


def check(prefix: Memory, before: dict[str, bytes], trainer: Trainer, expected: str | None) -> None:
    """A prefix that was repaired: it loads what was expected, and everything is still there."""
    after = prefix.contents
    era: Era = "2019" if TEXT in before and trainer.era == "2019" else "today"
    assert load(after, era) == expected
    assert kept(after) == kept(before)
    assert not set(SIGNALS) & after.keys()
    if expected is None:
        return
    assert intact(after, expected)
    assert highest({name: data for name, data in after.items() if name != COACH}) is not None
    assert int(str(highest(after)).split("_")[0]) == int(expected.split("_")[0])  # should the pointer be lost
    found = committed(prefix.list(), read_pointers(prefix))
    assert found is not None
    assert found.stem == expected
    assert (TEXT in after) == (TEXT in before)  # a model of today gets no pointer of 2019
    if JSON in after:
        told = json.loads(after[JSON])
        assert told["last_checkpoint"]["name"] == expected
        assert intact(after, told["best_checkpoint"]["name"])
    again = plan_for(prefix)
    assert again.idle
    assert (again.committed, again.was) == (expected, expected)
    assert again.words[-1] == "Nothing to repair."


def repair_and_check(prefix: Memory, trainer: Trainer, back: int) -> str | None:
    before = prefix.contents
    whole = trainer.whole(before)
    expected = whole[max(0, len(whole) - 1 - back)] if whole else None
    newest = newest_whole(prefix.list())
    assert (newest.stem if newest else None) == (whole[-1] if whole else None)
    plan = plan_for(prefix, back)
    assert plan.committed == expected
    carry_out(prefix, plan)
    check(prefix, before, trainer, expected)
    assert plan_for(prefix, back).idle  # also said twice: it goes back once
    return expected


def crashed(trainer: Trainer, order: Sequence[str]) -> Iterator[Memory]:
    """Five saves, of which the second life begins at 2 with Y at 0; then the sixth, crashed before each of its effects."""
    prefix = Memory()
    for effect in [*trainer.life(0, 3), *trainer.life(2, 4)]:
        prefix.carry(effect)
    trainer.shuffled = lambda names: [names[SUFFIXES.index(one)] for one in order]
    made = list(trainer.made)
    for effect in trainer.life(5, 2, ends=True):
        yield prefix.copy()
        prefix.carry(effect)
    assert len(trainer.made) == len(made) + 2
    yield prefix


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("writing", WRITINGS)
def test_every_crash_in_every_order_is_repaired_to_the_newest_whole_set(era: Era, writing: Writing) -> None:
    found = set()
    for order in permutations(SUFFIXES):
        trainer = Trainer(era, writing)
        for prefix in crashed(trainer, order):
            for back in (0, 2):
                copy = prefix.copy()
                found.add((back, repair_and_check(copy, trainer, back)))
    assert {stem for back, stem in found if back == 0} == {"5_Step-300.ckpt", "5_Step-0.ckpt", "6_Step-100.ckpt"}
    assert len({stem for back, stem in found if back == 2}) >= 3


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("renames", [True, False])
def test_a_repair_that_crashes_anywhere_is_finished_by_the_next_one(era: Era, renames: bool) -> None:
    crashes = 0
    trainer = Trainer(era, "beside")
    for prefix in crashed(trainer, SUFFIXES[::-1]):
        for back in (0, 2):
            before = prefix.contents
            whole = prefix.copy(renames=renames)
            plan = plan_for(whole, back)
            carry_out(whole, plan)
            for fuse in range(100):
                broken = prefix.copy(renames=renames)
                broken.fuse = fuse
                try:
                    carry_out(broken, plan)
                    break
                except Crash:
                    crashes += 1
                broken.fuse = None
                begun = any(name.endswith("/repair.json") for name in broken.files)
                # The one that runs by itself before a resume knows of no NaN: the note does, once it is written.
                carry_out(broken, plan_for(broken, 0 if begun and fuse % 2 else back))
                check_same(broken, whole, before)
                assert plan_for(broken, back).idle
    assert crashes > 300


def check_same(one: Memory, other: Memory, before: dict[str, bytes]) -> None:
    """The same model; what was set aside may lie in another folder of it, or twice where a copy was cut off."""
    outside = [{name: data for name, data in p.contents.items() if not name.startswith("set-aside/")} for p in (one, other)]
    assert outside[0] == outside[1]
    assert not kept(before) - kept(one.contents)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_lives_crashes_and_repairs_in_any_sequence_always_go_on_from_the_newest_whole_set(data: st.DataObject) -> None:
    trainer = Trainer(data.draw(st.sampled_from(ERAS)), data.draw(st.sampled_from(WRITINGS)))
    trainer.shuffled = lambda names: data.draw(st.permutations(names))
    trainer.keeps = data.draw(st.integers(2, 5))
    prefix, stem, gone_back = Memory(renames=data.draw(st.booleans())), None, False
    for _ in range(data.draw(st.integers(1, 4))):
        start = int(str(stem).split("_")[0]) if stem else 0
        best = data.draw(st.integers(0, start + 2))
        effects = list(trainer.life(start, data.draw(st.integers(1, 6)), best=best, ends=data.draw(st.booleans())))
        for effect in effects[: data.draw(st.integers(0, len(effects)))]:
            prefix.carry(effect)
        back = data.draw(st.sampled_from([0, 0, 0, 2]))
        prefix.fuse = data.draw(st.none() | st.integers(0, 12))
        before, whole = prefix.contents, trainer.whole(prefix.contents)
        meant = plan_for(prefix, back)
        with contextlib.suppress(Crash):
            carry_out(prefix, meant)
        prefix.fuse = None
        carry_out(prefix, plan_for(prefix, back))
        if not (gone_back and whole[-1:] == [stem]):  # else nothing was trained since, and it stays there
            stem = whole[max(0, len(whole) - 1 - back)] if whole else None
            gone_back = back > 0 and stem is not None and stem != whole[-1]
        assert meant.committed == stem
        assert not kept(before) - kept(prefix.contents)
        check(prefix, prefix.contents, trainer, stem)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_lies_in_a_prefix_is_repaired_once_and_nothing_is_lost(data: st.DataObject) -> None:
    """Not only what a trainer writes: sets of several lives at once, both formats, pointers of garbage."""
    stems = st.builds("{}_Step-{}.ckpt".format, st.integers(0, 12), st.sampled_from([0, 5, 300]))
    files = st.builds("model/{}{}".format, stems, st.sampled_from([*SUFFIXES, "", ".part", ".index.8aF3"]))
    other = st.sampled_from([*SIGNALS, "model/model_3.pb", "model/model_12.pb", "training_params.yaml", "metrics/T.json"])
    names = data.draw(st.lists(files | other, max_size=40))
    prefix = Memory(renames=data.draw(st.booleans()))
    for name in names:
        prefix.write(name, name.encode() if data.draw(st.integers(0, 5)) else b"")
    names_a_set = stems.map(str.encode) | st.binary(max_size=20)
    pointers = {
        COACH: names_a_set,
        TEXT: names_a_set | stems.map(lambda stem: f'model_checkpoint_path: "{stem}"'.encode()),
        JSON: st.binary(max_size=20) | stems.map(lambda stem: json.dumps({"best_checkpoint": {"name": stem}}).encode()),
    }
    for name, wanted in pointers.items():
        if data.draw(st.booleans()):
            prefix.write(name, data.draw(wanted))
    back, form = data.draw(st.integers(0, 3)), data.draw(st.sampled_from(FORMATS))
    before, newest = prefix.contents, newest_whole(prefix.list())
    listing = prefix.list()
    plan = plan_repair(listing, read_pointers(prefix, listing), format=form, back=back)
    carry_out(prefix, plan)
    assert kept(prefix.contents) == kept(before)
    assert (plan.committed is None) == (newest is None)
    if plan.committed is not None:
        era = eras_of(listing, form)[0]
        assert load(prefix.contents, era) == plan.committed
        assert back or plan.committed == newest.stem  # type: ignore[union-attr]
        last = newest_whole(prefix.list())
        assert last is not None
        assert last.stem == plan.committed
    listing = prefix.list()
    for again in (0, back):
        assert plan_repair(listing, read_pointers(prefix, listing), format=form, back=again).idle

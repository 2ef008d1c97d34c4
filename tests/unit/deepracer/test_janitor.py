"""What may be cleaned, and what never: whatever goes, a resume finds the same set as before."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.workloads.deepracer.cleaning import carry_out, look, plan
from fleet.workloads.deepracer.course import Leg
from fleet.workloads.deepracer.janitor import (
    LARGE_LOG,
    OLD_TEMPORARY,
    Action,
    Image,
    Machine,
    Rules,
    Seen,
    enough,
    in_order,
    kept_sets,
    plan_machine,
    plan_old_prefixes,
    plan_prefix,
)
from fleet.workloads.deepracer.pointers import COACH, JSON, read_pointers
from fleet.workloads.deepracer.prefix import Stat
from fleet.workloads.deepracer.repair import plan_repair
from fleet.workloads.deepracer.resume import candidates
from fleet.workloads.deepracer.sets import SUFFIXES, newest_whole, sets_of, whole_sets
from tests.unit.deepracer.trainer import Crash, Memory, Trainer

HOUR = 3600.0
RULES = Rules(sets=2, back=2)


def model(*numbers: int, lock: float | None = None, more: Mapping[str, Stat] | None = None) -> Seen:
    """Whole sets, with their graphs."""
    now = 10 * HOUR
    listing = {f"model/{n}_Step-{n}.ckpt{suffix}": Stat(1000, float(n)) for n in numbers for suffix in SUFFIXES}
    listing |= {f"model/model_{n}.pb": Stat(500, float(n)) for n in numbers}
    if lock is not None:
        listing["model/.lock"] = Stat(0, now - lock)
    return Seen("p", {**listing, **(more or {})}, now)


def gone(actions: Sequence[Action]) -> set[str]:
    return {name for action in actions for name in action.names}


def stems(actions: Sequence[Action]) -> list[str]:
    return [action.names[0].removeprefix("model/").rpartition(".ckpt")[0] for action in actions if action.kind == "set"]


def test_the_newest_stay_and_what_pointers_name_and_the_others_go_whole_with_their_graph() -> None:
    seen = model(*range(1, 9))
    named = Seen(seen.name, seen.listing, seen.now, frozenset({"3_Step-3.ckpt"}))
    actions = plan_prefix(named, Rules(sets=4, back=2))
    assert stems(actions) == ["1_Step-1", "2_Step-2", "4_Step-4"]
    assert all(len(action.names) == 4 and action.size == 3500 for action in actions)
    assert "model/model_1.pb" in gone(actions)
    assert "model/model_3.pb" not in gone(actions)


@pytest.mark.parametrize(("sets", "back", "stay"), [(2, 2, 3), (4, 2, 4), (2, 1, 2), (2, 5, 6)])
def test_so_many_stay_as_a_loss_that_is_no_number_goes_back(sets: int, back: int, stay: int) -> None:
    assert len(stems(plan_prefix(model(*range(10)), Rules(sets=sets, back=back)))) == 10 - stay


def test_behind_a_fresh_lock_no_set_and_no_graph_is_touched_and_behind_a_stale_one_they_are() -> None:
    orphan = {"model/model_0.pb": Stat(9, 0.0)}
    assert plan_prefix(model(*range(1, 9), lock=30, more=orphan), RULES) == []
    assert len(plan_prefix(model(*range(1, 9), lock=600, more=orphan), RULES)) == 6


def test_where_a_pointer_cannot_be_read_nothing_of_the_model_is_touched() -> None:
    seen = model(*range(1, 9))
    assert plan_prefix(Seen("p", seen.listing, seen.now, unclear="garbage"), RULES) == []
    memory = Memory(files=dict.fromkeys(seen.listing, (b"x", 0.0)) | {COACH: (b"\xff\xfe", 0.0)})
    assert plan({"p": memory}, RULES) == []


def test_partial_sets_stay_for_repair_unless_they_are_the_rest_of_an_old_one() -> None:
    rest, half, empty = "model/1_Step-1.ckpt.meta", "model/9_Step-9.ckpt.index", "model/8_Step-8.ckpt.meta"
    seen = model(2, 3, 4, 5, more={rest: Stat(10, 0.0), half: Stat(10, 0.0), empty: Stat(0, 0.0)})
    actions = plan_prefix(seen, RULES)
    assert gone(actions) == {rest, *(f"model/2_Step-2.ckpt{suffix}" for suffix in SUFFIXES), "model/model_2.pb"}
    assert "repair" in kept_sets(seen, RULES)["9_Step-9.ckpt"]


def test_where_no_set_is_whole_nothing_goes() -> None:
    assert plan_prefix(Seen("p", {f"model/{n}_Step-1.ckpt.index": Stat(5, 0.0) for n in range(9)}, HOUR), RULES) == []


def test_graphs_of_sets_that_are_gone_go_but_for_a_named_and_a_coming_one() -> None:
    graphs = {f"model/model_{n}.pb": Stat(7, 0.0) for n in (1, 2, 9)}
    seen = Seen("p", {**model(5, 6).listing, **graphs}, HOUR, frozenset({"2_Step-20.ckpt"}))
    assert gone(plan_prefix(seen, RULES)) == {"model/model_1.pb"}


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_of_traces_the_newest_iterations_of_each_folder_stay(packed: str) -> None:
    names = [f"{folder}training-simtrace/{n}-iteration.csv{packed}" for folder in ("", "1/") for n in range(120)]
    seen = Seen("p", dict.fromkeys(names, Stat(100, 0.0)), HOUR)
    actions = plan_prefix(seen, Rules(traces=50))
    assert [(action.kind, len(action.names), action.size) for action in actions] == [("trace", 70, 7000)] * 2
    assert f"training-simtrace/70-iteration.csv{packed}" not in gone(actions)
    assert f"1/training-simtrace/69-iteration.csv{packed}" in gone(actions)
    assert not [name for name in gone(plan_prefix(seen, Rules(traces=1))) if "119-" in name]


@dataclass(frozen=True)
class Course:
    """As far as candidates() asks."""

    legs: tuple[Leg, ...]


def legs(*told: tuple[str, int | None]) -> list[Leg]:
    return [Leg(prefix=prefix, attempt=1, source=source) for prefix, source in told]


def test_earlier_prefixes_go_once_the_later_ones_hold_sets_enough_and_their_metrics_are_kept() -> None:
    held = {"a": (1, 2, 3), "b": (5, 6), "b-from": (3,), "c": (8, 9, 10, 11), "c-from": (6,), "other": (1,)}
    seen = [Seen(name, model(*numbers).listing, HOUR) for name, numbers in held.items()]
    course = legs(("a", None), ("b", 3), ("c", 6))
    assert [one.place for one in plan_old_prefixes(seen, course, {"a", "b", "c"}, Rules())] == ["a"]
    assert plan_old_prefixes(seen, course, {"b", "c"}, Rules()) == []  # a's metrics are nowhere else
    few = [one if one.name != "c" else Seen("c", model(8).listing, HOUR) for one in seen if one.name != "b-from"]
    assert plan_old_prefixes(few, course, {"a", "b", "c"}, Rules()) == []


def test_sets_beyond_where_a_later_leg_began_do_not_count() -> None:
    """The last leg went back to 3 after a loss that was no number: b's own sets are none that a resume may take."""
    course = legs(("a", None), ("b", 3), ("c", 3))
    held = {"a": (1, 2, 3), "b": (5, 6, 7, 8), "c": (5, 6)}
    seen = [Seen(name, model(*numbers).listing, HOUR) for name, numbers in held.items()]
    assert plan_old_prefixes(seen, course, {"a", "b", "c"}, Rules()) == []


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[Leg], dict[str, Seen]]:
    """Legs that each began from some set of the line before, and what the trainer left of each."""
    found: list[Leg] = []
    seen: dict[str, Seen] = {}
    line: list[int] = []
    for number in range(draw(st.integers(1, 6))):
        source = draw(st.sampled_from(line)) if line else None
        name, first = f"p{number}", 0 if source is None else source + 1
        made = list(range(first, first + draw(st.integers(0, 7))))
        left = [n for n in made if draw(st.booleans()) or n == made[-1]]
        seen[name] = Seen(name, model(*left).listing, HOUR)
        if source is not None:
            seen[f"{name}-from"] = Seen(f"{name}-from", model(source).listing, HOUR)
        limit = draw(st.sampled_from([None, *made])) if draw(st.booleans()) else None
        found.append(Leg(prefix=name, attempt=1, source=source, limit=limit))
        line = [n for n in line if source is not None and n <= source]
        line = sorted({*line, *([source] if source is not None else []), *(n for n in left if found[-1].allows(n))})
    return found, seen


@settings(max_examples=200, deadline=None)
@given(courses(), st.integers(2, 5), st.integers(1, 3))
def test_of_whole_prefixes_none_goes_that_holds_one_of_the_sets_a_resume_could_take(
    drawn: tuple[list[Leg], dict[str, Seen]], sets: int, back: int
) -> None:
    course, seen = drawn
    rules = Rules(sets=sets, back=back)
    names = {leg.prefix for leg in course}

    def resumable(places: dict[str, Seen]) -> list[int]:
        volume = {name: [one.n for one in whole_sets(one.listing)] for name, one in places.items()}
        return [one.n for one in candidates(Course(tuple(course)), volume, [])]  # type: ignore[arg-type]

    before = resumable(seen)
    removed = {one.place for one in plan_old_prefixes(list(seen.values()), course, names, rules)}
    after = resumable({name: one for name, one in seen.items() if name not in removed})
    assert after[: rules.newest] == before[: rules.newest]
    assert course[-1].prefix not in removed


def states(trainer: Trainer, order: Sequence[str], saves: int, best: int, cut: int) -> Memory:
    """A prefix of a trainer that never deletes, crashed somewhere."""
    trainer.shuffled = lambda names: [one for one in order if one in names]
    trainer.keeps = 1000
    prefix = Memory()
    effects = [*trainer.life(0, saves // 2 + 1, best=best), *trainer.life(saves // 2, saves - saves // 2 + 1, best=best)]
    for effect in effects[: len(effects) - cut % len(effects)]:
        prefix.carry(effect)
    return prefix


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["today", "2019"]),
    st.permutations(SUFFIXES),
    st.integers(1, 12),
    st.integers(0, 12),
    st.integers(0, 400),
    st.integers(2, 5),
    st.booleans(),
    st.integers(0, 60),
)
def test_whatever_goes_and_wherever_a_cleaning_is_broken_off_a_resume_finds_the_same_sets(
    era: str, order: list[str], saves: int, best: int, cut: int, keep: int, fresh: bool, fuse: int
) -> None:
    prefix = states(Trainer(era), order, saves, best, cut)  # type: ignore[arg-type]
    prefix.clock += 0.0 if fresh else HOUR
    rules = Rules(sets=keep, back=2)

    def resumed() -> list[str | None]:
        listing = prefix.list()
        pointers = read_pointers(prefix, listing)
        return [plan_repair(listing, pointers, back=back).committed for back in (0, 1, 2)]

    before, named = resumed(), look("p", prefix).named
    intact = {one.stem for one in whole_sets(prefix.list())}
    actions = plan({"p": prefix}, rules)
    prefix.fuse = fuse
    with contextlib.suppress(Crash):
        for action in actions:
            carry_out(action, {"p": prefix})
    prefix.fuse = None
    assert resumed() == before
    assert look("p", prefix).named == named
    left = {one.stem for one in whole_sets(prefix.list())}
    assert named & intact <= left
    newest = newest_whole(prefix.list())
    assert newest is None or len(left) >= min(len(intact), rules.newest)
    again = plan({"p": prefix}, rules)
    for action in again:
        carry_out(action, {"p": prefix})
    assert plan({"p": prefix}, rules) == []
    oldest = min((one.n for one in sets_of(prefix.list()) if one.whole), default=0)
    assert all(one.whole or one.n >= oldest or one.stem in named for one in sets_of(prefix.list()))


def test_the_best_set_of_the_json_stays() -> None:
    prefix = Memory()
    trainer = Trainer("today", keeps=1000)
    for effect in trainer.life(0, 12, best=1):
        prefix.carry(effect)
    prefix.clock += HOUR
    best = json.loads(prefix.read(JSON))["best_checkpoint"]["name"]
    for action in plan({"p": prefix}, RULES):
        carry_out(action, {"p": prefix})
    assert best.startswith("1_")
    assert {one.n for one in whole_sets(prefix.list())} == {1, 9, 10, 11}


def test_on_the_machine_only_unrotated_logs_old_leftovers_and_replaced_images_go() -> None:
    now = 10 * OLD_TEMPORARY
    machine = Machine(
        logs={"/var/a-json.log": LARGE_LOG + 1, "/var/b-json.log": LARGE_LOG},
        temporary={"/tmp/sagemaker/old": Stat(5, now - OLD_TEMPORARY - 1), "/tmp/sagemaker/new": Stat(5, now - 60)},
        images=(
            Image("sha256:1", "x/deepracer-simapp:5", 9, 1.0, used=False),
            Image("sha256:2", "x/deepracer-simapp:6", 9, 3.0, used=False),
            Image("sha256:3", "x/deepracer-simapp:4", 9, 0.5, used=True),
            Image("sha256:4", "x/deepracer-simapp:3", 9, 0.4, used=False),
            Image("sha256:5", "x/deepracer-simapp:<none>", 9, 0.3, used=False),
        ),
        wanted=frozenset({"x/deepracer-simapp:3"}),
        now=now,
    )
    assert [(one.kind, one.names) for one in plan_machine(machine)] == [
        ("container-log", ("/var/a-json.log",)),
        ("temporary", ("/tmp/sagemaker/old",)),
        ("image", ("x/deepracer-simapp:5",)),
        ("image", ("sha256:5",)),
    ]


def test_the_least_missed_goes_first_and_no_more_than_is_wanted() -> None:
    actions = [Action("set", "p", ("s",), 75, ""), Action("trace", "p", ("t",), 30, ""), Action("set", "p", ("u",), 75, ""),
               Action("trace", "p", ("empty",), 0, ""), Action("container-log", "", ("l",), 50, "")]  # fmt: skip
    assert [one.names[0] for one in in_order(actions)] == ["l", "t", "empty", "s", "u"]
    assert [one.names[0] for one in enough(actions, 60)] == ["l", "t"]
    assert [one.names[0] for one in enough(actions, 81)] == ["l", "t", "s"]
    assert enough(actions, 0) == []

"""One log: of every year, of several programs and runs, and as broken as people's are."""

from __future__ import annotations

import math
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.workloads.deepracer.analysis.columns import columns_of, steps_of
from fleet.workloads.deepracer.analysis.log_text import LogText
from fleet.workloads.deepracer.analysis.logs import LogRead, parts_of, read_log
from fleet.workloads.deepracer.analysis.recording import PartRecord
from fleet.workloads.deepracer.analysis.steps import STATUSES, Steps
from fleet.workloads.deepracer.simtrace import step_of
from tests.unit.deepracer.analyses import data, lines

SETUP = (
    "Starting as worker {worker}, using world reinvent_base and configuration training_params.yaml.\n"
    "{{'JOB_TYPE': 'TRAINING', 'NUM_WORKERS': '{workers}', 'RACE_TYPE': 'TIME_TRIAL', 'WORLD_NAME': 'reinvent_base'}}\n"
    "S3 prefix: {prefix}\n"
    "Using the following hyper-parameters\n{{\n"
    '  "batch_size": 64,\n  "lr": 0.0003,\n  "num_episodes_between_training": {episodes},\n  "loss_type": "huber"\n}}\n'
)


def setup(worker: int = 0, workers: int = 1, prefix: str = "shanghai-1", episodes: int = 20) -> str:
    return SETUP.format(worker=worker, workers=workers, prefix=prefix, episodes=episodes)


def one(text: str | bytes, name: str = "a.log") -> PartRecord:
    read = read_log(text.encode() if isinstance(text, str) else text, name)
    assert not read.problems, read.problems
    (part,) = read.parts
    return part


def steps(part: PartRecord) -> Steps:
    (trace,) = part.traces
    return trace.steps


def counts(part: PartRecord) -> list[int]:
    """Of episodes by iteration."""
    own = steps(part)
    return [int(one) for one in np.bincount(own.iteration[own.firsts])]


# Real logs. The numbers were counted with grep, and by deepracer-log-guru where it publishes them.


def test_a_log_of_two_workers_has_ten_episodes_in_each_iteration() -> None:
    read = read_log(data("drfc-robomaker.log").read_bytes(), "drfc")
    (part,) = read.parts
    assert (read.worker, part.setup.workers, part.setup.track, part.setup.race) == (
        0,
        2,
        "2022_reinvent_champ",
        "HEAD_TO_BOT",
    )
    assert len(steps(part)) == 1064
    assert counts(part) == [10, 10, 10, 10, 1]
    assert part.setup.hyperparameters["num_episodes_between_training"] == 20
    assert part.setup.actions[:2] == ((0.0, 4.0), (30.0, 1.0))
    assert [(judged.iteration, judged.trials) for judged in part.evaluated] == [(0, 41), (1, 6), (2, 6), (3, 6)]
    assert part.evaluated[1].progress == pytest.approx(11.13, abs=0.01)
    assert (part.setup.prefix, part.setup.version, part.setup.job) == ("Head-To-Bot-Test", "5.0", "TRAINING")


def test_a_log_of_2026_says_when_and_where_every_step_was() -> None:
    own = steps(one(data("droa/training-simulation.log").read_bytes()))
    assert (len(own), int(own.drive[-1]) + 1, sorted(set(own.iteration.tolist()))) == (846, 40, [0, 1])
    first = {name: column[0].item() for name, column in own.columns().items()}
    assert (first["x"], first["y"], first["heading"], first["steering"]) == (0.2078, -2.1730, 179.9865, 15.0)
    assert (first["at"], first["wall"], first["track_length"], first["action"]) == (
        36.721000000000004,
        1772822267.7927,
        60.0,
        8,
    )
    assert STATUSES[first["status"]] == "prepare"


def test_a_log_of_2019_is_turned_to_degrees_and_the_false_start_of_its_evaluation_left_out() -> None:
    part = one(data("2019/deepracer-eval-sim-sample.log").read_bytes())
    (trace,) = part.traces
    assert trace.phase == "evaluation"
    assert np.bincount(trace.steps.drive).tolist() == [155, 162, 161]
    assert trace.steps.heading[0] == pytest.approx(math.degrees(0.0005), abs=1e-4)
    assert np.isclose(trace.steps.wall, trace.steps.at).all()
    assert set(trace.steps.status.tolist()) == {0}


def test_a_trainers_log_tells_losses_entropy_sets_and_iterations() -> None:
    part = one(data("console/training-20220611230350-EHNgTNY2T9-77qXhqjBi6A-sagemaker.log").read_bytes())
    assert (len(part.epochs), len(part.heard), part.best, part.saved[-1]) == (84, 567, 26, 28)
    first, last = part.epochs[0], part.epochs[-1]
    assert (first.iteration, first.epoch, first.learning_rate) == (0, 0, 0.0003)
    assert first.loss == pytest.approx(-0.010912807658314705)
    assert first.divergence == pytest.approx(0.009982473216950893)
    assert (last.iteration, last.epoch) == (27, 2)
    assert last.entropy == pytest.approx(1.6290899515151978)
    assert (part.heard[-1].episode, part.heard[-1].iteration) == (567, 28)
    assert len(part.setup.actions) == 14


# Iterations.


def test_iterations_follow_the_policies_that_the_simulator_loads() -> None:
    turn = "Checkpoint> Restoring from path=./checkpoint/agent/{}_Step-9.ckpt\n"
    text = turn.format(0) + lines(0) + lines(1) + turn.format(1) + turn.format(2) + lines(2) + turn.format(3) + lines(3)
    assert counts(one(setup() + text)) == [2, 1, 1]


@pytest.mark.parametrize(("worker", "expected"), [(0, [7, 1]), (1, [7, 1]), (2, [6, 2])])
def test_episodes_of_an_iteration_are_shared_as_evenly_as_they_can_be(worker: int, expected: list[int]) -> None:
    text = setup(worker, workers=3, episodes=20) + "".join(lines(number) for number in range(8))
    assert counts(one(text)) == expected


def test_a_log_that_says_nothing_of_it_has_the_stacks_own_twenty() -> None:
    assert counts(one("".join(lines(number) for number in range(21)))) == [20, 1]


def test_a_log_whose_beginning_is_gone_counts_from_where_its_episodes_are() -> None:
    turn = "Checkpoint> Restoring from path=./checkpoint/agent/{}_Step-9.ckpt\n"
    text = setup(episodes=2) + turn.format(5) + lines(8) + lines(9) + turn.format(6) + lines(10)
    assert steps(one(text)).iteration[steps(one(text)).firsts].tolist() == [4, 4, 5]


def test_epochs_alone_are_counted_by_their_first_ones() -> None:
    said = "Policy training> Surrogate loss={0}, KL divergence=0.1, Entropy={1}, training epoch={2}, learning_rate=0.0003\n"
    text = "".join(said.format(0.1, 2.0 - number / 10, number % 2) for number in range(4))
    assert [(each.iteration, each.epoch) for each in one(text).epochs] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_losses_that_are_no_numbers_are_kept_and_told_as_trouble() -> None:
    said = "Policy training> Surrogate loss=nan, KL divergence=nan, Entropy=nan, training epoch=0, learning_rate=0.0003\n"
    part = one(said)
    assert math.isnan(part.epochs[0].loss)
    assert [signal.kind for signal in part.trouble] == ["nan"]


def test_what_2019_says_of_episodes_and_epochs_is_read_too() -> None:
    text = (
        "Training - Name: main_level/agent Worker: 0 Episode: 1 Total reward: 8.5 Steps: 20 Training iteration: 3\n"
        "Policy training - Surrogate loss: 0.5 KL divergence: 0.01 Entropy: 2.5 training epoch: 0 learning_rate: 0.0003\n"
    )
    part = one(text)
    assert (part.heard[0].episode, part.heard[0].reward, part.epochs[0].iteration, part.epochs[0].loss) == (1, 8.5, 3, 0.5)


def test_an_evaluation_that_goes_on_for_ever_is_counted_from_the_last_step_on() -> None:
    again = "Additional evaluation. New Checkpoint: 1, Last Checkpoint: 1\n"
    assert one(setup() + again + lines(0) + again * 7).additional == 7
    assert one(setup() + again * 7 + lines(0)).additional == 0


# Several runs, several programs.


def test_two_runs_in_one_log_are_two_parts_and_what_is_said_before_a_run_belongs_to_it() -> None:
    first = setup(prefix="one") + lines(0) + lines(1) + "Number of evaluations: 1 Evaluation episode progress: [50.0]\n"
    second = setup(prefix="two", episodes=5) + lines(0) + lines(1) + lines(2)
    read = read_log((first + second).encode(), "a.log")
    assert [part.name for part in read.parts] == ["a.log (1)", "a.log (2)"]
    assert [part.setup.prefix for part in read.parts] == ["one", "two"]
    assert [int(part.traces[0].steps.drive[-1]) + 1 for part in read.parts] == [2, 3]
    assert [len(part.evaluated) for part in read.parts] == [1, 0]
    assert read.problems == ("a.log: episodes are counted from the beginning again: it is read as 2 runs.",)


def test_a_run_that_was_killed_in_its_first_episode_is_another_run() -> None:
    read = read_log((lines(0)[:900] + "\n" + lines(0) + lines(1)).encode(), "a.log")
    assert [int(part.traces[0].steps.drive[-1]) + 1 for part in read.parts] == [1, 2]


def test_an_evaluations_trials_that_are_all_called_0_are_no_runs() -> None:
    text = "* /JOB_TYPE: EVALUATION\n" + lines(0) + lines(0) + lines(0)
    part = one(text)
    assert part.traces[0].phase == "evaluation"
    assert int(part.traces[0].steps.drive[-1]) == 2


def test_two_formats_in_one_log_are_both_read() -> None:
    old = "".join(line.rsplit(",", 2)[0] + "\n" for line in lines(3).splitlines())  # without status and pause
    new = "".join(f"{line},0,1772822267.5\n" for line in lines(4).splitlines())
    own = steps(one(lines(2) + old + new))
    assert np.bincount(own.drive).tolist() == [5, 5, 5]
    assert [STATUSES[code] for code in own.status[own.lasts]] == ["off_track", "", "off_track"]
    assert np.isnan(own.wall[:10]).all()
    assert own.wall[-1] == 1772822267.5


def test_programs_that_docker_names_are_told_apart() -> None:
    def named(name: str, text: str) -> list[str]:
        return [f"{name} | {line}" for line in text.splitlines()]

    mixed = [
        line for pair in zip(named("simulator", lines(0)), named("simulator-2", lines(0)), strict=True) for line in pair
    ]
    read = read_log(
        "\n".join([*mixed, *named("trainer", "Checkpoint> Saving in path=['./x/1_Step-5.ckpt']"), ""]).encode(), "c"
    )
    (part,) = read.parts
    assert [(trace.worker, len(trace.steps)) for trace in part.traces] == [(0, 5), (1, 5)]
    assert part.saved == (1,)


def test_many_programs_without_names_are_said_and_not_guessed() -> None:
    a, b = "".join(lines(at) for at in range(60)).splitlines(), "".join(lines(at) for at in range(60, 120)).splitlines()
    text = "\n".join(line for pair in zip(a, b, strict=True) for line in pair)
    read = read_log(text.encode(), "a.log")
    assert read.parts == ()
    assert "several programs stand in it mixed" in read.problems[0]


def test_two_formats_line_by_line_in_one_log_are_told_apart() -> None:
    old = "".join(line.rsplit(",", 2)[0] + "\n" for at in range(8) for line in lines(at, steps=10).splitlines())
    new = "".join(lines(at, steps=10) for at in range(8))
    mixed = [line for pair in zip(new.splitlines(), old.splitlines(), strict=True) for line in pair]
    read = read_log("\n".join([setup(), *mixed, ""]).encode(), "a.log")
    assert [(part.name, counts(part)) for part in read.parts] == [("a.log (1)", [8]), ("a.log (2)", [8])]
    assert read.problems == ("a.log: steps of 2 programs stand in it mixed: they are told apart by their formats.",)


def test_few_lines_of_two_programs_of_one_format_are_not_guessed_either() -> None:
    a, b = "".join(lines(at, steps=20) for at in range(3)), "".join(lines(at, steps=20) for at in range(3))
    text = "\n".join(line for pair in zip(a.splitlines(), b.splitlines(), strict=True) for line in pair)
    read = read_log(text.encode(), "a.log")
    assert read.parts == ()
    assert "several programs stand in it mixed" in read.problems[0]


def test_lines_of_two_threads_that_changed_places_are_put_right() -> None:
    rows = (lines(0) + lines(1)).splitlines()
    rows[4], rows[5] = rows[5], rows[4]
    own = steps(one("\n".join(rows) + "\n"))
    assert own.episode.tolist() == [0] * 5 + [1] * 5
    assert own.number.tolist() == [1, 2, 3, 4, 5] * 2


# Broken logs.


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: b"\0" * 5000 + text.encode(),
        lambda text: text.replace("reward_function.py", "r\xe9compense.py").encode("latin-1"),
        lambda text: "".join(f"\x1b[33m{line}\x1b[0m\n" for line in text.splitlines()).encode(),
        lambda text: text.replace("\n", "\t{'stream': 'stdout'}\n").encode(),
        lambda text: text.encode().replace(b"\n", b"\n\0\0"),
        lambda text: text.removesuffix("\n").encode(),
    ],
    ids=["crlf", "bom", "utf-16", "utf-16-le", "utf-16-be", "zeros", "latin-1", "colours", "tabs", "nul", "no-end"],
)
def test_whatever_a_log_is_written_in_it_says_the_same(spoilt: object) -> None:
    text = setup() + "imported reward_function.py\n" + lines(0) + lines(1, reward=2.5)
    part = one(spoilt(text))  # type: ignore[operator]
    assert part.setup.track == "reinvent_base"
    own = steps(part)
    assert np.bincount(own.drive).tolist() == [5, 5]
    assert own.reward.sum() == pytest.approx(5 + 12.5)
    assert STATUSES[own.status[-1]] == "off_track"


def test_a_log_that_is_cut_loses_its_last_step_and_says_so() -> None:
    whole = lines(0) + lines(1)
    for length in range(len(whole) - 1, len(whole) - 60, -1):
        read = read_log(whole[:length].encode(), "a.log")
        (part,) = read.parts
        own = steps(part)
        assert len(own) in (9, 10)
        assert bool(read.problems) == (len(own) == 9)
        assert own.x[-1] == (0.5 if len(own) == 10 else 0.4)
        if len(own) == 10:  # nothing that is counted may be missing
            assert (STATUSES[own.status[-1]], own.at[-1]) == ("off_track", 100.4)


def test_lines_into_which_two_programs_wrote_cost_one_step_at_most() -> None:
    rows = lines(0, steps=9).splitlines()
    rows[2] = rows[2][:40] + rows[3]
    rows[6] = rows[6].replace("in_progress", "in_prTraining> Name=main_level/agent, Worker=0, Episode=1, Total reward=0")
    del rows[3]
    read = read_log(("\n".join(rows) + "\n").encode(), "a.log")
    assert read.problems == ("a.log: 1 torn or cut step is left out.",)
    assert read.parts[0].traces[0].steps.number.tolist() == [1, 2, 4, 5, 6, 8, 9]


@pytest.mark.parametrize("text", ["", "\n", "nothing was trained\n", "\0\0\0", "SIM_TRACE_LOG:\n", "SIM_TRACE_LOG:1,2\n"])
def test_a_log_without_a_training_is_none(text: str) -> None:
    read = read_log(text.encode(), "a.log")
    assert all(not part.traces for part in read.parts)


def test_numbers_that_no_training_has_do_no_harm() -> None:
    row = lines(0).splitlines()[0]
    evil = [
        row.replace("LOG:0,1,", f"LOG:{number},1,") for number in ("1e300", "99999999999999999999", "nan", "-inf", "1_0")
    ]
    read = read_log(("\n".join([*lines(0).splitlines(), *evil]) + "\n").encode(), "a.log")
    assert sum(len(trace.steps) for part in read.parts for trace in part.traces) in (5, 6)


def test_a_reward_that_is_no_number_is_kept_as_the_reward_function_gave_it() -> None:
    own = steps(one(lines(0).replace(",1.0000,False", ",nan,False", 1)))
    assert math.isnan(own.reward[0])
    assert not np.isnan(own.reward[1:]).any()


@pytest.mark.parametrize("action", ["[-21.59   3.45]", "[-21.59, 3.45]", '"[-21.59, 3.45]"'])
def test_continuous_actions_are_no_fields(action: str) -> None:
    own = steps(one(lines(0, action=action)))
    assert set(own.action.tolist()) == {-1}
    assert own.reward.tolist() == [1.0] * 5


# The fast way and the careful one.

NUMBER = st.sampled_from(["0", "1", "-1.5", "2.0", "1e3", "nan", "inf", "1e999", "", "x", " 3 ", "7"])
TRUTH = st.sampled_from(["True", "False", "true", "", "1", "Falsewhat"])
ROW = st.tuples(*[NUMBER] * 9, TRUTH, TRUTH, *[NUMBER] * 4).flatmap(
    lambda head: st.lists(
        st.sampled_from(["in_progress", "off_track", "0.00", "0", "1772822267.5", "", "x"]), max_size=5
    ).map(lambda tail: ",".join([*head, *tail]))
)


@given(st.lists(ROW, max_size=6), st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_columns_are_what_the_careful_reader_reads(rows: list[str], whole: int) -> None:
    good = [line.partition("LOG:")[2] for line in lines(0).splitlines()][:whole]
    mixed = [*rows, *good]
    random.Random(len(mixed)).shuffle(mixed)
    found, places, torn = columns_of([row.encode() for row in mixed], np.arange(len(mixed)))
    known = [(place, step) for place, row in enumerate(mixed) if (step := step_of(row)) is not None]
    assert places.tolist() == [place for place, _ in known]
    assert torn == len(mixed) - len(known)
    expected = steps_of([step for _, step in known])
    for name, column in expected.columns().items():
        np.testing.assert_array_equal(getattr(found, name), column, err_msg=name)


@given(st.lists(st.integers(1, 400), max_size=12))
@settings(max_examples=50, deadline=None)
def test_a_log_in_pieces_says_what_it_says_as_a_whole(sizes: list[int]) -> None:
    text = (setup() + lines(0) + "Additional evaluation\n" + lines(1) + lines(0)).replace("world", "w\xf6rld")
    whole = text.encode("utf-16" if len(sizes) % 2 else "utf-8")
    log, at = LogText(), 0
    for size in sizes:
        log.feed(whole[at : at + size])
        at += size
    log.feed(whole[at:])
    log.finish()
    assert told(parts_of(log, "a")) == told(read_log(whole, "a"))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_damage_makes_it_fail(chosen: st.DataObject) -> None:
    text = bytearray(data("drfc-robomaker.log").read_bytes()[:60_000])
    for _ in range(chosen.draw(st.integers(1, 6))):
        begin = chosen.draw(st.integers(0, len(text)))
        end = begin + chosen.draw(st.integers(0, 3000))
        text[begin:end] = chosen.draw(st.sampled_from(DAMAGE)) * chosen.draw(st.integers(0, 3))
    read = read_log(bytes(text), "a.log")
    assert all(len(trace.steps) for part in read.parts for trace in part.traces)


DAMAGE = [
    b"SIM_TRACE_LOG:",
    b"\0",
    b"\xff\xfe",
    b"\n",
    b"\r",
    b"\x1b[31m",
    b"nan",
    b"1e999",
    b"Using the following hyper-parameters\n{",
    b"Number of evaluations: 9 Evaluation episode progress: [1e999, null]\n",
    b"Action space from file: [[[",
    b"Policy training> ",
    b"'NUM_WORKERS': '0'",
]


def told(read: LogRead) -> object:
    parts = [
        (part.name, part.setup, part.additional, [(trace.worker, trace.steps.x.tolist()) for trace in part.traces])
        for part in read.parts
    ]
    return parts, read.problems


def test_seventy_thousand_steps_take_well_under_a_second() -> None:
    text = "".join(lines(number, steps=100) for number in range(700)).encode()
    begun = time.process_time()
    own = steps(one(text))
    took = time.process_time() - begun
    assert len(own) == 70_000
    assert took < 2.0  # a third of a second here: a machine that is busy is given time

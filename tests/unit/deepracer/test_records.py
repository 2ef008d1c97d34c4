"""A run's own records: legs with metrics, with traces alone, with neither; with a course and without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleet.model.errors import NotFoundError
from fleet.workloads.deepracer.course import Course, Leg
from fleet.workloads.deepracer.lately import ends_of, lately, source_of
from fleet.workloads.deepracer.records import read_run
from fleet.workloads.deepracer.spec import DeepRacer
from tests.unit.deepracer.test_metrics import entry, text


@dataclass
class Shelf:
    files: dict[str, bytes] = field(default_factory=dict)
    vanishing: tuple[str, ...] = ()

    def names(self) -> Iterable[str]:
        return [*self.files, *self.vanishing]

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise NotFoundError(name)
        return self.files[name]


def metrics(*counts: int) -> bytes:
    """So many episodes in each iteration."""
    entries, number = [], 0
    for count in counts:
        for trial in range(1, count + 1):
            number += 1
            entries.append(entry(number, trial))
    return text(entries).encode()


def trace(episode: int, *, done: str = "off_track") -> bytes:
    head = "episode,steps,X,Y,yaw,steer,throttle,action,reward,done\n"
    row = "{},{}.0,3.1,0.6,0.1,20.0,1.0,10,{},False,True,{},1,17.7,{},{},0.0\n"
    return (head + row.format(episode, 1, 0.0, 1, 27.0, "prepare") + row.format(episode, 2, 1.5, 9, 28.5, done)).encode()


COURSE = Course(
    run="a-1",
    legs=(
        Leg(prefix="a-1-1-1", attempt=1),
        Leg(prefix="a-1-2-1", attempt=2, source=2),
        Leg(prefix="a-1-10-1", attempt=10, source=4),
    ),
)


def test_the_legs_of_the_course_are_one_run_whatever_the_order_of_their_names() -> None:
    shelf = Shelf(
        {
            "a-1-10-1/metrics/TrainingMetrics.json": metrics(4),
            "a-1-2-1/metrics/TrainingMetrics.json": metrics(4, 2),
            "a-1-1-1/metrics/TrainingMetrics.json": metrics(4, 4, 1),
            "a-1-1-1/metrics/EvaluationMetrics-20260101.json": b"no concern of ours",
            "course.json": b"{}",
        }
    )
    run, problems = read_run(shelf, COURSE)
    assert [(one.n, len(one.episodes)) for one in run.iterations] == [(1, 4), (2, 4), (4, 4), (6, 4)]
    assert [(one.attempt, one.episodes) for one in run.lost] == [(1, 1), (2, 2)]
    assert problems == ()


def test_without_a_course_legs_follow_each_other_by_their_numbers() -> None:
    shelf = Shelf({f"a-1-{n}-1/metrics/TrainingMetrics.json": metrics(4, 4) for n in (10, 2, 1)})
    run, _ = read_run(shelf, None)
    assert [part.prefix for part in run.parts] == ["a-1-1-1", "a-1-2-1", "a-1-10-1"]
    assert run.guessed
    assert read_run(Shelf(), None)[0].parts == ()


def test_several_workers_make_one_iteration() -> None:
    shelf = Shelf({"p/metrics/TrainingMetrics.json": metrics(4, 2), "p/metrics/TrainingMetrics_1.json": metrics(3, 1)})
    run, _ = read_run(shelf, None)
    assert [len(one.episodes) for one in run.iterations] == [7, 3]


@pytest.mark.parametrize("worker", ["", "1/"])
def test_where_no_metrics_are_traces_tell_episodes(worker: str) -> None:
    shelf = Shelf({f"p/{worker}training-simtrace/{n}-iteration.csv": trace(n) for n in (0, 1, 10)})
    shelf.files[f"p/{worker}training-simtrace/2-iteration.csv"] = trace(2, done="lap_complete")
    shelf.files["p/evaluation-20260101000000/evaluation-simtrace/0-iteration.csv"] = trace(0)
    run, _ = read_run(shelf, None)
    assert [one.n for one in run.iterations] == [1, 2, 3, 11]
    episode = run.iterations[0].episodes[0]
    assert (episode.reward, episode.progress, episode.status, episode.steps, episode.seconds) == (
        1.5,
        9.0,
        "Off track",
        2,
        1.5,
    )
    assert [one.laps for one in run.iterations] == [0, 0, 1, 0]


def test_what_cannot_be_read_is_named_and_the_rest_is_told() -> None:
    shelf = Shelf(
        {"p/metrics/TrainingMetrics.json": metrics(2), "p/metrics/TrainingMetrics_1.json": b"{"},
        vanishing=("p/metrics/TrainingMetrics_2.json",),
    )
    run, problems = read_run(shelf, None)
    assert run.episodes == 2
    assert [problem.partition(":")[0] for problem in problems] == [
        "p/metrics/TrainingMetrics_1.json",
        "p/metrics/TrainingMetrics_2.json",
    ]


# --- what was said last

TRAINER = [
    "Training Worker Args: Namespace(aws_region='us-east-1')",
    "Successfully uploaded ip done to s3 bucket b",
    "Checkpoint> Saving in path=['./checkpoint_sagemaker/agent/0_Step-0.ckpt']",
    "Uploaded 3 files for checkpoint 0",
    "Best checkpoint number: -1, Last checkpoint number: -1",
]


def test_the_phase_is_the_signal_that_is_waited_for() -> None:
    spec = DeepRacer()
    assert lately({}, spec) is None
    starting = lately({"coach": ["x"], "trainer": TRAINER[:2]}, spec)
    assert starting is not None
    assert (starting.phase, starting.best, starting.faults) == ("saving", None, ())
    assert "builds its model" in starting.told
    simulator = ["SIM_TRACE_LOG:0,1,0.1,0.2,3,4,5,6,7.0,False,True,0.1,0,60.00,3.1,prepare,0.00"]
    policy = "Policy training> Surrogate loss=-0.01, KL divergence=0.01, Entropy=2.5, training epoch=0, learning_rate=0.0003"
    later = [*TRAINER, policy, "Best checkpoint number: 26, Last checkpoint number: 27"]
    found = lately({"simulator-2": simulator, "trainer": later}, spec)
    assert found is not None
    assert (found.phase, found.best, found.entropy, found.learning_rate) == ("training", 26, 2.5, 0.0003)


def test_what_ails_it_is_told() -> None:
    found = lately({"trainer": [*TRAINER, "NaN detected in loss function, aborting training."]}, DeepRacer())
    assert found is not None
    assert "NaN" in found.faults[0]


def test_services_are_known_by_their_names() -> None:
    assert [source_of(name) for name in ("s3", "coach", "trainer", "simulator", "simulator-12")] == [
        "s3", "coach", "trainer", "simulator", "simulator"
    ]  # fmt: skip


def test_of_a_large_log_whole_lines_of_its_end_are_read(tmp_path: Path) -> None:
    (tmp_path / "trainer.log").write_text("".join(f"line {n:06}\n" for n in range(10_000)))
    (tmp_path / "coach.log").write_text("one\ntwo\n")
    (tmp_path / "trainer.log.1").write_text("older\n")
    found = ends_of(tmp_path, 1000)
    assert set(found) == {"coach", "trainer"}
    assert list(found["coach"]) == ["one", "two"]
    assert found["trainer"][-1] == "line 009999"
    assert all(len(line) == 11 for line in found["trainer"])

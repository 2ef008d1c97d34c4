"""Whatever people name: folders of every layout, archives, files side by side; gaps and what is broken in them."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.analysis.layouts import Place, place_of
from fleet.workloads.deepracer.analysis.opening import read_paths
from fleet.workloads.deepracer.analysis.recording import Recording
from fleet.workloads.deepracer.course import Course, Leg
from tests.unit.deepracer.analyses import data, lines
from tests.unit.deepracer.test_metrics import entry, text
from tests.unit.deepracer.test_read_logs import setup

HEAD = "episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,closest_waypoint,track_len,"
HEAD += "tstamp,episode_status,pause_duration\n"


def csv(*episodes: int, steps: int = 5) -> str:
    return HEAD + "".join(lines(episode, steps=steps) for episode in episodes).replace("SIM_TRACE_LOG:", "")


def lay(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def read(*paths: Path) -> Recording:
    return read_paths([str(path) for path in paths])


def drives(recording: Recording) -> dict[tuple[str, int], list[int]]:
    """By part and worker: the iteration of each episode."""
    return {
        (part.name, trace.worker): trace.steps.iteration[trace.steps.firsts].tolist()
        for part in recording.parts
        for trace in part.training
    }


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("training-simtrace/7-iteration.csv", Place("training", "", 0, 7)),
        ("2/training-simtrace/7-iteration.csv.gz", Place("training", "", 2, 7)),
        ("racer-1-2-1/training-simtrace/7-iteration.csv", Place("training", "racer-1-2-1", 0, 7)),
        ("racer-1-2-1/1/training-simtrace/7-iteration.csv", Place("training", "racer-1-2-1", 1, 7)),
        ("x/sim-trace/training/training-simtrace/7-iteration.csv", Place("training", "x", 0, 7)),
        ("sim-trace/training/2026-03-06T18:33:59.511Z-a/training-simtrace/7-iteration.csv", Place("training", "", 0, 7)),
        (
            "x/evaluation-20220709200242/evaluation-simtrace/0-iteration.csv",
            Place("evaluation", "x", None, 0, "20220709200242", "evaluation"),
        ),
        (
            "sim-trace/evaluation/20220612082523-IB/evaluation-simtrace/0-iteration.csv",
            Place("evaluation", "", None, 0, "20220612082523-IB", "evaluation"),
        ),
        ("x/metrics/TrainingMetrics.json", Place("metrics", "x", 0)),
        ("metrics/TrainingMetrics_2.json", Place("metrics", "", 2)),
        ("metrics/training/2026-03-06T18-a.json", Place("metrics", "", 0)),
        ("metrics/evaluation/evaluation-20220612082523-IB.json",
         Place("evaluation-metrics", "", stream="20220612082523-IB", role="evaluation")),
        ("metrics/EvaluationMetrics-20220709200242.json",
         Place("evaluation-metrics", "", stream="20220709200242", role="evaluation")),
        ("x/logs/simulator.log", Place("log", "x", None, 0, "x/logs/simulator.log")),
        ("x/logs/simulator-2.log.1", Place("log", "x", 1, 1, "x/logs/simulator-2.log")),
        ("deepracer-0_robomaker.2.abc.log", Place("log", "", 1, 0, "deepracer-0_robomaker.2.abc.log")),
        ("logs/evaluation/a-simulation.log", Place("log", "", None, 0, "logs/evaluation/a-simulation.log", "evaluation")),
        ("x/ip/hyperparameters.json", Place("hyperparameters", "x")),
        ("x/model/model_metadata.json", Place("metadata", "x")),
        ("x/model/deepracer_checkpoints.json", Place("checkpoints", "x")),
        ("x/training_params_2.yaml", Place("params", "x", 1)),
        ("x/logs/s3.log", None),
        ("x/logs/coach.log", None),
        ("deepracer-0_rl_coach.1.abc.log", None),
        ("x/model/7_Step-9.ckpt.index", None),
        ("custom_files/hyperparameters.json", None),
        ("package.json", None),
    ],
)  # fmt: skip
def test_a_file_is_known_by_where_it_lies(name: str, place: Place | None) -> None:
    assert place_of(name) == place


def test_a_folder_of_one_worker_with_its_evaluations() -> None:
    found = read(data("drfc-1"))
    (part,) = found.parts
    assert (part.name, found.workers, found.run.episodes, len(found.run.iterations)) == ("drfc-1", 1, 541, 28)
    assert [(trace.phase, trace.name, len(trace.steps)) for trace in part.traces] == [
        ("training", "", 3208),
        ("evaluation", "20220709200242", 650),
    ]
    assert [(one.stream, one.number, one.progress) for one in part.trials][:3] == [
        ("20220709200242", 1, 100.0),
        ("20220709200242", 2, 100.0),
        ("20220709200242", 3, 100.0),
    ]
    assert part.setup.hyperparameters["num_epochs"] == 3
    assert len(part.setup.actions) == 14
    assert found.problems == ("drfc-1: of worker 0 no trace is there of iterations 4, 5, 6, 7, 8 and 1 more.",)


def test_the_consoles_files_named_side_by_side_are_one_training() -> None:
    found = read(*sorted(data("console").iterdir()))
    (part,) = found.parts
    assert (len(part.episodes), len(part.epochs), part.best, found.run.episodes) == (708, 84, 26, 568)
    assert part.best_by == "progress"


def test_metrics_of_several_trainings_named_side_by_side_count_one_after_the_other(tmp_path: Path) -> None:
    first, second = [entry(number, number) for number in (1, 2, 3)], [entry(1, 1, at=70), entry(2, 1, at=80)]
    for name, told in (("a", first), ("b", second)):
        lay(tmp_path / name, {"metrics/TrainingMetrics.json": text(told)})
    lay(tmp_path, {"robomaker.log": lines(0, begins=70)})
    found = read(*(tmp_path / name / "metrics" / "TrainingMetrics.json" for name in ("a", "b")), tmp_path / "robomaker.log")
    assert [len(part.episodes) for part in found.parts] == [3, 2]
    assert [len(part.traces) for part in found.parts] == [0, 1]  # the log belongs to the last
    assert (found.run.episodes, len(found.run.iterations)) == (5, 3)


def test_downloads_of_several_trainings_in_one_folder_count_each_and_copies_once(tmp_path: Path) -> None:
    first, second = [entry(number, number) for number in (1, 2, 3)], [entry(1, 1, at=70), entry(2, 1, at=80)]
    lay(tmp_path / "downloads", {"training-20220611205309-abc.json": text(first),
                                 "training-20230611205309-def.json": text(second[:1]),
                                 "training-metrics.json": text(second)})  # fmt: skip
    for named in ([tmp_path / "downloads"], sorted((tmp_path / "downloads").iterdir())):
        assert [len(part.episodes) for part in read(*named).parts] == [3, 2]


def test_workers_lie_beside_each_other_and_a_gap_between_them_is_said(tmp_path: Path) -> None:
    lay(tmp_path / "m", {f"{worker}/training-simtrace/0-iteration.csv": csv(0, 1) for worker in (0, 2)})
    lay(tmp_path / "m", {"metrics/TrainingMetrics_2.json": text([entry(1, 1), entry(2, 2)])})
    found = read(tmp_path / "m")
    assert drives(found) == {("m", 0): [0, 0], ("m", 2): [0, 0]}
    assert found.workers == 3
    assert found.problems == ("m: nothing is there of worker 1 of 3 (counted from 0): the numbers are the others'.",)
    assert found.run.episodes == 4  # two of worker 2's metrics, two of worker 0's trace


def test_what_the_setup_says_of_workers_and_tracks_goes_before_what_is_there(tmp_path: Path) -> None:
    params = 'WORLD_NAME: "{}"\nNUM_WORKERS: "2"\nRACE_TYPE: "TIME_TRIAL"\nJOB_TYPE: "TRAINING"\n'
    lay(tmp_path / "m", {"training_params_1.yaml": params.format("a"), "training_params_2.yaml": params.format("b")})
    lay(tmp_path / "m", {"training-simtrace/0-iteration.csv": csv(0), "1/training-simtrace/0-iteration.csv": csv(0)})
    (part,) = read(tmp_path / "m").parts
    assert [(trace.worker, trace.track) for trace in part.training] == [(0, "a"), (1, "b")]
    assert (part.setup.workers, part.setup.race) == (2, "TIME_TRIAL")


def test_traces_of_files_and_of_a_log_are_told_once(tmp_path: Path) -> None:
    log = setup(episodes=2) + "".join(lines(episode) for episode in range(5))
    lay(tmp_path / "m", {"training-simtrace/0-iteration.csv": csv(0, 1), "logs/simulator.log": log})
    found = read(tmp_path / "m")
    assert drives(found) == {("m", 0): [0, 0, 1, 1, 2]}
    assert len(found.parts[0].training[0].steps) == 25


def test_an_evaluations_trace_in_a_file_and_in_its_log_is_told_once(tmp_path: Path) -> None:
    log = "* /JOB_TYPE: EVALUATION\n* /WORLD_NAME: reinvent_base\n" + lines(0) + lines(1)
    stamp = "2026-03-07T17:52:00.898Z-a"
    lay(
        tmp_path / "m",
        {
            f"sim-trace/evaluation/{stamp}/evaluation-simtrace/0-iteration.csv": csv(0, 1),
            "logs/evaluation/2026-03-07T17:59:20.610Z-a-simulation.log": log,
        },
    )
    (part,) = read(tmp_path / "m").parts
    assert [(trace.name, trace.track, len(trace.steps)) for trace in part.traces] == [(stamp, "reinvent_base", 10)]


def test_logs_of_all_workers_of_one_prefix_are_one_part_and_others_another(tmp_path: Path) -> None:
    for worker in (1, 0):
        log = setup(worker, workers=2, prefix="one", episodes=4) + lines(0) + lines(1) + lines(2)
        (tmp_path / f"deepracer-0_robomaker.{worker + 1}.x.log").write_text(log)
    (tmp_path / "z.log").write_text(setup(prefix="two") + lines(0))
    found = read(*sorted(tmp_path.iterdir()))
    assert list(drives(found).values()) == [[0, 0, 1], [0, 0, 1], [0]]
    assert [part.whole for part in found.parts] == [{0: 0, 1: 1}, {0: 2}]
    assert (len(found.parts), found.run.episodes, found.run.lost) == (2, 7, ())


def test_two_evaluations_in_one_log_and_in_logs_of_one_name_count_each(tmp_path: Path) -> None:
    begins = "roslaunch deepracer_simulation_environment evaluation.launch\n"
    first, second = (begins + "".join(lines(at, steps=steps) for at in (0, 1, 2)) for steps in (6, 9))
    lay(tmp_path, {"both/a.log": first + second, "x/a.log": first, "y/a.log": second})
    for named in ([tmp_path / "both" / "a.log"], [tmp_path / "x" / "a.log", tmp_path / "y" / "a.log"]):
        (part,) = read(*named).parts
        assert [int(trace.steps.drive[-1]) + 1 for trace in part.evaluation] == [3, 3]


def test_a_rotated_log_is_read_from_its_oldest_file_on(tmp_path: Path) -> None:
    whole = lines(0) + lines(1) + lines(2)
    cut = len(whole) // 2 + 11
    lay(tmp_path / "m", {"logs/simulator.log.1": whole[:cut], "logs/simulator.log": whole[cut:]})
    assert drives(read(tmp_path / "m")) == {("m", 0): [0, 0, 0]}
    lay(tmp_path / "n", {"simulator.log.1.gz": gzip.compress(whole[:cut].encode()), "simulator.log": whole[cut:]})
    assert drives(read(tmp_path / "n")) == {("n", 0): [0, 0, 0]}


def test_two_runs_in_one_log_count_both(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(lines(0) + lines(1) + lines(0))
    found = read(tmp_path / "a.log")
    assert [part.name for part in found.parts] == ["a.log (1)", "a.log (2)"]
    assert found.run.episodes == 3
    assert any("read as 2 runs" in problem for problem in found.problems)


def test_a_history_follows_the_course_and_says_what_was_lost(tmp_path: Path) -> None:
    course = Course(run="r-1", legs=(Leg(prefix="r-1-1-1", attempt=1), Leg(prefix="r-1-2-1", attempt=2, source=1, first=2)))
    three = [entry(1, 1), entry(2, 1), entry(3, 1)]
    lay(
        tmp_path / "history",
        {
            "course.json": course.model_dump_json(),
            "r-1-2-1/metrics/TrainingMetrics.json": text(three),
            "r-1-1-1/metrics/TrainingMetrics.json": text(three),
            "r-1-1-1/training-simtrace/0-iteration.csv": csv(0),
        },
    )
    found = read(tmp_path / "history")
    assert [part.name for part in found.parts] == ["r-1-1-1", "r-1-2-1"]
    # The second began from set 1, made of the first's iteration 0: its iterations 1 and 2 are lost.
    assert [part.whole for part in found.parts] == [{0: 0}, {0: 1, 1: 2, 2: 3}]
    assert [(lost.prefix, lost.episodes) for lost in found.run.lost] == [("r-1-1-1", 2)]


# Archives.


def pack(root: Path, target: Path) -> bytes:
    with tarfile.open(target, "w:gz") as tar:
        tar.add(root, arcname="./job")
    return target.read_bytes()


def test_an_archive_is_read_as_the_folder_that_was_packed(tmp_path: Path) -> None:
    folder = read(data("drfc-1"))
    pack(data("drfc-1"), tmp_path / "a.tar.gz")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for path in sorted(data("drfc-1").rglob("*.*")):
            if path.is_file():
                file.write(path, f"job/{path.relative_to(data('drfc-1'))}")
    for name in ("a.tar.gz", "a.zip"):
        found = read(tmp_path / name)
        assert [part.name for part in found.parts] == ["job"]
        assert found.run.iterations == tuple(
            one.__class__(one.n, "job", one.episodes, one.done) for one in folder.run.iterations
        )


def test_an_archive_that_is_cut_off_is_read_up_to_the_cut(tmp_path: Path) -> None:
    lay(tmp_path / "job", {"metrics/TrainingMetrics.json": text([entry(1, 1)])})
    shutil.copytree(data("drfc-1") / "training-simtrace", tmp_path / "job" / "training-simtrace")
    whole = pack(tmp_path / "job", tmp_path / "a.tar.gz")
    (tmp_path / "b.tar.gz").write_bytes(whole[: len(whole) * 2 // 3])
    found = read(tmp_path / "b.tar.gz")
    assert any("cut off" in problem for problem in found.problems)
    assert 0 < sum(len(trace.steps) for part in found.parts for trace in part.traces) < 3208
    (tmp_path / "c.tar.gz").write_bytes(whole[:200])
    with pytest.raises(FleetError, match=r"c\.tar\.gz"):
        read(tmp_path / "c.tar.gz")


def test_a_gzipped_log_is_a_log_whole_or_cut(tmp_path: Path) -> None:
    packed = gzip.compress("".join(lines(episode) for episode in range(400)).encode())
    (tmp_path / "a.log.gz").write_bytes(packed)
    (tmp_path / "b.log.gz").write_bytes(packed[: len(packed) // 2])
    assert read(tmp_path / "a.log.gz").run.episodes == 400
    cut = read(tmp_path / "b.log.gz")
    assert 0 < cut.run.episodes < 400
    assert cut.problems[0] == "b.log.gz is cut off: what stands before the cut is read."


def test_models_in_an_archive_are_not_unpacked(tmp_path: Path) -> None:
    lay(tmp_path / "job", {"model/1_Step-1.ckpt.data-00000-of-00001": b"x" * 1000, "metrics/TrainingMetrics.json": "{}"})
    pack(lay(tmp_path / "job", {"training-simtrace/0-iteration.csv": csv(0)}), tmp_path / "a.tar.gz")
    from fleet.workloads.deepracer.analysis.archives import Archive

    assert sorted(Archive(tmp_path / "a.tar.gz").entries()) == [
        "job/metrics/TrainingMetrics.json",
        "job/training-simtrace/0-iteration.csv",
    ]


def test_an_archive_with_a_bomb_in_it_leaves_the_bomb_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.workloads.deepracer.analysis.archives.MOST", 100_000)
    lay(tmp_path / "job", {"a.log": lines(0), "b.log": b"\0" * 10_000_000})
    pack(tmp_path / "job", tmp_path / "a.tar.gz")
    found = read(tmp_path / "a.tar.gz")
    assert found.run.episodes == 1
    assert any("b.log is left out" in problem for problem in found.problems)


# What is broken, and what is not there.


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("", "is empty"),
        ('{"metrics": [{"episode"', "not whole JSON"),
        ("[]", "no list of episodes"),
        ('{"metrics": [{}, 7]}', "2 of 2 episodes cannot be read"),
        ('{"metrics": []}', None),
    ],
)
def test_metrics_that_tell_nothing_leave_it_to_the_traces(tmp_path: Path, broken: str, said: str | None) -> None:
    lay(tmp_path / "m", {"metrics/TrainingMetrics.json": broken, "training-simtrace/0-iteration.csv": csv(0, 1)})
    found = read(tmp_path / "m")
    assert found.run.episodes == 2
    assert bool(found.problems) == (said is not None)
    assert said is None or said in found.problems[0]


def test_traces_that_are_cut_or_of_windows_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    whole = csv(0, 1)
    lay(tmp_path / "m", {"training-simtrace/0-iteration.csv": whole.replace("\n", "\r\n"),
                         "training-simtrace/1-iteration.csv": csv(2, 3)[:-20],
                         "training-simtrace/2-iteration.csv": "",
                         "training-simtrace/3-iteration.csv": csv(6).encode("utf-16")})  # fmt: skip
    found = read(tmp_path / "m")
    assert [len(trace.steps) for part in found.parts for trace in part.training] == [10 + 9 + 5]
    assert len(found.problems) == 2
    assert "1 torn or cut step is left out" in found.problems[0]
    assert "no trace is there of iteration 2" in found.problems[1]


def test_metrics_of_an_evaluation_alone_are_its_trials(tmp_path: Path) -> None:
    path = tmp_path / "whatever.json"
    path.write_bytes((data("drfc-1") / "metrics" / "EvaluationMetrics-20220709200509.json").read_bytes())
    (part,) = read(path).parts
    assert [(one.seconds, one.status) for one in part.trials] == [
        (14.325, "In progress"),
        (13.99, "In progress"),
        (13.944, "Lap complete"),
    ]


@pytest.mark.parametrize("content", ["", text([])])
def test_metrics_without_an_episode_are_a_training_that_has_not_begun_to_drive(tmp_path: Path, content: str) -> None:
    lay(tmp_path / "m", {"metrics/TrainingMetrics.json": content})
    for found in (read(tmp_path / "m"), read(tmp_path / "m" / "metrics" / "TrainingMetrics.json")):
        assert (found.parts, found.awaited) == ((), True)


def test_metrics_that_are_cut_are_read_up_to_the_cut(tmp_path: Path) -> None:
    whole = text([entry(1, 1), entry(2, 2), entry(3, 1)])
    for name in ("TrainingMetrics.json", "whatever.json"):
        (tmp_path / name).write_text(whole[: whole.rindex("episode_status")])
        found = read(tmp_path / name)
        assert found.run.episodes == 2
        assert found.problems == (f"{tmp_path / name} is cut off: what stands before the cut is read.",)


@pytest.mark.parametrize("content", [json.dumps({"a": 1}), "no JSON"])
def test_a_json_file_that_is_no_metrics_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(FleetError, match=r"x\.json holds no metrics"):
        read(tmp_path / "x.json")


def test_what_holds_no_training_is_said_with_what_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("nothing\n")
    for path in (tmp_path / "a.log", lay(tmp_path / "b", {"x.txt": "y"})):
        with pytest.raises(FleetError, match="no record of a training") as caught:
            read(path)
        assert "s3://bucket/prefix" in str(caught.value.hint)
    with pytest.raises(FleetError, match="there is no"):
        read(tmp_path / "c")


def test_a_tar_without_compression_is_an_archive_too(tmp_path: Path) -> None:
    content = lines(0).encode()
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("a.log")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    assert read(tmp_path / "a.tar").run.episodes == 1

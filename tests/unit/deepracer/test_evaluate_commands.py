"""``fleet deepracer evaluate`` and ``evaluations``: the job that is written, the laps as they come, the comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.cli import deepracer_evaluations, deepracer_status
from fleet.cli.deepracer_check import check as check_model
from fleet.cli.deepracer_evaluate import Laps, _farewell
from fleet.cli.deepracer_evaluated import evaluated, evaluation_object
from fleet.cli.deepracer_evaluation_job import CPU_TYPES, Wish, hours_of, job_folder, job_name, usual_infra
from fleet.cli.deepracer_models import Model, open_model
from fleet.cli.output import CHOSEN
from fleet.control.controller import Controller
from fleet.control.fleets import open_fleet
from fleet.control.home import open_home
from fleet.control.opened import opened_run
from fleet.control.runs import view
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.documents import CheckpointRef, FileEntry, Heartbeat, Manifest
from fleet.model.errors import FleetError, JobError
from fleet.model.job import Job
from fleet.providers.aws.catalog import type_of
from fleet.providers.gcp.machines import series_of
from fleet.workloads.before import refuse_hopeless
from fleet.workloads.deepracer.evaluating.results import Evaluation, OnTrack, Trial
from fleet.workloads.kinds import read_job
from tests.unit.cli.test_json import check
from tests.unit.deepracer.weights.bundling import lay

SETS = ("3_Step-30.ckpt", "10_Step-99.ckpt")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal is spared columns
    yield tmp_path / "home"
    CHOSEN.as_json = False


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder, of today's layout."""
    folder = tmp_path / "shanghai-1"
    (folder / "model").mkdir(parents=True)
    for stem in SETS:
        for suffix in (".index", ".meta", ".data-00000-of-00001"):
            (folder / "model" / f"{stem}{suffix}").write_text(f"{stem}{suffix}")
    (folder / "model" / ".coach_checkpoint").write_text(SETS[-1])
    (folder / "model" / "model_metadata.json").write_text('{"action_space": []}')
    (folder / "ip").mkdir()
    (folder / "ip" / "hyperparameters.json").write_text('{"lr": 0.0003}')
    return folder


def written(model: Path | Model, **wish: Any) -> tuple[Job, dict[str, bytes]]:
    """The job of a wish, read back as ``fleet up`` reads it, and the files that go with it."""
    one = model if isinstance(model, Model) else open_model(str(model))
    with job_folder(one, Wish(**{"tracks": ("reinvent_base",), **wish}), open_home()) as (folder, _):
        job, where = read_job(folder)
        refuse_hopeless(job, where, ())
        names = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return job, names


def test_the_job_takes_the_set_alone_and_leaves_the_model_as_it_was(model: Path) -> None:
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    job, files = written(model, wanted=3, laps=4)
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before
    assert (job.name, job.outputs, job.in_containers) == ("shanghai-1-eval", ("evaluation",), True)
    assert job.workload is not None
    assert job.workload["evaluate"] == {
        "tracks": ["reinvent_base"], "laps": 4, "checkpoint": 3, "resets": 0, "model": "shanghai-1",
    }  # fmt: skip
    assert files["source/model/.coach_checkpoint"] == b"3_Step-30.ckpt"
    assert files["source/model_metadata.json"] == b'{"action_space": []}'
    assert not [name for name in files if "10_Step" in name]


def test_on_a_cloud_it_is_a_cheap_machine_without_a_gpu_with_an_end_to_time_and_money(model: Path) -> None:
    job, _ = written(model, infra="aws/us-east-1")
    assert (job.resources.infra, job.resources.market) == ("aws/us-east-1", "spot-first")
    assert job.resources.instance_type == CPU_TYPES["aws"]
    assert job.workload is not None
    assert job.workload["device"] == "cpu"
    assert (job.max_duration, job.budget.run) == (2 * 3600, 1_000_000)
    assert (job.volume.size, job.volume.keep) == (40, 3600)
    own, _ = written(model, infra="gcp", instance_types=("n2-standard-4",), budget="$3", max_duration="5h", name="mine")
    assert (own.name, own.resources.instance_type, own.budget.run) == ("mine", ("n2-standard-4",), 3_000_000)
    assert own.max_duration == 5 * 3600


def test_every_type_that_may_serve_is_known_and_has_room_for_a_simulator() -> None:
    for name in CPU_TYPES["aws"]:
        found = type_of(name)
        assert found is not None, name
        assert (found.vcpus, found.memory_gib >= 16, found.arch, found.gpu) == (8, True, "x86_64", None)
    assert all(series_of(name) is not None for name in CPU_TYPES["gcp"])


def test_more_laps_may_take_longer() -> None:
    assert (hours_of(1, 5), hours_of(1, 50), hours_of(3, 5)) == (2, 10, 5)


def test_what_the_models_own_job_says_counts_where_nothing_else_is_said(model: Path) -> None:
    workload = {
        "kind": "deepracer", "tracks": ["Oval_track"], "race": "OBJECT_AVOIDANCE", "env": {"NUMBER_OF_OBSTACLES": "3"},
        "images": {"simapp": "mine@sha256:" + "1" * 64},
    }  # fmt: skip
    trained = Job(name="shanghai-1", workdir=".", workload=workload, bucket="s3://mine")
    told = Model("shanghai-1", open_model(str(model)).prefix, job=trained)
    job, _ = written(told, tracks=())
    assert job.workload is not None
    assert job.workload["evaluate"]["tracks"] == ["Oval_track"]  # type: ignore[index,call-overload]
    assert (job.workload["race"], job.workload["env"]) == ("OBJECT_AVOIDANCE", {"NUMBER_OF_OBSTACLES": "3"})
    assert job.workload["images"] == {"simapp": "mine@sha256:" + "1" * 64}
    assert (job.resources.infra, job.bucket, job.budget.run) == ("local", "s3://mine", None)
    elsewhere, _ = written(told, infra="aws", race="TIME_TRIAL")
    assert elsewhere.bucket is None
    assert elsewhere.workload is not None
    assert elsewhere.workload["race"] == "TIME_TRIAL"


def test_without_a_job_it_goes_to_the_cloud_that_was_set_up_here(model: Path) -> None:
    home = open_home()
    assert usual_infra(None, home) == "local"
    home.path.mkdir(parents=True, exist_ok=True)
    home.remember_gcp("gs://fleet", "project", ["us-central1"])
    assert usual_infra(None, home) == "gcp"
    home.remember_aws("s3://fleet", None, ["us-east-1"])
    assert usual_infra(None, home) == "aws"


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("shanghai-1", "shanghai-1-eval"),
        ("Shanghai 1.3", "shanghai-1-3-eval"),
        ("x" * 60, "x" * 35 + "-eval"),
        ("…", "model-eval"),
    ],
)
def test_any_model_has_a_run_of_a_name_that_is_allowed(name: str, job: str) -> None:
    assert job_name(name) == job
    assert Job(name=job, run="x").name == job


def test_a_set_a_track_or_a_file_that_is_not_there_is_refused_before_anything_is_spent(model: Path) -> None:
    with pytest.raises(FleetError, match="set 1 cannot be taken"):
        written(model, wanted=1)
    with pytest.raises(FleetError, match="on which track"):
        written(model, tracks=())
    with pytest.raises(JobError, match=r"no track 'reinvent_bass'.*reinvent_base"):
        written(model, tracks=("reinvent_bass",))
    (model / "model" / "model_metadata.json").unlink()
    with pytest.raises(JobError, match=r"model_metadata\.json, without which"):
        written(model)


@pytest.mark.parametrize(
    ("wish", "match"),
    [
        ({"resets": 1}, "^workload.evaluate: resets: the simulator refuses 1"),
        ({"budget": "5x"}, "^budget.run: '5x' is no amount of money"),
        ({"max_duration": "soon", "infra": "aws"}, "^max_duration: 'soon' is no duration"),
        ({"infra": "azure"}, "^resources.infra: "),
        ({"name": "A name"}, "^name: "),
        ({"tracks": ("reinvent_bass",)}, "^the simulator has no track 'reinvent_bass'"),
    ],
)
def test_what_is_typed_wrong_is_refused_before_anything_is_fetched(
    model: Path, monkeypatch: pytest.MonkeyPatch, wish: dict[str, Any], match: str
) -> None:
    monkeypatch.setattr("fleet.cli.deepracer_evaluation_job.copy_repaired", None)
    with pytest.raises(JobError, match=match):
        written(model, **wish)


def test_laps_with_weights_that_are_no_numbers_are_paid_for_by_nobody(model: Path) -> None:
    lay("nan", model / "model" / "10_Step-99.ckpt")
    with pytest.raises(FleetError, match="what is no number") as refused:
        written(model)
    assert "--from N" in (refused.value.hint or "")
    assert written(model, wanted=3)[0].name == "shanghai-1-eval"


def test_check_looks_at_an_evaluations_job_as_at_any(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = {"kind": "deepracer", "pretrained": "shanghai-1", "evaluate": {"tracks": ["reinvent_base"], "checkpoint": 10}}
    file = model.parent / "fleet.yaml"
    file.write_text(yaml.safe_dump({"name": "mine", "workdir": ".", "workload": job}))
    assert check_model(model.parent, None, None, offline=True, as_json=False) == 0
    assert "Ready to evaluate" in capsys.readouterr().out
    job["evaluate"] = {"tracks": ["reinvent_base"], "checkpoint": 4}
    file.write_text(yaml.safe_dump({"name": "mine", "workdir": ".", "workload": job}))
    CHOSEN.as_json = True
    assert check_model(model.parent, None, None, offline=True, as_json=True) == 1
    found = check("deepracer-check", json.loads(capsys.readouterr().out))
    assert [one["code"] for one in found["problems"] if one["severity"] == "error"] == ["source-set"]


# --- what is kept


def lap(number: int, progress: float = 100.0, seconds: float = 14.0, **more: int) -> Trial:
    return Trial(number=number, progress=progress, seconds=seconds, **more)


HALF = OnTrack(track="a", trials=(lap(1, seconds=12.5), lap(2, 50, 3, off_track=1, resets=1)), began_at=1.0)
WHOLE = HALF.model_copy(update={"trials": (*HALF.trials, lap(3, seconds=13.5)), "ended_at": 1_000_000.0})


def recorded(*runs: tuple[str, str, int]) -> Controller:
    """Runs that evaluate: id, model, and the set that drives; by the journal alone."""
    home = open_home()
    home.path.mkdir(exist_ok=True)
    controller = open_fleet(home, home.bucket, create=True)
    for run, model, n in runs:
        workload: dict[str, Any] = {
            "kind": "deepracer", "pretrained": "source",
            "evaluate": {"tracks": ["a", "b"], "laps": 3, "checkpoint": n, "model": model},
        }  # fmt: skip
        job = Job(name=run.rpartition("-")[0], workdir=".", workload=workload)
        now = controller.objects.now()
        event = ev.RunCreated(at=now, run_id=run, name=job.name, job=job, workdir_key=None, mounts={})
        assert controller.record([event])
    return controller


def keep(controller: Controller, run: str, seq: int, *all_results: Evaluation) -> CheckpointRef:
    """A checkpoint, as the machine commits it: of all that lies in its folder."""
    objects, ref, files = controller.objects, CheckpointRef(attempt=1, seq=seq), []
    for one in all_results:
        path = f"{one.done}/evaluation.json"
        key = layout.checkpoint_file(run, 1, seq, path)
        objects.put(key, one.data())
        files.append(FileEntry(path=path, size=len(one.data()), sha256="0" * 64, key=key))
    step, in_order = max(one.done for one in all_results), tuple(sorted(files, key=lambda one: one.path))
    manifest = Manifest(run_id=run, ref=ref, at=objects.now(), step=step, format="rename", files=in_order)
    objects.put(layout.manifest(run, 1, seq), canonical_json(manifest.model_dump(mode="json")))
    base: dict[str, Any] = {"v": 1, "predecessor": None, "ref": None, "skipped": [], "at": objects.now()}
    objects.put(layout.base(run, 1), canonical_json(base))
    return ref


def results(run: str, model: str, n: int, *tracks: OnTrack) -> Evaluation:
    return Evaluation(run=run, model=model, set=n, stem=f"{n}_Step-9.ckpt", laps=3, tracks=tracks)


def test_evaluations_stand_beside_each_other_by_track(capsys: pytest.CaptureFixture[str]) -> None:
    controller = recorded(("one-eval-1", "one", 10), ("two-eval-2", "two", 7))
    keep(controller, "one-eval-1", 1, results("one-eval-1", "one", 10, WHOLE))
    keep(controller, "two-eval-2", 1, results("two-eval-2", "two", 7, HALF))
    assert deepracer_evaluations.show([], None, as_json=False) == 0
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head[:4] == ["TRACK", "MODEL", "SET", "LAPS"]
    assert [row[:3] for row in rows] == [["a", "one", "10"], ["a", "two", "7"], ["b", "one", "10"], ["b", "two", "7"]]
    assert rows[0][3:13] == ["2", "of", "3", "83", "%", "12.500", "s", "13.000", "s", "1"]
    assert rows[2][3:5] == ["waiting", "-"]


def test_programs_get_every_lap(capsys: pytest.CaptureFixture[str]) -> None:
    controller = recorded(("one-eval-1", "one", 10))
    keep(controller, "one-eval-1", 1, results("one-eval-1", "one", 10, HALF))
    keep(controller, "one-eval-1", 2, results("one-eval-1", "one", 10, WHOLE))
    assert deepracer_evaluations.show(["one"], None, as_json=True) == 0
    (found,) = check("deepracer-evaluations", json.loads(capsys.readouterr().out))
    assert (found["model"], found["set"], found["checkpoint"], found["laps"]) == ("one", 10, "10_Step-9.ckpt", 3)
    first, second = found["tracks"]
    assert (first["done"], first["trials"], first["laps_completed"], first["best_lap_seconds"]) == (True, 3, 2, 12.5)
    assert (first["mean_lap_seconds"], first["off_track"], len(first["laps"])) == (13.0, 1, 3)
    assert first["mean_completion_percent"] == pytest.approx(250 / 3)
    assert (second["done"], second["trials"], second["best_lap_seconds"], second["laps"]) == (False, 0, None, [])


def test_of_two_that_lie_in_a_checkpoint_the_one_with_more_laps_counts(capsys: pytest.CaptureFixture[str]) -> None:
    controller = recorded(("one-eval-1", "one", 10))
    nine, ten = (OnTrack(track="a", trials=tuple(lap(n + 1) for n in range(many))) for many in (9, 10))
    keep(controller, "one-eval-1", 1, results("one-eval-1", "one", 10, nine), results("one-eval-1", "one", 10, ten))
    deepracer_evaluations.show([], None, as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["tracks"][0]["trials"] == 10


def test_only_the_models_that_are_named_are_shown(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(("one-eval-1", "one", 10), ("shanghai-1-eval-2", "shanghai-1", 7))
    assert deepracer_evaluations.show([str(model)], None, as_json=True) == 0
    assert [one["model"] for one in json.loads(capsys.readouterr().out)] == ["shanghai-1"]
    deepracer_evaluations.show(["one-eval-1"], None, as_json=True)
    assert [one["model"] for one in json.loads(capsys.readouterr().out)] == ["one"]
    with pytest.raises(FleetError, match="there is no folder nobody"):
        deepracer_evaluations.show(["nobody"], None, as_json=True)


def test_without_one_it_is_said_how_to_make_one(capsys: pytest.CaptureFixture[str]) -> None:
    recorded()
    assert deepracer_evaluations.show([], None, as_json=False) == 0
    assert "no evaluation yet: `fleet deepracer evaluate" in capsys.readouterr().out


def test_results_that_cannot_be_read_are_said_and_hide_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    controller = recorded(("one-eval-1", "one", 10), ("two-eval-2", "two", 7))
    keep(controller, "two-eval-2", 1, results("two-eval-2", "two", 7, HALF))
    keep(controller, "one-eval-1", 1, results("one-eval-1", "one", 10, HALF))
    controller.objects.delete([layout.checkpoint_file("one-eval-1", 1, 1, "2/evaluation.json")])
    assert deepracer_evaluations.show([], None, as_json=False) == 0
    out = capsys.readouterr().out
    assert "1 of 2" in out
    assert "one-eval-1: its results cannot be read" in out


def test_laps_are_told_once_each_as_they_come() -> None:
    controller = recorded(("one-eval-1", "one", 10))
    _, run = opened_run(None, "one-eval-1")
    lines: list[str] = []
    timeline = Laps(lines.append, objects=controller.objects)
    seen = view(controller, run)
    beat = Heartbeat(run_id=run.run_id, attempt=1, instance_id="i", boot_id="b", beat=1, at=0.0, phase="training", step=2)

    def look(ref: CheckpointRef, step: int) -> list[str]:
        lines.clear()
        timeline.look(replace(seen, beat=beat.model_copy(update={"checkpoint": ref, "step": step})))
        return [line[line.index("#") :].strip() for line in lines]

    first = keep(controller, run.run_id, 1, results(run.run_id, "one", 10, HALF))
    assert look(first, 2) == [
        "#1  driven      a: lap 1: 100 % in 12.500 s",
        "#1  driven      a: lap 2: 50 % in 3.000 s",
    ]
    assert look(first, 2) == []
    second = keep(controller, run.run_id, 2, results(run.run_id, "one", 10, WHOLE))
    assert look(second, 3) == ["#1  driven      a: lap 3: 100 % in 13.500 s"]
    gone = CheckpointRef(attempt=1, seq=9)
    assert look(gone, 3) == []


def test_a_run_that_evaluates_is_no_training_to_look_at() -> None:
    recorded(("one-eval-1", "one", 10))
    with pytest.raises(FleetError, match="drives laps with a model"):
        deepracer_status.show("one-eval-1", None, as_json=False)


def test_the_end_says_each_track_and_where_to_compare() -> None:
    controller = recorded(("one-eval-1", "one", 10))
    keep(controller, "one-eval-1", 1, results("one-eval-1", "one", 10, WHOLE))
    _, run = opened_run(None, "one-eval-1")
    lines: list[str] = []
    timeline = Laps(lines.append)
    timeline.tell(results("one-eval-1", "one", 10, HALF), 1)
    told = _farewell(controller, run, timeline)
    assert [line[line.index("a: lap") :].strip() for line in lines] == [f"a: {one.told()}" for one in WHOLE.trials]
    assert "one, set 10, for $0" in told
    assert "a: 2 of 3 laps, 83.3 % on average, best 12.500 s, mean 13.000 s, 1 times off the track" in told
    assert "b: no lap was driven" in told
    assert "fleet deepracer evaluations one" in told
    check("deepracer-evaluation", json.loads(json.dumps(evaluation_object(evaluated(controller, run)))))

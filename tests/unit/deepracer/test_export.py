"""``fleet deepracer export``: what each taker gets, and what is refused before or after it is sent."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
import struct
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fleet.cli.deepracer_export import Asked, export
from fleet.cli.main import app
from fleet.cli.meter import EVERY, Meter
from fleet.cli.output import CHOSEN
from fleet.model.errors import FleetError, StoreError
from fleet.store.amazon import forget_buckets
from fleet.workloads.deepracer.chosen import Wanted, choose
from fleet.workloads.deepracer.export.contents import Form, Taker, import_name
from fleet.workloads.deepracer.export.target import FolderTarget
from fleet.workloads.deepracer.folder import Folder
from fleet.workloads.deepracer.params import PARAMS, params_yaml
from fleet.workloads.deepracer.pointers import COACH, JSON
from fleet.workloads.deepracer.prefix import open_folder, open_prefix
from fleet.workloads.deepracer.sets import SUFFIXES, sets_of
from tests.unit.cli.test_json import check
from tests.unit.deepracer.weights.bundling import lay as lay_set
from tests.unit.deepracer.weights.bundling import write as write_set

SAID = {"WORLD_NAME": "caecer_gp_cw", "NUMBER_OF_OBSTACLES": "6", "RANDOMIZE_OBSTACLE_LOCATIONS": "True",
        "SAGEMAKER_SHARED_S3_BUCKET": "bucket", "SAGEMAKER_SHARED_S3_PREFIX": "shanghai-1-1-1",
        "S3_ENDPOINT_URL": "http://s3-of-the-machine:9000", "MIN_EVAL_TRIALS": "5"}  # fmt: skip
FIVE = {"model/1_Step-100.ckpt.data-00000-of-00001", "model/1_Step-100.ckpt.index", "model/1_Step-100.ckpt.meta",
        "model/checkpoint", "model/model_metadata.json"}  # fmt: skip
TODAY = {*FIVE, COACH, JSON, "model/model_1.pb", "model_metadata.json", "ip/hyperparameters.json", "reward_function.py",
         PARAMS, "metrics/TrainingMetrics.json"} - {"model/checkpoint"}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "home"
    CHOSEN.as_json = False


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A whole prefix, whose sets are TensorFlow's own; 12's are no numbers. 10 is named, 1 is the best."""
    folder = tmp_path / "shanghai-1"
    for n, y in ((1, 100), (10, 5), (11, 9), (12, 3)):
        lay_set("nan" if n == 12 else "tf1", folder / "model" / f"{n}_Step-{y}.ckpt", meta=b"meta %d" % n)
        (folder / "model" / f"model_{n}.pb").write_bytes(b"graph %d" % n)
    best = {"name": "1_Step-100.ckpt", "avg_eval_metric": 61.5, "time_stamp": 3}
    last = {"name": "10_Step-5.ckpt", "avg_eval_metric": 40.0, "time_stamp": 4}
    texts = {
        COACH: b"10_Step-5.ckpt",
        JSON: json.dumps({"best_checkpoint": best, "last_checkpoint": last}).encode(),
        "model/model_metadata.json": b'{"action_space": [{"steering_angle": 1, "speed": 1, "index": 0}]}',
        "model/.ready": b"",
        "ip/ip.json": b"{}",
        "ip/hyperparameters.json": b'{"lr": 0.0003}',
        "reward_function.py": b"def reward_function(params):\n    return 1.0\n",
        PARAMS: params_yaml(SAID),
        "metrics/TrainingMetrics.json": b'{"metrics": []}',
        "training-simtrace/0-iteration.csv": b"episode\n",
    }
    for name, data in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def hand_on(to: Taker, dest: Path | str, wanted: Wanted = 1, form: Form = "today") -> dict[str, Any]:
    """What it prints for programs, by its schema."""
    CHOSEN.as_json = True
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert export(Asked("shanghai-1", str(dest), wanted, to, form, None), as_json=True) == 0
    found: dict[str, Any] = check("deepracer-export", json.loads(out.getvalue()))
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_todays_with_the_chosen_set_as_last_and_best(model: Path, tmp_path: Path) -> None:
    before = files(model)
    told = hand_on("folder", tmp_path / "out")
    found = files(tmp_path / "out")
    assert told == {"checkpoint": "1_Step-100.ckpt", "files": sorted(TODAY)}
    assert set(found) == TODAY, "10 is not 1, and nobody's traces and signals go along"
    assert found[COACH] == b"1_Step-100.ckpt"
    document = json.loads(found[JSON])
    assert document["last_checkpoint"] == document["best_checkpoint"]
    assert document["best_checkpoint"]["avg_eval_metric"] == 61.5
    same = [name for name in TODAY if name not in (COACH, JSON, "model_metadata.json")]
    assert {name: found[name] for name in same} == {name: before[name] for name in same}
    assert found["model_metadata.json"] == before["model/model_metadata.json"]
    assert files(model) == before
    assert choose(open_folder(tmp_path / "out"), "best").set.stem == "1_Step-100.ckpt"


def test_the_five_files_of_2019_name_the_set_on_both_lines(model: Path, tmp_path: Path) -> None:
    told = hand_on("folder", tmp_path / "out", form="2019")
    assert told["files"] == sorted(FIVE)
    assert set(files(tmp_path / "out")) == FIVE
    lines = (tmp_path / "out" / "model" / "checkpoint").read_text()
    assert lines == 'model_checkpoint_path: "1_Step-100.ckpt"\nall_model_checkpoint_paths: "1_Step-100.ckpt"\n'


@pytest.mark.parametrize(
    ("wanted", "stem"), [("best", "1_Step-100.ckpt"), ("last", "10_Step-5.ckpt"), (11, "11_Step-9.ckpt")]
)
def test_which_set_goes_is_the_users_choice(model: Path, tmp_path: Path, wanted: Wanted, stem: str) -> None:
    assert hand_on("folder", tmp_path / "out", wanted)["checkpoint"] == stem
    assert [one.stem for one in sets_of(open_folder(tmp_path / "out").list())] == [stem]


def test_the_cars_archive_is_the_same_bytes_each_time(model: Path, tmp_path: Path) -> None:
    assert hand_on("car", tmp_path / "a" / "mine.tar.gz")["files"] == ["mine.tar.gz"]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "holiday.jpg").write_text("an archive may lie among other things")
    assert hand_on("car", tmp_path / "b")["files"] == ["carfile.tar.gz"]
    assert (tmp_path / "a" / "mine.tar.gz").read_bytes() == (tmp_path / "b" / "carfile.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "b" / "carfile.tar.gz") as tar:
        assert tar.getnames() == ["agent", "agent/model.pb", "model_metadata.json"]
        graph = tar.extractfile("agent/model.pb")
        assert graph is not None
        assert graph.read() == b"graph 1"
    assert hand_on("car", tmp_path / "b")["files"] == ["carfile.tar.gz"], "again: it lies there already"
    with pytest.raises(FleetError, match=r"holds something else: carfile\.tar\.gz \(other bytes"):
        hand_on("car", tmp_path / "b", 10)


def test_the_car_needs_a_frozen_graph(model: Path, tmp_path: Path) -> None:
    (model / "model" / "model_1.pb").unlink()
    with pytest.raises(FleetError, match=r"no frozen graph model_1\.pb") as told:
        hand_on("car", tmp_path / "out")
    assert "sets 10, 11" in told.value.hint
    assert "model/model_1.pb" not in hand_on("folder", tmp_path / "out")["files"]


def test_deepracer_on_aws_gets_what_its_import_looks_for(model: Path, tmp_path: Path) -> None:
    told = hand_on("droa", tmp_path / "out")
    found = files(tmp_path / "out")
    assert set(told["files"]) == {*TODAY, "hyperparameters.json", "metrics/training/training-shanghai-1.json"}
    said = yaml.safe_load(found[PARAMS])
    assert (said["WORLD_NAME"], said["TRACK_DIRECTION_CLOCKWISE"]) == ("caecer_gp", True)
    assert (said["NUMBER_OF_OBSTACLES"], said["RANDOMIZE_OBSTACLE_LOCATIONS"]) == (6, True)
    assert "S3_ENDPOINT_URL" not in said


@pytest.mark.parametrize("to", ["droa", "console"])
def test_who_imports_wants_all_files(model: Path, tmp_path: Path, to: Taker, s3_url: str) -> None:
    (model / PARAMS).unlink()
    (model / "reward_function.py").unlink()
    dest = f"{s3_url}/m" if to == "console" else tmp_path / "out"
    with pytest.raises(FleetError, match=r"without reward_function\.py and training_params\.yaml"):
        hand_on(to, dest)
    assert hand_on("folder", tmp_path / "folder")["checkpoint"] == "1_Step-100.ckpt"


def test_a_model_without_metadata_is_handed_to_nobody(model: Path, tmp_path: Path) -> None:
    (model / "model" / "model_metadata.json").unlink()
    for number, to in enumerate(("folder", "car", "droa")):
        with pytest.raises(FleetError, match=r"has no model_metadata\.json"):
            hand_on(to, tmp_path / str(number))  # type: ignore[arg-type]
        assert not (tmp_path / str(number)).exists()


@pytest.fixture
def bucket(s3_url: str) -> Iterator[str]:
    forget_buckets()
    yield "/".join(s3_url.split("/")[:3])
    forget_buckets()


def test_a_console_bucket_gets_its_own_name_in_the_parameters(
    model: Path, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    neighbour = open_prefix(f"{bucket}/models/a-10")
    neighbour.write("model/.coach_checkpoint", b"10_Step-5.ckpt")
    assert hand_on("console", f"{bucket}/models/a-1/")["files"] == sorted(TODAY)
    prefix = open_prefix(f"{bucket}/models/a-1")
    said = yaml.safe_load(prefix.read(PARAMS))
    assert said["SAGEMAKER_SHARED_S3_BUCKET"] == bucket.removeprefix("s3://")
    assert (said["SAGEMAKER_SHARED_S3_PREFIX"], said["REWARD_FILE_S3_KEY"]) == (
        "models/a-1",
        "models/a-1/reward_function.py",
    )
    assert (said["MIN_EVAL_TRIALS"], said["WORLD_NAME"]) == ("5", "caecer_gp_cw")
    assert set(prefix.list()) == TODAY
    told = capsys.readouterr().err
    assert (
        f"aws deepracer import-model --name shanghai-1 --type REINFORCEMENT_LEARNING --model-artifacts-s3-path {bucket}"
        in told
    )
    hand_on("console", f"{bucket}/models/a-1")
    assert "lay there already" in capsys.readouterr().err
    assert set(neighbour.list()) == {"model/.coach_checkpoint"}


def test_an_upload_bucket_of_deepracer_on_aws_gets_a_name_that_is_the_same_each_time(model: Path, bucket: str) -> None:
    first = hand_on("droa", bucket)
    assert all(name.startswith("uploads/models/") for name in first["files"])
    assert hand_on("droa", bucket) == first
    assert hand_on("droa", bucket, 10)["files"][0].split("/")[2] != first["files"][0].split("/")[2]


def test_weights_that_are_no_numbers_are_refused_whoever_takes_them(model: Path, tmp_path: Path) -> None:
    takers: tuple[Taker, ...] = ("folder", "car", "droa")
    for to in takers:
        with pytest.raises(FleetError, match="what is no number") as told:
            hand_on(to, tmp_path / to, 12)
        assert str(model) in told.value.message
        assert "--checkpoint N" in told.value.hint
        assert not (tmp_path / to).exists()


def test_weights_that_explode_are_told_of_and_broken_ones_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = model / "model" / "10_Step-5.ckpt"
    write_set(base, {"main/w": (1, [2], struct.pack("<2f", 1.0, 5e7))})
    hand_on("folder", tmp_path / "out", 10)
    assert "A weight of main/w is 5e+07 large" in capsys.readouterr().err.replace("Set 10_Step-5.ckpt: a", "A")
    data = base.with_name(f"{base.name}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    with pytest.raises(FleetError) as told:
        hand_on("folder", tmp_path / "other", 10)
    assert "set 10_Step-5.ckpt" in told.value.message
    assert not (tmp_path / "other").exists()


def test_a_place_that_holds_something_else_is_refused_with_what_it_holds(model: Path, tmp_path: Path) -> None:
    hand_on("folder", tmp_path / "out", 10)
    before = files(tmp_path / "out")
    with pytest.raises(FleetError) as told:
        hand_on("folder", tmp_path / "out", 1)
    assert "holds something else: model/10_Step-5.ckpt.data-00000-of-00001 (not of this export)" in told.value.message
    assert "Nothing was written" in told.value.hint
    assert files(tmp_path / "out") == before


def test_what_was_broken_off_is_gone_on_with_though_metrics_went_on(model: Path, tmp_path: Path) -> None:
    """The trainer is alive: after every episode its metrics are others."""
    hand_on("folder", tmp_path / "out")
    (tmp_path / "out" / COACH).unlink()
    (tmp_path / "out" / JSON).unlink()
    (model / "metrics" / "TrainingMetrics.json").write_bytes(b'{"metrics": [1]}')
    hand_on("folder", tmp_path / "out")
    assert (tmp_path / "out" / "metrics" / "TrainingMetrics.json").read_bytes() == b'{"metrics": [1]}'
    (model / "metrics" / "TrainingMetrics.json").write_bytes(b'{"metrics": [2]}')
    with pytest.raises(FleetError, match=r"holds something else: metrics/TrainingMetrics\.json"):
        hand_on("folder", tmp_path / "out")


def test_a_set_that_goes_while_it_is_copied_is_said(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Folder.fetch

    def fetch(self: Folder, name: str, path: Path) -> None:
        real(self, name, path)
        for suffix in SUFFIXES:
            (model / "model" / f"1_Step-100.ckpt{suffix}").unlink(missing_ok=True)

    monkeypatch.setattr(Folder, "fetch", fetch)
    with pytest.raises(FleetError, match="went, or was written anew, while it was copied"):
        hand_on("folder", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_read_back_wrong_is_said(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that loses a byte."""
    real = FolderTarget.send

    def send(self: FolderTarget, one: Any, tell: Any) -> None:
        real(self, one, tell)
        if one.name.endswith(".meta"):
            (tmp_path / "out" / one.name).write_bytes(b"meta 0")

    monkeypatch.setattr(FolderTarget, "send", send)
    with pytest.raises(StoreError, match=r"read back, model/1_Step-100\.ckpt\.meta is not what was sent"):
        hand_on("folder", tmp_path / "out")


@pytest.mark.parametrize(
    ("to", "dest", "told"),
    [
        ("console", "out", "the console imports from a bucket, and out is none"),
        ("folder", "gs://bucket/x", "is no place for a model"),
        ("folder", "shanghai-1/reward_function.py", "is a file"),
        ("console", "s3://bucket", "is a whole bucket"),
        ("folder", "s3:/bucket/x", "is no place for a model"),
        ("car", "shanghai-1/reward_function.py/car", "no folder can be made at .*: Not a directory"),
        ("folder", "/proc/nothing/x", "no folder can be made at /proc/nothing/x"),
    ],
)
def test_places_that_a_taker_cannot_have(model: Path, to: Taker, dest: str, told: str) -> None:
    with pytest.raises(FleetError, match=told):
        hand_on(to, dest)


def test_broken_parameters_are_named(model: Path, tmp_path: Path) -> None:
    (model / PARAMS).write_text("a: [")
    with pytest.raises(FleetError, match=r"training_params\.yaml cannot be read"):
        hand_on("droa", tmp_path / "out")
    (model / PARAMS).write_text("- a")
    with pytest.raises(FleetError, match="names no values"):
        hand_on("droa", tmp_path / "out")


def test_a_jobs_folder_tells_the_parameters_that_are_gone(model: Path, tmp_path: Path) -> None:
    (model / PARAMS).unlink()
    job = "name: shanghai-1\nworkdir: .\nworkload: {kind: deepracer, tracks: [reInvent2019_track], race: OBJECT_AVOIDANCE}\n"
    (model / "fleet.yaml").write_text(job)
    hand_on("droa", tmp_path / "out")
    said = yaml.safe_load((tmp_path / "out" / PARAMS).read_text())
    assert (said["WORLD_NAME"], said["RACE_TYPE"]) == ("reInvent2019_track", "OBJECT_AVOIDANCE")


def test_temporary_copies_are_gone_whatever_happens(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    hand_on("car", tmp_path / "out")
    with pytest.raises(FleetError):
        hand_on("folder", tmp_path / "other", 12)
    assert list((tmp_path / "tmp").iterdir()) == []
    shutil.rmtree(tmp_path / "tmp")


@pytest.mark.parametrize(
    ("name", "taken"),
    [("shanghai-1.3", "shanghai-1-3"), ("_ünter_wegs", "nter-wegs"), ("...", "model"), ("a" * 80, "a" * 64)],
)
def test_names_that_the_console_takes(name: str, taken: str) -> None:
    assert import_name(name) == taken


def test_progress_is_a_line_now_and_then_where_lines_stay(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    meter = Meter(lambda: clock[0])
    for done in range(0, 50_000_001, 10_000_000):
        meter.show("sending", done, 50_000_000)
        clock[0] += EVERY / 2
    meter.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["sending: 20.0 of 50.0 MB, 2.0 MB/s", "sending: 40.0 of 50.0 MB, 2.0 MB/s"]


def test_the_commands_of_the_page_do_what_it_says(model: Path, tmp_path: Path, bucket: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "deepracer.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("fleet deepracer export")]
    assert len(lines) == 3
    runner = CliRunner()
    for line in lines:
        done = runner.invoke(app, shlex.split(line.replace("s3://my-models", bucket))[1:])
        assert done.exit_code == 0, done.output
        assert "all of it read back" in done.output
    assert set(files(tmp_path / "shanghai-1-best")) == TODAY
    assert (tmp_path / "carfile.tar.gz").is_file()


@pytest.mark.parametrize(
    "words",
    [
        "shanghai-1 out",
        "shanghai-1 out more --to folder",
        "shanghai-1 out --to folder --best --last",
        "shanghai-1 out --to folder --best --checkpoint 1",
        "shanghai-1 out --to car --format 2019",
        "shanghai-1 out --to boat",
        "--to folder",
    ],
)
def test_what_cannot_be_asked_for_is_wrong_usage(model: Path, tmp_path: Path, words: str) -> None:
    assert CliRunner().invoke(app, ["deepracer", "export", *words.split()]).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_without_a_model_the_present_folder_is_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    done = CliRunner().invoke(app, ["deepracer", "export", "--to", "folder", "../out"])
    assert done.exit_code == 0, done.output
    assert (model.parent / "out" / COACH).read_text() == "10_Step-5.ckpt"


def test_a_full_disk_is_said(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleet.workloads.deepracer.export.staging.make_archive", full)
    with pytest.raises(StoreError, match="No space left on device") as told:
        hand_on("car", tmp_path / "out")
    assert "TMPDIR" in told.value.hint


def test_a_word_that_was_meant_as_the_model_is_said_to_be_the_place(model: Path) -> None:
    done = CliRunner().invoke(app, ["deepracer", "export", "--to", "folder", "shanghai-1"])
    assert isinstance(done.exception, FleetError)
    assert "shanghai-1 was taken for DEST" in done.exception.message
    assert done.exception.hint == "Name the model, then DEST."

"""`fleet deepracer clone`, `tree`, `diff` and `note`, as they are typed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import struct
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from fleet.cli.main import app
from fleet.cli.schemas import schema_of
from fleet.control.controller import Controller
from fleet.model import layout
from fleet.model.errors import FleetError
from fleet.model.jobfile import parse_job
from fleet.store.workdir import pack_workdir, workdir_names
from fleet.workloads.deepracer.chosen import choose
from fleet.workloads.deepracer.course import Course, Leg
from fleet.workloads.deepracer.evaluating.results import OnTrack
from fleet.workloads.deepracer.mirror import copy_repaired
from fleet.workloads.deepracer.pointers import COACH, TEXT, read_pointers
from fleet.workloads.deepracer.prefix import open_folder, open_prefix
from fleet.workloads.deepracer.versions.cloning import fill
from tests.unit.cli.test_json import closed
from tests.unit.deepracer.test_care_commands import RUN, recorded
from tests.unit.deepracer.test_evaluate_commands import keep, lap
from tests.unit.deepracer.test_evaluate_commands import recorded as evaluating
from tests.unit.deepracer.test_evaluate_commands import results as driven
from tests.unit.deepracer.test_metrics import entry, text
from tests.unit.deepracer.test_models import base, checkpoint, commit
from tests.unit.deepracer.weights.bundling import write
from tests.unit.store.conftest import s3_server, s3_url

__all__ = ["s3_server", "s3_url"]
COMMANDS = get_command(app)
BUNDLES = Path(__file__).parents[1] / "deepracer" / "weights" / "bundles"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    # Put together once for all tests: that takes longer than most of what they do.
    monkeypatch.setattr("typer.testing._get_command", lambda _: COMMANDS)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def called(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def typed(*words: str, code: int = 0) -> Any:
    done = called("deepracer", *words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def told(*words: str) -> Any:
    answer = json.loads(typed(*words, "-o", "json").stdout)
    jsonschema.Draft202012Validator(closed(schema_of(f"deepracer-{words[0]}"))).validate(answer)
    return answer


def refused(*words: str) -> str:
    with pytest.raises(FleetError) as caught:
        typed(*words)
    return str(caught.value)


def weights(n: int, y: int = 5, bundle: str = "tf1") -> dict[str, bytes]:
    """A set that TensorFlow wrote."""
    stem = f"model/{n}_Step-{y}.ckpt"
    return {
        f"{stem}.index": (BUNDLES / f"{bundle}.index").read_bytes(),
        f"{stem}.data-00000-of-00001": (BUNDLES / f"{bundle}.data-00000-of-00001").read_bytes(),
        f"{stem}.meta": f"graph of {n}".encode(),
        f"model/model_{n}.pb": f"frozen {n}".encode(),
    }


def lay(into: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_bytes(data)


def job(name: str = "shanghai-1") -> Path:
    """A job's folder."""
    called("init", "deepracer", name)
    return Path(name)


@pytest.fixture
def model() -> Path:
    """A job's folder with sets 1, 2 and 10, the trainer's word that 2 is the best, and metrics."""
    made = job()
    for n in (1, 2, 10):
        lay(made, weights(n))
    best = {"name": "2_Step-5.ckpt", "avg_eval_metric": 88.5, "time_stamp": 1}
    pointers = json.dumps({"best_checkpoint": best, "last_checkpoint": {**best, "name": "10_Step-5.ckpt"}}).encode()
    drives = [entry(1, 1), entry(2, 1, phase="evaluation", completion_percentage=80), entry(3, 1)]
    lay(made, {COACH: b"10_Step-5.ckpt", "model/deepracer_checkpoints.json": pointers,
               "metrics/TrainingMetrics.json": text(drives).encode(), "tracks/mine.txt": b"a track"})  # fmt: skip
    return made


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_clone_is_a_job_of_its_own_that_goes_on_from_the_chosen_set(model: Path, folder: Path) -> None:
    before = digests(model)
    answer = told("clone", "shanghai-1", "shanghai-1.3", "--from", "best", "--set", "learning_rate=0.0001",
                  "--set", "workers=2", "--track", "Oval_track", "--note", "slower")  # fmt: skip
    assert digests(model) == before
    made = folder / "shanghai-1.3"
    assert (answer["version"], answer["job"], answer["parent"]) == ("shanghai-1.3", "shanghai-1-3", "shanghai-1")
    assert answer["checkpoint"] == "2_Step-5.ckpt"
    assert "the trainer's best (88.50" in answer["why"]
    assert [(one["name"], one["before"], one["after"]) for one in answer["changes"]] == [
        ("lr", 0.0003, 0.0001),
        ("tracks", ["reinvent_base"], ["Oval_track"]),
        ("workers", 1, 2),
    ]
    written = parse_job((made / "fleet.yaml").read_text())
    assert written.name == "shanghai-1-3"
    assert written.workload is not None
    assert written.workload["pretrained"] == "pretrained"
    assert "# simulators take them in turn" in (made / "fleet.yaml").read_text()
    assert "fleet stop shanghai-1-3\n" in (made / "fleet.yaml").read_text()
    assert (made / "reward_function.py").read_bytes() == (model / "reward_function.py").read_bytes()
    assert (made / "tracks" / "mine.txt").read_bytes() == b"a track"
    assert json.loads((made / "hyperparameters.json").read_text())["lr"] == 0.0001
    assert not (made / "model").exists()
    assert not (made / "metrics").exists()


def test_the_copied_set_is_the_only_one_and_every_pointer_names_it(model: Path, folder: Path) -> None:
    typed("clone", "shanghai-1", "--from", "1")
    copy = open_folder(folder / "shanghai-2" / "pretrained")
    listing = copy.list()
    for name, data in weights(1).items():
        assert copy.read(name) == data
    assert not any("10_Step" in name or name.endswith("_2.pb") for name in listing)
    pointers = read_pointers(copy, listing)
    assert (pointers.coach, pointers.last, pointers.best) == ("1_Step-5.ckpt",) * 3
    assert choose(copy, "best").set == choose(copy, "last").set
    lineage = json.loads((folder / "shanghai-2" / "lineage.json").read_text())
    noted = lineage["set"]["files"]["model/1_Step-5.ckpt.index"]
    assert noted == {"size": 534, "sha256": hashlib.sha256(weights(1)["model/1_Step-5.ckpt.index"]).hexdigest()}
    assert lineage["parent"]["sha256"]["reward_function.py"] == digests(model)["reward_function.py"]
    packed = workdir_names(folder / "shanghai-2")
    assert {f"pretrained/{name}" for name in weights(1)} <= packed


def test_a_job_of_2019_gets_the_pointer_of_2019(model: Path, folder: Path) -> None:
    text_of = (model / "fleet.yaml").read_text().replace('# stack: "2019"', 'stack: "2019"')
    (model / "fleet.yaml").write_text(text_of)
    typed("clone", "shanghai-1", "--set", "race=TIME_TRIAL")
    copy = folder / "shanghai-2" / "pretrained"
    stem = b'"10_Step-5.ckpt"'
    assert (copy / TEXT).read_bytes() == b"model_checkpoint_path: %b\nall_model_checkpoint_paths: %b\n" % (stem, stem)


def test_without_a_name_the_next_free_version_is_taken(model: Path, folder: Path) -> None:
    job("shanghai-2")
    Path("shanghai-3").mkdir()
    assert told("clone", "shanghai-1")["version"] == "shanghai-4"
    assert told("clone", "./shanghai-1/fleet.yaml", "shanghai-1.9")["folder"] == "shanghai-1.9"
    assert told("clone", "shanghai-1.9")["version"] == "shanghai-1.10"
    assert told("clone", "shanghai-1", "--into", "new")["folder"] == "new/shanghai-2"
    assert told("clone", "shanghai-1", "other/tokyo-1")["folder"] == "other/tokyo-1"
    os.chdir("shanghai-1")
    assert told("clone", ".", "--from", "2")["folder"] == str(folder.resolve() / "shanghai-5")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("shanghai-1", ["shanghai-1/sub/shanghai-7"]),
        ("./shanghai-1/fleet.yaml", ["--into", "shanghai-1"]),
        ("old", ["old/shanghai-7"]),
        ("file://{here}/old", ["--into", "old/deep/er"]),
    ],
)
def test_a_clone_does_not_lie_in_its_own_source(model: Path, folder: Path, source: str, words: list[str]) -> None:
    shutil.copytree(model, "old")
    Path("old/fleet.yaml").unlink()
    before = digests(Path())
    assert "would lie in its source" in refused("clone", source.format(here=folder), *words)
    assert digests(Path()) == before
    assert not Path("old/deep").exists()


def test_hyperparameters_of_a_source_that_is_write_protected_can_be_set(model: Path) -> None:
    (model / "hyperparameters.json").chmod(0o444)
    typed("clone", "shanghai-1", "--set", "lr=0.0001")
    made = Path("shanghai-2/hyperparameters.json")
    assert (made.stat().st_mode & 0o200, json.loads(made.read_text())["lr"]) == (0o200, 0.0001)


def test_weights_that_explode_are_said_with_the_clone(model: Path) -> None:
    write(model / "model" / "11_Step-5.ckpt", {"kernel": (1, [1], struct.pack("<f", 5e6))})
    (warning,) = told("clone", "shanghai-1", "--from", "11")["warnings"]
    assert "a weight of kernel is 5e+06 large" in warning


def test_a_warning_that_asks_ends_with_its_question_mark(model: Path) -> None:
    change(model / "fleet.yaml", "tracks: [reinvent_base]", "tracks: [reinvent_bas]")
    (warning,) = told("clone", "shanghai-1")["warnings"]
    assert "did you mean 'reinvent_base'? Correct" in warning


def test_a_version_that_never_trained_hands_on_what_it_begins_from(model: Path) -> None:
    typed("clone", "shanghai-1", "shanghai-1.1", "--from", "2")
    answer = told("clone", "shanghai-1.1")
    assert answer["checkpoint"] == "2_Step-5.ckpt"
    assert "shanghai-1.1 has no set of its own yet" in answer["why"]
    assert sorted(path.name for path in Path("shanghai-1.2").iterdir() if path.is_dir()) == ["pretrained", "tracks"]


def test_a_clone_may_begin_anew(model: Path) -> None:
    typed("clone", "shanghai-1", "shanghai-1.1", "--from", "2")
    answer = told("clone", "shanghai-1.1", "--from", "nothing", "--set", "entropy=0.02")
    assert answer["checkpoint"] is None
    assert not Path("shanghai-1.2/pretrained").exists()
    assert (parse_job(Path("shanghai-1.2/fleet.yaml").read_text()).workload or {})["pretrained"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "learning_rat=1"], "did you mean 'learning_rate'"),
        (["--set", "lr=5"], "lr is 5, which has no sense"),
        (["--set", "batch_size=4096"], "batch_size 4096 is more than 20 episodes bring"),
        (["--set", "workers=99"], "the job: workload.workers: Input"),
        (["--set", "until=7"], "it has until.iterations, until.duration"),
        (["--set", "race=DRAG"], "workload.race"),
        (["--track", "reinvent_bse"], "reinvent_base"),
        (["--set", "actions=3"], "weights fit one number of actions"),
        (["--from", "3"], "set 3 cannot be taken"),
        (["--from", "newest"], "names no set"),
        (["--note", " "], "the note is empty"),
    ],
)
def test_what_could_not_be_trained_is_not_made(model: Path, words: list[str], said: str) -> None:
    before = digests(Path())
    assert said in refused("clone", "shanghai-1", *words)
    assert digests(Path()) == before
    assert [path.name for path in Path().iterdir()] == ["shanghai-1"]


def test_what_the_source_has_wrong_already_is_said_and_hinders_nothing(model: Path) -> None:
    numbers = json.loads((model / "hyperparameters.json").read_text())
    (model / "hyperparameters.json").write_text(json.dumps({**numbers, "lrr": 1, "num_epochs": 50}))
    answer = told("clone", "shanghai-1", "--set", "lr=0.002")
    assert any("outside 3 to 10" in one for one in answer["warnings"])
    assert any("lr is 0.002, outside" in one for one in answer["warnings"])


def test_a_volume_that_both_would_have_is_said(model: Path) -> None:
    change(model / "fleet.yaml", "  size: 100GB  ", "  name: mine\n  size: 100GB  ")
    assert any("share the volume mine" in one for one in told("clone", "shanghai-1")["warnings"])


def test_an_evaluation_is_no_model_to_clone(model: Path) -> None:
    change(model / "fleet.yaml", "  until: {iterations: 100}", "  evaluate: {tracks: [reinvent_base]}\n  pretrained: x")
    assert "trains none" in refused("clone", "shanghai-1")


def test_the_number_of_actions_never_changes(model: Path) -> None:
    typed("clone", "shanghai-1", "shanghai-1.1")
    metadata = json.loads((model / "model_metadata.json").read_text())
    metadata["action_space"].pop()
    lay(model, {"model/model_metadata.json": json.dumps(metadata).encode()})
    assert "it cannot be loaded" in refused("clone", "shanghai-1", "shanghai-1.2")
    assert not Path("shanghai-1.2").exists()


def test_weights_that_are_no_numbers_are_refused(model: Path) -> None:
    lay(model, weights(11, bundle="nan") | {COACH: b"11_Step-5.ckpt"})
    before = digests(model)
    with pytest.raises(FleetError) as caught:
        typed("clone", "shanghai-1")
    assert caught.value.message.startswith(f"{model.resolve()}: set 11_Step-5.ckpt: 2 of 12 tensors hold what is no number")
    assert "--from N" in caught.value.hint
    assert digests(model) == before
    assert [path.name for path in Path().iterdir()] == ["shanghai-1"]
    typed("clone", "shanghai-1", "--from", "10")


def test_weights_that_cannot_be_looked_at_are_said(model: Path) -> None:
    lay(model, {"model/10_Step-5.ckpt.index": b"none of TensorFlow's"})
    assert any("could not be looked at" in one for one in told("clone", "shanghai-1")["warnings"])


def test_a_set_that_changes_while_it_is_copied_is_no_clone(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = copy_repaired

    def meanwhile(*args: Any) -> Any:
        found = real(*args)
        lay(model, {"model/10_Step-5.ckpt.meta": b"rewritten by a trainer"})
        return found

    monkeypatch.setattr("fleet.workloads.deepracer.versions.set_copy.copy_repaired", meanwhile)
    assert "changed while it was copied" in refused("clone", "shanghai-1")
    assert [path.name for path in Path().iterdir()] == ["shanghai-1"]


def test_a_copy_that_is_not_what_was_read_is_no_clone(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = copy_repaired

    def broken(source: Any, target: Any, *rest: Any) -> Any:
        found = real(source, target, *rest)
        path = target.path("model/10_Step-5.ckpt.meta")
        path.write_bytes(b"X" + path.read_bytes()[1:])
        return found

    monkeypatch.setattr("fleet.workloads.deepracer.versions.set_copy.copy_repaired", broken)
    assert "is not what" in refused("clone", "shanghai-1")
    assert not Path("shanghai-2").exists()


def test_what_would_not_reach_a_machine_is_told_before_it_is_made(model: Path) -> None:
    (model / ".gitignore").write_text("*.ckpt.*\n")
    assert "would not be sent to a machine" in refused("clone", "shanghai-1")
    assert not Path("shanghai-2").exists()


def test_names_that_are_taken_are_refused_and_nothing_is_replaced(model: Path) -> None:
    typed("clone", "shanghai-1", "shanghai-1.3")
    before = digests(Path())
    assert "is there already" in refused("clone", "shanghai-1", "shanghai-1.3")
    assert "both jobs are called shanghai-1-3" in refused("clone", "shanghai-1", "shanghai-1-3")
    assert "cannot be a version's name" in refused("clone", "shanghai-1", "Shanghai_2")
    assert digests(Path()) == before


def test_a_clone_that_is_killed_half_way_leaves_nothing_under_its_name_and_works_again(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fill

    def killed(*args: Any) -> Any:
        real(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    before = digests(model)
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr("fleet.cli.deepracer_clone.fill", killed)
        typed("clone", "shanghai-1")
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert not Path("shanghai-2").exists()
    assert told("clone", "shanghai-1")["version"] == "shanghai-2"
    assert sorted(path.name for path in Path().iterdir()) == ["shanghai-1", "shanghai-2"]
    assert digests(model) == before


def test_a_set_that_was_on_its_way_when_a_clone_was_killed_goes_with_the_next(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = tmp_path / "passing"
    passing.mkdir()
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr("tempfile.tempdir", str(passing))
        monkeypatch.setattr("fleet.workloads.deepracer.folder.Folder.send", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        typed("clone", "shanghai-1")
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert digests(passing) == {}
    assert list(Path().glob(".making-*/.tmp-set/*/*"))
    typed("clone", "shanghai-1")
    assert sorted(path.name for path in Path().iterdir()) == ["shanghai-1", "shanghai-2"]
    assert ".tmp-set" not in {path.name for path in Path("shanghai-2").iterdir()}


def test_a_prefix_in_a_bucket_is_cloned_and_only_read(s3_url: str, folder: Path) -> None:
    url = f"{s3_url.rpartition('/some/')[0]}/shanghai-1"
    prefix, neighbour = open_prefix(url), open_prefix(f"{url}0")
    example = job("example")
    files = {
        **weights(10),
        **weights(1),
        COACH: b"1_Step-5.ckpt",
        "model/model_metadata.json": (example / "model_metadata.json").read_bytes(),
        "ip/hyperparameters.json": (example / "hyperparameters.json").read_bytes(),
        "reward_function.py": b"def reward_function(params):\n    return 1.0\n",
        "training_params.yaml": b"WORLD_NAME: 'Oval_track'\nRACE_TYPE: TIME_TRIAL\nNUM_WORKERS: '3'\n",
    }
    shutil.rmtree(example)
    for name, data in files.items():
        prefix.write(name, data)
    neighbour.write("model/1_Step-9.ckpt.index", b"of another model")
    before = {name: (stat, prefix.read(name)) for name, stat in prefix.list().items()}
    answer = told("clone", url, "--from", "1", "--set", "discount=0.995")
    assert {name: (stat, prefix.read(name)) for name, stat in prefix.list().items()} == before
    made = folder / "shanghai-2"
    assert answer["folder"] == "shanghai-2"
    assert answer["source"] == url
    assert any("the example's with its race, tracks, workers" in one for one in answer["warnings"])
    workload = parse_job((made / "fleet.yaml").read_text()).workload or {}
    assert (workload["tracks"], workload["workers"]) == (["Oval_track"], 3)
    assert json.loads((made / "hyperparameters.json").read_text())["discount_factor"] == 0.995
    assert open_folder(made / "pretrained").read("model/1_Step-5.ckpt.meta") == b"graph of 1"
    assert [one["name"] for one in told("diff", url, "shanghai-2")["changes"]] == ["discount_factor"]


def test_a_prefix_without_a_reward_function_says_what_is_missing() -> None:
    lay(Path("old"), weights(1))
    said = refused("clone", "old")
    assert "no reward_function.py and no model_metadata.json and no hyperparameters.json" in said


@pytest.fixture
def run(tmp_path: Path) -> Controller:
    """A run that was packed with its files, and has come to set 4; its folder was edited since."""
    made = job("racer")
    (made / "table.csv").write_text("1,2")
    packed = pack_workdir(made, tmp_path / "packed.tar")
    key = layout.job_archive(packed.sha256)
    controller = recorded({"kind": "deepracer", "tracks": ["reinvent_base"]}, "ec2", workdir_key=key)
    controller.objects.upload(key, packed.path)
    base(controller.objects, 1, None)
    leg = Leg(prefix="racer-1-1-1", attempt=1, sets={4: 40.0})
    drives = [entry(1, 1), entry(2, 1, phase="evaluation", completion_percentage=80), entry(3, 1)]
    kept = checkpoint(4, 5, Course(run=RUN, legs=(leg,)))
    files = {name: data for name, data in kept.items() if "Step" not in name and not name.endswith("metadata.json")}
    files |= {f"4/{name}": data for name, data in weights(4).items()}
    files["4/history/racer-1-1-1/metrics/TrainingMetrics.json"] = text(drives).encode()
    commit(controller.objects, 1, 1, files)
    (made / "reward_function.py").write_text("def reward_function(params):\n    return 2.0\n")
    return controller


def test_a_run_is_cloned_with_what_it_was_started_with(run: Controller, folder: Path) -> None:
    before = digests(folder / "racer")
    answer = told("clone", "racer")
    assert answer["source"] == f"run {RUN}"
    assert answer["checkpoint"] == "4_Step-5.ckpt"
    assert any("reward_function.py in racer changed since the run was started" in one for one in answer["warnings"])
    made = folder / answer["folder"]
    assert made.name == "racer-1"
    assert "return 2.0" not in (made / "reward_function.py").read_text()
    assert (made / "table.csv").read_text() == "1,2"
    assert json.loads((made / "lineage.json").read_text())["parent"]["run"] == RUN
    assert digests(folder / "racer") == before


def test_a_run_whose_files_are_gone_is_cloned_from_its_newest_checkpoint(run: Controller, folder: Path) -> None:
    shutil.rmtree("racer")
    run.objects.delete([run.state.runs[RUN].workdir_key or ""])
    assert "holds no model_metadata.json" in refused("clone", "racer")
    assert not Path("racer-1").exists()
    files = {"4/model/model_metadata.json": (job("example") / "model_metadata.json").read_bytes()}
    files["4/ip/hyperparameters.json"] = Path("example/hyperparameters.json").read_bytes()
    course = Course(run=RUN, legs=(Leg(prefix="racer-1-1-1", attempt=1, sets={4: 40.0}),))
    kept = {**checkpoint(4, 5, course), **{f"4/{name}": data for name, data in weights(4).items()}, **files}
    commit(run.objects, 1, 2, kept)
    answer = told("clone", "racer", "tokyo-1")
    assert any("has no fleet.yaml" in one for one in answer["warnings"])
    assert (folder / "tokyo-1" / "reward_function.py").read_bytes() == b"as in the checkpoint"


def test_a_run_that_is_cloned_from_within_its_jobs_folder_gets_its_clone_beside_that(run: Controller, folder: Path) -> None:
    before = digests(folder / "racer")
    os.chdir("racer")
    assert told("clone", "racer")["folder"] == str(folder.resolve() / "racer-1")
    assert "would lie in its source" in refused("clone", "racer", "--into", ".")
    assert digests(folder / "racer") == before


def test_of_a_model_that_never_trained_it_is_said_how_its_files_are_cloned(folder: Path) -> None:
    job("example")
    with pytest.raises(FleetError) as caught:
        told("clone", "example", "osaka-1")
    assert "holds no whole set" in caught.value.message
    assert "--from nothing" in (caught.value.hint or "")
    assert told("clone", "example", "osaka-1", "--from", "nothing")["checkpoint"] is None


def test_a_name_that_a_run_has_already_is_said(run: Controller, model: Path) -> None:
    assert any("there is a run racer already" in one for one in told("clone", "shanghai-1", "new/racer")["warnings"])
    assert told("clone", "racer", "--into", "elsewhere")["version"] == "racer-1"


def test_mounts_and_a_workdir_elsewhere_are_found_from_the_clone(model: Path, folder: Path) -> None:
    outer = folder / "jobs" / "shanghai-1"
    outer.mkdir(parents=True)
    written = (model / "fleet.yaml").read_text().replace("workdir: .", "workdir: ../../shanghai-1")
    (outer / "fleet.yaml").write_text(written.replace("outputs: [model]", "file_mounts: {/data: ../data, /t: tracks}"))
    (outer.parent / "data").mkdir()
    (outer / "tracks").mkdir()
    typed("clone", "jobs/shanghai-1", "deep/er/shanghai-2", "--from", "nothing")
    read = parse_job(Path("deep/er/shanghai-2/fleet.yaml").read_text())
    assert read.workdir == "."
    assert (Path("deep/er/shanghai-2") / read.file_mounts["/data"]).resolve() == outer.parent / "data"
    assert (Path("deep/er/shanghai-2/tracks/mine.txt")).is_file()


def test_the_tree_tells_changes_results_and_notes(model: Path, run: Controller) -> None:
    typed("clone", "shanghai-1", "shanghai-1.1", "--from", "2", "--set", "lr=0.0001")
    typed("clone", "shanghai-1.1", "shanghai-1.10", "--from", "nothing")
    typed("clone", "shanghai-1.1", "deep/shanghai-1.2")
    typed("clone", "shanghai-1", "tokyo-1", "--track", "Oval_track")
    Path("shanghai-1.1/reward_function.py").write_text("def reward_function(params):\n    return 1.0\n")
    typed("note", "shanghai-1.1", "brakes late")
    out = typed("tree").stdout
    shown = [line for line in out.splitlines() if "─ " in line]
    assert [line[: line.index("─ ") + 2] + line[line.index("─ ") + 2 :].split()[0] for line in shown] == [
        "└─ racer",
        "└─ shanghai-1",
        "   └─ shanghai-1.1",
        "      ├─ shanghai-1.2",
        "      └─ shanghai-1.10",
        "└─ tokyo-1",
    ]
    assert "from shanghai-1, set 2: reward function +1 -" in out
    assert "as shanghai-1.1, begun anew: nothing changed" in out
    assert "lr 0.0003 → 0.0001" in out
    assert "“brakes late”" in out
    by = {one["version"]: one for one in told("tree")}
    assert by["shanghai-1"]["result"]["newest_set"] == 10
    assert by["shanghai-1"]["result"]["judged_by"] == "evaluation"
    assert by["shanghai-1"]["result"]["mean_completion_percent"] == 80
    assert by["shanghai-1.1"]["reward_function_changed"]
    assert by["shanghai-1.1"]["parent"] == "shanghai-1"
    assert by["shanghai-1.1"]["notes"][0]["text"] == "brakes late"
    assert by["shanghai-1.2"]["folder"] == "deep/shanghai-1.2"
    assert by["shanghai-1.2"]["changes"] == []
    assert by["racer"]["result"]["run"] == RUN
    assert by["racer"]["result"]["mean_completion_percent"] == 80
    assert by["tokyo-1"]["parent"] == "shanghai-1"
    assert all(one["result"] is None for one in told("tree", "--no-results"))


def test_the_tree_tells_the_newest_evaluation_on_each_track(model: Path) -> None:
    typed("clone", "shanghai-1", "shanghai-1.1")
    runs = {"e-aaaaaa": ("shanghai-1-1", 1), "f-bbbbbb": ("shanghai-1.1", 2), "g-cccccc": ("shanghai-1", 10)}
    controller = evaluating(*((run, of, n) for run, (of, n) in runs.items()))
    old = [OnTrack(track=track, trials=(lap(1, 50.0),)) for track in ("a", "b")]
    keep(controller, "e-aaaaaa", 1, driven("e-aaaaaa", "shanghai-1-1", 1, *old))
    new = OnTrack(track="a", trials=(lap(1, 100.0, 12.5), lap(2, 40.0)))
    keep(controller, "f-bbbbbb", 1, driven("f-bbbbbb", "shanghai-1.1", 2, new))
    by = {one["version"]: one for one in told("tree")}
    assert [
        (one["track"], one["set"], one["trials"], one["best_lap_seconds"]) for one in by["shanghai-1.1"]["evaluated"]
    ] == [
        ("a", 2, 2, 12.5),
        ("b", 1, 1, None),
    ]
    assert by["shanghai-1"]["evaluated"] == []
    assert by["shanghai-1.1"]["result"] is None
    out = typed("tree").stdout
    assert "set 2 evaluated on a: 1 of 2 laps, best 12.50 s, 70 % on average" in out
    assert "set 1 evaluated on b: 0 of 1 laps, 50 % on average" in out


def test_what_cannot_be_read_hides_no_other_version(model: Path) -> None:
    typed("clone", "shanghai-1", "shanghai-1.1")
    Path("shanghai-1.1/lineage.json").write_text("{")
    lay(Path("broken"), {"fleet.yaml": b"name: broken\nworkload: {kind: deepracer\n"})
    lay(Path("other"), {"fleet.yaml": b"name: other\nrun: x\n"})
    lay(Path("old/Grand Prix"), weights(3))
    by = {one["version"]: one for one in told("tree")}
    assert set(by) == {"shanghai-1", "shanghai-1.1", "broken", "grand-prix"}
    assert "cannot be read" in by["shanghai-1.1"]["problem"]
    assert by["broken"]["problem"]
    assert by["grand-prix"]["result"]["newest_set"] == 3
    assert "problem: " in typed("tree").stdout
    assert "No version" in typed("tree", "old/Grand Prix/model").stdout
    assert "there is no folder" in refused("tree", "nowhere")


def test_a_diff_tells_values_and_the_reward_functions_lines(model: Path) -> None:
    typed("clone", "shanghai-1", "shanghai-1.1", "--set", "lr=0.0001", "--set", "race=OBJECT_AVOIDANCE")
    change(Path("shanghai-1.1/reward_function.py"), "0.001", "0.002")
    metadata = json.loads(Path("shanghai-1.1/model_metadata.json").read_text())
    metadata["action_space"][0]["speed"] = 0.7
    Path("shanghai-1.1/model_metadata.json").write_text(json.dumps(metadata))
    out = typed("diff", "shanghai-1", "shanghai-1.1").stdout
    assert "From shanghai-1 to shanghai-1.1:" in out
    for line in (
        "hyperparameters",
        "  lr 0.0003 → 0.0001",
        "  race TIME_TRIAL → OBJECT_AVOIDANCE",
        "actions",
        "reward function",
    ):
        assert line in out.splitlines()
    assert "  +        return 0.002" in out.splitlines()
    assert typed("diff", "shanghai-1.1").stdout == out, "the source was not edited since"
    answer = told("diff", "shanghai-1.1", "shanghai-1")
    assert (answer["a"], answer["b"], answer["same"], answer["unknown"]) == ("shanghai-1.1", "shanghai-1", False, [])
    assert [one["name"] for one in answer["changes"]] == ["lr", "race", "action_space[0]"]
    assert told("diff", "shanghai-1", "shanghai-1")["same"]
    assert "nobody wrote down what shanghai-1 was cloned from" in refused("diff", "shanghai-1")


def test_a_run_and_its_folder_of_today_can_be_compared(run: Controller) -> None:
    answer = told("diff", "racer", "./racer")
    assert (answer["a"], answer["b"]) == ("racer", "./racer")
    assert "+    return 2.0" in answer["reward_function"]
    assert [one["name"] for one in answer["changes"]] == ["until.iterations"], "the journal's job says nothing of it"


def test_notes_are_kept_in_order_and_only_in_folders(model: Path, run: Controller) -> None:
    assert told("note", "shanghai-1", " first ")["note"] == "first"
    typed("note", "shanghai-1", "second")
    lineage = json.loads((model / "lineage.json").read_text())
    assert [one["text"] for one in lineage["notes"]] == ["first", "second"]
    assert (lineage["version"], lineage["parent"]) == ("shanghai-1", None)
    shutil.rmtree("racer")
    assert "`fleet note racer" in refused("note", "racer", "x")


def change(path: Path, old: str, new: str) -> None:
    written = path.read_text()
    assert old in written
    path.write_text(written.replace(old, new))

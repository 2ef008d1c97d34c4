"""What a MODEL on the command line is, and what of a run's model can be had from here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.cli.deepracer_export import Asked, export
from fleet.cli.deepracer_models import open_model
from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.documents import CheckpointRef, FileEntry, Manifest
from fleet.model.errors import FleetError, StoreError
from fleet.store.objects import Objects
from fleet.store.workdir import pack_workdir
from fleet.workloads.deepracer.chosen import choose
from fleet.workloads.deepracer.course import COURSE, Course, Leg
from fleet.workloads.deepracer.pointers import COACH, JSON
from fleet.workloads.deepracer.prefix import open_folder, open_prefix
from fleet.workloads.deepracer.sets import SUFFIXES, sets_of
from tests.unit.deepracer.test_care_commands import RUN, recorded
from tests.unit.deepracer.test_cleaning import lay
from tests.unit.deepracer.test_metrics import entry, text

JOB = "name: {name}  # mine\nworkdir: .\nworkload: {{kind: deepracer}}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def checkpoint(n: int, y: int, course: Course | None, **more: bytes) -> dict[str, bytes]:
    """What the driver keeps as one."""
    files = {f"{n}/model/{n}_Step-{y}.ckpt{suffix}": f"{n}-{y}{suffix}".encode() for suffix in SUFFIXES}
    files |= {f"{n}/model/model_{n}.pb": b"graph", f"{n}/{COACH}": f"{n}_Step-{y}.ckpt".encode()}
    files |= {f"{n}/{JSON}": b'{"best_checkpoint": {"name": "%d_Step-%d.ckpt", "avg_eval_metric": 1}}' % (n, y)}
    files |= {f"{n}/model_metadata.json": b"{}"} if n == 4 else {}
    files |= {f"{n}/reward_function.py": b"as in the checkpoint", f"{n}/ip/hyperparameters.json": b"{}"}
    if course is not None:
        files[f"{n}/{COURSE}"] = course.model_dump_json().encode()
    return files | {f"{n}/{name}": data for name, data in more.items()}


def commit(objects: Objects, attempt: int, seq: int, files: dict[str, bytes]) -> None:
    entries = []
    for path, data in files.items():
        key = layout.checkpoint_file(RUN, attempt, seq, path)
        objects.put(key, data)
        entries.append(FileEntry(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest(), key=key))
    ref = CheckpointRef(attempt=attempt, seq=seq)
    manifest = Manifest(run_id=RUN, ref=ref, at=100.0 * attempt + seq, step=2, format="rename", files=tuple(entries))
    objects.put(layout.manifest(RUN, attempt, seq), canonical_json(manifest.model_dump(mode="json")))


def base(objects: Objects, attempt: int, ref: CheckpointRef | None) -> None:
    told: dict[str, object] = {
        "v": 1,
        "predecessor": attempt - 1 or None,
        "ref": ref and ref.model_dump(),
        "skipped": [],
        "at": 1.0,
    }
    objects.put(layout.base(RUN, attempt), canonical_json(told))


FIRST = Leg(prefix="racer-1-1-1", attempt=1, sets={1: 10.0, 2: 20.0, 3: 30.0})
SECOND = Leg(prefix="racer-1-2-1", attempt=2, origin="checkpoint", source=2, first=3, sets={4: 40.0})


@pytest.fixture
def remote() -> Controller:
    """Set 3 of the first machine was lost: the second began from set 2, whose weights it called 3, and made 4."""
    controller = recorded({"kind": "deepracer"}, "ec2")
    objects = controller.objects
    base(objects, 1, None)
    one, two = Course(run=RUN, legs=(FIRST,)), Course(run=RUN, legs=(FIRST, SECOND))
    commit(objects, 1, 1, checkpoint(1, 10, one))
    commit(objects, 1, 2, checkpoint(2, 20, one) | checkpoint(1, 10, one))
    commit(objects, 1, 3, checkpoint(3, 30, one))
    base(objects, 2, CheckpointRef(attempt=1, seq=2))
    evaluated = [entry(1, 1), entry(2, 1, phase="evaluation", completion_percentage=80), entry(3, 1), entry(4, 1)]
    told = {f"history/{FIRST.prefix}/metrics/TrainingMetrics.json": text(evaluated).encode(),
            f"history/{SECOND.prefix}/metrics/TrainingMetrics.json": text(evaluated[:1]).encode()}  # fmt: skip
    commit(objects, 2, 1, checkpoint(4, 11, two, **told))
    return controller


def test_a_run_is_the_sets_on_its_line_of_descent_wherever_they_are_kept(remote: Controller) -> None:
    model = open_model("racer")
    assert [one.stem for one in sets_of(model.prefix.list())] == ["1_Step-10.ckpt", "2_Step-20.ckpt", "4_Step-11.ckpt"]
    assert (model.name, model.run and model.run.run_id, model.folder) == ("racer", RUN, None)
    last = model.choose("last")
    assert (last.set.n, last.graph) == (4, "model/model_4.pb")
    assert model.prefix.read("model/2_Step-20.ckpt.index") == b"2-20.index"
    assert COURSE not in model.prefix.list()
    assert "metrics/TrainingMetrics.json" in model.prefix.list()
    assert open_model(RUN).choose(1).set.n == 1


def test_a_runs_best_is_told_by_the_metrics_of_all_its_machines(remote: Controller) -> None:
    with pytest.raises(FleetError, match="set 0 cannot be taken: it is the best by its evaluation"):
        open_model("racer").choose("best")


def test_a_runs_model_is_only_read(remote: Controller, tmp_path: Path) -> None:
    prefix = open_model("racer").prefix
    changes: list[Callable[[], None]] = [
        lambda: prefix.write("a", b""),
        lambda: prefix.remove(COACH),
        lambda: prefix.move(COACH, "b"),
    ]
    for change in changes:
        with pytest.raises(StoreError, match="only read"):
            change()
    prefix.fetch("model/model_4.pb", tmp_path / "graph")
    assert (tmp_path / "graph").read_bytes() == b"graph"


def test_a_runs_files_are_those_it_was_started_with(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workdir"
    folder.mkdir()
    (folder / "reward_function.py").write_text("as it was started")
    (folder / "fleet.yaml").write_text(JOB.format(name="racer"))
    packed = pack_workdir(folder, tmp_path / "packed.tar")
    controller = recorded({"kind": "deepracer"}, "ec2", workdir_key=layout.job_archive(packed.sha256))
    controller.objects.upload(layout.job_archive(packed.sha256), packed.path)
    base(controller.objects, 1, None)
    commit(controller.objects, 1, 1, checkpoint(1, 10, None))
    (folder / "reward_function.py").write_text("changed since")
    model = open_model(str(folder))
    assert model.run is not None
    assert model.files["reward_function.py"] == b"as it was started"
    assert model.files["fleet.yaml"].decode() == JOB.format(name="racer")
    assert model.files["hyperparameters.json"] == b"{}"
    controller.objects.delete([layout.job_archive(packed.sha256)])
    assert open_model("racer").files["reward_function.py"] == b"as in the checkpoint"


def test_a_volume_on_this_computer_goes_before_the_bucket(home: Path) -> None:
    recorded({"kind": "deepracer"})
    volume = home / "local" / "volumes" / "vol-1" / "data"
    for name, data in checkpoint(7, 70, Course(run=RUN, legs=(FIRST,))).items():
        path = volume / "checkpoints" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert open_model("racer").choose("last").set.stem == "7_Step-70.ckpt"


def test_the_model_that_was_handed_over_is_there_when_its_checkpoints_are_gone(remote: Controller) -> None:
    objects = remote.objects
    for name, data in checkpoint(9, 90, None).items():
        objects.put(f"{layout.models('racer')}model/{name.partition('/')[2]}", data)
    assert open_model("racer").choose("last").set.n == 4, "of a run that goes on it is an earlier run's"
    end(remote)
    assert open_model("racer").choose(9).set.n == 9
    assert open_model("racer").choose(4).set.n == 4


def end(controller: Controller) -> None:
    assert controller.record([ev.RunEnded(at=controller.objects.now(), run_id=RUN, outcome="succeeded", reason="")])


def test_a_folder_is_a_model_and_so_is_a_job_folder_that_never_ran(tmp_path: Path) -> None:
    lay(tmp_path / "old", range(3))
    (tmp_path / "old" / "model" / "model_metadata.json").write_text("{}")
    model = open_model("old")
    assert (model.name, model.run, model.choose("last").set.n) == ("old", None, 2)
    assert set(model.files) == {"model_metadata.json"}
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "fleet.yaml").write_text(JOB.format(name="new"))
    found = open_model("new/fleet.yaml")
    assert (found.name, found.folder) == ("new", Path("new"))
    assert set(found.files) == {"fleet.yaml"}
    with pytest.raises(FleetError, match="no whole set"):
        found.choose("last")


def test_a_prefix_in_a_bucket_sees_nothing_of_its_neighbour(s3_url: str) -> None:
    bucket = s3_url.rpartition("/some/")[0]
    for name in ("model-1", "model-10"):
        prefix = open_prefix(f"{bucket}/{name}")
        for suffix in SUFFIXES:
            prefix.write(f"model/{name[6:]}_Step-1.ckpt{suffix}", name.encode())
    model = open_model(f"{bucket}/model-1")
    assert (model.name, [one.n for one in sets_of(model.prefix.list())]) == ("model-1", [1])


def test_a_version_with_a_dot_is_the_run_of_its_job(home: Path) -> None:
    recorded({"kind": "deepracer"}, name="racer-1-3")
    assert open_model("racer-1.3").name == "racer-1-3"


def test_what_is_no_model_is_told_from_one(tmp_path: Path, home: Path) -> None:
    recorded(None)
    for named, told in {
        "racer": "is no DeepRacer training",
        "race": "there is no folder race, and no run of that name; did you mean 'racer'",
        "some/where": "there is no folder some/where",
        "gs://b/c": "is no place of a model",
        "./file": "is a file",
        "other": "other is no model",
    }.items():
        (tmp_path / "file").write_text("x")
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "picture.png").write_text("x")
        with pytest.raises(FleetError) as caught:
            open_model(named)
        assert told in str(caught.value), named
    assert open_home().path.is_dir()


def test_a_reward_function_that_lies_beside_the_prefix_is_found_by_its_parameters(tmp_path: Path, s3_url: str) -> None:
    """As other programs keep it: for all prefixes of a bucket."""
    said = b"REWARD_FILE_S3_KEY: custom_files/reward_function.py\nSAGEMAKER_SHARED_S3_PREFIX: models/old\n"
    bucket = "/".join(s3_url.split("/")[:3])
    for root in (str(tmp_path), bucket):
        prefix = open_prefix(f"{root}/models/old")
        prefix.write("training_params.yaml", said)
        prefix.write("model/.ready", b"")
        open_prefix(f"{root}/custom_files").write("reward_function.py", b"theirs")
        model = open_model(f"{root}/models/old")
        assert model.files == {"reward_function.py": b"theirs"}
        assert "a later training may have changed it" in model.file_notes[0]
        prefix.write("reward_function.py", b"its own")
        assert open_model(f"{root}/models/old").files == {"reward_function.py": b"its own"}
        assert open_model(f"{root}/models/old").file_notes == ()
        open_prefix(f"{root}/custom_files").write("secret", b"not theirs")
        wrongs = (said.replace(b"reward_function.py", b"secret"), b"SAGEMAKER_SHARED_S3_PREFIX: elsewhere\n", b"[", b"- a")
        for wrong in (*wrongs, b"REWARD_FILE_S3_KEY: ../../x\n"):
            prefix.remove("reward_function.py")
            prefix.write("training_params.yaml", wrong)
            assert open_model(f"{root}/models/old").files == {}


def test_a_run_is_exported_from_what_its_checkpoints_hold(
    remote: Controller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own sets here are none of TensorFlow's, which is said and stops nobody."""
    assert export(Asked("racer", str(tmp_path / "out"), "last", "folder", "today", None), as_json=False) == 0
    told = capsys.readouterr().out
    assert "Set 4 (4_Step-11.ckpt) is the last." in told
    assert "could not be looked at" in told
    found = choose(open_folder(tmp_path / "out"), "best")
    assert (found.set.stem, found.graph) == ("4_Step-11.ckpt", "model/model_4.pb")
    assert "metrics/TrainingMetrics.json" in found.listing

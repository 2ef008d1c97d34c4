"""fleet from Python: the commands' names, typed."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fleet
from fleet import api
from fleet.control.home import Home
from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_docs import commands

COUNT = """
import os, time
from pathlib import Path
state = Path(os.environ["FLEET_CHECKPOINTS"]) / "step"
step = int(state.read_text()) if state.exists() else 0
while step < 8:
    time.sleep(0.05)
    step += 1
    state.with_name("step.tmp").write_text(str(step))
    state.with_name("step.tmp").replace(state)
    print(f"fleet.progress step={step}", flush=True)
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "count.py").write_text(COUNT)
    yield tmp_path
    stop_everything(Home(tmp_path / "home").local)


JOB = {"name": "count", "workdir": "work", "run": "python count.py", "volume": {"size": "1GB"}}


def test_a_run_from_start_to_checkpoint(folder: Path) -> None:
    assert [p.chosen for p in fleet.plan(JOB).offers].count(True) == 1
    seen: list[str] = []
    done = fleet.up(JOB, on_event=lambda event: seen.append(event.type))
    assert done.run.outcome == "succeeded"
    assert "run-ended" in seen
    assert [one.run.run_id for one in fleet.ps()] == [done.run.run_id]
    assert fleet.status("count").run.outcome == "succeeded"
    assert b"fleet.progress step=8" in fleet.logs("count")
    assert next(iter(fleet.events("count"))).type == "run-created"
    fleet.note("count", "by hand")
    assert fleet.status("count").run.notes == ("by hand",)
    newest = fleet.checkpoints("count")[0]
    assert newest.status == "newest"
    assert [(one.ref, problem) for one, problem in fleet.verify("count")] == [(newest.ref, None)]
    assert fleet.pull("count", folder / "got").ref == newest.ref
    assert (folder / "got" / "step").read_text() == "8"
    assert newest.ref not in fleet.prune("count", keep=1)
    assert [one.ref for one in fleet.checkpoints("count")] == [newest.ref]
    assert fleet.repair_journal() is None
    fleet.run_controller(once=True)
    assert fleet.ps(last=0) == []
    assert [v.live for v in fleet.volumes()] == [False]
    volume = fleet.volumes()[0].volume.volume_id
    with pytest.raises(fleet.FleetError, match=f"did you mean '{volume}'"):
        fleet.delete_volume(volume[:-1])
    assert fleet.delete_volume(volume).run == done.run.run_id
    assert fleet.gc(delete=True) == []


def test_a_disk_that_was_deleted_by_hand_can_be_written_off(folder: Path) -> None:
    fleet.up(JOB)
    (volume,) = [one.volume.volume_id for one in fleet.volumes()]
    shutil.rmtree(next(folder.rglob(f"volumes/{volume}")))
    assert fleet.volumes() == []
    assert fleet.delete_volume(volume).volume.volume_id == volume
    assert not any(one.held for one in fleet.status("count").run.volumes.values())


def test_a_run_is_left_and_stopped_and_resumed(folder: Path) -> None:
    started = fleet.up({**JOB, "run": "sleep 300"}, wait=False)
    assert started.run.ended_at is None
    assert fleet.stop("count").run.outcome == "stopped"
    with pytest.raises(fleet.FleetError, match="no run"):
        fleet.stop("other")
    resumed = fleet.resume("count", wait=False)
    assert resumed.run.ended_at is None
    assert fleet.down("count").run.outcome == "stopped"


def test_a_wrong_job_is_one_clear_error(folder: Path) -> None:
    with pytest.raises(fleet.FleetError, match="did you mean 'run'"):
        fleet.up({"name": "x", "rnu": "y"})


def test_what_training_imports_brings_nothing_else_along() -> None:
    ours = "sorted(m for m in sys.modules if m.startswith(('fleet', 'pydantic', 'yaml')))"
    program = f"import sys, fleet; fleet.progress(1); print({ours})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "['fleet', 'fleet._training']"
    with pytest.raises(AttributeError):
        _ = fleet.nothing_of_the_kind


def test_every_public_name_exists_and_is_documented() -> None:
    for name in fleet.__all__:
        assert getattr(fleet, name) is not None
    public = [node.name for node in ast.parse(Path(api.__file__).read_text()).body if isinstance(node, ast.FunctionDef)]
    for name in public:
        if not name.startswith("_"):
            assert name in fleet.__all__, name
            assert getattr(api, name).__doc__, name
    text = (ROOT / "docs" / "python.md").read_text()
    for name in fleet.__all__:
        assert name == "__version__" or re.search(rf"`(fleet\.)?{name}[`(]", text), name


NAMES = {
    "checkpoints list": "checkpoints",
    "checkpoints verify": "verify",
    "checkpoints pull": "pull",
    "checkpoints prune": "prune",
    "volumes list": "volumes",
    "volumes delete": "delete_volume",
    "controller run": "run_controller",
    "controller list": "controllers",
    "journal repair": "repair_journal",
}
ONLY_IN_THE_TERMINAL = {
    "init", "destroy aws", "destroy gcp", "policy aws", "policy gcp", "doctor",
    "exec", "ssh", "forward", "demo", "completion", "schema", "job schema",
    "controller install", "controller uninstall", "controller status", "controller deploy aws", "controller remove aws",
    "controller deploy ssh", "controller deploy cron", "controller remove ssh", "controller remove cron",
    "ami build", "ami list", "ami share", "ami prune", "simulate", "history show", "history export", "cost", "budget",
    "report", "report install", "report uninstall", "report status", "report test",
    "notify on", "notify off", "notify list", "notify test",
    "deepracer check", "deepracer repair", "deepracer status", "deepracer doctor", "deepracer clean",
    "deepracer clone", "deepracer tree", "deepracer diff", "deepracer note",
    "deepracer evaluate", "deepracer evaluations",
    "deepracer weights",
    "deepracer export",
}  # fmt: skip


def test_every_command_has_a_function_of_its_name() -> None:
    """But for what only a terminal is there for; what stands in a group has a name of one word or two."""
    known = set(commands())
    assert known >= ONLY_IN_THE_TERMINAL | NAMES.keys()
    functions = {NAMES.get(name, name) for name in known - ONLY_IN_THE_TERMINAL}
    public = {node.name for node in ast.parse(Path(api.__file__).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert {name for name in public if not name.startswith("_")} == functions
    text = (ROOT / "docs" / "python.md").read_text()
    for name in known - ONLY_IN_THE_TERMINAL:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{NAMES.get(name, name)}("))
        assert f"| `fleet {name}` |" in row


def test_every_function_names_its_parameters_types() -> None:
    for name in fleet.__all__:
        found = getattr(fleet, name)
        if inspect.isfunction(found):
            assert all(p.annotation is not p.empty for p in inspect.signature(found).parameters.values()), name
            assert inspect.signature(found).return_annotation is not inspect.Signature.empty, name


def test_the_example_script_runs(folder: Path) -> None:
    script = (ROOT / "examples" / "sweep.py").read_text()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=folder, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "best" in done.stdout

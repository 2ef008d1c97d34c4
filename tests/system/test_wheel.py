"""The built wheel, in a clean environment outside the checkout: it carries what it needs, demonstrates and is tested."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.system.traces import folder

pytestmark = [pytest.mark.system, pytest.mark.timeout(1500)]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(words, check=True, capture_output=True)
    return next(folder.glob("fleet-*.whl"))


def test_it_carries_userdata_the_racer_the_licence_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "fleet/py.typed" in names
    assert any(name.startswith("fleet/_userdata/") for name in names)
    assert {"fleet/_ami/fleet.pkr.hcl", "fleet/_ami/packer-1.6/aws.pkr.hcl", "fleet/_ami/clean.sh"} <= set(names)
    assert {f"fleet/_examples/racer/{n}" for n in ("fleet.yaml", "train.py", "reward_function.py")} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) or "__pycache__" in name for name in names)


def test_demo_and_tests_run_from_it_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    venv, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    python = str(venv / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, f"{wheel}[dev]"], check=True)
    elsewhere.mkdir()
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "FLEET_HOME")}
    env = {**kept, "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    traces = folder()
    if traces is not None:
        env["FLEET_SHARED_DATA"] = str(traces.parent)

    words = [str(venv / "bin" / "fleet"), "demo", "--iterations", "40", "-o", "json"]
    told = subprocess.run(words, env=env, cwd=elsewhere, check=True, capture_output=True, text=True)
    assert json.loads(told.stdout)["identical"] is True

    for name in ("tests", "docs", "examples", "benchmarks", "scripts", "userdata", "ami"):
        shutil.copytree(ROOT / name, elsewhere / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "Makefile", "pyproject.toml", "mkdocs.yml"):
        shutil.copy(ROOT / name, elsewhere / name)
    words = [
        python,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not system and not real",
        "-p",
        "no:cacheprovider",
        *("-n", "logical", "--dist", "loadfile"),
        "--basetemp",
        str(tmp_path / "t"),
        # What depends on how fleet was installed: programs that are started, and files that lie beside the code.
        *("tests/unit/cli", "tests/unit/boot", "tests/unit/providers/test_local.py", "tests/unit/test_api.py"),
        *("tests/unit/test_racer.py", "tests/agent/test_process.py", "tests/boot/test_boot_steps.py"),
    ]
    done = subprocess.run(words, env=env, cwd=elsewhere, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    where = subprocess.run(
        [python, "-c", "import fleet; print(fleet.__file__)"],
        env=env,
        cwd=elsewhere,
        check=True,
        capture_output=True,
        text=True,
    )
    assert str(venv) in where.stdout

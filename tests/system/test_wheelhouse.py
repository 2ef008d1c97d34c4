"""The agent's archive for this machine, from the real index, starts with nothing else."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.boot import dependencies
from fleet.boot.wheelhouse import OWN, ensure_wheels
from fleet.store.opening import open_objects

pytestmark = pytest.mark.system
LOADS = """
import sys
import fleet.agent.main
assert "site" not in sys.modules
fleet.agent.main.open_objects("memory://").list("")
print(fleet.agent.main.__file__)
"""


@pytest.mark.parametrize("python", dependencies.PYTHONS)
def test_the_agent_runs_from_the_archives_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    """Started by each Python that this computer has; for the others the archive is looked at."""
    monkeypatch.setattr(dependencies, "PYTHONS", (python,))
    (tmp_path / "bucket").mkdir()
    bucket = open_objects(f"file://{tmp_path}/bucket")
    arch = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    archives = ensure_wheels(bucket, "1", arches=[arch]).archives
    site = tmp_path / "site"
    site.mkdir()
    for name in (f"{python}-{arch}", OWN):
        subprocess.run(["tar", "-xzf", str(tmp_path / "bucket" / archives[name].key), "-C", str(site)], check=True)
    assert archives[f"{python}-{arch}"].size < 12_000_000
    assert list((site / "pydantic_core").glob(f"*{python[2:]}*.so"))
    program = _python(f"{python[2]}.{python[3:]}")
    if program is not None:
        env = {"PYTHONPATH": str(site)}
        done = subprocess.run([program, "-S", "-c", LOADS], env=env, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(site / "fleet/agent/main.py")


def _python(version: str) -> str | None:
    """An interpreter of a version, if there is one for this system."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}" and sys.platform == "linux":
        return sys.executable
    for folder in (*os.environ["PATH"].split(os.pathsep), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin"))):
        words = [f"{folder}/python{version}", "-c", "import sys; print(sys.platform, '%d.%d' % sys.version_info[:2])"]
        if Path(words[0]).exists():
            told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
            if told.split() == ["linux", version]:
                return words[0]
    return None

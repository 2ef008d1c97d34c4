"""What a host gets, from the real index: it starts with that host's Python and nothing else."""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from fleet.boot.host_package import Target, host_archive

pytestmark = pytest.mark.system
LOADS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import fleet, boto3, obstore, psutil, typer
from fleet.boot.dependencies import pinned
from fleet.providers.aws.session import aws_client
aws_client("ec2", "eu-west-1")
import zoneinfo
zoneinfo.reset_tzpath(to=[])  # a host that has no time zones of its own: a budget's days are told by them
from fleet.model.calendar import day_of
day_of(0, "Europe/Berlin")
from fleet.providers.aws.rates import aws_rates
aws_rates()
assert "site" not in sys.modules
assert {os.path.dirname(os.path.dirname(one.__file__)) for one in (fleet, boto3, obstore, psutil, typer)} == {sys.argv[1]}
print(*sorted(pinned()))
"""


def unpacked(folder: Path, target: Target) -> Path:
    with tarfile.open(fileobj=io.BytesIO(host_archive(target))) as tar:
        tar.extractall(folder)
    (folder / "fleet").chmod(0o755)
    return folder


def test_a_controller_starts_from_its_own_files_alone(tmp_path: Path) -> None:
    arch = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    python = str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
    target = Target(python, f"cp3{sys.version_info[1]}", arch, str(tmp_path / "home"))
    place = unpacked(tmp_path / "controller", target)
    told = subprocess.run([place / "fleet", "--version"], env={}, cwd="/", capture_output=True, text=True, check=True)
    assert told.stdout.startswith("fleet ")
    words = [python, "-I", "-S", "-c", LOADS, str(place / "site")]
    done = subprocess.run(words, env={}, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "obstore" in done.stdout  # so that it knows which agent its machines need


def test_a_raspberry_pi_gets_what_is_built_for_it(tmp_path: Path) -> None:
    place = unpacked(tmp_path, Target("/usr/bin/python3", "cp311", "aarch64", "/home/pi/fleet"))
    built = sorted(path.name for path in (place / "site").rglob("*.so"))
    assert any("pydantic_core" in name and "aarch64" in name for name in built)
    assert not any("x86_64" in name for name in built)

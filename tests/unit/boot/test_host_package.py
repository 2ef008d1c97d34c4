"""This very fleet as a folder for a host: all that a controller imports, and the same name for the same files."""

from __future__ import annotations

import importlib.metadata
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import fleet
from fleet.boot import host_package
from fleet.boot.dependencies import controller_pins, pinned
from fleet.boot.host_package import Target, host_archive, package_files, scripts, version_of
from fleet.boot.wheelhouse import own_files
from fleet.model.errors import FleetError

TARGET = Target("/usr/bin/python3", "cp311", "aarch64", "/home/pi/.local/share/fleet/controller/home")
MEASURE = """
import json, pkgutil, importlib, sys
import fleet
skip = ("fleet.agent", "fleet.providers.local.supervisor", "fleet._", "fleet.workloads")
for found in pkgutil.walk_packages(fleet.__path__, "fleet."):
    if not found.name.startswith(skip) and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
import fleet.providers.aws.session
fleet.providers.aws.session.aws_client("sts", "us-east-1")
fleet.store.opening.open_objects("memory://").list("")
tops = {name.split(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))
"""


def small(requirements: Sequence[str], _python: str, _arch: str, folder: Path) -> None:
    """Each package, with nothing in it."""
    for requirement in requirements:
        name, _, version = requirement.partition("==")
        name = name.replace("-", "_")
        with zipfile.ZipFile(folder / f"{name}.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "")
            wheel.writestr(f"{name}-{version}.dist-info/METADATA", "")


def test_all_that_a_controller_imports_is_among_the_packages() -> None:
    told = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True).stdout
    imported = {name for name in json.loads(told) if not name.startswith(("_", "sitecustomize"))} - {"fleet"}
    providers = importlib.metadata.packages_distributions()
    packages = {providers[name][0].lower().replace("_", "-") for name in imported if name in providers}
    assert packages - {"certifi"} <= controller_pins().keys()  # botocore takes it where it is, and has its own
    assert {"boto3", "obstore", "typer"} <= packages


def test_the_packages_are_those_that_are_installed_here() -> None:
    pins = controller_pins()
    assert pins.items() >= pinned().items()
    assert pins["botocore"] == importlib.metadata.version("botocore")
    assert not {"colorama", "pytest", "moto", "fabric"} & pins.keys()


def test_a_controller_of_google_cloud_takes_googles_library_and_no_more_of_amazons_than_it_needs() -> None:
    google, both = controller_pins(("gcp",)), controller_pins(("aws", "gcp"))
    assert {"google-cloud-compute", "google-auth", "requests", "grpcio", "protobuf"} <= google.keys()
    assert "boto3" not in google
    assert both.keys() == google.keys() | controller_pins(("aws",)).keys()
    assert version_of(replace(TARGET, clouds=("aws", "gcp"))) != version_of(TARGET)


def test_without_boto3_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def missing(name: str) -> str:
        if name == "boto3":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(FleetError, match="boto3") as told:
        controller_pins()
    assert "fleet[aws]" in told.value.hint


def test_the_package_is_whole_of_a_checkout_and_of_a_wheel_alike() -> None:
    files = package_files()
    assert own_files().items() <= files.items()  # so that its machines find the agent that others put into the bucket
    assert {"fleet/cli/main.py", "fleet/control/controller.py", "fleet/providers/aws/ondemand.json"} <= files.keys()
    assert {"fleet/_userdata/boot.sh", "fleet/_examples/racer/train.py"} <= files.keys()
    assert not any("__pycache__" in path for path in files)


def test_other_code_other_packages_or_another_host_are_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    first = version_of(TARGET)
    assert first == version_of(TARGET)
    assert first.startswith(f"{fleet.__version__}-")
    changed = (replace(TARGET, python="x"), replace(TARGET, tag="x"), replace(TARGET, arch="x"), replace(TARGET, home="x"))
    others = {version_of(one) for one in changed}
    monkeypatch.setattr(host_package, "controller_pins", lambda _: {"boto3": "9"})
    others.add(version_of(TARGET))
    monkeypatch.setattr(host_package, "package_files", lambda: {"fleet/__init__.py": b""})
    others.add(version_of(TARGET))
    assert len(others - {first}) == 6


def test_the_archive_holds_fleet_its_packages_and_what_starts_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(host_archive(TARGET, small))) as tar:
        names = set(tar.getnames())
    assert {"fleet", "round", "start.py", "site/boto3/__init__.py", "site/fleet/cli/main.py"} <= names
    assert host_archive(TARGET, small) == host_archive(TARGET, small)


def test_another_version_of_what_the_agent_needs_is_refused() -> None:
    """The host would ask for an agent that nobody put into the bucket, and has no pip to make it."""

    def older(requirements: Sequence[str], python: str, arch: str, folder: Path) -> None:
        small(
            [one.replace(f"pydantic=={pinned()['pydantic']}", "pydantic==2.0") for one in requirements], python, arch, folder
        )

    with pytest.raises(FleetError, match=r"pydantic .* is not to be had for cp311 on aarch64"):
        host_archive(TARGET, older)


def test_the_scripts_are_a_shells_and_hold_for_odd_paths(tmp_path: Path) -> None:
    """Started through a link, from anywhere; the user's own FLEET_HOME goes before."""
    place = tmp_path / "it's here"
    place.mkdir()
    for name, data in scripts(Target(sys.executable, "cp311", "x86_64", "/home/a 'b'")).items():
        (place / name).write_bytes(data)
        (place / name).chmod(0o755)
    (place / "start.py").write_text("import os, sys; print(os.environ['FLEET_HOME'], *sys.argv[1:], 'site' in sys.modules)")
    (tmp_path / "current").symlink_to(place)
    done = subprocess.run([tmp_path / "current/fleet", "a b"], env={}, cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "/home/a 'b' a b False\n"
    own = subprocess.run([place / "fleet"], env={"FLEET_HOME": "/mine"}, capture_output=True, text=True, check=True)
    assert own.stdout == "/mine False\n"
    cron = subprocess.run([tmp_path / "current/round"], env={}, cwd="/", capture_output=True, text=True, check=True)
    assert cron.stdout == "/home/a 'b' controller run --once --log /home/a 'b'/controller.log False\n"

"""The function's archive: the same on every computer, no more than it needs, no larger than Lambda takes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import fleet
from fleet.boot import dependencies, function_package
from fleet.boot.dependencies import pip_download
from fleet.boot.function_package import GLIBC, SERVICES, fleet_files, function_zip, pinned
from fleet.boot.wheelhouse import own_files
from fleet.model.errors import FleetError

MODEL = ("service-2.json.gz", "endpoint-rule-set-1.json.gz", "paginators-1.json", "waiters-2.json", "examples-1.json")
BOTOCORE = {
    "botocore/__init__.py": b"",
    "botocore/cacert.pem": b"",
    "botocore/data/endpoints.json": b"{}",
    "botocore/data/partitions.json": b"{}",
    "botocore/docs/__init__.py": b"",
    **{f"botocore/data/ec2/{at}/{name}": b"" for at in ("2015-10-01", "2016-11-15") for name in MODEL},
    **{f"botocore/data/s3/2006-03-01/{name}": b"" for name in MODEL},
}


class Index:
    """A package index that hands out wheels with little in them, in another order each time."""

    def __init__(self, **versions: str) -> None:
        self.versions = versions
        self.asked: list[tuple[str, str]] = []

    def __call__(self, requirements: Sequence[str], python: str, arch: str, folder: Path) -> None:
        self.asked.append((python, arch))
        for word in requirements if len(self.asked) % 2 else reversed(requirements):
            name, _, version = word.partition("==")
            plain, version = name.replace("-", "_"), self.versions.get(name, version)
            files: Mapping[str, bytes] = (
                BOTOCORE if name == "botocore" else {f"{plain}/__init__.py": b"", f"{plain}/x.pyi": b""}
            )
            if name == "boto3":
                files = {**files, "boto3/data/ec2/resources-1.json": b"", "boto3/examples/s3.rst": b""}
            info = f"{plain}-{version}.dist-info"
            with zipfile.ZipFile(folder / f"{plain}-{version}-py3-none-any.whl", "w") as wheel:
                for path in (*files, f"{info}/METADATA", f"{info}/RECORD", f"{info}/licenses/LICENSE"):
                    wheel.writestr(path, files.get(path, b"said"))


def names(packed: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return archive.namelist()


def test_equal_versions_give_equal_bytes_whenever_and_in_whatever_order_they_come() -> None:
    index = Index()
    first, second = (function_zip(download=index) for _ in range(2))
    assert first == second
    assert index.asked == [("cp312", "aarch64")] * 2
    assert names(first) == sorted(names(first))


def test_nothing_of_this_computer_is_inside_and_everybody_there_may_read_it() -> None:
    with zipfile.ZipFile(io.BytesIO(function_zip(download=Index()))) as archive:
        for member in archive.infolist():
            assert member.date_time == (2020, 1, 1, 0, 0, 0)
            assert (member.create_system, member.external_attr >> 16) == (3, 0o100644)
            assert not member.filename.startswith("/")
            assert ".." not in member.filename
            assert not member.filename.endswith((".pyc", ".pyi"))


def test_of_botocore_only_what_the_function_asks_is_inside_in_its_newest_form() -> None:
    found = [name for name in names(function_zip(download=Index())) if name.startswith(("boto3/", "botocore/"))]
    assert "ec2" in SERVICES
    assert found == [
        "boto3/__init__.py",
        "botocore/__init__.py",
        "botocore/cacert.pem",
        *(f"botocore/data/ec2/2016-11-15/{name}" for name in sorted(MODEL[:3])),
        "botocore/data/endpoints.json",
        "botocore/data/partitions.json",
        "botocore/docs/__init__.py",
    ]


def test_fleet_is_inside_as_the_machines_agent_is_made_of_it_and_its_scripts_beside_it() -> None:
    inside = dict(fleet_files())
    assert own_files().items() <= inside.items()
    assert "fleet/control/function.py" in inside
    assert "fleet/providers/aws/ondemand.json" in inside
    scripts = Path(fleet.__file__).parents[1] / "userdata"
    for path in scripts.rglob("*"):
        if path.is_file():
            assert inside[f"fleet/_userdata/{path.relative_to(scripts).as_posix()}"] == path.read_bytes()


def test_an_installed_wheel_has_its_scripts_inside_the_package(tmp_path: Path) -> None:
    for name in ("__init__.py", "core/x.py", "core/__pycache__/x.pyc", "_userdata/boot.sh", "_examples/racer/a.py"):
        (tmp_path / "fleet" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fleet" / name).write_text(name)
    found = sorted(name for name, _ in fleet_files(tmp_path / "fleet"))
    assert found == ["fleet/__init__.py", "fleet/_userdata/boot.sh", "fleet/core/x.py"]


def test_the_versions_are_those_of_this_computer_the_agents_among_them() -> None:
    assert pinned().items() >= dependencies.pinned().items()
    said = {name for name in names(function_zip(download=Index())) if name.endswith("/METADATA")}
    assert said == {f"{name.replace('-', '_')}-{version}.dist-info/METADATA" for name, version in pinned().items()}


def test_another_version_than_this_computers_is_refused() -> None:
    with pytest.raises(FleetError, match=r"obstore .* is not to be had for cp312 on aarch64"):
        function_zip(download=Index(obstore="0.0.1"))


def test_without_boto3_here_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_package, "NEEDED", ("boto3-of-nobody",))
    with pytest.raises(FleetError, match="boto3-of-nobody is not installed") as told:
        function_zip(download=Index())
    assert "fleet[aws]" in told.value.hint


@pytest.mark.parametrize("limit", ["MOST_PACKED", "MOST_UNPACKED"])
def test_what_lambda_does_not_take_is_not_made(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_package, limit, 1000)
    with pytest.raises(FleetError, match="larger than Lambda takes"):
        function_zip(download=Index())


def test_only_wheels_for_lambdas_own_system_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> object:
        commands.append(command)
        return type("Done", (), {"returncode": 0, "stderr": ""})()

    monkeypatch.setattr("fleet.boot.dependencies.subprocess.run", run)
    pip_download(["obstore==1"], "cp312", "aarch64", tmp_path, newest=GLIBC)
    assert "manylinux_2_34_aarch64" in commands[0]
    assert "manylinux_2_35_aarch64" not in commands[0]

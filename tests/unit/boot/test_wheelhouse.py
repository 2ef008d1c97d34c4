"""The agent's archives in the bucket: what is in them, and when they are made."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fleet.boot import dependencies
from fleet.boot.dependencies import NEEDED, dependency_archives, pinned, pip_download, unpacked
from fleet.boot.packing import archive
from fleet.boot.wheelhouse import dependencies_version, ensure_wheels, own_files
from fleet.model import layout
from fleet.model.documents import WheelIndex
from fleet.model.errors import FleetError
from fleet.store.objects import Objects
from fleet.store.opening import open_objects


@pytest.fixture
def bucket() -> Objects:
    return open_objects("memory://", clock=lambda: 0.0)


class Builder:
    """Makes small archives, and counts."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, arch: str) -> Iterator[tuple[str, bytes]]:
        self.made.append(arch)
        for python in ("cp311", "cp312"):
            yield f"{python}-{arch}", archive({"needed.py": f"{python} {arch}".encode()})


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_archives_are_uploaded_once_and_found_by_their_hashes(bucket: Objects) -> None:
    build, told = Builder(), list[str]()
    index = ensure_wheels(bucket, "1.2", build=build, tell=told.append)
    assert sorted(index.archives) == ["any", "cp311-aarch64", "cp311-x86_64", "cp312-aarch64", "cp312-x86_64"]
    for found in index.archives.values():
        data = bucket.get(found.key)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (found.size, found.sha256)
    assert any(line.startswith("any: 0.") for line in told)
    told.clear()
    assert ensure_wheels(bucket, "1.2", build=build, tell=told.append) == index
    assert (build.made, told) == (["x86_64", "aarch64"], [])


def test_only_the_architectures_that_are_asked_for_are_made(bucket: Objects) -> None:
    build = Builder()
    assert "cp312-x86_64" not in ensure_wheels(bucket, "1", arches=["aarch64"], build=build).archives
    both = ensure_wheels(bucket, "1", build=build).archives
    assert {"cp312-x86_64", "cp312-aarch64", "any"} <= both.keys()
    assert build.made == ["aarch64", "x86_64"]


def test_changed_code_is_another_version_and_uploads_only_itself(bucket: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    first = ensure_wheels(bucket, "1.2", build=build)
    monkeypatch.setattr("fleet.boot.wheelhouse.own_files", lambda: {"fleet/__init__.py": b"changed"})
    second = ensure_wheels(bucket, "1.2", build=build)
    assert first.version != second.version
    assert first.version.startswith("1.2-")
    assert first.archives["any"] != second.archives["any"]
    assert first.archives["cp312-x86_64"] == second.archives["cp312-x86_64"]
    assert len(build.made) == 2


def test_the_index_comes_last(bucket: Objects) -> None:
    def breaks(arch: str) -> Iterator[tuple[str, bytes]]:
        yield f"cp312-{arch}", b"whole"
        raise FleetError("no network")

    with pytest.raises(FleetError, match="no network"):
        ensure_wheels(bucket, "1.2", build=breaks)
    keys = [entry.key for entry in bucket.list("agent/")]
    assert len(keys) == 1
    assert not keys[0].endswith("index.json")


def test_of_two_that_build_at_once_both_say_what_the_first_wrote(bucket: Objects) -> None:
    version = dependencies_version("x86_64")
    other = WheelIndex(version=version, archives={})

    def slow(arch: str) -> Iterator[tuple[str, bytes]]:
        bucket.put(layout.wheel_index(version), other.model_dump_json().encode())
        yield f"cp312-{arch}", b"mine"

    assert set(ensure_wheels(bucket, "1", arches=["x86_64"], build=slow).archives) == {"any"}


def test_fleets_own_files_are_what_a_machine_needs_and_no_more() -> None:
    files = own_files()
    assert {"fleet/agent/main.py", "fleet/agent/__main__.py", "fleet/_training.py", "fleet/store/remote.py"} <= files.keys()
    tops = {path.split("/")[1] for path in files}
    elsewhere = {"cli", "control", "providers", "boot", "report", "backtest", "_userdata", "_ami", "_examples", "api.py"}
    assert not tops & elsewhere
    assert not any("__pycache__" in path for path in files)
    assert "fleet/workloads/deepracer/drive.py" in files
    beside = ("/checking/", "/analysis/", "/export/", "/versions/", "/core/ledger")
    assert not any(name in path for path in files for name in beside)
    assert len(archive(files)) < 345_000


def test_a_machine_can_start_agent_and_driver_from_these_files_alone(tmp_path: Path) -> None:
    for path, data in own_files().items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import fleet.agent.main, fleet.workloads.__main__, "
        "fleet.workloads.deepracer.drive; print(fleet.__file__, *(n for n in ('numpy', 'typer') if n in sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-I", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == [str(tmp_path / "fleet" / "__init__.py")]


def test_nothing_that_a_machine_may_come_to_import_is_left_out() -> None:
    """Also inside functions: such an import fails in the middle of a training."""
    files = {
        path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): data for path, data in own_files().items()
    }
    reached, waiting = set[str](), ["fleet.agent.main", "fleet.workloads.__main__", "fleet.workloads.deepracer.drive"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for module, what in _imports(ast.parse(files[name])):
            assert module in files, f"{name} imports {module}"
            waiting += [module, *([f"{module}.{what}"] if f"{module}.{what}" in files else [])]
    assert "fleet.workloads.deepracer.evaluating.driver" in reached


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and (child.module or "").startswith("fleet"):
            yield from ((child.module or "", one.name) for one in child.names)
        yield from _imports(child)


def test_an_installed_wheel_and_a_checkout_give_the_same_files(tmp_path: Path) -> None:
    copy = tmp_path / "site-packages" / "fleet"
    for path, data in own_files().items():
        target = copy.parent / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    for extra in ("_userdata/bucket.py", "_ami/facts.py", "cli/main.py", "agent/__pycache__/main.cpython-312.pyc"):
        (copy / extra).parent.mkdir(parents=True, exist_ok=True)
        (copy / extra).write_bytes(b"x")
    assert own_files(copy) == own_files()


def test_equal_files_give_equal_archives_in_whatever_order() -> None:
    files = {"b/x.py": b"1", "a.py": b"2"}
    assert archive(files) == archive(dict(reversed(files.items())))
    assert _members(archive(files)) == files


MEASURE = """
import json, sys
import fleet.agent.main
fleet.agent.main.open_objects("memory://").list("")
tops = {name.split(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))
"""


def test_all_that_the_agent_imports_is_in_the_archives_and_nothing_beside_it() -> None:
    env = {**os.environ, "FLEET_MACHINE": "ec2"}
    told = subprocess.run([sys.executable, "-c", MEASURE], env=env, check=True, capture_output=True, text=True).stdout
    imported = {name for name in json.loads(told) if not name.startswith(("_", "sitecustomize"))} - {"fleet"}
    providers = importlib.metadata.packages_distributions()
    packages = {providers[name][0].lower().replace("_", "-") for name in imported}
    assert packages == set(NEEDED)


def _wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    with zipfile.ZipFile(folder / name, "w") as packed:
        for path, text in files.items():
            packed.writestr(path, text)


def test_dependencies_come_in_the_installed_versions_for_every_python() -> None:
    asked: list[tuple[tuple[str, ...], str, str]] = []

    def download(requirements: Sequence[str], python: str, arch: str, folder: Path) -> None:
        asked.append((tuple(requirements), python, arch))
        _wheel(folder, "one-1-py3-none-any.whl", {"one/__init__.py": "1", "one/__init__.pyi": "", "one/py.typed": ""})
        _wheel(folder, "two-2-cp312-none-any.whl", {f"two/core.{python}.so": arch, "two-2.dist-info/METADATA": "m"})

    made = dict(dependency_archives("aarch64", download))
    assert list(made) == ["cp310-aarch64", "cp311-aarch64", "cp312-aarch64", "cp313-aarch64"]
    members = _members(made["cp311-aarch64"])
    assert set(members) == {"one/__init__.py", "two/core.cp311.so", "two-2.dist-info/METADATA"}
    assert f"obstore=={importlib.metadata.version('obstore')}" in asked[0][0]
    assert {(python, arch) for _, python, arch in asked} == {(f"cp31{n}", "aarch64") for n in range(4)}


def test_no_wheel_writes_outside_the_archive(tmp_path: Path) -> None:
    files = {
        "../up.py": "",
        "/etc/passwd": "",
        "a/../../b.py": "",
        "x.data/scripts/run": "",
        "fine.py": "ok",
        "yaml/_yaml.so": "",
    }
    _wheel(tmp_path, "w.whl", files)
    assert unpacked((tmp_path / "w.whl").read_bytes()) == {"fine.py": b"ok"}


class Pip:
    """Stands in for the process of pip."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)
        self.calls: list[list[str]] = []

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.calls.append(command)
        refusal = self.refusals.pop(0) if self.refusals else ""
        return subprocess.CompletedProcess(command, 1 if refusal else 0, "", refusal)


def _pip(monkeypatch: pytest.MonkeyPatch, *refusals: str) -> Pip:
    pip = Pip(*refusals)
    monkeypatch.setattr(dependencies.subprocess, "run", pip.run)  # type: ignore[attr-defined]
    return pip


def test_pip_is_asked_for_linux_wheels_of_another_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip = _pip(monkeypatch)
    pip_download(["obstore==1.0"], "cp310", "aarch64", tmp_path)
    words = " ".join(pip.calls[0])
    for part in (
        "--only-binary=:all:",
        "--python-version 3.10",
        "--platform manylinux_2_28_aarch64",
        "--no-deps",
        "obstore==1.0",
    ):
        assert part in words
    assert "manylinux_2_36" not in words  # Ubuntu 22.04 could not load it


def test_where_a_version_has_no_wheel_the_newest_before_it_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pip = _pip(monkeypatch, "ERROR: No matching distribution found for obstore==0.12.1")
    pip_download(["obstore==0.12.1", "pydantic==2.9", "pydantic-core==2.23"], "cp310", "x86_64", tmp_path)
    assert pip.calls[1][-2:] == ["obstore<=0.12.1", "pydantic<=2.9"]
    assert "--no-deps" not in pip.calls[1]  # what goes together is pip's to find


@pytest.mark.parametrize(
    ("refusal", "what", "todo"),
    [
        ("/usr/bin/python3: No module named pip\n", "No module named pip", "ensurepip"),
        (
            "WARNING: Retrying after connection broken\nERROR: Could not connect to pypi.org\n",
            "Could not connect to pypi",
            "PyPI",
        ),
    ],
)
def test_a_pip_that_cannot_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refusal: str, what: str, todo: str
) -> None:
    _pip(monkeypatch, refusal)
    with pytest.raises(FleetError, match=f"cp312 on x86_64: .*{what}") as told:
        pip_download(["obstore==1"], "cp312", "x86_64", tmp_path)
    assert todo in told.value.hint


def test_older_pydantics_need_fewer_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name in missing:
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(dependencies.importlib.metadata, "version", version)  # type: ignore[attr-defined]
    missing = {"typing-inspection"}
    assert set(pinned()) == set(NEEDED) - missing
    missing = {"obstore"}
    with pytest.raises(FleetError, match="obstore"):
        pinned()

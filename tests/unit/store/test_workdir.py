"""Packing a workdir: the same folder gives the same bytes, and nothing leaves that must not."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from fleet.model.errors import JobError
from fleet.store import workdir
from fleet.store.workdir import pack_workdir, read_job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    (made / "src").mkdir(parents=True)
    (made / "train.py").write_text("print()")
    (made / "src" / "ü b.txt").write_text("x")
    (made / "run.sh").write_text("#!/bin/sh")
    (made / "run.sh").chmod(0o755)
    return made


def packed(folder: Path, into: Path) -> tuple[list[str], str]:
    done = pack_workdir(folder, into)
    with tarfile.open(into) as tar:
        return sorted(tar.getnames()), done.sha256


def test_the_same_content_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    names, first = packed(folder, tmp_path / "a.tar")
    assert names == ["run.sh", "src/ü b.txt", "train.py"]
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    assert packed(folder, tmp_path / "b.tar")[1] == first
    (folder / "train.py").write_text("print(1)")
    assert packed(folder, tmp_path / "c.tar")[1] != first


def test_what_is_ignored_stays_at_home(folder: Path, tmp_path: Path) -> None:
    (folder / ".gitignore").write_text("*.log\n/data/\n!keep.log\n")
    (folder / ".fleetignore").write_text("notes\n")
    for name in ("a.log", "keep.log", "notes", "src/b.log", "data/x", "src/data/y", ".git/HEAD", "src/__pycache__/z.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "src" / ".gitignore").write_text("local.txt\n")
    (folder / "src" / "local.txt").write_text("x")
    (folder / "local.txt").write_text("x")
    names, _ = packed(folder, tmp_path / "a.tar")
    assert names == [
        ".fleetignore", ".gitignore", "keep.log", "local.txt", "run.sh",
        "src/.gitignore", "src/data/y", "src/ü b.txt", "train.py",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [".env", ".env.production", "src/.env"])
def test_secrets_are_refused_unless_they_are_ignored(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_text("TOKEN=1")
    with pytest.raises(JobError, match=r"(?s)\.env.*\.fleetignore"):
        pack_workdir(folder, tmp_path / "a.tar")
    (folder / ".fleetignore").write_text(".env*\n")
    assert name not in packed(folder, tmp_path / "b.tar")[0]


def test_links_out_of_the_folder_and_links_to_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "inside").symlink_to("train.py")
    assert "inside" in packed(folder, tmp_path / "a.tar")[0]
    (folder / "out").symlink_to("/etc/passwd")
    with pytest.raises(JobError, match="links out"):
        pack_workdir(folder, tmp_path / "b.tar")
    (folder / "out").unlink()
    (folder / "folder").symlink_to("src")
    with pytest.raises(JobError, match="links to a folder"):
        pack_workdir(folder, tmp_path / "c.tar")


def test_a_folder_that_is_too_large_is_refused_before_it_is_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workdir, "MOST_BYTES", 1000)
    with (folder / "data.bin").open("wb") as file:
        file.truncate(10**12)  # a hole: reading it would take for ever
    with pytest.raises(JobError, match="more than"):
        pack_workdir(folder, tmp_path / "a.tar")


def test_a_job_is_found_in_its_folder_and_its_workdir_beside_it(folder: Path) -> None:
    (folder / "fleet.yaml").write_text("name: a\nrun: b\nworkdir: src\n")
    job, where = read_job(folder)
    assert (job.workdir, where) == ("src", folder)
    (folder / "fleet.yaml").write_text("name: a\nrun: b\nworkdir: nowhere\n")
    with pytest.raises(JobError, match="there is no folder"):
        read_job(folder)
    with pytest.raises(JobError, match="there is no job file"):
        read_job(folder / "other.yaml")
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JobError, match="not text"):
        read_job(folder / "binary")


def test_a_stacks_file_is_packed_and_names_its_training(folder: Path) -> None:
    (folder / "fleet.yaml").write_text("name: mine\nworkdir: .\nstack: ./compose.yaml\n")
    (folder / "compose.yaml").write_text("services: {a: {image: x}}")
    assert read_job(folder)[0].stack == "./compose.yaml"


@pytest.mark.parametrize(
    ("compose", "ignored", "told"),
    [
        (None, "", "fleet.yaml:3:8: stack: there is no file"),
        ("services: {a: {}}", "*.yaml", "fleet.yaml:3:8: stack: compose.yaml is not packed"),
        ("services: {a: {}, b: {}}", "", "compose.yaml:1: the end of which service"),
    ],
)
def test_a_stack_that_could_not_start_is_refused_with_its_place(
    folder: Path, compose: str | None, ignored: str, told: str
) -> None:
    (folder / "fleet.yaml").write_text("name: mine\nworkdir: .\nstack: compose.yaml\n")
    (folder / ".fleetignore").write_text(ignored)
    if compose is not None:
        (folder / "compose.yaml").write_text(compose)
    with pytest.raises(JobError) as error:
        read_job(folder)
    assert told in error.value.message


def test_a_stacks_file_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "fleet.yaml").write_text("name: mine\nworkdir: .\nstack: compose.yaml\n")
    (folder / "compose.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JobError, match="not text"):
        read_job(folder)

"""Reading a job file, and packing its workdir: the same folder gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.model.errors import JobError
from fleet.model.job import Job
from fleet.model.jobfile import parse_job, place
from fleet.model.stackfile import main_service
from fleet.model.yamlfile import MOST_BYTES as MOST_JOB_BYTES

JOB_FILE = "fleet.yaml"
IGNORE_FILES = (".gitignore", ".fleetignore")
ALWAYS_IGNORED = (".git/", "__pycache__/", "*.pyc", ".venv/", ".DS_Store")
MOST_BYTES = 500_000_000
ONE_FILE = "file"
_Rules = list[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed workdir."""

    sha256: str
    path: Path
    files: int
    bytes: int


Where = Callable[..., str]
"""From the path of a field to the place where it stands: ``file:line:column``."""


def read_job(path: Path, also: Callable[[Job, Path, Where], None] = lambda _job, _folder, _where: None) -> tuple[Job, Path]:
    """The job of a file, or of the fleet.yaml in a folder, and the folder that its paths are relative to.

    ``also`` looks at the job, too. Raises JobError that says where it is wrong and what to do.
    """
    file = path / JOB_FILE if path.is_dir() else path
    try:
        with file.open("rb") as source:
            data = source.read(MOST_JOB_BYTES + 1)  # no more: somebody may name a disk image
        if len(data) > MOST_JOB_BYTES:
            raise JobError(f"{file} has more than {MOST_JOB_BYTES:,} bytes: that is no job file", "Name the right file.")
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise JobError(f"there is no job file {file}", "Name one, or a folder that holds fleet.yaml.") from None
    except UnicodeDecodeError:
        raise JobError(f"{file} is not text", "Name the right file.") from None
    except OSError as error:
        raise JobError(f"{file} cannot be read: {error.strerror or error}") from None
    job = parse_job(text, str(file))
    folder = file.absolute().parent
    if job.workdir is not None and not (folder / job.workdir).is_dir():
        raise JobError(f"{file}: workdir: there is no folder {folder / job.workdir}", "It is relative to the job file.")
    _check_mounts(file, folder, job)
    check_stack(job, folder, place(text, str(file), "stack"))
    also(job, folder, lambda *field: place(text, str(file), *field))
    return job, folder


def check_stack(job: Job, folder: Path, where: str) -> None:
    """A stack's compose file is packed with the workdir, and says which of its services trains.

    Raises JobError; ``where`` is the place of the field ``stack``.
    """
    if job.stack is None or job.workdir is None:
        return
    workdir = folder / job.workdir
    path, name = workdir / job.stack, posixpath.normpath(job.stack)
    if not path.is_file():
        raise JobError(f"{where}: stack: there is no file {path}", "It is relative to the workdir.")
    if all(packed != name for packed, _ in _walk(workdir, workdir, [])):
        raise JobError(
            f"{where}: stack: {job.stack} is not packed with the workdir", "Take it out of .gitignore or .fleetignore."
        )
    try:
        main_service(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise JobError(f"{where}: stack: {path} is not text", "Name a compose file.") from None


def pack_workdir(folder: Path, into: Path) -> Packed:
    """Pack a folder into a tar that depends on nothing but names, contents and which files are executable.

    Raises JobError for what must not leave the computer (.env files, links out of the folder) and for more than 500 MB.
    """
    digest, total, files = hashlib.sha256(), 0, 0
    with into.open("wb") as target, tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in sorted(_walk(folder, folder, [])):
            total += path.stat().st_size
            files += 1
            if total > MOST_BYTES:
                raise JobError(
                    f"{folder} holds more than {MOST_BYTES // 1_000_000} MB",
                    "List what training does not need in .fleetignore; large data belongs into a bucket.",
                )
            _add(tar, name, path)
    with into.open("rb") as packed:
        while block := packed.read(1 << 20):
            digest.update(block)
    return Packed(digest.hexdigest(), into, files, total)


def workdir_names(folder: Path) -> frozenset[str]:
    """The names of everything that packing a folder would take. Raises JobError as ``pack_workdir`` does."""
    return frozenset(name for name, _ in _walk(folder, folder, []))


def pack_path(path: Path, into: Path) -> Packed:
    """``pack_workdir`` for a folder; for a file an archive that holds only it, under the name ``file``."""
    if path.is_dir():
        return pack_workdir(path, into)
    if path.stat().st_size > MOST_BYTES:
        raise JobError(f"{path} has more than {MOST_BYTES // 1_000_000} MB", "Large data belongs into a bucket.")
    with tarfile.open(into, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, ONE_FILE, path)
    return Packed(hashlib.sha256(into.read_bytes()).hexdigest(), into, 1, path.stat().st_size)


def source_path(folder: Path, source: str) -> Path:
    """Where a source of ``file_mounts`` lies: relative to the job file, absolute, or below the home."""
    try:
        return folder / Path(source).expanduser()
    except RuntimeError:
        raise JobError(f"file_mounts: {source}: nobody's home folder is known here", "Write the whole path.") from None


def _check_mounts(file: Path, folder: Path, job: Job) -> None:
    for where, source in job.file_mounts.items():
        path = source_path(folder, source)
        if not path.exists():
            raise JobError(f"{file}: file_mounts: {where}: there is no {path}", "Sources are relative to the job file.")
        if path.name == ".env" or path.name.startswith(".env."):
            raise JobError(f"{file}: file_mounts: {path} would be packed and stored", "Name its variables under `secrets`.")


def _walk(root: Path, folder: Path, rules: _Rules) -> Iterator[tuple[str, Path]]:
    rules = [*rules, *_own_rules(root, folder)]
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        is_folder = entry.is_dir(follow_symlinks=False)
        if _ignored(name + "/" if is_folder else name, rules):
            continue
        if is_folder:
            yield from _walk(root, path, rules)
            continue
        if entry.name == ".env" or entry.name.startswith(".env."):
            raise JobError(
                f"{path} would be packed and stored", "Secrets do not belong there: list it in .fleetignore, or move it."
            )
        if entry.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            raise JobError(f"{path} links out of the workdir", "Replace the link by what it links to.")
        if entry.is_symlink() and path.is_dir():
            raise JobError(f"{path} links to a folder, which would not be packed", "Replace the link by a copy.")
        if entry.is_file():
            yield name, path


def _own_rules(root: Path, folder: Path) -> _Rules:
    """The folder's own ignore rules, with the prefix below which they hold."""
    prefix = "" if folder == root else folder.relative_to(root).as_posix() + "/"
    lines = list(ALWAYS_IGNORED) if folder == root else []
    for name in IGNORE_FILES:
        if (folder / name).is_file():
            lines += (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines:
        return []
    import pathspec

    return [(prefix, pathspec.GitIgnoreSpec.from_lines(lines))]


def _ignored(name: str, rules: _Rules) -> bool:
    return any(spec.match_file(name.removeprefix(prefix)) for prefix, spec in rules if name.startswith(prefix))


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    data = path.read_bytes()
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
    tar.addfile(info, io.BytesIO(data))

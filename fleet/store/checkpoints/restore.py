"""Bringing a checkpoint back: every byte verified, and only then put in place."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Literal

from fleet.model import layout
from fleet.model.documents import FileEntry, Manifest, Skipped
from fleet.model.errors import CheckpointError, NotFoundError
from fleet.store.fileio import sha256_of, sync_file_system
from fleet.store.objects import Objects
from fleet.store.parallel import each

MANY = 64
"""More files than these are not synced one by one."""
LONGEST_NAME, LONGEST_PATH = 255, 2000
"""Bytes: no file system takes longer names, and none shorter paths together with the folder's own."""
LARGE = 8 << 20
"""Bytes of a file that is worth syncing as soon as it is there."""
_RESTORING, _REPLACED = "restoring", "replaced"
"""Folders beside the one that is restored, for as long as that takes: what comes, and what was there."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back, and from where."""

    manifest: Manifest | None
    source: Literal["volume", "bucket", "nothing"]
    skipped: tuple[Skipped, ...] = ()
    bytes_downloaded: int = 0


def fetch(objects: Objects, manifest: Manifest, into: Path, have: Path | None, workers: int) -> int:
    """Make the folder ``into`` hold exactly the manifest's files; bytes downloaded.

    Files in ``have`` that are the right ones are taken from there. Nothing half restored is ever visible under the name.
    Raises CheckpointError if the checkpoint is broken, StoreError if the bucket cannot be asked.
    """
    if have == into and _is_exactly(manifest, into, workers):
        return 0
    fresh = into.with_name(f".{into.name}.{_RESTORING}-{secrets.token_hex(4)}")
    try:
        fresh.mkdir(parents=True)
        sizes = each(lambda alike: _bring_all(objects, alike, fresh, have), _by_content(manifest.files), workers)
        _make_durable(fresh, manifest.files)
        _swap(fresh, into)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return sum(sizes)


def clear_away(into: Path) -> None:
    """Remove what a restore into this folder left beside it when it was killed: nobody else ever would."""
    for kind in (_RESTORING, _REPLACED):
        for left in into.parent.glob(f".{escape(into.name)}.{kind}-*"):
            shutil.rmtree(left, ignore_errors=True)


def _by_content(files: Iterable[FileEntry]) -> list[list[FileEntry]]:
    """Files that lie in the bucket once, together: a set may have the same under several names."""
    found: dict[tuple[str, int, str], list[FileEntry]] = {}
    for entry in files:
        found.setdefault((entry.key, entry.size, entry.sha256), []).append(entry)
    return list(found.values())


def _bring_all(objects: Objects, alike: Sequence[FileEntry], fresh: Path, have: Path | None) -> int:
    first, *others = alike
    fetched = _bring(objects, first, fresh, have)
    for entry in others:
        target = _inside(fresh, entry.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(_inside(fresh, first.path), target)  # no link: a training may write into one of them
    return fetched


def _bring(objects: Objects, entry: FileEntry, fresh: Path, have: Path | None) -> int:
    target = _inside(fresh, entry.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    near = _inside(have, entry.path) if have is not None else None
    if near is not None and _is_same(near, entry):
        shutil.copy2(near, target)
        return 0
    try:
        sha256 = objects.download(entry.key, target) or sha256_of(target)
    except NotFoundError:
        raise CheckpointError(f"{entry.path} is missing in the bucket") from None
    if sha256 != entry.sha256 or target.stat().st_size != entry.size:
        raise CheckpointError(f"{entry.path} does not match its hash")
    if entry.size >= LARGE:
        _sync_file(target)  # while others are still on their way
    return entry.size


def _make_durable(folder: Path, files: tuple[FileEntry, ...]) -> None:
    """Everything on disk before it is put in place: a power cut must not leave files that look whole.

    Where there are many files one call for the whole file system is far quicker than one for each.
    """
    if len(files) > MANY and sync_file_system(folder):
        return
    for entry in files:
        _sync_file(_inside(folder, entry.path))
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        _sync_file(path)


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _inside(folder: Path, path: str) -> Path:
    """A manifest comes from outside: its paths must stay in the folder."""
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise CheckpointError(f"{path!r} leaves the checkpoint folder")
    return folder.joinpath(*parts)


def manifest_problem(manifest: Manifest) -> str | None:
    """What no commit writes and nothing may follow: paths out of the folder or in each other's way, another run's bytes."""
    own = f"{layout.run(manifest.run_id)}checkpoints/"
    paths = {entry.path for entry in manifest.files}
    if len(paths) < len(manifest.files):
        return "it names a file twice"
    for entry in manifest.files:
        parts, key = entry.path.split("/"), entry.key.split("/")
        if not _are_names(parts) or len(entry.path.encode()) > LONGEST_PATH:
            return f"{entry.path[:200]!r} leaves the checkpoint folder, or is no path"
        if any("/".join(parts[:count]) in paths for count in range(1, len(parts))):
            return f"{entry.path[:200]!r} lies within a file"
        if not (entry.key.startswith(own) and "files" in key and _are_names(key)):
            return f"{entry.path[:200]!r} does not lie among this run's checkpoints ({entry.key[:200]!r})"
    return None


def _are_names(parts: list[str]) -> bool:
    return all(part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= LONGEST_NAME for part in parts)


def _is_same(path: Path, entry: FileEntry) -> bool:
    try:
        return path.is_file() and path.stat().st_size == entry.size and sha256_of(path) == entry.sha256
    except OSError:
        return False


def _is_exactly(manifest: Manifest, folder: Path, workers: int) -> bool:
    """The folder holds these files, byte for byte, and no others that training could take for a checkpoint."""
    wanted = {entry.path for entry in manifest.files}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if present != wanted:
        return False
    return all(each(lambda entry: _is_same(_inside(folder, entry.path), entry), manifest.files, workers))


def _swap(fresh: Path, into: Path) -> None:
    """Put the new folder in place of the old by renames: at any moment there is the old one, none, or the new one."""
    old = into.with_name(f".{into.name}.{_REPLACED}-{secrets.token_hex(4)}")
    into.parent.mkdir(parents=True, exist_ok=True)
    if into.exists():
        into.rename(old)
    fresh.rename(into)
    shutil.rmtree(old, ignore_errors=True)


def shallow_problem(objects: Objects, manifest: Manifest) -> str | None:
    """What is wrong with a checkpoint as far as listings tell: a missing file, a wrong size. Raises StoreError."""
    sizes: dict[str, int] = {}
    for prefix in {entry.key.rpartition("/files/")[0] + "/files/" for entry in manifest.files}:
        sizes |= {info.key: info.size for info in objects.list(prefix)}
    for entry in manifest.files:
        if entry.key not in sizes:
            return f"{entry.path} is missing in the bucket"
        if sizes[entry.key] != entry.size:
            return f"{entry.path} has {sizes[entry.key]} bytes, not {entry.size}"
    return None if manifest.files else "it has no files"

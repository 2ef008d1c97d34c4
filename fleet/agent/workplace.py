"""Where training runs: the unpacked workdir, its environment, and what it leaves for its user."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from fleet.agent.disk import Disk
from fleet.engine import ENGINE_NOTE
from fleet.model import layout
from fleet.model.documents import BootDocument
from fleet.model.errors import CheckpointError, FleetError
from fleet.model.stackfile import project_name
from fleet.store.objects import Objects
from fleet.workloads.stack import OVERRIDE, StackSpec
from fleet.workloads.stack import environment as compose_environment


def unpack(objects: Objects, boot: BootDocument, scratch: Path, root: Path) -> Path:
    """The job's workdir on the instance's own disk, made anew, with what ``file_mounts`` puts beside it or into it.

    Absolute destinations begin at ``root``. Raises FleetError if an archive is not what it should be.
    """
    folder = scratch / "workdir"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if boot.workdir_key is not None:
        _unpack_archive(objects, boot.workdir_key, folder, scratch)
    for where, mount in boot.mounts.items():
        target = root / where.lstrip("/") if where.startswith("/") else folder / where
        fresh = scratch / ".mount"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        _unpack_archive(objects, mount.key, fresh, scratch)
        target.parent.mkdir(parents=True, exist_ok=True)
        if mount.is_file:
            shutil.move(fresh / "file", target)  # it may lie on another disk
        else:
            shutil.copytree(fresh, target, dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _unpack_archive(objects: Objects, key: str, folder: Path, scratch: Path) -> None:
    archive = scratch / "archive.tar"
    objects.download(key, archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if layout.job_archive(digest) != key:
        raise FleetError(f"{key} does not hold what its name says", "Start the run again: `fleet up`.")
    with tarfile.open(archive) as tar:
        _extract(tar, folder)
    archive.unlink()


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Regular files, folders and links that stay inside; nothing else comes out of an archive."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    for member in tar.getmembers():
        inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
        linked = (folder / member.name).parent / member.linkname if member.issym() else folder
        if not inside or not linked.resolve().is_relative_to(folder.resolve()):
            raise CheckpointError(f"{member.name} leaves the workdir")
        if member.isfile() or member.isdir() or member.issym():
            tar.extract(member, folder)


def environment(boot: BootDocument, disk: Disk, scratch: Path, root: Path) -> dict[str, str]:
    """What ``setup`` and ``run`` find in their environment, documented in docs/job-file.md."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FLEET_") or key in _MARKS}
    return {
        **inherited,
        "PYTHONUNBUFFERED": "1",
        **boot.job.envs,
        "FLEET_RUN": boot.run_name,
        "FLEET_RUN_ID": boot.run_id,
        "FLEET_TASK_ID": boot.run_id,
        "FLEET_ATTEMPT": str(boot.attempt),
        "FLEET_NODE_RANK": "0",
        "FLEET_NODE_COUNT": "1",
        "FLEET_NODE_IPS": "127.0.0.1",
        "FLEET_ROOT": str(root),
        "FLEET_VOLUME": str(disk.root),
        "FLEET_CHECKPOINTS": str(disk.checkpoints),
        "FLEET_SAVE_REQUEST": str(save_request(scratch)),
    }


_MARKS = frozenset({"FLEET_INSTANCE_ID"})
"""``local`` knows a machine's processes by it."""


def save_request(scratch: Path) -> Path:
    """The file whose text changes when a checkpoint is wished for."""
    return scratch / "save-request"


def stack(
    boot: BootDocument, instance_id: str, scratch: Path, workdir: Path, env: Mapping[str, str]
) -> tuple[StackSpec, dict[str, str]]:
    """The attempt's stack, and what compose runs with; a bare ``docker compose`` in that environment means this stack.

    The wish for a checkpoint needs its file, to be mounted.
    """
    assert boot.job.stack is not None
    wish = save_request(scratch)
    wish.touch()
    own = (*boot.job.envs, *boot.job.secrets)
    spec = StackSpec(
        file=workdir / boot.job.stack,
        folder=workdir,
        project=project_name(boot.run_id, boot.attempt),
        own=(scratch / ENGINE_NOTE).parent,
        labels={"fleet.run": boot.run_id, "fleet.attempt": str(boot.attempt), "fleet.instance": instance_id},
        names=own,
        mounts=(env["FLEET_VOLUME"], str(wish)),
    )
    files = os.pathsep.join((str(spec.file), str(spec.own / OVERRIDE)))
    names = {"COMPOSE_PROJECT_NAME": spec.project, "COMPOSE_FILE": files}
    return spec, {**compose_environment(env, own, os.getuid(), os.getgid()), **names}


def mount(disk: Disk, root: Path, where: str) -> None:
    """Show the disk under the job's mount point, unless it is mounted there."""
    link = root / where.strip("/")
    if link == disk.root:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    with contextlib.suppress(OSError):
        link.rmdir()  # made for a volume that did not come; anything but an empty folder stays
    if not link.exists():
        link.symlink_to(disk.root)


def export(objects: Objects, boot: BootDocument, workdir: Path, disk: Disk) -> list[str]:
    """Copy the outputs to models/<run>/, by their own names; a pattern that matches nothing is returned."""
    missing = []
    for pattern in boot.job.outputs:
        found = _matches(workdir, pattern) or _matches(disk.root, pattern)
        for name, path in found.items():
            objects.upload(layout.models(boot.run_name) + name, path)
        if not found:
            missing.append(pattern)
    return missing


def keep_outputs(_objects: Objects, boot: BootDocument, workdir: Path, disk: Disk) -> list[str]:
    """Copy the outputs of a workdir that ends with its machine to ``outputs/`` on the volume."""
    for pattern in boot.job.outputs:
        for name, path in _matches(workdir, pattern).items():
            target = disk.root / "outputs" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return []


def _matches(root: Path, pattern: str) -> Mapping[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(root.glob(pattern)):
        inner = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        found |= {p.relative_to(root).as_posix(): p for p in inner}
    return found

"""A folder that appears under its name whole, or not at all, however the program that makes it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from fleet.model.errors import FleetError
from fleet.store.fileio import sync_folder

MAKING = ".making-"
"""Begins the names of folders that are being made; what a death left of them goes when the same is made again."""


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``target`` if the body does not raise, and is gone if it does.

    Raises FleetError if there is something at ``target``: it is left as it is.
    """
    _must_be_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    making = target.parent / f"{MAKING}{target.name}-{secrets.token_hex(4)}"
    with _locked(target.parent, wait=True):
        _clear_away(target)
        making.mkdir()
        held = _hold(making)  # until then nobody else may look for what nobody holds
    try:
        yield making
        _sync(making)
        _must_be_free(target)
        making.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    finally:
        os.close(held)


def _must_be_free(target: Path) -> None:
    if target.is_symlink() or target.exists():
        raise FleetError(f"{target} is there already", "Nothing was changed. Take another name, or move it away.")


def _clear_away(target: Path) -> None:
    """What was being made under this name, and is held by nobody any more."""
    for path in target.parent.iterdir():
        name, dash, token = path.name.rpartition("-")
        if dash and name == f"{MAKING}{target.name}" and len(token) == 8 and path.is_dir() and not path.is_symlink():
            with _locked(path, wait=False) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)


def _hold(folder: Path) -> int:
    """Locked as long as the descriptor is open: the system closes it, however a program ends."""
    fd = os.open(folder, os.O_RDONLY)
    with contextlib.suppress(OSError):  # a file system without locks: then a death's rest may be cleared away too early
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Whether nobody else holds it, and it is held for the body."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield True
    except OSError:
        yield False
    finally:
        os.close(fd)


def _sync(folder: Path) -> None:
    """To the disk, files before the names of their folders."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)

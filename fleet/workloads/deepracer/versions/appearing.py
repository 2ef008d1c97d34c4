"""A folder that appears under its name whole, or not at all, however the program that makes it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from fleet.model.errors import FleetError
from fleet.store.fileio import sync_folder, sync_tree

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
    with _one_at_a_time(target.parent):
        _clear_away(target)
        making.mkdir()
        held = _hold(making)
    try:
        yield making
        sync_tree(making)
        _must_be_free(target)
        _rename(making, target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    finally:
        os.close(held)


def _must_be_free(target: Path) -> None:
    if target.is_symlink() or target.exists():
        raise FleetError(f"{target} is there already", "Nothing was changed. Take another name, or move it away.")


def _rename(making: Path, target: Path) -> None:
    try:
        making.rename(target)
    except OSError as error:  # somebody else's appeared since the look
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            _must_be_free(target)
        raise


def _clear_away(target: Path) -> None:
    """What was being made under this name, and is held by nobody any more."""
    for path in target.parent.iterdir():
        name, dash, token = path.name.rpartition("-")
        if dash and name == f"{MAKING}{target.name}" and len(token) == 8 and path.is_dir() and not path.is_symlink():
            fd = os.open(path, os.O_RDONLY)
            try:
                if _lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(fd)


def _hold(folder: Path) -> int:
    """Locked as long as the descriptor is open: the system closes it, however a program ends."""
    fd = os.open(folder, os.O_RDONLY)
    _lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


@contextlib.contextmanager
def _one_at_a_time(parent: Path) -> Iterator[None]:
    """Between a folder's making and its being held nobody else looks for what nobody holds."""
    fd = os.open(parent, os.O_RDONLY)
    try:
        _lock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, how: int) -> bool:
    """False: somebody else holds it, or its file system has no locks; then what a death left is left."""
    try:
        fcntl.flock(fd, how)
        return True
    except OSError:
        return False

"""File operations as numbered effects: what an agent does to its disks, one system call at a time.

While ``numbered`` holds, the functions that change files are replaced by ones that tell somebody first. They tell of calls
that would change something only: a folder that exists is not made, a file that is absent is not removed. A write can be cut
in the middle; nothing else has one.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import pathlib
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

ROLES = (
    ("/bucket/journal", "journal"),
    ("/bucket/snapshots", "snapshot"),
    ("/bucket/heartbeats", "heartbeat"),
    ("/bucket/jobs", "job"),
    ("/bucket/models", "model"),
    ("/bucket/runs", "run"),
    ("/local/", "cloud"),
    (".restoring-", "restored"),
    (".replaced-", "replaced"),
    ("/staging", "staging"),
    ("/aside-", "aside"),
    ("volume.json", "signature"),
    ("left.json", "leaving"),
    ("progress.json", "progress"),
    ("saved.json", "saved"),
    ("training.log", "log"),
    ("archive.tar", "archive"),
    (".mount", "mount"),
    ("/workdir", "workdir"),
    ("save-request", "wish"),
    ("/outputs", "outputs"),
    ("/checkpoints", "checkpoint folder"),
)


def role_of(path: object) -> str:
    """What a path is to the agent."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    return next((role for part, role in ROLES if part in str(text)), "folder")


class Watcher(Protocol):
    """Is told of every change of a file."""

    folder: Path
    """Everything of the world's lies below it. What lies elsewhere is not its business: garbage that other tests left is
    collected, folders and all, whenever the interpreter likes."""

    def around_file(self, what: str, do: Callable[[], Any], middle: Callable[[], Any] | None = None) -> Any:
        """Do it, or not, or half of it. Raises Killed."""
        ...


class Written:
    """A file that is being written, each write of which is an effect."""

    def __init__(self, file: Any, watcher: Watcher, role: str) -> None:
        self._file, self._watcher, self._role = file, watcher, role

    def write(self, data: Any) -> Any:
        def half() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        middle = half if len(data) > 1 else None
        return self._watcher.around_file(f"file: write {self._role}", lambda: self._file.write(data), middle)

    def __enter__(self) -> Written:  # noqa: PYI034 - stands in for a file
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _foreign(path: object, watcher: Watcher) -> bool:
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    return os.path.isabs(text) and not str(text).startswith(str(watcher.folder))  # noqa: PTH117 - any path-like


def _opened(real: Callable[..., Any], watcher: Watcher) -> Callable[..., Any]:
    def open_(file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+") or _foreign(file, watcher):
            return real(file, mode, *more, **named)
        role = role_of(file)
        if "a" in mode and os.path.exists(file):  # noqa: PTH110 - it may be any path-like
            made = real(file, mode, *more, **named)
        else:
            made = _closed_if_killed(watcher, f"file: open {role}", lambda: real(file, mode, *more, **named))
        return Written(made, watcher, role)

    return open_


def _closed_if_killed(watcher: Watcher, what: str, do: Callable[[], Any]) -> Any:
    made: list[Any] = []

    def opened() -> Any:
        made.append(do())
        return made[0]

    try:
        return watcher.around_file(what, opened)
    except BaseException:
        for file in made:
            file.close()
        raise


def _two(verb: str, real: Callable[..., Any], watcher: Watcher) -> Callable[..., Any]:
    """A call with a source and a target."""

    def call(source: Any, target: Any, *more: Any, **named: Any) -> Any:
        if _foreign(target, watcher):
            return real(source, target, *more, **named)
        role = role_of(target) if role_of(target) != "folder" else role_of(source)
        return watcher.around_file(f"file: {verb} {role}", lambda: real(source, target, *more, **named))

    return call


class _Trees:
    """Which trees are being removed: their files are removed by names that say nothing."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self.real, self.roles = real, [""]

    def __call__(self, path: Any, *more: Any, **named: Any) -> None:
        self.roles.append(role_of(path))
        try:
            self.real(path, *more, **named)
        finally:
            self.roles.pop()


def _one(
    verb: str, real: Callable[..., Any], watcher: Watcher, trees: _Trees, *, absent: bool = False
) -> Callable[..., Any]:
    """A call with one path, which has an effect only where the path is there (or, ``absent``, is not)."""

    def call(path: Any, *more: Any, **named: Any) -> Any:
        if _foreign(path, watcher):
            return real(path, *more, **named)
        at = named.get("dir_fd")
        try:
            os.stat(path, dir_fd=at, follow_symlinks=False)
            there = True
        except (OSError, TypeError):
            there = isinstance(path, int)
        if there is absent:
            return real(path, *more, **named)
        role = trees.roles[-1] or role_of(path)
        return watcher.around_file(f"file: {verb} {role}", lambda: real(path, *more, **named))

    return call


def _descriptors(watcher: Watcher) -> dict[str, Callable[..., Any]]:
    """Calls that open, and those that know a file by its number."""
    open_, write, fsync = os.open, os.write, os.fsync

    def opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if not flags & os.O_CREAT or "dir_fd" in named or _foreign(path, watcher):
            return open_(path, flags, *more, **named)
        found = watcher.around_file(f"file: open {role_of(path)}", lambda: open_(path, flags, *more, **named))
        return int(found)

    def written(fd: int, data: Any) -> int:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return write(fd, data)
        view = memoryview(data)
        middle = (lambda: write(fd, view[: len(view) // 2])) if len(view) > 1 else None
        return int(watcher.around_file("file: write", lambda: write(fd, data), middle))

    return {
        "open": opened,
        "write": written,
        "fsync": lambda fd: watcher.around_file("file: fsync", lambda: fsync(fd)),
    }


@contextlib.contextmanager
def numbered(watcher: Watcher) -> Iterator[None]:
    """Everybody's changes of files are told to ``watcher``, which knows whose count."""
    with contextlib.ExitStack() as stack:
        for where, name, value in _replaced(watcher):
            stack.callback(setattr, where, name, getattr(where, name))
            setattr(where, name, value)
        yield


def _replaced(watcher: Watcher) -> list[tuple[Any, str, Any]]:
    """What stands where, while effects are numbered."""
    trees = _Trees(shutil.rmtree)
    calls: dict[str, Callable[..., Any]] = {
        "mkdir": _one("make", os.mkdir, watcher, trees, absent=True),
        "unlink": _one("unlink", os.unlink, watcher, trees),
        "remove": _one("unlink", os.remove, watcher, trees),
        "rmdir": _one("rmdir", os.rmdir, watcher, trees),
        "rename": _two("rename", os.rename, watcher),
        "replace": _two("rename", os.replace, watcher),
        "link": _two("link", os.link, watcher),
        "symlink": _two("symlink", os.symlink, watcher),
        **_descriptors(watcher),
    }
    opening = _opened(io.open, watcher)
    accessor = getattr(pathlib, "_normal_accessor", None)  # Python 3.10: its own references
    return [
        *((os, name, call) for name, call in calls.items()),
        *((accessor, name, call) for name, call in calls.items() if name != "open" and hasattr(accessor, name)),
        *([(accessor, "open", opening)] if accessor is not None else []),
        (shutil, "rmtree", trees),
        (shutil, "_USE_CP_SENDFILE", False),  # copies are writes
        (io, "open", opening),
        (builtins, "open", opening),
        (tarfile, "bltn_open", opening),
    ]


def leftovers(volume: Path) -> list[str]:
    """Temporary files and folders that a death left on a volume, under names that the next life would not take again."""
    fleet = volume / ".fleet"
    found = [p for p in volume.glob(".*") if p.name != ".fleet"]
    found += [p for p in (*fleet.glob(".*"), *fleet.glob("staging/*")) if not p.name.endswith(".json.tmp")]
    return sorted(p.relative_to(volume).as_posix() for p in found)

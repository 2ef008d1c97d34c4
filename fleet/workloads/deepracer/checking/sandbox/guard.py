"""An audit hook: Python asks it before files, sockets, processes; once added it cannot be removed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Literal

Kind = Literal["reads-files", "writes-files", "network", "processes"]
Report = Callable[[Kind, str, "int | None"], None]
_NETWORK = (
    "socket.",
    "urllib.",
    "http.",
    "ftplib.",
    "smtplib.",
    "poplib.",
    "imaplib.",
    "nntplib.",
    "telnetlib.",
    "webbrowser.",
)
_PROCESSES = (
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "os.kill", "os.killpg",
    "subprocess.", "multiprocessing.", "pty.", "_thread.", "_posixsubprocess.", "signal.pthread_kill",
)  # fmt: skip
_CHANGES = (
    "os.chdir", "os.chflags", "os.chmod", "os.chown", "os.chroot", "os.link", "os.mkdir", "os.mkfifo", "os.mknod",
    "os.remove", "os.removexattr", "os.rename", "os.rmdir", "os.setxattr", "os.symlink", "os.truncate", "os.utime",
    "shutil.", "tempfile.",
)  # fmt: skip
_LISTS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "glob.", "pathlib.", "sqlite3.")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BESIDE = ("/dev/null", "/dev/urandom", "/dev/random", "/etc/localtime")


class Guard:
    """Refuses, and tells of what it refused with the line of the user's file that led to it.

    It is no wall against somebody who digs through it in Python: the system's limits, the namespace and the filter of
    system calls stand behind it. It is what knows files, and lines.
    """

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._roots = tuple({os.path.realpath(root) + os.sep for root in _python_roots()})
        sys.path[:] = [path for path in sys.path if self._readable(path + os.sep)]

    def install(self) -> None:
        """For good."""
        sys.addaudithook(self._ask)

    def _ask(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._open(*arguments)
        elif event.startswith(_NETWORK):
            self._refuse("network", event)
        elif event.startswith(_PROCESSES):
            self._refuse("processes", event)
        elif event.startswith(_CHANGES):
            self._refuse("writes-files", event)
        elif event.startswith(_LISTS) and not (arguments and self._readable(arguments[0])):
            self._refuse("reads-files", f"{event} {arguments[0] if arguments else ''}")
        elif event in ("ctypes.dlopen", "ctypes.dlsym") and not _place(self._name)[1]:
            self._refuse("processes", event)

    def _open(self, path: object, mode: object, flags: object) -> None:
        if isinstance(path, int):
            return  # something that is open already
        if isinstance(flags, int) and flags & _WRITING and path != os.devnull:
            self._refuse("writes-files", f"open {path!r}")
        if not self._readable(path):
            self._refuse("reads-files", f"open {path!r}")

    def _readable(self, path: object) -> bool:
        """Python's own folders, and a few devices that say nothing of this computer."""
        try:
            text = os.fsdecode(path)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return False
        return text in _BESIDE or os.path.realpath(text).startswith(self._roots) or (text + os.sep).startswith(self._roots)

    def _refuse(self, kind: Kind, what: str) -> None:
        line, importing = _place(self._name)
        if line is not None and not importing:  # what a library tries while it is imported is no doing of the function's
            self._report(kind, what, line)
        raise PermissionError(f"a reward function may not do this here: {what}")


def _place(name: str) -> tuple[int | None, bool]:
    """The innermost line of the user's file, and whether an import lies between it and here."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    importing = False
    while frame is not None:
        if frame.f_code.co_filename == name:
            return frame.f_lineno, importing
        importing = importing or frame.f_code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    return None, importing


def _python_roots() -> list[str]:
    """Where Python and its libraries lie. Not every folder of sys.path: a checkout that is on it is somebody's own."""
    ends = ("site-packages", "dist-packages", "lib-dynload", ".zip")
    roots = [os.__file__.rpartition(os.sep)[0], *(path for path in sys.path if path.endswith(ends))]
    return [root for root in roots if root and root != os.sep]

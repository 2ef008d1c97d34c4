"""Scripts as machines get them, and programs that stand in for those that a test must not call."""

from __future__ import annotations

import os
from pathlib import Path

from fleet.boot.userdata import read, stripped


def carried(name: str, folder: Path) -> Path:
    """A script of userdata/ as a machine has it: without its comments."""
    file = folder / name
    file.write_text(stripped(read(name)))
    file.chmod(0o755)
    return file


class Shims:
    """A folder of programs, found first in PATH; what they were called with is kept."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.log = folder.with_name(folder.name + ".log")
        """Every call, a line each, in order."""

    @property
    def path(self) -> str:
        """PATH with them."""
        return f"{self._folder}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"

    def add(self, name: str, body: str = "exit 0") -> None:
        """One whose body is sh."""
        file = self._folder / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.log}"\n{body}\n')
        file.chmod(0o755)

    def remove(self, name: str) -> None:
        """The real one again."""
        (self._folder / name).unlink()

    def calls(self, name: str) -> list[str]:
        """The arguments of every call so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def forget(self) -> None:
        """No call so far."""
        self.log.unlink(missing_ok=True)

"""A docker command that writes down how it is called, and answers as the test says."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

ENGINE, V2, V1 = "20.10.24", "2.30.1", "1.29.2"


class FakeDocker:
    """``docker`` and, if wanted, ``docker-compose``, in a folder of their own: the only one on the path."""

    def __init__(self, folder: Path, *, docker: bool = True, v2: str | None = V2, v1: str | None = None) -> None:
        self.folder = folder
        folder.mkdir()
        for program in ("cat", "sleep"):
            (folder / program).symlink_to(shutil.which(program) or "")
        self._cases: list[str] = []
        self.answer("version *", out=ENGINE)
        self.answer("compose version *", out=v2 or "", err="" if v2 else "unknown command", code=0 if v2 else 1)
        if v1 is not None:
            self.answer("alone version *", out=v1)
            self._write("docker-compose", "alone ")
        if docker:
            self._write("docker", "")

    @property
    def env(self) -> dict[str, str]:
        """An environment in which there is no other docker."""
        return {"PATH": str(self.folder), "FLEET_RUN": "racer", "FLEET_INSTANCE_ID": "i-1"}

    def answer(self, call: str, *, out: str = "", err: str = "", code: int = 0, do: str = "") -> None:
        """From now on a call that matches a shell's pattern is answered so; ``do`` are shell commands before that."""
        said = f"printf '%s' {shlex.quote(out)}; printf '%s' {shlex.quote(err)} >&2"
        pattern = "".join(c if c in "*?" else shlex.quote(c) for c in call)
        self._cases.insert(0, f"{pattern}) {do or ':'}\n{said}; exit {code};;")
        for name in ("docker", "docker-compose"):
            if (self.folder / name).exists():
                self._write(name, "alone " if name == "docker-compose" else "")

    def calls(self) -> list[str]:
        """Every call so far."""
        try:
            return (self.folder / "calls").read_text().splitlines()
        except OSError:
            return []

    def called(self, part: str) -> list[str]:
        """The calls that hold a text."""
        return [call for call in self.calls() if part in call]

    def _write(self, name: str, prefix: str) -> None:
        cases = "\n".join(self._cases)
        text = f'#!/bin/sh\nset -- {prefix}"$@"\necho "$*" >>{self.folder}/calls\ncase "$*" in\n{cases}\nesac\n'
        fresh = self.folder / f".{name}"
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.replace(self.folder / name)

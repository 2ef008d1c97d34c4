"""Carrying out on a host what is to be done there. Every step may be done again after an interruption."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleet.boot.dependencies import Download
from fleet.boot.host_package import PATH, ROUND, STARTER, host_archive
from fleet.boot.shell import Run, whole
from fleet.control.crontab import read_crontab, with_line, without_line, write_crontab
from fleet.control.host_plan import LINE, NO_LONGER, Found, Step, Wanted
from fleet.control.hosts import USER_BUS, target_of
from fleet.control.unit import UNIT
from fleet.model.errors import FleetError

PATIENT = "n=0; until {command} 2>/dev/null; do n=$((n + 1)); test $n -lt 20 || exec {command}; sleep 0.5; done"
"""The user manager may only just have been started."""


@dataclass(frozen=True, slots=True)
class Work:
    """Carries steps out on one host."""

    run: Run
    name: str
    found: Found
    wanted: Wanted | None = None
    """None: everything goes."""
    download: Download | None = None

    def carry_out(self, steps: Sequence[Step], tell: Callable[[Step], None]) -> None:
        """One after the other. Raises FleetError: what was done stays, and the same command does the rest.

        A marker says meanwhile that it is not all done: the files may be as they should while the old program still runs.
        """
        doing = {"put": self._put, "try": self._try, "write": self._write, "switch": self._switch, "run": self._command,
                 "line": self._line, "remove": self._remove}  # fmt: skip
        marked, marker = self.wanted is None, shlex.quote(self.found.pending_path)
        for step in steps:
            if not marked and step.kind not in ("put", "try"):
                self._do(
                    f"mkdir -p {shlex.quote(self.found.base)} && : >{marker}", f"{self.found.pending_path} cannot be written"
                )
                marked = True
            doing[step.kind](step)
            tell(step)
        if self.wanted is not None and steps:
            self._do(f"rm -f {marker}", f"{self.found.pending_path} cannot be removed")

    def _do(self, script: str, what: str, feed: bytes = b"", hint: str = "") -> None:
        done = self.run(script, feed)
        if done.code != 0:
            raise FleetError(f"{what} on {self.name}: {done.text or f'exit code {done.code}'}", hint)

    def _put(self, step: Step) -> None:
        """Under another name first: what is called by its version is whole, and starts."""
        place, part = shlex.quote(step.where), shlex.quote(f"{step.where}.part")
        starts = f'env -i HOME="$HOME" PATH={PATH} ./{STARTER} --version >/dev/null'
        script = (
            f"set -e; rm -rf {shlex.quote(self.found.base)}/*.part; mkdir -p {part}; cd {part}; tar -xzf -; "
            f"chmod 755 {STARTER} {ROUND}; sync; {starts}; mv {part} {place}"
        )
        assert self.wanted is not None
        packed = host_archive(target_of(self.found, self.wanted.clouds), self.download)
        self._do(script, "fleet cannot be put", packed, "Is the disk full, or the system's C library older than 2.28?")

    def _try(self, step: Step) -> None:
        """With what the service will have, in a home of its own: what is in use there stays as it is until this worked."""
        assert self.wanted is not None
        trial = f"{self.found.base}/trial"
        for file, data in self.wanted.settings.items():
            self._file(f"{trial}/{file}", data)
        words = {
            "HOME": self.found.home,
            "USER": self.found.user,
            "LOGNAME": self.found.user,
            "PATH": PATH,
            "FLEET_HOME": trial,
        }
        environment = shlex.join(f"{one}={value}" for one, value in words.items())
        program = shlex.quote(f"{self.found.base}/{self.wanted.version}/{STARTER}")
        try:
            done = self.run(
                f"cd / && env -i {environment} {program} controller run --once --bucket {shlex.quote(step.where)}", b""
            )
        finally:
            with contextlib.suppress(FleetError):
                self.run(f"rm -rf {shlex.quote(trial)}", b"")
        if done.code != 0:
            raise FleetError(f"a round on {self.name} over {step.where} failed: {done.text}", self._left(done.text))

    def _left(self, text: str) -> str:
        left = "Nothing was enabled; what was put there stays for the next try."
        if not re.search("[Cc]redential|profile|AccessDenied|denied|InvalidAccessKeyId", text):
            return left
        return (
            f"fleet never copies credentials. {self.name} needs its own: a role, or keys in ~/.aws of {self.found.user} "
            f"there (--profile NAME chooses among them), for Google Cloud `gcloud auth application-default login` there; "
            f"`fleet policy aws` and `gcp` print what they must allow. {left}"
        )

    def _file(self, path: str, data: bytes) -> None:
        place, new = shlex.quote(path), shlex.quote(f"{path}.new")
        script = f'mkdir -p "$(dirname {place})" && cat >{new} && {whole(new, data)} && mv -f {new} {place}'
        self._do(script, f"{path} cannot be written", data)

    def _write(self, step: Step) -> None:
        assert self.wanted is not None
        if step.where == self.found.unit_path and self.wanted.unit is not None:
            self._file(step.where, self.wanted.unit.encode())
            return
        for file, data in self.wanted.settings.items():
            self._file(f"{step.where}/{file}", data)

    def _switch(self, step: Step) -> None:
        assert self.wanted is not None
        place, new = shlex.quote(step.where), shlex.quote(f"{step.where}.new")
        self._do(f"ln -sfn {self.wanted.version} {new} && mv -fT {new} {place}", f"{step.where} cannot be switched")

    def _command(self, step: Step) -> None:
        command = PATIENT.format(command=step.where) if step.where.endswith("daemon-reload") else step.where
        hint = f"Once, with sudo there: {step.where}. Or let cron do it: add --cron." if "linger" in step.where else \
            "Does systemd run there, with a manager for users? Else let cron do it: add --cron."  # fmt: skip
        self._do(USER_BUS + command, f"`{step.where}` failed", hint=hint)

    def _line(self, _step: Step) -> None:
        assert self.wanted is not None
        assert self.wanted.line is not None
        write_crontab(self.run, with_line(read_crontab(self.run), self.wanted.line))

    def _remove(self, step: Step) -> None:
        if step.where == LINE:
            write_crontab(self.run, without_line(read_crontab(self.run), self.found.line))
            return
        if step.told == NO_LONGER:
            return  # the settings do not name it any more
        place = shlex.quote(step.where)
        if step.where == self.found.unit_path:
            stop = f"{USER_BUS}systemctl --user disable --now {UNIT} && rm -f {place} && systemctl --user daemon-reload"
            self._do(stop, f"{UNIT} cannot be stopped")
            return
        alone = f'rmdir "$(dirname {place})" 2>/dev/null'
        self._do(f"rm -rf {place} && {alone}; test ! -e {place}", f"{step.where} cannot be removed")

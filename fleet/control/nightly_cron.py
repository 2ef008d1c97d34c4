"""The report of every night by cron: a script beside what fleet keeps, and a line in the crontab that calls it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.boot.shell import Run
from fleet.control.crontab import TOLD, line_for, put_script, read_crontab, with_line, without_line, write_crontab
from fleet.control.home import Home
from fleet.control.host_plan import LINE, Step
from fleet.control.nightly import NIGHTLY, On, Wish

MARK = b" # fleet-report: put here by fleet, and taken away by `fleet report uninstall`"
"""By its end a line of the report's is known."""


@dataclass(frozen=True, slots=True)
class NightlyCron:
    """What is there, and what would be."""

    run: Run
    home: Home
    wish: Wish
    crontab: bytes
    name: On = "cron"

    @property
    def script(self) -> Path:
        """Where it lies."""
        return self.home.path / "report-night"

    @property
    def text(self) -> str:
        """The script. cron's own path is short, and a program that AWS's configuration names may lie elsewhere."""
        home, path = shlex.quote(str(self.home.path)), shlex.quote(os.environ.get("PATH", os.defpath))
        zone = shlex.quote(self.wish.zone)  # whose nights are told; a user's own TZ is none of cron's
        log = shlex.quote(str(self.home.path / "report.log"))
        return (
            "#!/bin/sh\n# The night's report of fleet, for cron; the log holds what the last one said.\n"
            f"cd / || exit 1\numask 077\nexport {NIGHTLY}=nightly FLEET_HOME={home} TZ={zone} PATH={path}\n"
            f"exec {shlex.join(self.wish.command())} >{log} 2>&1\n"
        )

    @property
    def line(self) -> bytes:
        """For the crontab, which goes by the computer's own clock."""
        return line_for(str(self.script), f"{self.wish.minute} {self.wish.hour} * * * ".encode(), MARK)

    def own_lines(self) -> list[bytes]:
        """Those of this home, whatever their time of the day."""
        rest = line_for(str(self.script), b"", MARK)
        return [line for line in self.crontab.split(b"\n") if line.endswith(b" " + rest)]

    def shown(self) -> Mapping[str, str]:
        """The script."""
        return {str(self.script): self.text}

    def steps(self) -> tuple[Step, ...]:
        """What is to be done; nothing if it is as it should be."""
        steps = []
        if not self.script.exists() or self.script.read_text(encoding="utf-8") != self.text:
            steps.append(Step("write", str(self.script), "the night's report, by this very installation"))
        if self.own_lines() != [self.line]:
            steps.append(Step("line", self.line.decode("utf-8", "replace"), TOLD))
        return tuple(steps)

    def steps_away(self) -> tuple[Step, ...]:
        """What takes it away again."""
        steps = []
        if self.own_lines():
            steps.append(Step("remove", LINE, "its other lines stay as they are"))
        if self.script.exists():
            steps.append(Step("remove", str(self.script), "what it called"))
        return tuple(steps)

    def carry_out(self, step: Step) -> None:
        """One of them."""
        if step.kind == "line":
            write_crontab(self.run, with_line(self._without_own(), self.line))
        elif step.where == LINE:
            write_crontab(self.run, self._without_own())
        elif step.kind == "remove":
            self.script.unlink(missing_ok=True)
        else:
            put_script(self.script, self.text)

    def _without_own(self) -> bytes:
        text = read_crontab(self.run)
        for line in self.own_lines():
            text = without_line(text, line)
        return text


def nightly_cron(run: Run, home: Home, wish: Wish) -> NightlyCron:
    """What is there now. Raises FleetError if there is no cron, or none that this user may use."""
    return NightlyCron(run, home, wish, read_crontab(run))

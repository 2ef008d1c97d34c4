"""cron of this computer as a controller: a script beside what fleet keeps, and a line in the crontab that calls it."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from fleet.boot.host_package import round_script
from fleet.boot.shell import Run
from fleet.control.crontab import TOLD, line_for, put_script, read_crontab, times, with_line, without_line, write_crontab
from fleet.control.home import Home
from fleet.control.host_plan import LINE, Step


@dataclass(frozen=True, slots=True)
class OwnCron:
    """What is there, and what would be."""

    run: Run
    home: Home
    text: str
    """The script."""
    crontab: bytes

    @property
    def script(self) -> Path:
        """Where it lies."""
        return self.home.path / "controller-round"

    @property
    def line(self) -> bytes:
        """For the crontab."""
        return line_for(str(self.script))

    def steps(self) -> tuple[Step, ...]:
        """What is to be done; nothing if it is as it should be."""
        steps = []
        if not self.script.exists() or self.script.read_text(encoding="utf-8") != self.text:
            steps.append(Step("write", str(self.script), "one round of this very installation, with its environment"))
        if times(self.crontab, self.line) != 1:
            steps.append(Step("line", self.line.decode("utf-8", "replace"), TOLD))
        return tuple(steps)

    def steps_away(self) -> tuple[Step, ...]:
        """What takes it away again."""
        steps = []
        if times(self.crontab, self.line):
            steps.append(Step("remove", LINE, "its other lines stay as they are"))
        if self.script.exists():
            steps.append(Step("remove", str(self.script), "what it called"))
        return tuple(steps)

    def carry_out(self, step: Step) -> None:
        """One of them."""
        if step.kind == "line":
            write_crontab(self.run, with_line(read_crontab(self.run), self.line))
        elif step.where == LINE:
            write_crontab(self.run, without_line(read_crontab(self.run), self.line))
        elif step.kind == "remove":
            self.script.unlink(missing_ok=True)
        else:
            put_script(self.script, self.text)


def own_cron(run: Run, home: Home) -> OwnCron:
    """What is there now. Raises FleetError if there is no cron, or none that this user may use."""
    program = f"{shlex.quote(sys.executable)} -m fleet.cli"
    text = round_script(program, str(home.path), path=os.environ.get("PATH", os.defpath))
    return OwnCron(run, home, text, read_crontab(run))

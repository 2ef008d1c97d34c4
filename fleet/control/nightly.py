"""The report of every night, installed: a timer of systemd's, an agent of launchd's, a line in the crontab."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from fleet.control.home import Home, user_folder
from fleet.control.host_plan import Step
from fleet.control.unit import REPORT_TIMER, REPORT_UNIT, names_home, report_timer_text, report_unit_text
from fleet.model.errors import FleetError
from fleet.report.send.nights import QuietNights

On = Literal["systemd", "launchd", "cron", "account"]
LABEL = "training.fleet.report"
NIGHTLY = "FLEET_REPORT"
"""In the environment of what is installed: nights that this computer slept through are told too."""
_AT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_COMMAND_SECONDS = 60
_HINT = "Is there a session of yours that the service manager belongs to? `--on cron` needs none."


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done every night."""

    hour: int
    minute: int
    zone: str
    """The user's, by its IANA name."""
    quiet_nights: QuietNights = "line"
    bucket: str | None = None
    """One fleet's; None: every one that is known here."""

    @property
    def at(self) -> str:
        """``02:00``."""
        return f"{self.hour:02d}:{self.minute:02d}"

    def command(self) -> list[str]:
        """What is called. No destination is in it: those are read from the user's own file."""
        words = [sys.executable, "-m", "fleet.cli", "report", "--night", "--send", "--quiet-nights", self.quiet_nights]
        return [*words, "--bucket", self.bucket] if self.bucket is not None else words


def parse_at(text: str) -> tuple[int, int]:
    """Hour and minute of ``02:00``. Raises FleetError."""
    found = _AT.fullmatch(text.strip())
    if found is None:
        raise FleetError(f"{text[:40]!r} is no time of the day", "Write for example 02:00, or 18:30.")
    return int(found[1]), int(found[2])


class Way(Protocol):
    """Where the report is called from each night."""

    @property
    def name(self) -> On:
        """As ``--on`` has it."""
        ...

    def shown(self) -> Mapping[str, str]:
        """The texts that would be written, by where."""
        ...

    def steps(self) -> tuple[Step, ...]:
        """What is to be done; nothing if it is as it should be."""
        ...

    def steps_away(self) -> tuple[Step, ...]:
        """What takes it away again; nothing if nothing is there."""
        ...

    def carry_out(self, step: Step) -> None:
        """One of them. Raises FleetError."""
        ...


@dataclass(frozen=True, slots=True)
class Managed:
    """Files of the user's session manager, and the commands that put them into effect."""

    name: On
    home: Home
    files: Mapping[Path, str]
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...] = ()
    """Once the files are gone."""
    asks: tuple[str, ...] = ()
    """Exit code 0 means that it is in effect."""

    def shown(self) -> Mapping[str, str]:
        """The files."""
        return {str(path): text for path, text in self.files.items()}

    @property
    def there(self) -> tuple[Path, ...]:
        """Those that exist."""
        return tuple(path for path in self.files if path.exists())

    def steps(self) -> tuple[Step, ...]:
        """Files that are not as they should be, and what puts them into effect."""
        self._check_own()
        changed = [path for path, text in self.files.items() if _text(path) != text]
        if not changed and self.in_effect():
            return ()
        restart = self.stop if self.name == "launchd" and self.there else ()
        return (
            *(Step("run", shlex.join(words), "the one that is there is let go first") for words in restart),
            *(Step("write", str(path), "what is shown above") for path in changed),
            *(Step("run", shlex.join(words), "so that it counts") for words in self.start),
        )

    def steps_away(self) -> tuple[Step, ...]:
        """The files with what they brought about. Another home's are somebody else's."""
        if not self.there or self._others():
            return ()
        return (
            *(Step("run", shlex.join(words), "stopped first") for words in self.stop),
            *(Step("remove", str(path), "what was installed") for path in self.there),
            *(Step("run", shlex.join(words), "so that nothing of it is remembered") for words in self.after),
        )

    def carry_out(self, step: Step) -> None:
        """One of them."""
        if step.kind == "run":
            words = next(one for one in (*self.start, *self.stop, *self.after) if shlex.join(one) == step.where)
            try:
                _do(words)
            except FleetError:
                # One that does not know it, or does not answer at all, must not keep its files: nobody could take them away.
                if words not in (*self.stop, *self.after) or self.in_effect():
                    raise
            return
        path = Path(step.where)
        if step.kind == "remove":
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.files[path], encoding="utf-8")

    def in_effect(self) -> bool:
        """Whether the manager knows it; False also if there is none that answers."""
        if shutil.which(self.asks[0]) is None:
            return False
        try:
            return subprocess.run(self.asks, capture_output=True, check=False, timeout=_COMMAND_SECONDS).returncode == 0
        except subprocess.TimeoutExpired:
            return False  # what puts it into effect will say what is wrong

    def _others(self) -> Path | None:
        """A file that is there for another home; None: there is none."""
        for path in self.there:
            text = _text(path) or ""
            told = names_home(text, str(self.home.path)) or f"<string>{self.home.path}</string>" in text
            if path.suffix in (".service", ".plist") and not told:
                return path
        return None

    def _check_own(self) -> None:
        other = self._others()
        if other is not None:
            told = f"{other} sends the reports of another FLEET_HOME than {self.home.path}"
            raise FleetError(told, "`fleet report uninstall` there takes it away; then again. Or here: --on cron")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def systemd(home: Home, wish: Wish) -> Managed:
    """A timer of the user's own systemd, in their zone wherever the computer's clock is set to."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or user_folder() / ".config") / "systemd" / "user"
    environment = {"FLEET_HOME": str(home.path), NIGHTLY: "nightly", "TZ": wish.zone}
    systemctl = ("systemctl", "--user")
    return Managed(
        "systemd",
        home,
        {
            folder / REPORT_UNIT: report_unit_text(wish.command(), environment),
            folder / REPORT_TIMER: report_timer_text(wish.hour, wish.minute, wish.zone),
        },
        ((*systemctl, "daemon-reload"), (*systemctl, "enable", "--now", REPORT_TIMER)),
        ((*systemctl, "disable", "--now", REPORT_TIMER),),
        ((*systemctl, "daemon-reload"),),
        (*systemctl, "is-enabled", "--quiet", REPORT_TIMER),
    )


def launchd(home: Home, wish: Wish) -> Managed:
    """An agent of launchd's, by the computer's own clock; one that it slept through is made when it wakes."""
    path = user_folder() / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    log = str(home.path / "report.log")
    plist = {
        "Label": LABEL,
        "ProgramArguments": wish.command(),
        "EnvironmentVariables": {"FLEET_HOME": str(home.path), NIGHTLY: "nightly", "TZ": wish.zone},
        "StartCalendarInterval": {"Hour": wish.hour, "Minute": wish.minute},
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    domain = f"gui/{os.getuid()}"
    return Managed(
        "launchd",
        home,
        {path: plistlib.dumps(plist).decode()},
        (("launchctl", "bootstrap", domain, str(path)),),
        (("launchctl", "bootout", f"{domain}/{LABEL}"),),
        asks=("launchctl", "print", f"{domain}/{LABEL}"),
    )


def _do(words: tuple[str, ...]) -> None:
    if shutil.which(words[0]) is None:
        raise FleetError(f"{words[0]} is not on this computer", "Let cron do it: --on cron; or the account: --on account")
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise FleetError(f"{shlex.join(words)} did not end within {_COMMAND_SECONDS} s", _HINT) from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise FleetError(f"{shlex.join(words)}: {said}", _HINT)

"""What is to be done on a host so that a controller runs there, and what to take away again: pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fleet.boot.host_package import ROUND
from fleet.control.crontab import line_for, marked_lines, times
from fleet.control.unit import UNIT, names_home
from fleet.model.errors import FleetError

Kind = Literal["put", "try", "write", "switch", "run", "line", "remove"]
BELOW = ".local/share/fleet/controller"
"""In the home folder there: everything of the controller's."""
LINE = "the line in the crontab"
"""What a step is called that takes it away."""
NO_LONGER = "no longer looked after from there"
"""Of a bucket that was, and was not named again."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen on a host."""

    home: str
    user: str
    python: str
    """The interpreter that serves."""
    tag: str
    """``cp312``."""
    arch: str
    programs: frozenset[str] = frozenset()
    """Of systemctl, loginctl and crontab those that are there."""
    current: str = ""
    """The version that is in use; empty: none."""
    versions: tuple[str, ...] = ()
    """Those that lie there whole."""
    settings: Mapping[str, bytes] = field(default_factory=dict)
    unit: str | None = None
    """The text of the unit that is there."""
    runs: bool = False
    """systemd says that it runs."""
    crontab: bytes = b""
    leftovers: bool = False
    """The folder is there, with whatever in it: a deployment may have broken off."""
    pending: bool = False
    """One did, after it had changed what runs there: perhaps the old one still does."""

    @property
    def python_name(self) -> str:
        """For people."""
        return f"Python {self.tag[2]}.{self.tag[3:]}"

    @property
    def base(self) -> str:
        """Where the versions lie."""
        return f"{self.home}/{BELOW}"

    @property
    def fleet_home(self) -> str:
        """FLEET_HOME there: this controller's own, whatever else of fleet's is on that host."""
        return f"{self.home}/{BELOW}/home"

    @property
    def unit_path(self) -> str:
        """Where systemd's user manager looks."""
        return f"{self.home}/.config/systemd/user/{UNIT}"

    @property
    def buckets(self) -> tuple[str, ...]:
        """What is looked after there."""
        try:
            told = json.loads(self.settings.get("buckets.json", b"[]"))
        except ValueError:
            return ()
        return tuple(url for url in told if isinstance(url, str)) if isinstance(told, list) else ()

    @property
    def pending_path(self) -> str:
        """The marker that is there while something is being changed."""
        return f"{self.base}/pending"

    @property
    def own_unit(self) -> bool:
        """The unit there is one that was deployed, and not the host's own `fleet controller install`."""
        return self.unit is not None and names_home(self.unit, self.fleet_home)

    @property
    def line(self) -> bytes:
        """The line that is put into the crontab there, and no other is ever taken out."""
        return line_for(f"{self.base}/current/{ROUND}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be there. Either a unit or a line."""

    version: str
    buckets: tuple[str, ...]
    settings: Mapping[str, bytes]
    """Files of FLEET_HOME."""
    unit: str | None = None
    line: bytes | None = None
    clouds: tuple[str, ...] = ("aws",)
    """Those whose libraries it needs."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, as it is shown."""

    kind: Kind
    where: str
    """A path, a bucket, or the command."""
    told: str


def check_own(found: Found, name: str) -> None:
    """Raises FleetError if a controller of the host's own is there: its unit has the same name, its line the same use."""
    if found.unit is not None and not found.own_unit:
        raise FleetError(
            f"{name} has a controller of its own already: {found.unit_path}",
            "It was not deployed, and stays as it is. `fleet controller uninstall` there takes it away; then again.",
        )
    if others := [line for line in marked_lines(found.crontab) if line != found.line]:
        raise FleetError(
            f"{name} has a controller of its own already, in its crontab: {others[0].decode('utf-8', 'replace')}",
            "It stays as it is. `fleet controller remove cron` there takes it away; then again.",
        )


def steps_to(found: Found, wanted: Wanted) -> tuple[Step, ...]:
    """What makes a host as it is wanted; nothing if it is."""
    same = found.current == wanted.version and found.settings == wanted.settings and not found.pending
    if same and _is_kept(found, wanted):
        return ()
    return (*_until_it_works(found, wanted), *_into_effect(found, wanted), *_away(found, wanted))


def _is_kept(found: Found, wanted: Wanted) -> bool:
    """Somebody runs it there already, and nobody beside."""
    once = 0 if wanted.line is None else 1
    return found.unit == wanted.unit and (found.runs or wanted.unit is None) and times(found.crontab, found.line) == once


def _until_it_works(found: Found, wanted: Wanted) -> list[Step]:
    steps = []
    if wanted.version not in found.versions:
        told = f"this fleet and its packages, built for {found.python_name} on {found.arch}"
        steps.append(Step("put", f"{found.base}/{wanted.version}", told))
    trial = "one round there, with that host's own credentials; nothing goes on if it fails"
    steps += [Step("try", url, trial) for url in wanted.buckets]
    if found.settings != wanted.settings:
        steps.append(Step("write", found.fleet_home, f"which buckets to look after ({', '.join(sorted(wanted.settings))})"))
    steps += [Step("remove", url, NO_LONGER) for url in found.buckets if url not in wanted.buckets]
    steps += [
        Step("remove", f"{found.fleet_home}/{file}", "nothing there wants it any more")
        for file in sorted(set(found.settings) - set(wanted.settings))
    ]
    return steps


def _into_effect(found: Found, wanted: Wanted) -> list[Step]:
    steps = []
    if found.current != wanted.version:
        steps.append(Step("switch", f"{found.base}/current", f"leads to {wanted.version}"))
    if wanted.unit is not None:
        if found.unit != wanted.unit:
            steps.append(Step("write", found.unit_path, "for systemd's user manager"))
        steps += [Step("run", command, told) for command, told in service_commands(found)]
    elif wanted.line is not None and times(found.crontab, wanted.line) != 1:
        steps.append(
            Step("line", wanted.line.decode("utf-8", "replace"), "into the crontab; its other lines stay as they are")
        )
    return steps


def service_commands(found: Found) -> list[tuple[str, str]]:
    """What puts the unit into effect."""
    begun = found.unit is not None
    return [
        (f"loginctl enable-linger {shlex.quote(found.user)}", "so that it runs without anybody logged in"),
        ("systemctl --user daemon-reload", "so that systemd reads the unit"),
        (f"systemctl --user enable --now {UNIT}", "now, and whenever the host starts"),
        *([(f"systemctl --user restart {UNIT}", "so that it is the new one")] if begun else []),
    ]


def _away(found: Found, wanted: Wanted) -> list[Step]:
    """The other way of running it, and versions that are neither in use nor the one before."""
    steps = []
    if wanted.unit is None and found.own_unit:
        steps.append(Step("remove", found.unit_path, "cron does it now"))
    if wanted.line is None and times(found.crontab, found.line):
        steps.append(Step("remove", LINE, "systemd does it now"))
    steps += [
        Step("remove", f"{found.base}/{version}", "an older version") for version in old_versions(found, wanted.version)
    ]
    return steps


def old_versions(found: Found, version: str) -> list[str]:
    """What nobody uses any more. The one before stays, for whoever wants it back."""
    before = found.current if found.current != version else _before(found, version)
    return [one for one in found.versions if one not in (version, before)]


def _before(found: Found, version: str) -> str:
    """Where the newest is in use already: the last but one, if there is any."""
    others = [one for one in found.versions if one != version]
    return others[-1] if others else ""


def steps_away(found: Found) -> tuple[Step, ...]:
    """What takes everything away again; nothing if nothing is there."""
    steps = []
    if found.own_unit:
        steps.append(Step("remove", found.unit_path, "stopped first"))
    if times(found.crontab, found.line):
        steps.append(Step("remove", LINE, "its other lines stay as they are"))
    if found.leftovers:
        steps.append(Step("remove", found.base, "the program, and what it remembered: nothing that any run needs"))
    return tuple(steps)

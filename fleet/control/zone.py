"""The time zone that this computer is set to, by its IANA name: what fleet records is read elsewhere, in the same days."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fleet.model.calendar import zone
from fleet.model.errors import FleetError

_FOLDER = "zoneinfo"
_OTHER_CLOCKS = ("posix/", "right/")
"""The same zones again, beside their usual files."""


def local_zone(environ: Mapping[str, str] | None = None, root: Path = Path("/")) -> str:
    """The name of this computer's zone: of TZ, else of /etc/localtime, else of /etc/timezone; ``UTC`` if none is known."""
    told = (os.environ if environ is None else environ).get("TZ")
    if told is not None and (found := _of_variable(told)) is not None:
        return found
    return _of_link(root / "etc" / "localtime") or _of_text(root / "etc" / "timezone") or "UTC"


def _of_variable(told: str) -> str | None:
    """TZ holds a name, a path to a zone's file, or a rule of its own, which has no name. Empty: UTC."""
    name = told.removeprefix(":")
    return "UTC" if name in ("", "UTC0") else _known(_below(name))


def _of_link(path: Path) -> str | None:
    """/etc/localtime points into the folder of all zones."""
    try:
        return _known(_below(str(path.readlink()))) or _known(_below(str(path.resolve())))
    except OSError:
        return None  # there is none, or it is a copy, which does not say of what


def _of_text(path: Path) -> str | None:
    try:
        return _known(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return None


def _below(path: str) -> str:
    """What stands below the folder of all zones; a name stays what it is."""
    name = path.rpartition(f"{_FOLDER}/")[2]
    for other in _OTHER_CLOCKS:
        name = name.removeprefix(other)
    return name


def _known(name: str) -> str | None:
    try:
        return zone(name).key
    except FleetError:
        return None

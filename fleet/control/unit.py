"""systemd's unit for the loop: the same on this computer and on a host that it was deployed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleet.model.errors import FleetError

UNIT = "fleet-controller.service"
REPORT_UNIT, REPORT_TIMER = "fleet-report.service", "fleet-report.timer"
REPORT_SECONDS = 900
"""After that a report that is being made is given up: the next night's brings it."""
REPORT_TRIES, REPORT_AGAIN = 3, 900
"""A computer that has just woken has no network yet: whoever was not reached is tried again so often, seconds apart."""


def unit_text(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """The unit that runs a command for ever. Raises FleetError for words that no unit can hold."""
    variables = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in environment.items())
    words = " ".join(_quoted(word).replace("$", "$$") for word in command)
    return (
        "[Unit]\nDescription=fleet keeps training runs alive\nAfter=network-online.target\n\n"
        f"[Service]\n{variables}ExecStart={words}\nRestart=always\nRestartSec=10\n\n"
        "[Install]\nWantedBy=default.target\n"
    )


def report_unit_text(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """The unit that sends the night's report once. Raises FleetError for words that no unit can hold."""
    variables = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in environment.items())
    words = " ".join(_quoted(word).replace("$", "$$") for word in command)
    return (
        "[Unit]\nDescription=fleet tells what the night cost\nAfter=network-online.target\n"
        f"StartLimitIntervalSec={REPORT_TRIES * 3600}\nStartLimitBurst={REPORT_TRIES}\n\n"
        f"[Service]\nType=oneshot\n{variables}ExecStart={words}\nTimeoutStartSec={REPORT_SECONDS}\n"
        f"Restart=on-failure\nRestartSec={REPORT_AGAIN}\n"
    )


def report_timer_text(hour: int, minute: int, zone: str) -> str:
    """The timer that starts it, in the user's zone; at once where the computer was off at that time."""
    return (
        f"[Unit]\nDescription=fleet tells each night what it cost\n\n[Timer]\n"
        f"OnCalendar=*-*-* {hour:02d}:{minute:02d}:00 {zone}\nPersistent=true\nUnit={REPORT_UNIT}\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )


def names_home(unit: str, home: str) -> bool:
    """Whether a unit is for a home of fleet's."""
    return _quoted(f"FLEET_HOME={home}") in unit


def _quoted(word: str) -> str:
    """As systemd reads it back: in quotes, its own letters doubled."""
    if not word.isprintable():
        raise FleetError(f"a systemd unit cannot hold {word!r}")
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'

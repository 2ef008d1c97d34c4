"""systemd's unit, as systemd reads it back."""

from __future__ import annotations

import shlex

import pytest

from fleet.control.unit import unit_text
from fleet.model.errors import FleetError


def test_the_unit_says_who_it_is_and_runs_for_ever() -> None:
    text = unit_text(["/opt/fleet", "controller", "run"], {"FLEET_HOME": "/home/me", "FLEET_CONTROLLER": "service"})
    assert text.splitlines() == [
        "[Unit]",
        "Description=fleet keeps training runs alive",
        "After=network-online.target",
        "",
        "[Service]",
        'Environment="FLEET_HOME=/home/me"',
        'Environment="FLEET_CONTROLLER=service"',
        'ExecStart="/opt/fleet" "controller" "run"',
        "Restart=always",
        "RestartSec=10",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]


def test_odd_paths_are_read_back_as_they_are() -> None:
    """systemd's rules: backslashes in quotes, %% and $$ for the letters themselves."""
    odd = '/a b/100%/$HOME/"x"\\y'
    text = unit_text([odd], {"FLEET_HOME": odd})
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    given = next(line for line in text.splitlines() if line.startswith("Environment="))
    assert shlex.split(command.removeprefix("ExecStart=").replace("%%", "%").replace("$$", "$")) == [odd]
    assert '100%%/$HOME/\\"x\\"\\\\y' in given


def test_a_path_with_a_new_line_is_refused() -> None:
    with pytest.raises(FleetError, match="cannot hold"):
        unit_text(["/a\nExecStop=/bin/rm"], {})

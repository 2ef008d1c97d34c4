"""Watching a run by its name, to its end; and on a real terminal, to Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import sys
import time
from pathlib import Path

import pytest

from fleet.cli.deepracer_draw import draw
from fleet.cli.deepracer_watch import Wish, watch
from fleet.control.controller import Controller
from fleet.model import events as ev
from tests.unit.deepracer.analyses import data
from tests.unit.deepracer.test_care_commands import RUN
from tests.unit.deepracer.test_models import home
from tests.unit.deepracer.test_read_runs import remote

__all__ = ["home", "remote"]


def ended(controller: Controller, outcome: str) -> None:
    now = controller.objects.now()
    gone = ev.AttemptGone(at=now, run_id=RUN, attempt=2, ended_at=now, ended_by="itself")
    assert controller.record([gone, ev.RunEnded(at=now, run_id=RUN, outcome=outcome, reason="it is done")])


@pytest.mark.parametrize(("outcome", "code"), [("succeeded", 0), ("failed", 4)])
def test_a_run_is_watched_over_its_machines_until_it_ends(
    remote: Controller, capsys: pytest.CaptureFixture[str], outcome: str, code: int
) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            ended(remote, outcome)

    assert watch(["racer"], None, Wish(offline=True, as_json=True), wait) == code
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["state"], line["ended"]) for line in lines] == [("training", False), (outcome, True)]
    assert len(waited) == 2  # between the two nothing was new, and nothing was told
    assert lines[0]["episodes"] == 4
    assert lines[0]["iterations"] == 4
    assert lines[0]["cost_usd"] is not None
    assert RUN in lines[0]["source"]


def test_a_run_is_looked_at_once(remote: Controller, capsys: pytest.CaptureFixture[str]) -> None:
    watch(["racer"], None, Wish(offline=True, once=True))
    assert "4 episodes in 4 iterations" in capsys.readouterr().out


def test_a_run_is_drawn_with_what_it_cost(remote: Controller, tmp_path: Path) -> None:
    file = tmp_path / "racer.html"
    assert draw(["racer"], file, [], None, None, world="", offline=True, as_json=False) == 0
    text = file.read_text(encoding="utf-8")
    assert "4 episodes in 4 iterations by 2 workers" in text
    assert "<dt>Cost of an iteration</dt>" in text
    assert "The track: reinvent_base" in text


def test_on_a_terminal_it_is_drawn_in_its_place_and_ctrl_c_gives_the_terminal_back(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - becomes the program
        os.environ.update({"FLEET_HOME": str(tmp_path), "COLUMNS": "150", "LINES": "60", "TERM": "xterm-256color"})
        words = [sys.executable, "-m", "fleet.cli", "deepracer", "watch", str(data("drfc-1")), "--offline"]
        os.execv(sys.executable, words)
    told, deadline = b"", time.monotonic() + 60
    while b"Ctrl-C ends the watch" not in told and time.monotonic() < deadline:
        told += os.read(terminal, 65536)
    assert b"12.276 s" in told
    assert b"541 episodes in 28 iterations" in told
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # the other end has closed it
        while time.monotonic() < deadline:
            told += os.read(terminal, 65536)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert told.rindex(b"\x1b[?25h") > told.rindex(b"\x1b[?25l")  # the cursor is shown again
    assert b"Traceback" not in told

"""Several terminals at once on one home: everything at the same time, and nothing goes wrong in any of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_commands import Shell

pytestmark = pytest.mark.system


class Terminals(Shell):
    """Many terminals, all closed at the end, whatever happens: one that is left would go on launching machines."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.opened: list[subprocess.Popen[str]] = []

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        self.opened.append(super().start(*words, **more))
        return self.opened[-1]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminals]:
    made = Terminals(tmp_path)
    yield made
    for process in made.opened:
        process.kill()
        process.communicate()
    stop_everything(made.home.local)


def read(process: subprocess.Popen[str]) -> str:
    """What a program printed until its end; it must say nothing on standard error."""
    out, err = process.communicate(timeout=60)
    assert err == "", process.args
    return out


def test_everything_at_once_on_one_home(shell: Terminals) -> None:
    set_market(shell.home.local, {"kind": "schedule", "take_backs": [{"after": 1.0, "from": "training"}]})
    first = shell.start("up", shell.job(steps=100_000))
    shell.until(lambda: any(one["instance"] for one in shell.runs()))  # the first machine is the one to be taken
    second = shell.start("up", shell.job(steps=30, name="other"))
    watchers = [shell.start("controller", "run", start_new_session=True) for _ in range(2)]
    logs = shell.start("logs", "-f", "count", "-o", "json")
    events = shell.start("events", "-f", "count", "-o", "json")
    (shell.folder / "job" / "fleet.yaml").write_text((shell.folder / "job" / "count.yaml").read_text())
    looking = (["ps"], ["status", "count"], ["volumes", "list"], ["gc"], ["plan", "job"], ["note", "count", "meanwhile"])
    for _ in range(3):
        for look in [shell.start(*words) for words in looking]:
            read(look)
            assert look.returncode == 0, look.args
    shell.until(lambda: next(one for one in shell.runs() if one["name"] == "count")["recoveries"] == 1)
    stops = [shell.start("stop", "count") for _ in range(2)]  # two hands at one switch
    assert "stopped" in read(first)
    assert first.returncode == 4
    assert "succeeded" in read(second)
    assert {stop.wait(timeout=60) for stop in stops} <= {0, 1}  # 1: the other one was so quick that the run had ended
    for stop in stops:
        out, err = stop.communicate(timeout=10)
        assert "stopped" in out if stop.returncode == 0 else "stopped already" in err
    lines = [json.loads(line) for line in read(logs).splitlines()]
    assert {line["attempt"] for line in lines} == {1, 2}
    told = [json.loads(line) for line in read(events).splitlines()]
    assert [event["entry"] for event in told] == sorted(event["entry"] for event in told)
    launched = {event["instance"]["instance_id"] for event in told if event["type"] == "launch-succeeded"}
    assert len(launched) == 2  # some controllers may have recorded the same fact; nobody launched a third machine
    assert {event["attempt"] for event in told if event["type"] == "attempt-gone"} == {1, 2}
    assert {event["outcome"] for event in told if event["type"] == "run-ended"} == {"stopped"}
    for watcher in watchers:
        os.killpg(watcher.pid, signal.SIGINT)
        _, err = watcher.communicate(timeout=30)
        assert watcher.returncode == 130
        assert "Traceback" not in err
    assert shell.json("gc") == []

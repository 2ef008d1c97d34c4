"""A training that prints a gigabyte, on a real machine of ``local``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fleet.agent.logfile import MOST_BYTES
from fleet.providers.local.processes import machine_processes
from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_commands import Shell

pytestmark = pytest.mark.system

MOST_MEMORY = 150_000_000
"""Of the agent at any moment, its interpreter and libraries included (some 70 MB)."""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


@pytest.mark.parametrize("line", ["a line of text as trainings print them, neither short nor long", "y", ""])
def test_a_gigabyte_of_output_costs_a_limited_log_little_memory_and_no_heartbeat(shell: Shell, line: str) -> None:
    flood = f"yes '{line}'" if line else "cat /dev/zero"
    run = f"({flood} || true) | head -c 1000000000; echo; python count.py; echo the very end"
    process = shell.start("up", shell.job(steps=3, run=run), start_new_session=True)
    agent = shell.until(lambda: agent_of(shell))
    memory, beats, longest, last = 0, set(), 0.0, time.monotonic()
    while process.poll() is None:
        try:
            memory = max(memory, agent.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        for path in (shell.home.path / "bucket" / "heartbeats").glob("*.json"):
            beat = path.read_text()
            number = json.loads(beat)["beat"]
            if number not in beats:
                beats.add(number)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
        time.sleep(0.05)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    assert "succeeded" in out
    assert 10_000_000 < memory < MOST_MEMORY
    assert longest < 10, f"no heartbeat for {longest:.1f} s"
    log = sum(path.stat().st_size for path in (shell.home.path / "bucket" / "runs").rglob("log/*.log"))
    assert MOST_BYTES <= log < MOST_BYTES + 1000
    assert shell.runs()[0]["step"] == 3  # what was meant for the agent was heard
    print(f"agent at most {memory / 1e6:.0f} MB, {len(beats)} heartbeats, at most {longest:.1f} s apart")


def agent_of(shell: Shell) -> psutil.Process | None:
    """The agent's process of the newest machine."""
    for folder in (shell.home.local / "instances").glob("i-*"):
        for process in machine_processes(folder.name, None):
            if "fleet.agent" in " ".join(process.cmdline()) or "fleet-agent" in " ".join(process.cmdline()):
                return process
    return None

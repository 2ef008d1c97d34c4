"""The README's job and its commands, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_commands import COUNT, Shell

README = (Path(__file__).parents[3] / "README.md").read_text()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


EC2 = "\n## On EC2\n"
"""That chapter's commands are run by tests/aws/test_readme_ec2.py."""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README.split(EC2)[0], re.DOTALL)


def test_the_readmes_commands_do_what_it_says(shell: Shell) -> None:
    (shell.folder / "fleet.yaml").write_text(blocks("yaml")[0])
    (shell.folder / "requirements.txt").write_text("")
    (shell.folder / "train.py").write_text(COUNT.replace('os.environ["STEPS"]', '"100000"'))
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("fleet ")]
    words = [shlex.split(line, comments=True)[1:] for line in lines]
    assert [" ".join(w) for w in words] == [
        "plan fleet.yaml", "offers fleet.yaml", "up fleet.yaml", "ps", "status mine", "logs -f mine", "stop mine",
        "resume mine", "down mine", "controller run",
        "simulate fleet.yaml --market stormy --estimate 6h --deadline 9h --runs 3",
        "init deepracer shanghai-1", "deepracer check shanghai-1",
        "plan fleet.yaml", "cost --since month --by day", "budget set --day 5 --month 60", "report --night",
    ]  # fmt: skip
    plan, offers, up, ps, status, logs, stop, resume, down, controller, simulate, init, check, _, cost, budget, report = (
        words
    )
    assert "chosen" in shell.run(*plan)[0]
    assert "TRAINING/H" in shell.run(*offers)[0]
    assert "LATE" in shell.run(*simulate)[0]
    shell.run(*init)
    shell.run(*check)
    followed = shell.start(*up)
    shell.until(lambda: any(run["step"] for run in shell.runs()))
    assert "training" in shell.run(*ps)[0]
    assert "next " in shell.run(*status)[0]
    printed = shell.start(*logs)
    assert "stopped" in shell.run(*stop)[0]
    assert "begins at 0" in printed.communicate(timeout=30)[0]
    assert "stopped" in followed.communicate(timeout=30)[0]
    assert followed.returncode == 4
    held = shell.runs()[0]["step"]
    resumed = shell.start(*resume)
    shell.until(lambda: shell.runs()[0]["state"] == "training" and shell.runs()[0]["step"] > held)
    assert "stopped" in shell.run(*down)[0]
    assert resumed.communicate(timeout=30)[0].count("resumed")
    assert "stopped already" in shell.run(*down, code=1)[1]
    watcher = shell.start(*controller, start_new_session=True)
    assert watcher.stdout is not None
    assert "watching" in watcher.stdout.readline()
    os.killpg(watcher.pid, signal.SIGINT)
    watcher.communicate(timeout=20)
    assert "total" in shell.run(*cost)[0].lower()
    assert "$60" in shell.run(*budget)[0]
    assert "fleet volumes delete" in shell.run(*report)[0]  # yesterday there was nothing; what is left over, there is now


def test_the_readmes_two_commands_are_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (Path(__file__).parents[3] / "Makefile").read_text(), re.MULTILINE)
    assert {line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")} <= set(
        targets
    )

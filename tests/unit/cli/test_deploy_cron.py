"""``fleet controller deploy cron``: a line in this computer's crontab, by a stand-in for crontab; and what it runs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.cli import controller
from fleet.control.fleets import open_fleet
from fleet.control.home import Home
from fleet.model.errors import FleetError
from fleet.providers.local.provider import stop_everything
from tests.boot.shims import Shims
from tests.unit.cli.test_commands import Shell
from tests.unit.cli.test_json import check

THEIRS = b"MAILTO=me\n17 * * * * backup caf\xe9 100\\%\n"


class Cron(Shell):
    """A terminal with a crontab of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.file = folder / "crontab"
        self.shims = Shims(folder / "programs")
        body = f'case "$1" in\n-l) cat "{self.file}" ;;\n-r) rm "{self.file}" ;;\n*) cat "$1" >"{self.file}" ;;\nesac'
        self.shims.add("crontab", body)
        (folder / "cron" / "fleet").mkdir(parents=True)
        (folder / "cron" / "fleet" / "__init__.py").write_text("raise SystemExit('a folder that is called so')")
        self.env |= {"PATH": self.shims.path, "MARK": "of this terminal"}

    def minute(self) -> subprocess.CompletedProcess[bytes]:
        """What cron does with the first line."""
        command = self.file.read_bytes().split(b"\n")[0].removeprefix(b"* * * * * ").replace(rb"\%", b"%")
        env = {"HOME": str(self.folder / "cron"), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
        words = ["/bin/sh", "-c", os.fsdecode(command)]
        return subprocess.run(words, env=env, cwd=self.folder / "cron", capture_output=True, check=False, timeout=60)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Cron]:
    made = Cron(tmp_path)
    yield made
    stop_everything(made.home.local)


def test_the_line_is_shown_asked_about_put_there_once_and_taken_away(shell: Cron) -> None:
    shell.file.write_bytes(THEIRS)
    out, err = shell.run("controller", "deploy", "cron", code=1)
    assert "* * * * * " in out
    assert "FLEET_CONTROLLER=cron" in out
    assert "--yes" in err
    assert shell.file.read_bytes() == THEIRS
    found = check("deployed", shell.json("controller", "deploy", "cron", "--yes"))
    assert (found["host"], found["how"]) == ("", "cron")
    assert [step["action"] for step in found["steps"]] == ["write", "line"]
    line, _, rest = shell.file.read_bytes().partition(b"\n")
    assert rest == THEIRS
    assert len(line) < 900  # vixie-cron's commands end at a thousand
    assert "Nothing to do" in shell.run("controller", "deploy", "cron")[0]
    assert check("deployed", shell.json("controller", "remove", "cron", "--yes"))["steps"]
    assert shell.file.read_bytes() == THEIRS
    assert not list(shell.home.path.glob("controller-round*"))
    assert "Nothing to remove" in shell.run("controller", "remove", "cron")[0]


def test_where_there_was_no_crontab_there_is_none_afterwards(shell: Cron) -> None:
    shell.run("controller", "deploy", "cron", "--yes")
    assert shell.file.exists()
    shell.run("controller", "remove", "cron", "--yes")
    assert not shell.file.exists()


def test_another_homes_line_stays(shell: Cron) -> None:
    shell.run("controller", "deploy", "cron", "--yes")
    first = shell.file.read_bytes()
    shell.env["FLEET_HOME"] = str(shell.folder / "another")
    shell.run("controller", "deploy", "cron", "--yes")
    second, _, rest = shell.file.read_bytes().partition(b"\n")
    assert (b"another/controller-round" in second, rest) == (True, first)
    shell.run("controller", "remove", "cron", "--yes")
    assert shell.file.read_bytes() == first


def test_another_path_is_seen_and_written_anew(shell: Cron) -> None:
    shell.run("controller", "deploy", "cron", "--yes")
    shell.env["PATH"] += ":/opt/aws/bin"
    found = shell.json("controller", "deploy", "cron", "--yes")
    assert [step["action"] for step in found["steps"]] == ["write"]
    assert "/opt/aws/bin" in (shell.home.path / "controller-round").read_text()


def test_without_cron_it_is_said(shell: Cron) -> None:
    shell.shims.remove("crontab")
    shell.env["PATH"] = str(shell.folder / "programs")
    _, err = shell.run("controller", "deploy", "cron", "--yes", code=1)
    assert "cannot be read" in err
    assert "cron may not be installed" in err


def test_a_minute_of_cron_keeps_a_run_alive_and_says_nothing_but_in_its_log(shell: Cron) -> None:
    shell.run("up", "--detach", shell.job(steps=3))
    shell.run("controller", "deploy", "cron", "--yes")
    log = shell.home.path / "controller.log"

    def ended() -> bool:
        done = shell.minute()
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), log.read_text()
        return shell.runs()[0]["ended_at"] is not None

    shell.until(ended)
    assert "succeeded" in log.read_text()

    def quiet() -> bool:
        before = log.read_text()
        return shell.minute().returncode == 0 and log.read_text() == before

    shell.until(quiet)
    assert quiet()


def test_cron_that_was_taken_away_is_no_controller_any_more(shell: Cron) -> None:
    shell.run("up", shell.job(steps=3))
    shell.run("controller", "deploy", "cron", "--yes")
    assert shell.minute().returncode == 0
    assert [one["kind"] for one in shell.json("controller", "list")] == ["cron"]
    shell.run("controller", "remove", "cron", "--yes")
    assert shell.json("controller", "list") == []


def test_a_round_is_quiet_when_nothing_happens_and_honest_when_it_could_not_be_made(shell: Cron) -> None:
    assert "there is no fleet yet" in shell.run("controller", "run", "--once", code=1)[1]
    shell.run("up", shell.job(steps=3))
    assert shell.run("controller", "run", "--once") == ("", "")
    assert "--log is for rounds" in shell.run("controller", "run", "--log", "x", code=1)[1]
    broken = shell.folder / "broken"
    broken.mkdir()
    (broken / "fleet.json").write_text("{")
    (shell.home.path / "buckets.json").write_text(json.dumps([broken.as_uri()]))
    log = shell.folder / "log"
    out, err = shell.run("controller", "run", "--once", "--log", str(log), code=1)
    assert (out, err) == ("", "")
    assert "fleet.json" in log.read_text()
    assert "fleet.json" in shell.run("controller", "run", "--once", code=1)[1]


@pytest.mark.parametrize("error", [FleetError("the journal is torn"), TypeError("a bug,\nin two lines")])
def test_a_round_that_fails_tells_its_log_why_and_which_buckets_were_left_out(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    monkeypatch.setenv("FLEET_HOME", str(home.path))
    open_fleet(home, home.bucket, create=True)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "fleet.json").write_text("{")
        home.remember_bucket((tmp_path / name).as_uri())

    def watch(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(controller, "watch", watch)
    log = tmp_path / "log"
    assert controller.run(None, once=True, as_json=False, log=log) == 1
    *before, last = log.read_text().splitlines()
    assert [
        name for name in ("one", "two") if any(f"left out    {(tmp_path / name).as_uri()}" in line for line in before)
    ] == [
        "one",
        "two",
    ]
    told = "the journal is torn" if isinstance(error, FleetError) else "TypeError: a bug, in two lines"
    assert last.endswith(told)

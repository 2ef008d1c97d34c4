"""``fleet report install | uninstall | status | test`` and ``--night --send``, as a user types them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.report_send import _spoken
from fleet.control.fleets import open_fleet
from fleet.control.home import Home
from fleet.control.zone import local_zone
from fleet.model.errors import StoreError
from fleet.providers.local.provider import stop_everything
from fleet.report.send import Rendered
from fleet.report.send.destinations import FILE
from fleet.report.send.nights import Night
from tests.boot.shims import Shims
from tests.unit.cli.test_commands import Shell
from tests.unit.cli.test_json import check
from tests.unit.report.send.servers import mail_server, web_hook

SYSTEMCTL = """case "$*" in
*is-enabled*) test -e "$MADE" ;;
*enable*) touch "$MADE" ;;
*disable*) rm -f "$MADE" ;;
esac"""


class Terminal(Shell):
    """One with a crontab and a systemd of its own, before a fleet in which nothing ran."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.crontab = folder / "crontab"
        self.shims = Shims(folder / "programs")
        body = (
            f'case "$1" in\n-l) cat "{self.crontab}" ;;\n-r) rm "{self.crontab}" ;;\n*) cat "$1" >"{self.crontab}" ;;\nesac'
        )
        self.shims.add("crontab", body)
        self.shims.add("systemctl", SYSTEMCTL)
        self.env |= {
            "PATH": self.shims.path,
            "HOME": str(folder / "user"),
            "TZ": "Europe/Berlin",
            "MADE": str(folder / "made"),
        }
        self.env.pop("XDG_CONFIG_HOME", None)
        self.home.path.mkdir()
        self.fleet = open_fleet(Home(self.home.path), self.home.bucket, create=True)

    @property
    def units(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "user").rglob("fleet-report*") if path.is_file())

    def piped(self, text: str, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, stdin=subprocess.PIPE)
        out, err = process.communicate(text, timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    stop_everything(made.home.local)


def test_it_is_shown_asked_about_made_once_and_undone(shell: Terminal) -> None:
    with web_hook() as hook:
        words = ("report", "install", "--at", "02:00", "--to", hook.url, "--on", "systemd")
        out, err = shell.run(*words, code=1)
        assert "OnCalendar=*-*-* 02:00:00 Europe/Berlin" in out
        assert f"json://localhost:{hook.port}/***" in out
        assert "t0ken-of-mine" not in out + err
        assert "Nobody is there to answer" in err
        assert "--dry-run" in shell.run(*words, "--dry-run")[0]
        assert (shell.units, (shell.home.path / FILE).exists()) == ([], False)
        made = check("report-installed", shell.json(*words, "--yes"))
        assert (made["on"], made["at"], made["time_zone"], made["made"]) == (["systemd"], "02:00", "Europe/Berlin", True)
        assert [step["action"] for step in made["steps"]] == ["write", "write", "run", "run"]
        assert shell.units == ["fleet-report.service", "fleet-report.timer"]
        assert "Nothing to do" in shell.run("report", "install", "--on", "systemd")[0]
        status = check("report-status", shell.json("report", "status"))
        assert [place["on"] for place in status["installed"]] == ["systemd"]
        assert status["to"] == [f"json://localhost:{hook.port}/***"]
        gone = check("report-installed", shell.json("report", "uninstall", "--yes"))
        assert gone["on"] == ["systemd"]
        assert (shell.units, (shell.home.path / FILE).exists()) == ([], False)
        assert "Nothing to remove" in shell.run("report", "uninstall")[0]
        assert "No nightly report is installed" in shell.run("report", "status", code=1)[0]


def test_from_one_place_to_another_it_moves(shell: Terminal) -> None:
    shell.run("report", "install", "--to", "json://localhost:9", "--on", "systemd", "--yes")
    made = shell.json("report", "install", "--on", "cron", "--at", "3:15", "--yes")
    assert made["on"] == ["cron"]
    assert made["time_zone"] == local_zone({})  # cron goes by the computer's clock, and knows no TZ of a shell's
    assert "TZ=Europe/Berlin" in (shell.home.path / "report-night").read_text()  # the nights are the user's
    assert shell.units == []
    assert shell.crontab.read_bytes().startswith(b"15 3 * * * ")
    shell.run("report", "uninstall", "--yes")
    assert not shell.crontab.exists()


def test_a_password_can_come_from_standard_input(shell: Terminal) -> None:
    done = shell.piped(
        "mailto://me:hunter2pw@mail.example.com?to=me@example.com\n", "report", "install", "--to", "-", "--yes"
    )
    assert done.returncode == 0, done.stderr
    assert "hunter2pw" not in done.stdout + done.stderr
    assert "hunter2pw" in (shell.home.path / FILE).read_text()
    written = [*(shell.folder / "user").rglob("*.service"), *(shell.folder / "user").rglob("*.timer")]
    assert written
    assert not any("hunter2pw" in path.read_text() for path in written)
    assert "hunter2pw" not in "".join(shell.run("report", "status"))


def test_a_night_is_sent_once_and_who_was_not_reached_is_said_with_exit_code_1(shell: Terminal) -> None:
    with web_hook() as hook, mail_server("refuse") as refusing:
        shell.run("report", "install", "--to", hook.url, "--to", refusing.url, "--on", "cron", "--yes")
        (sent,) = check("report-sent", shell.json("report", "--night", "--send", code=1))
        assert sent["told"] == [f"json://localhost:{hook.port}/***"]
        assert [one["to"] for one in sent["failed"]] == [f"mailto://***@localhost:{refusing.port}?to=me@example.com"]
        assert len(hook.told) == 1
        refusing.manner = "take"
        out, _ = shell.run("report", "--night", "--send")
        assert "told to mailto://" in out
        assert (len(hook.told), len(refusing.mails)) == (1, 1)
        assert "everybody was told already" in shell.run("report", "--night", "--send")[0]
    night = check("report-status", shell.json("report", "status"))["nights"][0]
    assert (len(night["told"]), night["waiting"], night["why"]) == (2, [], "")
    keys = [entry.key for entry in shell.fleet.objects.list("reports/")]
    assert f"reports/{sent['night']}.html" in keys


def test_a_night_without_runs_is_silent_by_choice(shell: Terminal) -> None:
    with web_hook() as hook:
        shell.run("report", "install", "--to", hook.url, "--on", "cron", "--quiet-nights", "silent", "--yes")
        assert "--quiet-nights silent" in (shell.home.path / "report-night").read_text()
        (sent,) = shell.json("report", "--night", "--send", "--quiet-nights", "silent")
        assert sent["silent"]
        assert hook.told == []


def test_what_cron_calls_sends_it(shell: Terminal) -> None:
    with web_hook() as hook:
        shell.run("report", "install", "--to", hook.url, "--on", "cron", "--yes")
        env: dict[str, str] = {"PATH": "/usr/bin:/bin", "HOME": str(shell.folder)}
        subprocess.run([shell.home.path / "report-night"], check=True, env=env, timeout=60)
        assert len(hook.told) == 1
    log = (shell.home.path / "report.log").read_text()
    assert "told to json://localhost" in log
    assert "t0ken-of-mine" not in log


def test_a_test_message_is_sent(shell: Terminal) -> None:
    with web_hook() as hook, web_hook(500) as broken:
        shell.run("report", "install", "--to", hook.url, "--to", broken.url, "--on", "cron", "--yes")
        found: Any = check("report-test", shell.json("report", "test", code=1))
        assert (len(found["told"]), len(found["failed"])) == (1, 1)
        assert "test" in hook.told[0]["title"]


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("install",), "--to URL", 1),
        (("install", "--to", "hunter2pw"), "no destination", 1),
        (("install", "--to", "json://localhost", "--at", "25:00"), "no time of the day", 1),
        (("install", "--to", "json://localhost", "--on", "launchd"), "launchctl is not on this computer", 1),
        (("install", "--to", "json://localhost", "--on", "account"), "no controller in the account", 1),
        (("install", "--on", "moon"), "moon", 2),
        (("--send", "--format", "csv"), "--send sends yesterday's", 2),
        (("--night", "--send"), "nobody is named", 1),
        (("test",), "nobody is named", 1),
    ],
)
def test_what_cannot_be_is_said_with_what_can(shell: Terminal, words: tuple[str, ...], said: str, code: int) -> None:
    out, err = shell.run("report", *words, code=code)
    assert said in err
    assert "hunter2pw" not in out + err
    assert not (shell.home.path / FILE).exists()


def test_a_service_manager_that_refuses_is_told_with_what_it_says(shell: Terminal) -> None:
    shell.shims.add("systemctl", "echo 'Failed to connect to bus' >&2; exit 1")
    _, err = shell.run("report", "install", "--to", "json://localhost", "--on", "systemd", "--yes", code=1)
    assert "Failed to connect to bus" in err
    assert "--on cron" in err
    assert "systemd does not know what is installed" in "".join(shell.run("report", "status"))
    shell.run("report", "install", "--on", "cron", "--yes")  # as it was told to
    assert (shell.units, shell.crontab.exists()) == ([], True)


def test_what_nobody_could_tell_is_said_before_it_is_made(shell: Terminal) -> None:
    words = ("report", "install", "--on", "cron", "--dry-run", "--to")
    out, err = shell.run(*words, "nonsense://hunter2pw", "--to", "json://localhost")
    assert "Mind: nonsense://***: Apprise does not understand this destination" in out
    assert "Mind: json" not in out
    assert "hunter2pw" not in out + err
    out, err = shell.run("notify", "on", "failed", "--to", "nonsense://hunter2pw")
    assert "Mind: nonsense://***: Apprise does not understand this destination" in out
    assert "hunter2pw" not in out + err


def test_what_a_service_manager_refused_can_be_taken_away(shell: Terminal) -> None:
    shell.shims.add("systemctl", "echo 'Failed to connect to bus' >&2; exit 1")
    shell.run("report", "install", "--to", "json://localhost", "--on", "systemd", "--yes", code=1)
    assert shell.units
    shell.run("report", "uninstall", "--yes")
    assert (shell.units, (shell.home.path / FILE).exists()) == ([], False)


def test_what_a_service_manager_goes_on_calling_is_not_said_to_be_gone(shell: Terminal) -> None:
    shell.run("report", "install", "--to", "json://localhost", "--on", "systemd", "--yes")
    shell.shims.add("systemctl", 'case "$*" in *is-enabled*) ;; *) echo "Access denied" >&2; exit 1 ;; esac')
    assert "Access denied" in shell.run("report", "uninstall", "--yes", code=1)[1]
    assert shell.units


def test_a_fleet_that_cannot_be_looked_at_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    fleets = [open_fleet(Home(tmp_path), (tmp_path / name).as_uri(), create=True) for name in ("one", "two")]

    def out_of_reach(_night: str) -> Night:
        raise StoreError("there is no answer")

    def lively(night: str) -> Night:
        return Night(night, Rendered(night, night))

    assert _spoken(fleets, [out_of_reach, lively], "UTC") == {1}

"""What calls the report each night: systemd's timer, launchd's agent, cron's line, as each reads it back."""

from __future__ import annotations

import plistlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.boot.shell import Said, run_here
from fleet.control.home import Home
from fleet.control.nightly import LABEL, Wish, launchd, parse_at, systemd
from fleet.control.nightly_cron import MARK, NightlyCron
from fleet.control.unit import REPORT_TIMER, REPORT_UNIT
from fleet.model.errors import FleetError

WISH = Wish(2, 5, "Europe/Berlin", "silent", "s3://a b")
THEIRS = b"MAILTO=me\n17 * * * * backup\n0 2 * * * fleet report --night --send\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / "fleet's home").mkdir()
    return Home(tmp_path / "fleet's home")


def test_the_timer_is_in_the_users_zone_and_makes_up_for_a_night_that_was_slept_through(home: Home) -> None:
    files = {path.name: text.splitlines() for path, text in systemd(home, WISH).files.items()}
    timer = files[REPORT_TIMER]
    assert "OnCalendar=*-*-* 02:05:00 Europe/Berlin" in timer
    assert "Persistent=true" in timer
    assert f"Unit={REPORT_UNIT}" in timer
    unit = files[REPORT_UNIT]
    assert 'Environment="TZ=Europe/Berlin"' in unit
    assert f'Environment="FLEET_HOME={home.path}"' in unit
    assert "Type=oneshot" in unit
    assert "Restart=on-failure" in unit  # a computer that has just woken has no network yet
    command = next(line for line in unit if line.startswith("ExecStart="))
    told = ["--night", "--send", "--quiet-nights", "silent", "--bucket", "s3://a b"]
    assert shlex.split(command.removeprefix("ExecStart=")) == [sys.executable, "-m", "fleet.cli", "report", *told]


def test_the_agent_is_a_property_list_with_the_hour_and_the_minute(home: Home) -> None:
    ((path, text),) = launchd(home, WISH).files.items()
    assert path.name == f"{LABEL}.plist"
    plist = plistlib.loads(text.encode())
    assert plist["StartCalendarInterval"] == {"Hour": 2, "Minute": 5}
    assert plist["ProgramArguments"] == WISH.command()
    assert plist["EnvironmentVariables"]["FLEET_HOME"] == str(home.path)
    assert plist["EnvironmentVariables"]["TZ"] == "Europe/Berlin"
    assert "RunAtLoad" not in plist


def cron(home: Home, text: bytes = THEIRS, wish: Wish = WISH) -> NightlyCron:
    return NightlyCron(lambda _script, _feed: Said(0, text, b""), home, wish, text)


def test_the_line_is_at_its_time_and_other_lines_stay(home: Home) -> None:
    assert cron(home).line.startswith(b"5 2 * * * ")
    assert cron(home).line.endswith(MARK)
    assert [step.kind for step in cron(home).steps()] == ["write", "line"]
    assert not cron(home).steps_away()


def test_a_line_of_another_time_is_replaced_and_taken_away_and_another_homes_stays(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "crontab"
    other = cron(Home(tmp_path / "another")).line
    old = cron(home, wish=Wish(23, 0, "UTC")).line
    kept.write_bytes(other + b"\n" + old + b"\n" + THEIRS)

    def run(script: str, feed: bytes) -> Said:
        body = 'crontab() { case "$1" in -l) cat "$T" ;; -r) rm "$T" ;; *) cat "$1" >"$T" ;; esac; }\n'
        return run_here(f"T={shlex.quote(str(kept))}; {body}{script.replace('LC_ALL=C crontab', 'crontab')}", feed)

    made = NightlyCron(run, home, WISH, kept.read_bytes())
    for step in made.steps():
        made.carry_out(step)
    assert kept.read_bytes() == made.line + b"\n" + other + b"\n" + THEIRS
    again = NightlyCron(run, home, WISH, kept.read_bytes())
    assert again.steps() == ()
    for step in again.steps_away():
        again.carry_out(step)
    assert kept.read_bytes() == other + b"\n" + THEIRS
    assert not list(home.path.iterdir())


def test_crons_script_is_sh_and_calls_the_report_with_its_home(home: Home) -> None:
    fake = home.path / "python"
    fake.write_text('#!/bin/sh\necho "$FLEET_HOME" "$FLEET_REPORT" "$TZ" "$@"\n')
    fake.chmod(0o755)
    script = cron(home).text.replace(shlex.quote(sys.executable), shlex.quote(str(fake)))
    subprocess.run(["/bin/sh", "-c", script], check=True, env={"PATH": "/usr/bin:/bin"})
    told = "nightly Europe/Berlin -m fleet.cli report --night --send --quiet-nights silent --bucket s3://a b"
    assert (home.path / "report.log").read_text() == f"{home.path} {told}\n"


def test_another_homes_timer_is_neither_replaced_nor_removed(home: Home, tmp_path: Path) -> None:
    theirs = systemd(Home(tmp_path / "another"), WISH)
    for path, text in theirs.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.raises(FleetError, match="another FLEET_HOME"):
        systemd(home, WISH).steps()
    assert systemd(home, WISH).steps_away() == ()
    assert theirs.steps_away()


def test_a_path_that_no_unit_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="cannot hold"):
        systemd(Home(tmp_path / "a\nExecStop=/bin/rm"), WISH)


@pytest.mark.parametrize(("text", "at"), [("02:00", (2, 0)), (" 2:30 ", (2, 30)), ("23:59", (23, 59)), ("00:00", (0, 0))])
def test_a_time_of_the_day(text: str, at: tuple[int, int]) -> None:
    assert parse_at(text) == at


@pytest.mark.parametrize("text", ["24:00", "2", "02:60", "", "2am", "02:00:00", "-1:00", "\n02:00;"])
def test_what_is_no_time_of_the_day_is_refused(text: str) -> None:
    with pytest.raises(FleetError, match="no time of the day"):
        parse_at(text)

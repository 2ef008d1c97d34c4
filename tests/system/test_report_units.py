"""systemd itself reads the nightly report's units."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleet.control.home import Home
from fleet.control.nightly import Wish, systemd
from fleet.control.unit import REPORT_TIMER

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("zone", "folder"), [("Europe/Berlin", "home"), ("UTC", "odd 100% $HOME home"), ("America/Argentina/Ushuaia", "home")]
)
def test_systemd_reads_the_units_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, folder: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = systemd(Home(tmp_path / folder), Wish(2, 0, zone, bucket="s3://fleet-1"))
    for path, text in made.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    words = ["systemd-analyze", "--user", "verify", *map(str, made.files)]
    env = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env, timeout=60)
    own = [line for line in (done.stdout + done.stderr).splitlines() if "fleet-report" in line]
    assert (done.returncode, own) == (0, [])
    timer = next(text for path, text in made.files.items() if path.name == REPORT_TIMER)
    when = next(line for line in timer.splitlines() if line.startswith("OnCalendar=")).removeprefix("OnCalendar=")
    read = subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, text=True, check=True, timeout=60)
    assert f"*-*-* 02:00:00 {zone}" in read.stdout


def test_systemd_would_say_what_is_wrong(tmp_path: Path) -> None:
    """So that its silence means something."""
    unit = tmp_path / "fleet-report.timer"
    unit.write_text("[Timer]\nOnCalendar=*-*-* 02:00:00 Europe/Nowhere\n")
    words = ["systemd-analyze", "--user", "verify", str(unit)]
    env = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env, timeout=60)
    assert "fleet-report.timer" in done.stdout + done.stderr

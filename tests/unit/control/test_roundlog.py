"""Rounds that nobody looks at: alone, not for ever, and in a log that stays small."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from fleet.control.roundlog import LOG_BYTES, alone, logged

HOLD = """
import sys
from pathlib import Path
from fleet.control.roundlog import alone
with alone(Path(sys.argv[1])) as only:
    print(only, flush=True)
    sys.stdin.read()
"""
HANG = """
import sys, time
from pathlib import Path
from fleet.control import roundlog
roundlog.ROUND_SECONDS = 1
with roundlog.alone(Path(sys.argv[1])):
    time.sleep(600)
"""


def test_while_one_round_goes_on_no_other_begins_and_afterwards_one_does(tmp_path: Path) -> None:
    log = tmp_path / "home" / "controller.log"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        with alone(log) as only:
            assert not only
        other.kill()  # killed as it is: the lock goes with it
    with alone(log) as only:
        assert only


def test_a_round_that_hangs_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANG, str(tmp_path / "log")], check=False, timeout=60)
    assert done.returncode == -14
    assert time.monotonic() - began < 30


def test_lines_have_their_time_and_everything_that_is_printed_goes_there(tmp_path: Path) -> None:
    log = tmp_path / "controller.log"
    with logged(log, now=lambda: 1_700_000_000.0) as write:
        write("    0.1s      launching\nand more\n")
        os.write(2, b"fleet: prices could not be fetched\n")
    assert log.read_text() == (
        "2023-11-14T22:13:20Z     0.1s      launching\n2023-11-14T22:13:20Z and more\nfleet: prices could not be fetched\n"
    )


def test_the_log_never_grows_beyond_two_of_its_size(tmp_path: Path) -> None:
    log = tmp_path / "controller.log"
    for number in range(40):
        with logged(log) as write:
            write(f"{number} " + "x" * (LOG_BYTES // 8))
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == ["controller.log", "controller.log.1"]
    assert sum(path.stat().st_size for path in kept) < 3 * LOG_BYTES
    assert " 39 " in log.read_text()

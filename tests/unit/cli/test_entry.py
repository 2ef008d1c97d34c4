"""The program's quick answers are the whole command line's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.cli.entry import QUICK

RUN = "import sys; sys.argv[0] = 'fleet'; from {module} import main; main()"


def ask(module: str, home: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(module=module), *words],
        env={"FLEET_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, re.sub(r'"until_at": [0-9.]+', '"until_at": 0', done.stdout), done.stderr


@pytest.mark.parametrize("words", sorted(QUICK))
def test_a_quick_answer_is_the_whole_command_lines(tmp_path: Path, words: tuple[str, ...]) -> None:
    quick = ask("fleet.cli.entry", tmp_path, *words)
    assert quick == ask("fleet.cli.main", tmp_path, *words)
    assert quick[0] == 0
    assert quick[1]


def test_what_goes_wrong_is_told_as_the_whole_command_line_tells_it(tmp_path: Path) -> None:
    home = tmp_path / "a-file"
    home.write_text("")
    quick = ask("fleet.cli.entry", home, "ps")
    assert quick == ask("fleet.cli.main", home, "ps")
    assert quick[0] != 0
    assert quick[2].startswith("fleet: ")


@pytest.mark.parametrize("words", [["ps"], ["ps", "-o", "json"], ["cost"], ["--help"]])
def test_looking_imports_nothing_that_it_does_not_need(tmp_path: Path, words: list[str]) -> None:
    heavy = ["rich", "yaml", "psutil", "pathspec", "obstore", "tenacity", "sqlite3", "fleet.core.plan"]
    heavy += ["typer", "subprocess"] if words[0] != "--help" else ["pydantic"]
    code = (
        "import os, sys, atexit\n"
        "def told(code=0):\n"
        f"    os.write(2, repr([name for name in {heavy} if name in sys.modules]).encode())\n"
        "    end(code)\n"
        "end, os._exit = os._exit, told\n"
        "atexit.register(told)\n"
        f"sys.argv = ['fleet', *{words}]\nfrom fleet.cli.entry import main\nmain()"
    )
    env = {"FLEET_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == "[]"

"""What is shown on a terminal: no escapes, narrow tables, colours only where they are wanted."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from fleet.cli.plain import RESET, Screen, plain
from fleet.providers.local.provider import stop_everything
from tests.unit.bad_luck.pty import CTRL_C, Terminal
from tests.unit.cli.test_commands import Shell

Typing = Callable[..., Terminal]


@pytest.fixture
def terminal(shell: Shell) -> Iterator[Typing]:
    made: list[Terminal] = []

    def start(*words: str, **more: int) -> Terminal:
        made.append(Terminal(list(words), shell.env, shell.folder, **more))
        return made[-1]

    yield start
    for one in made:
        one.close()


EVIL = "\x1b]0;owned\x07red\x1b[31m!\x1b[0m\x1b[2J\x1b[1;1Hback\x1b(0\x1bc\x9b5n\x85\u202egnirts\x1bP1;2|x\x1b\\end"


def test_text_is_made_plain_whatever_it_holds() -> None:
    assert plain(EVIL) == "red!back5ngnirtsend"
    assert plain("one\r\ntwo\ttabs\n") == "one\ntwo\ttabs\n"
    assert plain("10%\r50%\r100%\ndone\r") == "100%\ndone"
    assert plain("cut \x1b]0;never ends\nbut the next line is there") == "cut \nbut the next line is there"
    assert plain("é 漢 🚗 … ·") == "é 漢 🚗 … ·"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_log_on_a_terminal_keeps_its_colours_and_nothing_else_however_it_is_cut(size: int) -> None:
    screen, data = Screen(colours=True), EVIL.encode() + "\n10%\r漢\n".encode()
    shown = "".join(screen.shown(data[at : at + size]) for at in range(0, len(data), size)) + screen.rest()
    assert shown == "red\x1b[31m!\x1b[0mback5ngnirtsend\n10%\r漢\n" + RESET


def test_without_colours_there_are_none() -> None:
    screen = Screen(colours=False)
    assert screen.shown(EVIL.encode()) + screen.rest() == "red!back5ngnirtsend"


def test_a_sequence_without_an_end_does_not_hold_the_log_back_for_ever() -> None:
    screen = Screen(colours=True)
    shown = "".join(screen.shown(b"\x1b]" + b"x" * 1000) for _ in range(6)) + screen.shown(b"\nnext\n")
    assert shown.endswith("\nnext\n")


@pytest.fixture(scope="module")
def an_evil_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Its training printed escapes, and failed with them as its last words."""
    made = Shell(tmp_path_factory.mktemp("evil"))
    (made.folder / "job" / "evil.py").write_text(f"import sys\nsys.stdout.buffer.write({EVIL.encode()!r})\nsys.exit(3)\n")
    out, _ = made.run("up", made.job(run="python evil.py", extra="retries: {training: 0}\n"), code=4)
    assert "\x1b" not in out
    yield made
    stop_everything(made.home.local)


def test_no_message_or_table_passes_on_what_a_training_printed(an_evil_run: Shell) -> None:
    an_evil_run.run("note", "count", "mine\x1b]0;owned\x07")
    for words in (["ps"], ["status", "count"], ["events", "count"], ["stop", "count"], ["ps", "-o", "json"]):
        process = an_evil_run.start(*words)
        out, err = process.communicate(timeout=40)
        assert "\x1b" not in out + err, words
        assert "\x9b" not in out + err


def test_logs_are_clean_on_a_terminal_and_raw_for_a_pipe(an_evil_run: Shell) -> None:
    words = [sys.executable, "-m", "fleet.cli", "logs", "count"]
    piped = subprocess.run(words, env=an_evil_run.env, capture_output=True, check=True, timeout=40)
    assert piped.stdout == EVIL.encode()
    for more, expected in (([], "red\x1b[31m!\x1b[0mback5ngnirtsend" + RESET), (["--raw"], EVIL)):
        shown = Terminal(["logs", "count", *more], an_evil_run.env, an_evil_run.folder)
        try:
            assert shown.end() == (0, expected)
        finally:
            shown.close()
    shown = Terminal(["logs", "count"], {**an_evil_run.env, "NO_COLOR": "1"}, an_evil_run.folder)
    try:
        assert shown.end() == (0, "red!back5ngnirtsend")
    finally:
        shown.close()


def test_forty_columns_are_enough_for_every_table(a_run_that_ended: Shell) -> None:
    tables = (["ps"], ["volumes", "list"], ["checkpoints", "list", "count"], ["plan", a_run_that_ended.job()])
    for words in (*tables, ["--help"], ["up", "--help"]):
        shown = Terminal(list(words), a_run_that_ended.env, a_run_that_ended.folder, columns=40)
        try:
            code, said = shown.end()
        finally:
            shown.close()
        assert code == 0
        if list(words) in list(tables):
            block = [line for line in said.splitlines() if line][:4]
            assert all(len(line) <= 40 for line in block), block
            assert all(len(line.split()) >= 2 for line in block), block  # a name and its value


def test_no_color_is_heeded_on_a_terminal(a_run_that_ended: Shell) -> None:
    env = {**a_run_that_ended.env, "NO_COLOR": "1", "TERM": "xterm-256color"}
    env.pop("FORCE_COLOR", None)
    for words in (["--help"], ["ps"], ["status", "count"], ["no-such-command"]):
        shown = Terminal(words, env, a_run_that_ended.folder)
        try:
            _, said = shown.end()
        finally:
            shown.close()
        assert not re.search(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d|10\d)[;m]", said), said


def test_ctrl_c_ends_a_log_that_is_followed(shell: Shell, terminal: Typing) -> None:
    shell.run("up", "--detach", shell.job(steps=10_000))
    watched = terminal("logs", "-f", "count")
    watched.wait_for("begins at 0")
    watched.press(CTRL_C)
    code, said = watched.end()
    assert code == 130
    assert "Traceback" not in said
    assert shell.runs()[0]["state"] == "training"

"""Prompts, and terminals that are narrow, colourless, closed, or none at all; homes that are missing or read-only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.cli.ask import confirm
from fleet.cli.main import main
from fleet.cli.plain import RESET, Screen, plain
from fleet.control.home import Home
from fleet.model.errors import FleetError
from fleet.providers.local.provider import LocalProvider, stop_everything
from tests.unit.bad_luck.pty import CTRL_C, CTRL_D, Terminal
from tests.unit.cli.test_commands import Shell
from tests.unit.providers.test_local import Local

NO_WRITES = "/sys/kernel" if Path("/sys/kernel").is_dir() else "/System"
"""A folder that nobody may write to, not even root."""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


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


# --- prompts: Ctrl-C is 130 and one line, Ctrl-D is a no; neither does anything


@pytest.fixture(scope="module")
def a_run_that_ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    made = Shell(tmp_path_factory.mktemp("ended"))
    made.env |= {"HOME": str(made.folder), "XDG_CONFIG_HOME": ""}
    tools = made.folder / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {made.folder}/calls\n')
    (tools / "systemctl").chmod(0o755)
    made.env["PATH"] = f"{tools}:{made.env['PATH']}"
    made.run("up", made.job())
    yield made
    stop_everything(made.home.local)


def everything(shell: Shell) -> dict[str, bytes]:
    """What fleet keeps, but for what grows by looking."""
    return {str(p): p.read_bytes() for p in shell.folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


@pytest.fixture
def prompt(a_run_that_ended: Shell, request: pytest.FixtureRequest) -> list[str]:
    """The command that asks, once there is something to ask about."""
    shell = a_run_that_ended
    if request.param == "prune":
        return ["checkpoints", "prune", "count", "--keep", "1"]
    if request.param == "volume":
        return ["volumes", "delete", shell.json("volumes", "list")[0]["volume"]]
    if request.param == "gc":
        fleet_id = _fleet_id(shell.home)
        if not shell.json("gc"):
            provider = LocalProvider(shell.home.local, fleet_id, agent_command=["sleep", "600"])
            tags = {"fleet": fleet_id, "run": "forgotten-1", "attempt": "1", "try": "1", "token": "t"}
            made = provider.launch(Local(shell.home.local).request(tags=tags, volume={"kind": "new", "size_gb": 10}))
            record = shell.home.local / "instances" / made.instance_id / "instance.json"
            shell.until(lambda: '"running"' in record.read_text())
        return ["gc", "--delete"]
    if request.param == "script":
        return ["up", shell.job(run="python nowhere.py", name="other")]
    if request.param == "uninstall":
        unit = shell.folder / ".config" / "systemd" / "user" / "fleet-controller.service"
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text("")
        return ["controller", "uninstall"]
    return ["controller", "install"]


def _fleet_id(home: Home) -> str:
    from fleet.store.fleetfile import read_fleet
    from fleet.store.opening import open_objects

    found = read_fleet(open_objects(home.bucket))
    assert found is not None
    return found.fleet_id


PROMPTS = ["script", "prune", "volume", "install", "uninstall", "gc"]


@pytest.mark.parametrize("prompt", PROMPTS, indirect=True)
@pytest.mark.parametrize(("keys", "code"), [(CTRL_C, 130), (CTRL_D, 1), (b"\n", 1), (b"what?\n", 1)])
def test_at_every_prompt_anything_but_a_yes_does_nothing_and_says_so(
    a_run_that_ended: Shell, prompt: list[str], keys: bytes, code: int
) -> None:
    before = everything(a_run_that_ended)
    asked = Terminal(prompt, a_run_that_ended.env, a_run_that_ended.folder)
    try:
        asked.wait_for("[y/N] ")
        at = len(asked.said)
        asked.press(keys)
        ended, said = asked.end()
    finally:
        asked.close()
    after = said.encode()[at:].decode().replace("^C", "").replace("^D\b\b", "").replace("what?", "").strip()
    assert ended == code, said
    assert after.startswith("fleet: nothing was ")
    assert len(after.splitlines()) == 1
    assert everything(a_run_that_ended) == before


def test_a_yes_is_a_yes(a_run_that_ended: Shell) -> None:
    asked = Terminal(["checkpoints", "prune", "count", "--keep", "3"], a_run_that_ended.env, a_run_that_ended.folder)
    try:
        asked.wait_for("[y/N] ")
        asked.press(b"y\n")
        code, said = asked.end()
    finally:
        asked.close()
    assert (code, "Removed" in said) == (0, True)


def test_money_is_asked_about_where_enter_is_a_yes_and_ctrl_d_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider that costs money can be reached yet from here; the question is the same."""
    from fleet.cli import up

    readable = os.open(os.devnull, os.O_RDONLY)
    answers: list[object] = ["", "n", EOFError()]

    def say(*_args: object) -> str:
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)

    class Input:
        there = False

        def isatty(self) -> bool:
            return self.there

        def fileno(self) -> int:
            return readable

    monkeypatch.setattr("builtins.input", say)
    monkeypatch.setattr("fleet.cli.ask.sys.stdin", Input())
    with pytest.raises(FleetError, match=r"(?s)Nobody is there.*--yes"):
        up._confirm({"aws"}, yes=False)
    Input.there = True
    up._confirm({"aws"}, yes=False)
    for _ in range(2):
        with pytest.raises(FleetError, match="nothing was started"):
            up._confirm({"aws"}, yes=False)
    up._confirm({"local"}, yes=False)
    up._confirm({"aws"}, yes=True)
    os.close(readable)


def test_a_question_never_stands_in_what_a_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    class Tty:
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return readable

    readable = os.open(os.devnull, os.O_RDONLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fleet.cli.ask.sys.stdin", Tty())
        patch.setattr("builtins.input", lambda *words: "y" if not words else "no: a question on standard output")
        confirm("Really?", yes=False, otherwise="nothing")
    os.close(readable)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "Really? [y/N] ")


def test_without_a_terminal_nothing_is_asked_and_the_way_on_is_told(a_run_that_ended: Shell) -> None:
    job = a_run_that_ended.job(run="python nowhere.py", name="other")
    process = a_run_that_ended.start("up", job, stdin=subprocess.DEVNULL)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "nowhere.py, which is not in the packed workdir" in err
    assert "--yes" in err
    assert not [run for run in a_run_that_ended.runs() if run["name"] == "other"]


def test_a_missing_script_is_started_all_the_same_on_a_word_and_named_by_plan(shell: Shell) -> None:
    job = shell.job(run="python nowhere.py", extra="retries: {training: 0}\n")
    _, err = shell.run("plan", job)
    assert "nowhere.py" in err
    out, err = shell.run("up", "--yes", job, code=4)
    assert "nowhere.py" in err
    assert "exit code 2" in out


# --- what is shown on a terminal

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
    import re

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


# --- no terminal at all


def closed(shell: Shell, words: list[str], redirections: str) -> subprocess.CompletedProcess[str]:
    """A command whose standard streams are closed before it begins."""
    line = f'exec "$0" -m fleet.cli "$@" {redirections}'
    return subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, *words],
        env=shell.env,
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("redirections", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_is_started_watched_and_ended_whatever_streams_are_closed(shell: Shell, redirections: str) -> None:
    done = closed(shell, ["up", shell.job(steps=3)], redirections)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done
    for words in (["ps"], ["status", "count"], ["logs", "count"], ["events"], ["ps", "-o", "json"]):
        done = closed(shell, words, redirections)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done
    assert shell.runs()[0]["state"] == "succeeded"


def test_what_needs_an_answer_says_so_where_standard_input_is_closed(a_run_that_ended: Shell) -> None:
    done = closed(a_run_that_ended, ["checkpoints", "prune", "count"], "<&-")
    assert done.returncode == 1
    assert "--yes" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_cannot_be_written_is_no_success(a_run_that_ended: Shell) -> None:
    done = closed(a_run_that_ended, ["ps"], "> /dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("fleet: No space left on device")
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_leaves_early_gets_no_traceback(a_run_that_ended: Shell) -> None:
    line = f'"{sys.executable}" -m fleet.cli events | true'
    done = subprocess.run(["/bin/sh", "-c", line], env=a_run_that_ended.env, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_terminal_that_knows_few_characters_gets_the_rest_as_question_marks(a_run_that_ended: Shell) -> None:
    a_run_that_ended.run("note", "count", "漢")
    words = [sys.executable, "-m", "fleet.cli", "status", "count"]
    env = {**a_run_that_ended.env, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=40)
    assert (done.returncode, done.stderr) == (0, "")
    assert "note      ?" in done.stdout


# --- homes


def run_in_process(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fleet", *words])
        with pytest.raises(SystemExit) as end:
            main()
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    code = end.value.code
    return (code if isinstance(code, int) else 0), told.out + told.err


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME, and a user that no list of users knows."""

    def unknown(_uid: int) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "FLEET_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("words", [["ps"], ["controller", "run", "--once"], ["volumes", "list"], ["gc"]])
def test_without_a_home_folder_the_user_is_told_to_name_one(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run_in_process(words, capsys)
    assert code == 1
    assert told.startswith("fleet: fleet's home cannot be made")
    assert "Set FLEET_HOME" in told


@pytest.mark.usefixtures("homeless")
def test_with_fleets_home_named_no_other_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    assert run_in_process(["ps"], capsys)[0] == 0
    assert run_in_process(["doctor"], capsys)[0] == 0
    code, told = run_in_process(["controller", "status"], capsys)
    assert (code, "Set HOME" in told) == (1, True)
    job = tmp_path / "job.yaml"
    job.write_text("name: a\nrun: x\nfile_mounts: {data: ~/data}\n")
    code, told = run_in_process(["plan", str(job)], capsys)
    assert (code, "Write the whole path" in told) == (3, True)


def test_a_read_only_home_is_one_clear_message(shell: Shell) -> None:
    shell.env["FLEET_HOME"] = NO_WRITES
    job = shell.job()
    for words in (["up", job], ["plan", job]):
        _, err = shell.run(*words, code=1)
        assert NO_WRITES in err
        assert "FLEET_HOME" in err
        assert "fault of fleet's" not in err
    assert "No runs yet" in shell.run("ps")[0]
    assert "bad   home" in shell.run("doctor", code=1)[0]


def test_looking_at_runs_writes_nothing_so_that_a_read_only_home_can_be_looked_at(
    a_run_that_ended: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = os.open

    def read_only(path: str | Path, flags: int, *more: int, **named: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and str(a_run_that_ended.home.path) in str(path):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setenv("FLEET_HOME", str(a_run_that_ended.home.path))
    for words in (["ps"], ["status", "count"], ["events"], ["checkpoints", "list", "count"]):
        code, told = run_in_process(words, capsys)
        assert code == 0, told

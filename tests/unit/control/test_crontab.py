"""fleet's line in a crontab: put in once, taken out again, and nothing else ever touched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.boot.shell import Said, run_here
from fleet.control.crontab import MARK, line_for, marked_lines, read_crontab, times, with_line, without_line, write_crontab
from fleet.model.errors import FleetError
from tests.boot.shims import Shims

LINE, OTHER = line_for("/home/u/.local/share/fleet/controller/current/round"), line_for("/old/place")
lines = st.one_of(
    st.binary(max_size=60).filter(lambda one: b"\n" not in one),
    st.sampled_from(
        [
            b"# m h dom mon dow command",
            b"PATH=/bin:/usr/bin",
            b"*/5 * * * * backup # fleet-controller",
            b"\t",
            b"",
            b"0 0 * * * caf\xe9\r",
            b"# * * * * * /x" + MARK,
            b"* * * * * /x" + MARK + b" ",
        ]
    ),
)
crontabs = st.tuples(st.lists(lines, max_size=8), st.sampled_from([b"", b"\n"])).map(lambda one: b"\n".join(one[0]) + one[1])


@given(crontabs)
def test_whatever_else_is_in_a_crontab_survives_byte_for_byte(text: bytes) -> None:
    assert with_line(text, LINE) == LINE + b"\n" + text
    assert without_line(with_line(text, LINE), LINE) == text
    assert without_line(text, LINE) == text


@given(crontabs, crontabs)
def test_the_line_is_there_once_however_often_it_is_put_there_and_wherever_it_was(before: bytes, after: bytes) -> None:
    before = before and before.rstrip(b"\n") + b"\n"
    for old in (before + LINE + b"\n" + after, before + LINE + b"\n" + LINE + b"\n" + after):
        new = with_line(old, LINE)
        assert times(new, LINE) == 1
        assert with_line(new, LINE) == new
        assert without_line(new, LINE) == before + after


@given(crontabs)
def test_the_line_of_another_home_is_somebody_elses(text: bytes) -> None:
    old = OTHER + b"\n" + text
    new = with_line(old, LINE)
    assert marked_lines(new)[:2] == [LINE, OTHER]
    assert without_line(new, LINE) == old


def test_a_line_that_the_user_moved_stays_where_it_is() -> None:
    text = b"MAILTO=me\n" + LINE + b"\n0 0 * * * backup\n"
    assert with_line(text, LINE) == text
    assert without_line(text, LINE) == b"MAILTO=me\n0 0 * * * backup\n"


def test_a_shell_runs_the_program_of_the_line_and_takes_the_mark_for_a_comment(tmp_path: Path) -> None:
    program = tmp_path / "it's 50% of $HOME" / "round"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho ran $#\n")
    program.chmod(0o755)
    command = line_for(str(program)).decode().removeprefix("* * * * * ").replace(r"\%", "%")  # as cron does
    assert subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True, text=True).stdout == "ran 0\n"


def test_a_path_that_no_crontab_can_hold_is_refused() -> None:
    with pytest.raises(FleetError, match="cannot hold"):
        line_for("/a\n* * * * * evil")


class Crontab:
    """The program, as Debian's, BusyBox's or one that lets nobody in."""

    def __init__(self, text: bytes | None, none: str = "no crontab for me", refuses: str = "") -> None:
        self.text, self.none, self.refuses = text, none, refuses

    def __call__(self, script: str, feed: bytes) -> Said:
        if self.refuses:
            return Said(1, b"", self.refuses.encode())
        if script.endswith("-l"):
            return Said(1, b"", self.none.encode()) if self.text is None else Said(0, self.text, b"")
        self.text = None if script.endswith("-r") else feed
        return Said(0, b"", b"")


@pytest.mark.parametrize("none", ["no crontab for me", "crontab: can't open 'me': No such file or directory"])
def test_where_there_was_no_crontab_there_is_none_afterwards(none: str) -> None:
    cron = Crontab(None, none)
    write_crontab(cron, with_line(read_crontab(cron), LINE))
    assert cron.text == LINE + b"\n"
    write_crontab(cron, without_line(read_crontab(cron), LINE))
    assert cron.text is None


def test_a_crontab_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    cron = Crontab(b"0 0 * * * backup\n", refuses="You (me) are not allowed to use this program (crontab)")
    with pytest.raises(FleetError, match="not allowed") as told:
        read_crontab(cron)
    assert "cron.allow" in told.value.hint
    with pytest.raises(FleetError, match="cannot be written"):
        write_crontab(cron, b"")


def test_a_crontab_that_arrives_cut_short_is_not_put_in_the_place_of_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims, kept, scratch = Shims(tmp_path / "programs"), tmp_path / "crontab", tmp_path / "scratch"
    shims.add("crontab", f'cat "$1" >"{kept}"; exit $(cat "{tmp_path}/code")')
    scratch.mkdir()
    monkeypatch.setenv("PATH", shims.path)
    monkeypatch.setenv("TMPDIR", str(scratch))
    kept.write_bytes(b"0 0 * * * backup\n")
    text = with_line(kept.read_bytes(), LINE)
    (tmp_path / "code").write_text("0")
    for arrives in (0, len(LINE), len(text) - 1):
        with pytest.raises(FleetError, match="cut short"):
            write_crontab(lambda script, feed, end=arrives: run_here(script, feed[:end]), text)  # type: ignore[misc]
        assert kept.read_bytes() == b"0 0 * * * backup\n"
    write_crontab(run_here, text)
    assert kept.read_bytes() == text
    (tmp_path / "code").write_text("7")
    with pytest.raises(FleetError, match="exit code 7"):
        write_crontab(run_here, text)
    assert not list(scratch.iterdir())

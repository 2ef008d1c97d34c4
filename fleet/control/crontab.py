"""fleet's line in a user's crontab. Every other line stays as it is, byte for byte: it is somebody else's work."""

from __future__ import annotations

import shlex
from pathlib import Path

from fleet.boot.shell import Run, whole
from fleet.model.errors import FleetError

EVERY_MINUTE = b"* * * * * "
MARK = b" # fleet-controller: put here by fleet, and taken away by `fleet controller remove`"
"""By its end a line of fleet's is known; for the shell it is a comment."""
NONE_YET = ("no crontab", "no such file")
"""What crontab says if there is none: its exit code is then that of a refusal."""
TOLD = "into the crontab; its other lines stay as they are"
"""Of a line of fleet's, before it is put there."""
REMEDY = "cron may not be installed there, or you may not use it (/etc/cron.allow)."


def line_for(program: str, when: bytes = EVERY_MINUTE, mark: bytes = MARK) -> bytes:
    """The line that runs a program each minute, or ``when``. Raises FleetError for a path that no crontab can hold."""
    if "\n" in program or "\0" in program:
        raise FleetError(f"a crontab cannot hold the path {program!r}")
    command = shlex.quote(program).replace("%", r"\%")  # a bare one ends the command
    return when + command.encode("utf-8", "surrogateescape") + mark


def marked_lines(text: bytes) -> list[bytes]:
    """Those that fleet put there, for whatever home of its own."""
    return [line for line in text.split(b"\n") if line.startswith(EVERY_MINUTE) and line.endswith(MARK)]


def times(text: bytes, line: bytes) -> int:
    """How often a line is there."""
    return text.split(b"\n").count(line)


def with_line(text: bytes, line: bytes) -> bytes:
    """The crontab with the line, once. It comes first: what the user sets for the lines below does not count for it."""
    return text if times(text, line) == 1 else line + b"\n" + without_line(text, line)


def without_line(text: bytes, line: bytes) -> bytes:
    """The crontab as it was before. Another home's line is somebody else's too, though fleet put it there."""
    return b"".join(one for one in _kept_ends(text) if one.removesuffix(b"\n") != line)


def _kept_ends(text: bytes) -> list[bytes]:
    """Lines with their ends, where only a newline ends one."""
    *whole, rest = text.split(b"\n")
    return [*(line + b"\n" for line in whole), *([rest] if rest else [])]


def read_crontab(run: Run) -> bytes:
    """The user's crontab; empty if there is none. Raises FleetError: one that cannot be read is never written over."""
    done = run("LC_ALL=C crontab -l", b"")
    if done.code == 0:
        return done.out
    if any(words in done.text.lower() for words in NONE_YET):
        return b""
    raise FleetError(f"the crontab cannot be read: {done.text or f'exit code {done.code}'}", REMEDY)


def write_crontab(run: Run, text: bytes) -> None:
    """Put a crontab in the place of the one that is there; an empty one is none."""
    arrived = whole('"$t"', text)
    put = f't=$(mktemp) && cat >"$t" && {arrived} && crontab "$t"; code=$?; rm -f "$t"; exit $code'
    done = run(put if text else "crontab -r", text)
    if done.code != 0:
        raise FleetError(f"the crontab cannot be written: {done.text or f'exit code {done.code}'}", REMEDY)


def put_script(path: Path, text: str) -> None:
    """What a line calls: whole or not at all, since cron may call it meanwhile."""
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o755)
    temporary.replace(path)

"""Scripts for a POSIX shell, run here or on a host that is reached over SSH."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a script."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """What it has to say for itself: its complaints, else its output."""
        return (self.err or self.out).decode("utf-8", "replace").strip()


Run = Callable[[str, bytes], Said]
"""(script, standard input): runs it to its end."""


def run_here(script: str, feed: bytes) -> Said:
    """On this computer."""
    done = subprocess.run(["/bin/sh", "-c", script], input=feed, capture_output=True, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


def whole(file: str, feed: bytes) -> str:
    """Words for a script: whether a file, in the shell's words, holds all that the script was fed.

    If a connection breaks, the script sees an end like any other; half a crontab in the place of a whole one is worse than
    none.
    """
    return f'{{ test "$(wc -c <{file})" -eq {len(feed)} || {{ echo "it arrived cut short" >&2; rm -f {file}; false; }}; }}'

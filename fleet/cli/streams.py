"""Standard streams that are not what a program takes for granted: closed by the caller, full, or read by nobody."""

from __future__ import annotations

import contextlib
import io
import os
import sys


def open_closed_streams() -> None:
    """Stand in with the null device for a stream that was closed: else the next file that is opened becomes it."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lives as long as we do
        setattr(sys, name, stream)


def never_fail_to_encode() -> None:
    """A terminal that is not UTF-8 gets question marks, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def give_up_stdout() -> None:
    """Nothing more is written there: what is still held would fail once more when the program ends."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)

"""The terminal that a user sits at, lent to a machine: raw while it is, and as it was afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from typing import Any


def is_terminal() -> bool:
    """Whether a person types here and sees what comes back."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def ask_for_terminal(channel: Any) -> None:
    """One like this one, on the machine."""
    columns, lines = shutil.get_terminal_size()
    channel.get_pty(term=os.environ.get("TERM", "vt100"), width=columns, height=lines)


@contextlib.contextmanager
def lent(channel: Any) -> Iterator[None]:
    """Every key goes to the machine, Ctrl-C too, and it hears of a new size of the window."""
    import termios
    import tty

    here = sys.stdin.fileno()
    before = termios.tcgetattr(here)

    def resized(_number: int, _frame: object) -> None:
        columns, lines = shutil.get_terminal_size()
        with contextlib.suppress(Exception):  # a connection that ends meanwhile fails in many ways
            channel.resize_pty(width=columns, height=lines)

    handler = signal.signal(signal.SIGWINCH, resized)
    try:
        tty.setraw(here, termios.TCSADRAIN)  # what was typed ahead stays
        yield
    finally:
        termios.tcsetattr(here, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)

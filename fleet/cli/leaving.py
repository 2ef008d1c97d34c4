"""Commands that have something to take back when they end."""

from __future__ import annotations

import signal
import sys


def leave_properly() -> None:
    """A terminal that is closed, or a kill, is no reason to leave something behind: both end the command as Ctrl-C does."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_DFL:  # else it was started so that it outlives its terminal
            signal.signal(number, leave)

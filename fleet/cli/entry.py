"""The program's first lines. `fleet ps`, which people run again and again, and `fleet cost`, which reads much, are answered
without the command line's library: importing and building the tree of all commands takes as long as reading a journal does.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys

QUICK = {
    (command, *words): as_json
    for command in ("ps", "cost")
    for words, as_json in (((), False), (("-o", "json"), True), (("-o", "text"), False))
}
"""Exactly these words, and whether they ask for JSON."""


def main() -> None:
    """The console script."""
    words = tuple(sys.argv[1:])
    if words in QUICK:
        _quick(words[0], as_json=QUICK[words])
    from fleet.cli.main import main as whole

    whole()


def _quick(command: str, *, as_json: bool) -> None:
    """Answer and exit. What goes wrong is left to the whole command line: it asks again, and knows how to say it."""
    gc.disable()  # importing makes many objects and no garbage; looking for it takes a tenth of the time
    from fleet.cli.streams import never_fail_to_encode, open_closed_streams

    open_closed_streams()
    never_fail_to_encode()
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = _answer(command, as_json=as_json)
    except Exception:  # noqa: BLE001 - told by the second try
        return
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        sys.stderr.write(err.getvalue())
        sys.stdout.write(out.getvalue())
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        from fleet.cli.main import cannot_write

        cannot_write(error)
    os._exit(code)  # everything is said and nothing is open: taking the interpreter apart would take a tenth of the time


def _answer(command: str, *, as_json: bool) -> int:
    if command == "ps":
        from fleet.cli import ps

        return ps.show(None, everything=False, last=None, as_json=as_json)
    from fleet.cli import cost

    return cost.show(cost.Wish(), None, as_json=as_json)

"""The program's first lines. `fleet ps`, which people run again and again, is answered without the command line's library:
importing and building the tree of all commands takes as long as reading the journal does.
"""

from __future__ import annotations

import gc
import sys

QUICK = {("ps",): False, ("ps", "-o", "json"): True, ("ps", "-o", "text"): False}
"""Exactly these words, and whether they ask for JSON."""


def main() -> None:
    """The console script."""
    as_json = QUICK.get(tuple(sys.argv[1:]))
    if as_json is not None:
        _quick(as_json=as_json)
    from fleet.cli.main import main as whole

    whole()


def _quick(*, as_json: bool) -> None:
    """Answer and exit. What goes wrong is left to the whole command line: it asks again, and knows how to say it."""
    gc.set_threshold(100_000)  # importing makes many objects and no garbage; looking for it takes a tenth of the time
    from fleet.cli.ps import show

    try:
        code = show(None, as_json=as_json)
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 - told by the second try
        return
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)

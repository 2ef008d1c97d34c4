"""Is a training that exits 0 without what the job declares as its outputs a success?"""

from __future__ import annotations

from collections.abc import Sequence

from fleet.model.documents import Outcome


def verdict(declared: Sequence[str], missing: Sequence[str]) -> Outcome:
    """The outcome of a training that exited with 0; ``missing`` are the patterns of ``declared`` that match nothing.

    Without any of them the run has failed: what it was for is not there, however it exited. Where some are there, a
    pattern that matches nothing may have been meant to be optional: a success that names it.
    """
    names = ", ".join(missing)
    if declared and len(missing) == len(declared):
        return Outcome(kind="failed", exit_code=0, message=f"training ended, and left none of its outputs: {names}")
    return Outcome(
        kind="succeeded", exit_code=0, message=f"training ended; no output matches {names}" if missing else "training ended"
    )

"""The nearest known name to one that nothing has."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 10
"""Known names are listed if there are no more than so many."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'racer'?``, else what is known, for the end of a message."""
    import difflib

    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"known: {', '.join(names[-SHOWN:])}{more}" if names else "known: none yet"

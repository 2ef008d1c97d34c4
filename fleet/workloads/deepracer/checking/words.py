"""The nearest known word to one that nothing has."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 6


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'speed'?``, else what is known, for the end of a message. Case is forgiven: worlds mix it."""
    import difflib

    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    if near:
        return f"did you mean {by_lower[near[0]]!r}?"
    names = list(by_lower.values())
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"known: {', '.join(names[:SHOWN])}{more}"

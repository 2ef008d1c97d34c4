"""Calls of a set-up or a teardown: by a person, one after the other. They wait out what passes by itself, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from fleet.model.errors import ErrorClass, ProviderError

TRIES = 5
"""Of a call that was throttled, or whose answer was lost: half a second, one, two, four."""
LOOKS = 20
"""For what was just made and is not seen everywhere yet."""
LOOK_EVERY = 3.0
"""A minute in all: clouds say of their rights and roles that it takes seconds."""

T = TypeVar("T")


def repeated(
    once: Callable[[], T], sleep: Callable[[float], None], *, unseen: Collection[str] = (), vain: Collection[str] = ()
) -> T:
    """Call, and call again while that may help. ``unseen``: codes that only mean that something new is not seen yet;
    ``vain``: such that waiting does not change, whatever they look like.

    Raises ProviderError.
    """
    failed = looked = 0
    while True:
        try:
            return once()
        except ProviderError as error:
            passing = error.error_class in (ErrorClass.THROTTLED, ErrorClass.TRANSIENT) and error.code not in vain
            failed, looked = failed + passing, looked + (error.code in unseen)
            if (not passing and error.code not in unseen) or failed >= TRIES or looked >= LOOKS:
                raise
            sleep(0.25 * 2**failed if passing else LOOK_EVERY)

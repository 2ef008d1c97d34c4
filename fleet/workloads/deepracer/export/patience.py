"""Requests to a bucket over a bad network: each is made again until it gets through, or is surely refused."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from fleet.model.base import Seconds
from fleet.model.errors import ErrorClass, ProviderError, StoreError
from fleet.providers.aws.errors import translated

Answer = TypeVar("Answer")
TRIES = 8
"""Of one request. With the pauses between them a network may be away for a minute and a half."""
FIRST_PAUSE: Seconds = 0.5
LONGEST_PAUSE: Seconds = 30.0
AGAIN = frozenset({ErrorClass.TRANSIENT, ErrorClass.THROTTLED})
"""Everything else is the same the next time."""
GARBLED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "SignatureDoesNotMatch"})
"""A request that was changed on its way; of a signature it may be, and if it is not, the tries end soon."""
FEW = 2
"""Tries of what is perhaps another the next time."""


class RefusedError(StoreError):
    """The bucket's own word, with its code."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.code = code


@dataclass
class Patience:
    """How long it is tried, with what pauses."""

    pause: Callable[[Seconds], None] = time.sleep
    tries: int = TRIES
    failed: int = field(default=0)
    """Requests that had to be made again."""

    def until_done(self, call: str, request: Callable[[], Answer]) -> Answer:
        """The answer. ``call``: its name, for messages. Raises RefusedError, or StoreError if it never gets through."""
        for number in range(1, self.tries + 1):
            try:
                with translated(call):
                    return request()
            except ProviderError as error:
                if number >= self._tries_of(error):
                    raise RefusedError(error.code, error.message, error.hint or _hint(error)) from error
            except (http.client.HTTPException, OSError) as error:
                if number == self.tries:
                    told = f"{call}: {str(error) or type(error).__name__}"
                    raise StoreError(told, _GO_ON) from error
            self.failed += 1
            self.pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (number - 1)))
        raise AssertionError("the last try returns or raises")

    def _tries_of(self, error: ProviderError) -> int:
        if error.error_class in AGAIN:
            return self.tries
        return FEW if error.code in GARBLED or error.error_class is ErrorClass.UNKNOWN else 1


_GO_ON = "What got through stays there: the same command again goes on with it."


def _hint(error: ProviderError) -> str:
    if error.error_class in AGAIN:
        return _GO_ON
    if error.code == "NoSuchBucket":
        return "Make it first, or mend its name; is it in another account?"
    return "Check the credentials, and what they may do there."

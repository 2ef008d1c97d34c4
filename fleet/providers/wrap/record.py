"""Every call and its answer, for tests, for `what did you do to my account`, and for the list of permissions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fleet.model.base import Seconds
from fleet.model.errors import ProviderError
from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Record:
    """One call, and how it ended."""

    call: Call
    began: Seconds
    seconds: Seconds
    answer: object = None
    error: ProviderError | None = None


class Recorder(Wrapper):
    """Hands every call to ``sink`` once it has ended."""

    def __init__(self, inner: Provider, sink: Callable[[Record], None], *, clock: Callable[[], Seconds] = time.time) -> None:
        super().__init__(inner)
        self._sink, self._clock = sink, clock

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Make the call, and tell of it whatever it came to."""
        began = self._clock()
        try:
            answer = do()
        except ProviderError as error:
            self._sink(Record(call, began, self._clock() - began, error=error))
            raise
        self._sink(Record(call, began, self._clock() - began, answer=answer))
        return answer

"""Faults by plan: calls that fail before they have an effect, and calls whose answer is lost after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fleet.model.cloud import Listing
from fleet.model.errors import ProviderError
from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call."""

    before: ProviderError | None = None
    """Raised instead of making the call."""
    after: ProviderError | None = None
    """Raised although the call was made: its answer is lost."""
    repeat: int = 0
    """The call reaches the cloud so many times more."""
    listing: Callable[[Listing], Listing] | None = None
    """For ``list``: what arrives in place of the answer (something missing, something stale)."""


class Faults(Wrapper):
    """Asks ``plan`` about every call; None lets it pass."""

    def __init__(self, inner: Provider, plan: Callable[[Call], Fault | None]) -> None:
        super().__init__(inner)
        self._plan = plan

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Make the call as the plan says."""
        fault = self._plan(call)
        if fault is None:
            return do()
        if fault.before is not None:
            raise fault.before
        answer = do()
        for _ in range(fault.repeat):
            answer = do()
        if fault.after is not None:
            raise fault.after
        if fault.listing is not None and isinstance(answer, Listing):
            return fault.listing(answer)  # type: ignore[return-value]  # T is Listing here
        return answer

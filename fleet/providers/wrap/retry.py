"""Trying again what may succeed a moment later. Every call of the contract may be repeated, so every call is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from fleet.model.base import Seconds
from fleet.model.errors import ErrorClass, ProviderError, TooLateError
from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")

AGAIN = frozenset({ErrorClass.THROTTLED, ErrorClass.TRANSIENT})
"""Everything else is for the plan to judge, which sees more than one call."""


def _worth_it(error: BaseException) -> bool:
    if isinstance(error, TooLateError):
        return False  # it is later every time
    return isinstance(error, ProviderError) and error.error_class in AGAIN


class Retry(Wrapper):
    """Backs off with jitter, and gives up well within a notice: the next tick is another chance."""

    def __init__(
        self,
        inner: Provider,
        *,
        tries: int = 4,
        first: Seconds = 0.3,
        most: Seconds = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import tenacity

        super().__init__(inner)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_worth_it),
            stop=tenacity.stop_after_attempt(tries),
            wait=tenacity.wait_random_exponential(multiplier=first, max=most),
            sleep=sleep,
            reraise=True,
        )

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Make the call until it is answered, a few times. Too late to make it again, it has failed as it did before."""
        failed: list[ProviderError] = []

        def once() -> T:
            try:
                return do()
            except ProviderError as error:
                failed.append(error)
                raise

        try:
            return self._retrying.copy()(once)
        except TooLateError:
            raise failed[-2 if len(failed) > 1 else -1] from None

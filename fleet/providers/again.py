"""Questions that only look may be asked again: what they cost is a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fleet.model.errors import ProviderError

T = TypeVar("T")


def again(do: Callable[[], T], tries: int) -> T:
    """As often as was asked for, where trying again may help; a short while between. Raises ProviderError."""
    if tries == 1:
        return do()
    import tenacity

    from fleet.providers.wrap.retry import AGAIN

    def worth_it(error: BaseException) -> bool:
        return isinstance(error, ProviderError) and error.error_class in AGAIN

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_it),
        stop=tenacity.stop_after_attempt(tries),
        wait=tenacity.wait_random_exponential(multiplier=0.3, max=3.0),
        reraise=True,
    )
    return retrying(do)

"""A provider as whoever cannot ask it sees it: not at all. So another computer, or another home, sees ``local``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")
ANOTHER = "AnotherHome"
"""The code of what is asked of somebody who cannot ask."""


class Elsewhere(Wrapper):
    """Answers nothing: an empty list would be taken for machines that are gone."""

    def __init__(self, inner: Provider, where: str = "another home", told: str = "") -> None:
        """``told`` says why it cannot be asked, if it is not ``local``."""
        super().__init__(inner)
        self._told = told or f"this fleet's local machines live in {where}; only a controller there can look after them"

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Refuse."""
        raise ProviderError(ErrorClass.TRANSIENT, ANOTHER, self._told)

"""The provider ``local`` as another computer, or another home, sees it: not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")


class Elsewhere(Wrapper):
    """Answers nothing: an empty list would be taken for machines that are gone."""

    def __init__(self, inner: Provider, where: str = "another home") -> None:
        super().__init__(inner)
        self._where = where

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Refuse."""
        message = f"this fleet's local machines live in {self._where}; only a controller there can look after them"
        raise ProviderError(ErrorClass.TRANSIENT, "AnotherHome", message)

"""One client's view of the cloud: each call is an effect that may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper
from tests.simulation.chaos.bucket import Effects

T = TypeVar("T")


class ClientProvider(Wrapper):
    """Hands every call to the world."""

    def __init__(self, inner: Provider, effects: Effects, client: object) -> None:
        super().__init__(inner)
        self._effects, self._client = effects, client

    def around(self, call: Call, do: Callable[[], T]) -> T:
        answer = self._effects.effect(self._client, call.method, do, changes=call.changes, call=call)
        return cast(T, answer)

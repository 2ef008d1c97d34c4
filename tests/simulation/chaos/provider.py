"""One client's view of the cloud: each call is an effect that may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from fleet.model.cloud import Instance, LaunchRequest
from fleet.providers.base import InTime, Provider, always
from fleet.providers.wrap.around import Call, Wrapper
from tests.simulation.chaos.bucket import Effects

T = TypeVar("T")


class Sleeper(Protocol):
    """Whose computer may be suspended."""

    slept: int
    """So often it was, in the middle of what it did."""


class ClientProvider(Wrapper):
    """Hands every call to the world."""

    def __init__(self, inner: Provider, effects: Effects, client: Sleeper) -> None:
        super().__init__(inner)
        self._effects, self._client = effects, client

    def around(self, call: Call, do: Callable[[], T]) -> T:
        answer = self._effects.effect(self._client, call.method, do, changes=call.changes, call=call)
        return cast(T, answer)

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        """What is slow is on its way already; a computer that sleeps sends nothing until it wakes up."""
        slept = self._client.slept
        return super().launch(request, lambda: self._client.slept == slept or in_time())

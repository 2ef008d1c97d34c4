"""Whose credentials a fleet's calls are made with: one process may look after fleets of several accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fleet.providers.aws.session import by_default
from fleet.providers.base import Provider
from fleet.providers.wrap.around import Call, Wrapper

T = TypeVar("T")


class Profiled(Wrapper):
    """A provider whose every call is made with one profile. In another account its machines would look as if they were gone.

    For fleets that one thread looks after one by one: the profile in force is the process's.
    """

    def __init__(self, inner: Provider, profile: str | None) -> None:
        """``profile``: the one that the fleet was set up with; None: what the environment chooses."""
        super().__init__(inner)
        self._profile = profile
        by_default(profile)

    def around(self, call: Call, do: Callable[[], T]) -> T:
        """Make it with the fleet's own profile."""
        by_default(self._profile)
        return do()

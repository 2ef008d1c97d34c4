"""A value over time, future changes included: what makes lists lag and states change without a daemon."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Timeline(Generic[T]):
    """Changes in order of time. Before the first there is nothing."""

    def __init__(self) -> None:
        self._changes: list[tuple[float, T]] = []

    def set(self, at: float, value: T) -> None:
        """From ``at`` on it is ``value``; what was foreseen for ``at`` or later is forgotten."""
        self._changes = [change for change in self._changes if change[0] < at]
        self._changes.append((at, value))

    def foresee(self, at: float, value: T) -> None:
        """After the changes known so far there will be another."""
        if self._changes and at < self._changes[-1][0]:
            raise ValueError("a change cannot be foreseen before one that is known")
        self._changes.append((at, value))

    def at(self, moment: float) -> T | None:
        """What it is at a moment."""
        found = None
        for since, value in self._changes:
            if since > moment:
                break
            found = value
        return found

    def since(self, value: T) -> float | None:
        """When it became ``value`` for the first time."""
        return next((at for at, known in self._changes if known == value), None)

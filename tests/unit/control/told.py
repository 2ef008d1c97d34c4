"""A bucket in memory that can be broken or hold somebody up, and destinations that remember what they were told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.core.notify import Message
from fleet.model.errors import AlreadyExistsError, NotFoundError, StoreError
from fleet.store.objects import ObjectInfo


@dataclass
class Shelf:
    """The few things that are asked of a bucket here."""

    at: float
    url: str = "memory://told"
    kept: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    broken: str = ""
    """Why nothing can be reached."""
    lost: str = ""
    """``before``: the next creation fails; ``after``: it is made, but nobody learns of it."""
    before_create: Callable[[], None] | None = None
    """What others do in the meantime, once."""

    def now(self) -> float:
        return self.at

    def _called(self, what: str, key: str) -> None:
        self.calls.append(f"{what} {key}")
        if self.broken:
            raise StoreError(self.broken)

    def get(self, key: str) -> bytes:
        self._called("get", key)
        if key not in self.kept:
            raise NotFoundError(key)
        return self.kept[key][0]

    def put(self, key: str, data: bytes) -> None:
        self._called("put", key)
        self.kept[key] = (data, self.at)

    def create(self, key: str, data: bytes) -> None:
        others, self.before_create = self.before_create, None
        if others is not None:
            others()
        self._called("create", key)
        lost, self.lost = self.lost, ""
        if lost == "before":
            raise StoreError("a call was lost")
        if key in self.kept:
            raise AlreadyExistsError(key)
        self.kept[key] = (data, self.at)
        if lost == "after":
            raise StoreError("an answer was lost")
        if lost == "again":  # the store itself tried twice
            raise AlreadyExistsError(key)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        self._called("list", prefix)
        found = sorted(self.kept.items())
        return [ObjectInfo(key, len(data), "", at) for key, (data, at) in found if key.startswith(prefix)]

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._called("delete", key)
            self.kept.pop(key, None)

    def upload(self, *_: Any) -> str | None:
        raise NotImplementedError

    download = upload


class Killed(BaseException):
    """A process that ends in the midst of it."""


@dataclass
class Post:
    """Takes messages. What it was told is what somebody read."""

    now: Callable[[], float]
    read: list[tuple[float, Message]] = field(default_factory=list)
    failing: int = 0
    """So many of the next are refused."""
    killing: str = ""
    """The next sender dies: ``before`` it was sent, or ``after``."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What a message tells, by its text: one that is sent again does not say."""
    lost: set[str] = field(default_factory=set)
    """What nobody ever read, since its sender died while it sent it."""

    def send(self, _url: str, message: Message, _seconds: float) -> str:
        text = f"{message.title}\n{message.body}"
        if message.keys:
            self.keys[text] = message.keys
        killing, self.killing = self.killing, ""
        if killing == "before":
            self.lost |= set(self.keys[text])
            raise Killed
        if self.failing:
            self.failing -= 1
            return "refused"
        self.read.append((self.now(), message))
        if killing:
            raise Killed
        return ""

    def times(self) -> dict[str, int]:
        """How often each thing was read of."""
        found: dict[str, int] = {}
        for _, message in self.read:
            for key in self.keys[f"{message.title}\n{message.body}"]:
                found[key] = found.get(key, 0) + 1
        return found

"""A small IAM: would this policy allow this request? Knows what fleet's policies use, and guesses at nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet.store.objects import ObjectInfo, Objects


@dataclass(frozen=True)
class Request:
    """One action on one resource. The context's keys are IAM's condition keys."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource} {dict(self.context) or ''}"


def decide(policy: Mapping[str, Any], request: Request) -> str:
    """``allow``, ``deny`` (said so), or ``nothing`` (nobody said that it may)."""
    effects = {one["Effect"] for one in policy["Statement"] if _applies(one, request)}
    return "deny" if "Deny" in effects else "allow" if "Allow" in effects else "nothing"


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    strange = set(statement) - {"Sid", "Effect", "Action", "Resource", "NotResource", "Condition"}
    assert not strange, strange
    if not any(_like(one, request.action, case=False) for one in _list(statement["Action"])):
        return False
    if "NotResource" in statement:
        if any(_like(one, request.resource) for one in _list(statement["NotResource"])):
            return False
    elif not any(_like(one, request.resource) for one in _list(statement["Resource"])):
        return False
    conditions: Mapping[str, Mapping[str, Any]] = statement.get("Condition", {})
    return all(
        _holds(operator, request.context.get(key), _list(values))
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _like(pattern: str, text: str, *, case: bool = True) -> bool:
    """``*`` and ``?`` stand for anything, slashes and colons among it."""
    made = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(made, text, 0 if case else re.IGNORECASE) is not None


def _holds(operator: str, value: str | None, wanted: Sequence[str]) -> bool:
    if operator == "Null":
        return (value is None) == (wanted == ["true"])
    if value is None:
        return operator.endswith("IfExists")
    if operator.removesuffix("IfExists") == "StringEquals":
        return value in wanted
    assert operator.removesuffix("IfExists") == "StringLike", operator
    return any(_like(one, value) for one in wanted)


class Judged:
    """A bucket that is used under a policy: what that does not allow is noted, and not done."""

    def __init__(self, objects: Objects, policy: Mapping[str, Any], bucket: str) -> None:
        self._objects, self._policy, self._root = objects, policy, f"arn:aws:s3:::{bucket}"
        self.refused: list[str] = []
        self.asked: list[str] = []
        self.url = objects.url
        self.now = objects.now

    def _ask(self, action: str, *keys: str, **context: str) -> None:
        for key in keys:
            resource = self._root if action == "s3:ListBucket" else f"{self._root}/{key}"
            told = Request(action, resource, {f"s3:{name}": value for name, value in context.items()})
            self.asked.append(f"{action} {key}")
            if decide(self._policy, told) != "allow":
                self.refused.append(str(told))

    def get(self, key: str) -> bytes:
        self._ask("s3:GetObject", key)
        return self._objects.get(key)

    def put(self, key: str, data: bytes) -> None:
        self._ask("s3:PutObject", key)
        self._objects.put(key, data)

    def create(self, key: str, data: bytes) -> None:
        self._ask("s3:PutObject", key)
        self._objects.create(key, data)

    def upload(self, key: str, path: Path) -> str | None:
        self._ask("s3:PutObject", key)
        return self._objects.upload(key, path)

    def download(self, key: str, path: Path) -> str | None:
        self._ask("s3:GetObject", key)
        return self._objects.download(key, path)

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        self._ask("s3:ListBucket", prefix, prefix=prefix)
        return self._objects.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        known = list(keys)
        self._ask("s3:DeleteObject", *known)
        self._objects.delete(known)

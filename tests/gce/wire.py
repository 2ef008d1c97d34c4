"""What goes over the wire, without a wire: a request that was asked, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request. ``path`` begins with a slash and, given to a handler, lacks the prefix that led to it."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Their names in small letters."""
    body: bytes = b""
    principal: str = ""
    """Whose token it carried: an e-mail address."""
    since: float = 0.0
    """When it was first asked: a call that waits is asked again and again."""
    again: bool = False
    """It was asked before, and waits."""

    def one(self, name: str, default: str = "") -> str:
        """The query parameter's first value."""
        return (self.query.get(name) or [default])[0]

    def json(self) -> Any:
        """The body as JSON; {} for an empty one. Raises ValueError."""
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True)
class Answered:
    """One answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    again_at: float | None = None
    """Not yet: to be asked again at this time, as a call that waits for something is. The last answer is given."""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def told(value: Any, status: int = 200, again_at: float | None = None) -> Answered:
    """JSON as an answer."""
    return Answered(status, {"content-type": "application/json; charset=UTF-8"}, json.dumps(value).encode(), again_at)


class Refused(Exception):  # noqa: N818  # an answer, no error of the stand-in
    """The API says no. ``reason`` is the old form's (``notFound``); ``status_text`` the new form's (``NOT_FOUND``)."""

    def __init__(self, status: int, reason: str, message: str, status_text: str = "", details: list[Json] | None = None):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message
        self.status_text, self.details = status_text, details

    def answered(self) -> Answered:
        """In the form that Google's interfaces share."""
        error: Json = {"code": self.status, "message": self.message}
        if self.reason:
            error["errors"] = [{"message": self.message, "domain": "global", "reason": self.reason}]
        if self.status_text:
            error["status"] = self.status_text
        if self.details:
            error["details"] = self.details
        return told({"error": error}, self.status)

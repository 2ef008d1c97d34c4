"""One thing that a user may want to be told."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.base import Seconds
from fleet.model.notify import Kind


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that happened, or that is so. Whoever looks at the same state finds the same, under the same key."""

    kind: Kind
    run_id: str
    """Empty: it is about the whole fleet, or about a controller."""
    which: str
    """Tells it from others of its kind and run: an attempt's number, a time."""
    at: Seconds
    """When it happened, or began."""
    name: str
    """What people call that which it is about."""
    what: str
    """In one sentence, without the full stop."""
    next: str
    """The command to type next."""
    standing: bool = False
    """It is so now, and may pass: told once it has lasted, and not any more when it is over."""

    @property
    def about(self) -> str:
        """What is told of at most once in a while."""
        return f"{self.kind}/{self.run_id}"

    @property
    def key(self) -> str:
        """Told once."""
        return f"{self.about}/{self.which}"

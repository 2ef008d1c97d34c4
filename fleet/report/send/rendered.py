"""What is sent, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in every form that somebody may want it in."""

    subject: str
    """One line."""
    text: str
    """For chats and webhooks, and for mail programs that show no HTML. Plain text, or Markdown that reads as such."""
    html: str = ""
    """For mail: images by ``cid:NAME``. Empty: the text is all there is."""
    images: Mapping[str, bytes] = field(default_factory=dict)
    """PNGs by their names (``NAME.png``), as the HTML names them after ``cid:``."""
    short: str = ""
    """A line or two, for SNS's text messages and whatever else has no room. Empty: the subject."""

    @property
    def brief(self) -> str:
        """What is told where there is no room."""
        return self.short or self.subject


@dataclass(frozen=True, slots=True)
class Failure:
    """One destination that was not reached, or of which it is not known."""

    to: str
    """As it may be shown: without what is secret in it."""
    why: str
    hint: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.to}: {self.why}" + (f" ({self.hint})" if self.hint else "")

"""What is wrong, where, and what to do about it: the one form in which check, stack and doctor speak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. An error refuses to go on; a warning is said, and hinders nothing."""

    code: str
    """For programs: short words with hyphens, never changed (``reward-exception``)."""
    message: str
    """What is so, in one line."""
    remedy: str
    """What to do about it, in one line."""
    file: str | None = None
    """The file's name in the model's folder, if it stands in a file."""
    line: int | None = None
    """Counted from 1; None: the file as a whole."""
    severity: Severity = "error"

    @property
    def place(self) -> str:
        """``file:line``, ``file``, or nothing."""
        if self.file is None:
            return ""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def told(self) -> str:
        """For people: what and where, and the remedy below it."""
        where = f"{self.place}: " if self.place else ""
        return f"{self.severity}: {where}{self.message}\n  {self.remedy}"

    def warned(self) -> Finding:
        """The same as a warning."""
        return replace(self, severity="warning")


def refuses(findings: Iterable[Finding]) -> bool:
    """Whether there is an error among them."""
    return any(finding.severity == "error" for finding in findings)

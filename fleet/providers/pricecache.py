"""What was learned of prices, kept on this computer: one small file for each part, each with its time.

A file that is torn, of another version, or not there is the same: nothing is known. Whoever writes last wins; a reader
sees one whole file or the one before it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.model.errors import ProviderError

VERSION = 1
MOST_CHARACTERS = 160
"""Of a refusal that is told in passing."""
HOUR, DAY = 3600.0, 86400.0
LIMITS = {
    "spot": 600.0,
    "history": 1800.0,
    "scores": 1800.0,
    "bands-failed": HOUR,
    "ondemand-failed": HOUR,
    "rates-failed": HOUR,
    "account": DAY,
    "offered": DAY,
    "rates": DAY,
    "bands": DAY,
    "ondemand": 7 * DAY,
    "types": 90 * DAY,
}
"""By part: how old it may be before a command that shows prices fetches it anew, in seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that was learned, and when."""

    at: float
    data: Any

    def age(self, now: float) -> float:
        """Seconds; a time in the future, as a clock that was set back leaves one, counts as no age at all."""
        return max(0.0, now - self.at)

    def fresh(self, name: str, now: float) -> bool:
        """Young enough not to be asked for again; what claims to be of the future is not."""
        return self.at <= now + 60 and self.age(now) < LIMITS[name]


class PriceCache:
    """A folder of parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> Part | None:
        """A part, or None: nothing is known."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_bytes())
            if found["v"] != VERSION:
                return None
            return Part(float(found["at"]), found["data"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, name: str, data: Any, at: float) -> None:
        """Keep a part, whole or not at all. A disk that takes nothing is no reason to fail: it is asked for again then."""
        target = self.folder / f"{name}.json"
        temporary = target.with_name(f".{name}-{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({"v": VERSION, "at": at, "data": data}, separators=(",", ":")), encoding="utf-8")
            temporary.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()


def told_age(seconds: float) -> str:
    """``just now``, ``47m old``, ``3h old``, ``12d old``."""
    if seconds < 60:
        return "just now"
    if seconds < 2 * HOUR:
        return f"{seconds // 60:.0f}m old"
    return f"{seconds // HOUR:.0f}h old" if seconds < 2 * DAY else f"{seconds // DAY:.0f}d old"


def in_short(error: ProviderError) -> str:
    """A refusal in one line: something between us and the cloud may answer with a whole page."""
    text = " ".join(re.sub(r"<[^>]*>", " ", error.message).split())
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def part_dict(part: Part | None, field: str = "") -> dict[str, Any]:
    """A part's mapping, or one within it; empty where it is not there or has another form."""
    data = part.data if part is not None else None
    if field and isinstance(data, dict):
        data = data.get(field)
    return data if isinstance(data, dict) else {}

"""Names in the order in which people count."""

from __future__ import annotations

import re


def natural(text: str) -> list[tuple[int, str]]:
    """``x-2`` before ``x-10``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text) if part]

"""Text that others wrote, made harmless: no control characters, escape sequences or turned directions. Pure."""

from __future__ import annotations

import re

_ESCAPES = (
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)",  # operating system commands: titles, links, the clipboard
    r"\x1b[PX^_][^\x1b\n]*\x1b\\",  # device control and other strings
    r"\x1b\[[0-?]*[ -/]*[@-~]",  # control sequences: colours, cursor, clearing
    r"\x1b(?![\[\]PX^_])[ -/]*[0-~]",  # the rest: resets, character sets
)
WHOLE = re.compile("|".join(_ESCAPES))
"""A sequence."""
CUT = re.compile(r"\x1b(?:\][^\x07\x1b\n]*|[PX^_][^\x1b\n]*|\[[0-?]*[ -/]*|[ -/]*)")
"""A sequence that never ends."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""All but tab and newline; and what turns the direction of text around."""


def plain(text: str) -> str:
    """Text without control characters but newlines and tabs; of a line that was written over, its last state."""
    text = CUT.sub("", WHOLE.sub("", text)).replace("\r\n", "\n")
    lines = [next((part for part in reversed(line.split("\r")) if part), "") for line in text.split("\n")]
    return CONTROL.sub("", "\n".join(lines))

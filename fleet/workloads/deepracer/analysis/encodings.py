"""Logs as people hand them over, from Windows or out of a terminal, made plain before they are read."""

from __future__ import annotations

import codecs
import re

_COLOUR = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?)")
MOSTLY = 0.8
_SAMPLE = 4096
"""Bytes at the beginning that tell the encoding."""


def plain(data: bytes) -> bytes:
    """UTF-8 (or whatever else has ASCII as it is), lines that end with ``\\n``, and no colours, titles or NULs.

    Never raises: what is none of that stays as it is, a line at a time.
    """
    data = _in_bytes(data)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\x1b" in data:
        data = _COLOUR.sub(b"", data)
    return data.replace(b"\0", b"") if b"\0" in data else data


def _in_bytes(data: bytes) -> bytes:
    """UTF-16 as UTF-8: PowerShell writes it, with or without its mark."""
    wide = wide_of(data)
    if wide is not None:
        return data.decode(wide, "replace").removeprefix("\ufeff").encode("utf-8", "replace")
    return data.replace(codecs.BOM_UTF8, b"")


def wide_of(data: bytes) -> str | None:
    """The encoding, if its characters take two bytes; None: they do not."""
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if data.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    sample = data[:_SAMPLE]
    pairs = len(sample) // 2
    if not pairs:
        return None
    first, second = (sample[begin::2].count(0) / pairs for begin in (0, 1))
    # A file that a crash left full of zeros has both.
    if second > MOSTLY and first < 1 - MOSTLY:
        return "utf-16-le"
    return "utf-16-be" if first > MOSTLY and second < 1 - MOSTLY else None

"""What trainings print, for terminals: a log must not retitle the window, clear the screen or hide what was said before.

Messages, tables and events are always made plain. ``fleet logs`` keeps colours on a terminal, and is untouched for pipes.
"""

from __future__ import annotations

import codecs
import re

from fleet.core.plain import CONTROL, CUT, WHOLE, plain

__all__ = ["Screen", "plain"]

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_LONGEST = 4096
"""Of a sequence that is not whole yet and held back; longer ones are none."""
RESET = "\x1b[0m"


class Screen:
    """Makes a log that comes in pieces fit for a terminal; a piece may end within a character or a sequence."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._coloured = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def shown(self, data: bytes) -> str:
        """What of the log may be written to the terminal now."""
        text = self._held + self._decoder.decode(data)
        begin = text.rfind("\x1b")
        tail = text[begin:] if begin >= 0 else ""
        unfinished = tail and not WHOLE.match(tail) and CUT.fullmatch(tail) and len(tail) < _LONGEST
        self._held = tail if unfinished else ""
        return self._cleaned(text[: len(text) - len(self._held)])

    def rest(self) -> str:
        """The log's end; colours are off after it."""
        text, self._held = self._held + self._decoder.decode(b"", final=True), ""
        return self._cleaned(text) + (RESET if self._coloured else "")

    def _cleaned(self, text: str) -> str:
        pieces, at = [], 0
        for found in _COLOUR.finditer(text) if self._colours else ():
            pieces += [_harmless(text[at : found.start()]), found[0]]
            at, self._coloured = found.end(), True
        return "".join([*pieces, _harmless(text[at:])])


def _harmless(text: str) -> str:
    """Carriage returns stay: progress bars live by them, and they reach no further than their own line."""
    text = CUT.sub("", WHOLE.sub("", text))
    return "\r".join(CONTROL.sub("", part) for part in text.split("\r"))

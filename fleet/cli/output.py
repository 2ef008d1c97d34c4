"""What goes to standard output: with ``-o json`` JSON alone, and everything for people to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass
class _Chosen:
    """What the command line asked for: one process runs one command."""

    as_json: bool = False


CHOSEN = _Chosen()


def emit(value: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """Print the one JSON value of a command."""
    print(json.dumps(value, indent=2, allow_nan=False))


def emit_line(value: Mapping[str, object], *, flush: bool = True) -> None:
    """Print one line of a command that prints JSON lines."""
    print(json.dumps(value, allow_nan=False), flush=flush)


def say(text: str) -> None:
    """A line for people: on standard output, unless that belongs to a program."""
    print(text, file=sys.stderr if CHOSEN.as_json else sys.stdout, flush=True)

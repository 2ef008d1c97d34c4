"""One block of text to ask for help with: what was found, what was said last, and nothing that is a secret. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fleet.workloads.deepracer.probed import Line
from fleet.workloads.deepracer.redact import redact

MOST_LINES = 15
"""Of a log."""
MOST_WIDTH = 300
FENCE = "-----"


def told(lines: Iterable[Line]) -> list[str]:
    """Every check for people: what does not do first catches the eye by its remedy."""
    found = list(lines)
    width = max((len(line.check) for line in found), default=0)
    text = []
    for line in found:
        text.append(f"{line.state:<11}  {line.check:<{width}}  {line.found}")
        if line.remedy and line.state != "ok":
            text.append(f"{'':<13}{'':<{width}}  {line.remedy}")
    return text


def block(
    about: Mapping[str, str],
    checks: Mapping[str, Sequence[Line]],
    status: Sequence[str],
    ends: Mapping[str, Sequence[str]],
    known: Iterable[str] = (),
) -> str:
    """The block. ``checks``: by where they were made; ``ends``: the last lines of logs; ``known``: secret values."""
    text = [f"{FENCE} fleet deepracer doctor {FENCE}"]
    text += [f"{name}: {value}" for name, value in about.items()]
    for where, found in checks.items():
        text += ["", f"checks ({where}):", *told(found)]
    if status:
        text += ["", "status:", *status]
    for name, lines in ends.items():
        if lines:
            text += ["", f"last lines of {name}:", *(line[:MOST_WIDTH] for line in _telling(lines))]
    return redact("\n".join([*text, FENCE * 6]), known)


def _telling(lines: Sequence[str]) -> list[str]:
    """The last lines that are no simulator steps: those say nothing of a fault."""
    return [line for line in lines if line.strip() and "SIM_TRACE_LOG:" not in line][-MOST_LINES:]

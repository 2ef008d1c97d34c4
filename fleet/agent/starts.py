"""How often the agent was started on a machine: one that dies again and again must not be paid for until its lease ends."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from fleet.model.base import Seconds

NAME = "agent-starts.json"
MOST = 5
WITHIN: Seconds = 3600.0
"""More starts than ``MOST`` in one boot within this, and the machine is broken."""


def started_too_often(scratch: Path, boot_id: str, now: Seconds) -> bool:
    """Count this start. ``now`` is by any clock that goes on over a restart of the agent."""
    path = scratch / NAME
    before: list[float] = []
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        found = json.loads(path.read_text(encoding="utf-8"))
        before = [float(at) for at in found["at"] if 0 <= now - float(at) < WITHIN] if found["boot"] == boot_id else []
    starts = [*before, now][-2 * MOST :]
    temporary = path.with_name(f".{NAME}.tmp")
    with contextlib.suppress(OSError):  # a full disk is no reason to give the machine up
        temporary.write_text(json.dumps({"boot": boot_id, "at": starts}), encoding="utf-8")
        temporary.replace(path)
    return len(starts) > MOST

"""``fleet note``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet import api
from fleet.cli.output import emit, say

if TYPE_CHECKING:
    from fleet.cli.objects import NoteObject


def add(name: str, text: str, bucket: str | None, *, as_json: bool) -> int:
    """Keep a note with a run."""
    run = api.note(name, text, bucket=bucket).run
    say(f"Noted with run {run.run_id}.")
    if as_json:
        told: NoteObject = {"run": run.run_id, "note": text.strip()}
        emit(told)
    return 0

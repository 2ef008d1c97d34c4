"""``fleet note``."""

from __future__ import annotations

from fleet.control.opened import opened_run
from fleet.control.runs import add_note


def add(name: str, text: str, bucket: str | None) -> int:
    """Keep a note with a run."""
    controller, _ = opened_run(bucket, name)
    run = add_note(controller, name, text)
    print(f"Noted with run {run.run_id}.")
    return 0

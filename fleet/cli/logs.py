"""``fleet logs``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleet.cli.output import emit_line
from fleet.control.controller import Controller
from fleet.control.opened import opened_run
from fleet.model import layout

if TYPE_CHECKING:
    from fleet.cli.objects import LogLineObject

LOOK_EVERY = 1.0


def show(name: str, *, follow: bool, attempt: int | None, bucket: str | None, as_json: bool = False) -> int:
    """Print the log chunks of a run in order, and with ``follow`` those to come until the run ends."""
    controller, run = opened_run(bucket, name)
    if as_json:
        return _print_lines(controller, run.run_id, attempt, follow=follow)
    seen: set[str] = set()
    while True:
        over = controller.state.runs[run.run_id].ended_at is not None
        for chunk in _chunks(controller, run.run_id, attempt, seen):
            sys.stdout.buffer.write(chunk)  # as it was printed: a chunk may end within a character
        sys.stdout.buffer.flush()
        if not follow or over:
            return 0
        time.sleep(LOOK_EVERY)
        controller.catch_up()


def _chunks(controller: Controller, run_id: str, attempt: int | None, seen: set[str]) -> Iterator[bytes]:
    attempts = sorted(controller.state.runs[run_id].attempts)
    for number in [attempt] if attempt is not None else attempts:
        for info in controller.objects.list(layout.logs(run_id, number)):
            if info.key not in seen:
                seen.add(info.key)
                yield controller.objects.get(info.key)


def _print_lines(controller: Controller, run_id: str, attempt: int | None, *, follow: bool) -> int:
    """A JSON object for each line, told apart by attempt; a line that is not ended yet waits for its end."""
    seen: set[str] = set()
    open_lines: dict[int, bytes] = {}
    while True:
        over = controller.state.runs[run_id].ended_at is not None
        for number in [attempt] if attempt is not None else sorted(controller.state.runs[run_id].attempts):
            for chunk in _chunks(controller, run_id, number, seen):
                *lines, open_lines[number] = (open_lines.get(number, b"") + chunk).split(b"\n")
                for line in lines:
                    _print_line(number, line)
        if not follow or over:
            break
        sys.stdout.flush()
        time.sleep(LOOK_EVERY)
        controller.catch_up()
    for number, line in open_lines.items():
        if line:
            _print_line(number, line)
    return 0


def _print_line(attempt: int, line: bytes) -> None:
    told: LogLineObject = {"attempt": attempt, "line": line.decode("utf-8", errors="replace").removesuffix("\r")}
    emit_line(told, flush=False)

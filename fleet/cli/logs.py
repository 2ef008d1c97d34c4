"""``fleet logs``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fleet.cli.output import emit_line
from fleet.cli.plain import Screen
from fleet.control.controller import Controller
from fleet.control.opened import opened_run
from fleet.model import layout

if TYPE_CHECKING:
    from fleet.cli.objects import LogLineObject

LOOK_EVERY = 1.0


def show(
    name: str, *, follow: bool, attempt: int | None, bucket: str | None, raw: bool = False, as_json: bool = False
) -> int:
    """Print the log chunks of a run in order, and with ``follow`` those to come until the run ends.

    A terminal gets no escape sequence but colours, unless ``raw``; a pipe or a file gets every byte as it was printed.
    """
    controller, run = opened_run(bucket, name)
    if as_json:
        return _print_lines(controller, run.run_id, attempt, follow=follow)
    if raw or not sys.stdout.isatty():
        _print(controller, run.run_id, follow, attempt, sys.stdout.buffer.write)
        return 0
    screen = Screen(colours=not os.environ.get("NO_COLOR"))
    try:
        _print(controller, run.run_id, follow, attempt, lambda data: sys.stdout.write(screen.shown(data)))
    finally:
        sys.stdout.write(screen.rest())
    return 0


def _print(controller: Controller, run_id: str, follow: bool, attempt: int | None, write: Callable[[bytes], object]) -> None:
    seen: set[str] = set()
    while True:
        over = controller.state.runs[run_id].ended_at is not None
        for chunk in _chunks(controller, run_id, attempt, seen):
            write(chunk)  # as it was printed: a chunk may end within a character
        sys.stdout.flush()
        if not follow or over:
            return
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

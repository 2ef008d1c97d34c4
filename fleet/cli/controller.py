"""``fleet controller run``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from fleet.cli.app import EXIT_FAILED, EXIT_INTERRUPTED
from fleet.cli.follow import Timeline, to_stderr, to_stdout
from fleet.cli.output import emit_line
from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.opened import opened
from fleet.control.watchers import watching
from fleet.control.watching import watch
from fleet.core.upcast import encode
from fleet.model.errors import FleetError
from fleet.model.events import Event


def run(bucket: str | None, *, once: bool, as_json: bool, log: Path | None = None) -> int:
    """Run the loop over every fleet known here, one round or until Ctrl-C."""
    if log is None:
        return _run(bucket, Timeline(to_stderr if as_json else to_stdout), once=once, as_json=as_json)
    if not once:
        raise FleetError("--log is for rounds that nobody looks at", "Add --once.")
    return _unseen(bucket, log)


def _unseen(bucket: str | None, log: Path) -> int:
    """A round for cron: silent, alone, and what there is to say in the log."""
    from fleet.control.roundlog import alone, logged

    with alone(log) as only:
        if not only:
            return 0
        with logged(log) as write:
            try:
                return _run(bucket, Timeline(write), once=True, as_json=False)
            except FleetError as error:
                write(f"fleet: {error}")
                return EXIT_FAILED
            finally:
                sys.stdout.flush()
                sys.stderr.flush()


def _run(bucket: str | None, timeline: Timeline, *, once: bool, as_json: bool) -> int:
    left_out: list[FleetError] = []
    controllers = list(opened(bucket, strict=not once, left_out=left_out))
    if not controllers:
        raise FleetError("there is no fleet yet", "`fleet up JOB` makes one.")
    for controller in controllers:
        controller.on_event = _printer(timeline, controller, as_json=as_json)
    for error in left_out[1:]:
        timeline.line(None, f"left out    {error.message}")
    urls = [c.objects.url for c in controllers]
    if not once:
        timeline.line(None, f"watching    {', '.join(urls)}; Ctrl-C ends this controller")
    try:
        with watching(open_home(), "controller run", urls):
            watch(controllers, once=once, on_word=lambda text: timeline.line(None, f"waiting     {text}"))
    except KeyboardInterrupt:
        live = [r for c in controllers for r in c.state.runs.values() if r.live_attempts]
        to_stderr(f"\nThis controller is gone; {len(live)} machine(s) go on without anybody to relaunch them.\n")
        return EXIT_INTERRUPTED
    if left_out:  # the others had their round
        raise left_out[0]
    return 0


def _printer(timeline: Timeline, controller: Controller, *, as_json: bool) -> Callable[[Event], None]:
    """A line of text, or of JSON, for each event."""
    if not as_json:
        return timeline.event
    return lambda event: emit_line({"entry": controller.state.head, **encode(event)})

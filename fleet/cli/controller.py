"""``fleet controller run``."""

from __future__ import annotations

from collections.abc import Callable

from fleet.cli.app import EXIT_INTERRUPTED
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


def run(bucket: str | None, *, once: bool, as_json: bool) -> int:
    """Run the loop over every fleet known here, one round or until Ctrl-C."""
    controllers = list(opened(bucket, strict=True))
    if not controllers:
        raise FleetError("there is no fleet yet", "`fleet up JOB` makes one.")
    timeline = Timeline(to_stderr if as_json else to_stdout)
    for controller in controllers:
        controller.on_event = _printer(timeline, controller, as_json=as_json)
    if not once:
        timeline.line(None, f"watching    {', '.join(c.objects.url for c in controllers)}; Ctrl-C ends this controller")
    try:
        with watching(open_home(), "controller run", [c.objects.url for c in controllers]):
            watch(controllers, once=once, on_word=lambda text: timeline.line(None, f"waiting     {text}"))
    except KeyboardInterrupt:
        live = [r for c in controllers for r in c.state.runs.values() if r.live_attempts]
        to_stderr(f"\nThis controller is gone; {len(live)} machine(s) go on without anybody to relaunch them.\n")
        return EXIT_INTERRUPTED
    return 0


def _printer(timeline: Timeline, controller: Controller, *, as_json: bool) -> Callable[[Event], None]:
    """A line of text, or of JSON, for each event."""
    if not as_json:
        return timeline.event
    return lambda event: emit_line({"entry": controller.state.head, **encode(event)})

"""``fleet controller run``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from fleet.cli.follow import Timeline, to_stderr, to_stdout
from fleet.control.controller import Controller
from fleet.control.keeping import LOOK_EVERY
from fleet.control.opened import opened
from fleet.core.allowed import providers_of
from fleet.core.pace import pace_of
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
        controller.on_event = _printer(timeline, as_json)
    if once:
        for controller in controllers:
            controller.tick()
        return 0
    timeline.line(None, f"watching    {', '.join(c.objects.url for c in controllers)}; Ctrl-C ends this controller")
    try:
        while True:
            time.sleep(min([_round(c, timeline) for c in controllers]))
    except KeyboardInterrupt:
        live = [r for c in controllers for r in c.state.runs.values() if r.live_attempts]
        to_stderr(f"\nThis controller is gone; {len(live)} machine(s) go on without anybody to relaunch them.\n")
        return 130


def _round(controller: Controller, timeline: Timeline) -> float:
    """One tick; how long to sleep after it."""
    try:
        controller.tick()
    except FleetError as error:  # one fleet's trouble must not end the loop over the others
        timeline.line(None, f"waiting     {error.message}")
        return 5.0
    providers = {name for run in controller.state.busy_runs for name in providers_of(run.job.resources)}
    quick = any(pace_of(name).again <= 2 for name in providers)
    return LOOK_EVERY if quick else 10.0 if providers else 2.0


def _printer(timeline: Timeline, as_json: bool) -> Callable[[Event], None]:
    """A line of text, or of JSON, for each event."""
    if not as_json:
        return timeline.event
    return lambda event: print(json.dumps(encode(event)), flush=True)

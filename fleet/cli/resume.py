"""``fleet resume``."""

from __future__ import annotations

from fleet.cli.follow import Timeline, to_stderr, to_stdout
from fleet.cli.staying import warn_before_resuming
from fleet.cli.up import follow_to_the_end, tell_if_asleep
from fleet.control.home import open_home
from fleet.control.opened import opened_run
from fleet.control.runs import resume_run
from fleet.model.errors import FleetError
from fleet.model.units import parse_money


def go_on(name: str, budget: str | None, bucket: str | None, *, detach: bool, as_json: bool) -> int:
    """Resume an ended run, and follow it like ``up``."""
    try:
        cap = parse_money(budget) if budget is not None else None
    except ValueError as error:
        raise FleetError(str(error)) from None
    controller, old = opened_run(bucket, name)
    warn_before_resuming(controller, old.job)
    timeline = Timeline(to_stderr if as_json else to_stdout)
    controller.on_event = timeline.event
    run = resume_run(controller, name, cap)
    tell_if_asleep(open_home(), controller, run)
    return follow_to_the_end(controller, run, timeline, detach=detach, as_json=as_json)

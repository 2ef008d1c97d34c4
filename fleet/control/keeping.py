"""Keeping one run alive: this process is a controller until something holds of the run."""

from __future__ import annotations

import time
from collections.abc import Callable

from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.prices import PriceWatch
from fleet.core.allowed import providers_of
from fleet.core.pace import pace_of
from fleet.core.plan.launching import waits_for
from fleet.core.state import RunState
from fleet.model.base import Seconds
from fleet.model.errors import FleetError

LOOK_EVERY: Seconds = 0.25
"""On this computer, where looking costs nothing; else every ten seconds."""


def over(run: RunState) -> bool:
    """The run has ended, and so have its machines."""
    return run.ended_at is not None and not run.live_attempts


def pause_between(run: RunState) -> Seconds:
    """How long to wait between two looks at a run."""
    return LOOK_EVERY if any(pace_of(name).again <= 2 for name in providers_of(run.job.resources)) else 10.0


def keep(
    controller: Controller,
    run_id: str,
    *,
    until: Callable[[RunState], bool] = over,
    on_tick: Callable[[], None] = lambda: None,
    on_word: Callable[[str, str], None] = lambda _kind, _text: None,
) -> RunState:
    """Run the loop until ``until`` holds of the run.

    ``on_word`` is told, once for each change, what is waited for (``waiting``) and what cannot be seen (``blind``). A
    bucket or cloud out of reach is waited for.
    """
    said, waited, prices = "", "", PriceWatch(open_home)
    while True:
        run = controller.state.runs[run_id]
        if until(run):
            return run
        try:
            tick = controller.tick()
            trouble = controller.read_only or "; ".join(f"{k}: {v}" for k, v in controller.observer.troubles.items())
            if trouble and trouble != said:
                on_word("blind", trouble)
            said = trouble
            why = waits_for(controller.state, controller.state.runs[run_id], tick.observed) or ""
            if why and why != waited:
                on_word("waiting", why)
            waited = why
        except FleetError as error:
            if error.message != said:
                on_word("waiting", error.message)
            said = error.message
        prices.look(controller)
        on_tick()
        time.sleep(pause_between(run))

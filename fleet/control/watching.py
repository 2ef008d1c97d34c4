"""The loop over several fleets, until something stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from fleet.control.controller import Controller
from fleet.control.home import open_home
from fleet.control.keeping import LOOK_EVERY
from fleet.control.prices import PriceWatch
from fleet.core.allowed import providers_of
from fleet.core.pace import pace_of
from fleet.model.base import Seconds
from fleet.model.errors import FleetError


def watch(
    controllers: Sequence[Controller],
    *,
    once: bool = False,
    on_word: Callable[[str], None] = lambda _text: None,
    on_round: Callable[[], None] = lambda: None,
) -> None:
    """Keep every run of some fleets alive, for ever or for one round.

    ``on_word`` is told what is waited for; with ``once`` that is raised instead. ``on_round`` is called after each round.
    """
    if once:
        for controller in controllers:
            controller.tick()
        return
    prices = {id(controller): PriceWatch(open_home) for controller in controllers}
    said: dict[int, str] = {}
    while True:
        pauses = []
        for controller in controllers:
            pauses.append(_round(controller, on_word))
            trouble = controller.read_only or "; ".join(f"{k}: {v}" for k, v in controller.observer.troubles.items())
            if trouble and trouble != said.get(id(controller)):
                on_word(f"blind: {trouble}")
            said[id(controller)] = trouble
        on_round()
        for controller in controllers:
            prices[id(controller)].look(controller)
        time.sleep(min(pauses))


def _round(controller: Controller, on_word: Callable[[str], None]) -> Seconds:
    """One tick; how long to sleep after it."""
    try:
        controller.tick()
    except FleetError as error:  # one fleet's trouble must not end the loop over the others
        on_word(error.message)
        return 5.0
    providers = {name for run in controller.state.busy_runs for name in providers_of(run.job.resources)}
    quick = any(pace_of(name).again <= 2 for name in providers)
    return LOOK_EVERY if quick else 10.0 if providers else 2.0

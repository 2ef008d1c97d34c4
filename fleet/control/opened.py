"""The fleets that a user speaks of: every one known here, or the one in a bucket."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from fleet.control.controller import Controller
from fleet.control.fleets import holds_fleet, open_fleet
from fleet.control.home import open_home
from fleet.control.names import nearest
from fleet.control.runs import find_run
from fleet.core.state import RunState
from fleet.model.errors import FleetError

log = logging.getLogger("fleet.control")


def opened(bucket: str | None, *, left_out: dict[str, FleetError] | None = None) -> Iterator[Controller]:
    """Every fleet known here, or the one in ``bucket``; a bucket without a fleet is passed over unless it was named.

    One that cannot be opened hides no other: it is told of (kept in ``left_out`` instead, by its URL), and raised only if
    there is no other, or if it was named.
    """
    home = open_home()
    if bucket is not None:
        yield open_fleet(home, bucket)
        return
    found, first = False, None
    for url in home.known_buckets():
        try:
            controller = open_fleet(home, url) if holds_fleet(home, url) else None
        except FleetError as error:
            first = first or error
            if left_out is not None:
                left_out[url] = error
                continue
            log.warning("fleet: %s is left out: %s", url, error)
            continue
        if controller is not None:
            found = True
            yield controller
    if first is not None and not found:
        raise first


def known_runs(bucket: str | None, last: int | None = None) -> tuple[list[tuple[Controller, RunState]], int]:
    """Every run with its fleet, the oldest first, their machines' last words read; and how many were left out.

    With ``last`` only the newest so many of those that are over, machines and all, are among them.
    """
    return runs_of(opened(bucket), last)


def runs_of(controllers: Iterable[Controller], last: int | None = None) -> tuple[list[tuple[Controller, RunState]], int]:
    """The runs of some fleets, as ``known_runs`` tells them."""
    found: list[tuple[Controller, RunState]] = []
    for controller in controllers:
        controller.observer.read_beats(controller.state)
        found.extend((controller, run) for run in controller.state.runs.values())
    found.sort(key=lambda one: one[1].created_at)
    over = [run.run_id for _, run in found if run.ended_at is not None and not run.live_attempts]
    hidden = set(over[: max(0, len(over) - last)]) if last is not None else set()
    return [one for one in found if one[1].run_id not in hidden], len(hidden)


def opened_run(bucket: str | None, name: str) -> tuple[Controller, RunState]:
    """The run of a name, and the fleet that it is in. Raises FleetError if there is none."""
    controllers = list(opened(bucket))
    for controller in controllers:
        if name in controller.state.names or name in controller.state.runs:
            return controller, find_run(controller.state, name)
    states = [controller.state for controller in controllers]
    known = [*(one for state in states for one in state.names), *(one for state in states for one in state.runs)]
    raise FleetError(f"there is no run {name!r}; {nearest(name, known)}", "`fleet ps` lists runs.")

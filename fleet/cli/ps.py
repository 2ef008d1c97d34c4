"""``fleet ps``."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.cli.attending import attendance
from fleet.cli.deadlines import late_words
from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.cli.views import COLUMNS, SPARE, run_object, run_row
from fleet.control.attendance import seen
from fleet.control.controller import Controller
from fleet.control.fleets import hostname
from fleet.control.home import open_home
from fleet.control.opened import opened, runs_of
from fleet.control.runs import view
from fleet.core.allowed import providers_of
from fleet.model.errors import StoreError

ENDED = 10
"""People are shown the last so many ended runs, unless they ask for more. Programs get all, unless they ask for fewer."""


def show(bucket: str | None, *, everything: bool, last: int | None, as_json: bool) -> int:
    """Print runs, the newest last. Reads only: no machine is looked at, nothing is changed."""
    most = last if last is not None else None if everything or as_json else ENDED
    controllers = list(opened(bucket))
    found, hidden = runs_of(controllers, most)
    views = [view(controller, run) for controller, run in found]
    if as_json:
        emit([run_object(one) for one in views])
        return 0
    if not views and not hidden:
        print("No runs yet. `fleet demo` shows what fleet does; `fleet up JOB` starts a job.")
    if views:
        print_table([COLUMNS, *(run_row(one) for one in views)], SPARE)
    for one in views:
        if one.beat is not None and one.beat.message and one.run.ended_at is None:
            print(plain(f"\n{one.run.run_id}: {one.beat.message}"))
    for one in views:
        if one.forecast is not None and one.forecast.late and one.run.ended_at is None:
            print(plain(f"\n{one.run.run_id}: {late_words(one.forecast, one.at)}"))
    if hidden:
        print(f"\n{hidden} earlier run(s) that ended are not shown: fleet ps --all")
    _print_controllers(controllers)
    return 0


def _print_controllers(controllers: Sequence[Controller]) -> None:
    """Who keeps the runs alive, where there is anybody, or anybody is needed."""
    for controller in controllers:
        live = {name for run in controller.state.busy_runs for name in providers_of(run.job.resources)}
        now, of = controller.objects.now(), f" of {controller.objects.url}" if len(controllers) > 1 else ""
        try:
            lines = attendance(seen(controller.objects, now, open_home()), now, hostname(), live, of)
        except StoreError as error:
            lines = [f"Which controllers{of} live cannot be told: {error.message}"]
        if lines:
            print(plain("\n".join(["", *lines])))

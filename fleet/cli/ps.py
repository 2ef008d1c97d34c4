"""``fleet ps``."""

from __future__ import annotations

import json

from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.cli.views import COLUMNS, run_object, run_row
from fleet.control.opened import opened
from fleet.control.runs import RunView, view


def show(bucket: str | None, *, as_json: bool) -> int:
    """Print every run, the newest last. Reads only: no machine is looked at, nothing is changed."""
    views: list[tuple[RunView, float]] = []
    for controller in opened(bucket):
        controller.observer.read_beats(controller.state)
        now = controller.objects.now()
        views.extend((view(controller, run), now) for run in controller.state.runs.values())
    views.sort(key=lambda pair: pair[0].run.created_at)
    if as_json:
        print(json.dumps([run_object(one) for one, _ in views], indent=2))
        return 0
    if not views:
        print("No runs yet. `fleet demo` shows what fleet does; `fleet up JOB` starts a job.")
        return 0
    print_table([COLUMNS, *(run_row(one, now) for one, now in views)])
    for one, _ in views:
        if one.beat is not None and one.beat.message and one.run.ended_at is None:
            print(plain(f"\n{one.run.run_id}: {one.beat.message}"))
    return 0

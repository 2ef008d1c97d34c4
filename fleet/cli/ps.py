"""``fleet ps``."""

from __future__ import annotations

from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.cli.views import COLUMNS, SPARE, run_object, run_row
from fleet.control.opened import known_runs
from fleet.control.runs import view

ENDED = 10
"""People are shown the last so many ended runs, unless they ask for more. Programs get all, unless they ask for fewer."""


def show(bucket: str | None, *, everything: bool, last: int | None, as_json: bool) -> int:
    """Print runs, the newest last. Reads only: no machine is looked at, nothing is changed."""
    most = last if last is not None else None if everything or as_json else ENDED
    found, hidden = known_runs(bucket, most)
    views = [view(controller, run) for controller, run in found]
    if as_json:
        emit([run_object(one) for one in views])
        return 0
    if not views and not hidden:
        print("No runs yet. `fleet demo` shows what fleet does; `fleet up JOB` starts a job.")
        return 0
    if views:
        print_table([COLUMNS, *(run_row(one) for one in views)], SPARE)
    for one in views:
        if one.beat is not None and one.beat.message and one.run.ended_at is None:
            print(plain(f"\n{one.run.run_id}: {one.beat.message}"))
    if hidden:
        print(f"\n{hidden} earlier run(s) that ended are not shown: fleet ps --all")
    return 0

"""``fleet stop`` and ``fleet down``."""

from __future__ import annotations

from fleet.cli.app import EXIT_INTERRUPTED
from fleet.cli.attending import others, who
from fleet.cli.follow import Timeline, follow, to_stderr, to_stdout
from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.views import run_object
from fleet.control.fleets import hostname
from fleet.control.home import open_home
from fleet.control.opened import opened_run
from fleet.control.presence import present
from fleet.control.runs import stop_run, view


def end(name: str, how: str, bucket: str | None, *, as_json: bool) -> int:
    """Record the user's word, then see it through until every machine of the run is gone."""
    controller, _ = opened_run(bucket, name)
    timeline = Timeline(to_stderr if as_json else to_stdout)
    controller.on_event = timeline.event
    code = 0
    try:
        run = stop_run(controller, name, how)
        with present(open_home(), [controller], f"ends {run.name}") as tell:
            run = follow(controller, run.run_id, timeline, tell=tell)
    except KeyboardInterrupt:
        state = controller.state
        run = state.runs[state.names.get(name, name)]
        if run.want == "train" or (how == "down" and run.want != "down"):
            raise  # it was not said yet
        acting = next((one for one in others(controller) or () if one.acts), None)
        ends = f"{who(acting.presence, hostname())} ends run" if acting else "any controller ends run"
        to_stderr(f"\nThe word is recorded: {ends} {run.run_id}.{'' if acting else ' `fleet controller run` is one.'}\n")
        code = EXIT_INTERRUPTED
    if as_json:
        emit(run_object(view(controller, run)))
    elif not code:
        to_stdout(plain(f"Run {run.run_id} {run.outcome}: {run.reason}\n"))
    return code

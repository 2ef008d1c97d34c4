"""``fleet events``."""

from __future__ import annotations

import time
from datetime import datetime

from fleet.cli.output import emit_line
from fleet.cli.timeline import attempt_of, describe
from fleet.control.controller import Controller
from fleet.control.history import History
from fleet.control.opened import opened, opened_run
from fleet.core.upcast import encode
from fleet.model.events import Event

LOOK_EVERY = 1.0


def show(name: str | None, bucket: str | None, *, follow: bool, as_json: bool) -> int:
    """Print events, oldest first: a line each, of text or of JSON. ``follow`` goes on until the run and its machines end."""
    sources: list[tuple[Controller, History]]
    run_id = None
    if name is not None:
        controller, run = opened_run(bucket, name)
        run_id = run.run_id
        sources = [(controller, History(controller, run_id))]
    else:
        sources = [(controller, History(controller)) for controller in opened(bucket)]
    while True:
        over = run_id is not None and _over(sources[0][0], run_id)
        for _, history in sources:
            for number, event in history.read():
                if as_json:
                    emit_line({"entry": number, **encode(event)}, flush=follow)
                else:
                    print(_line(number, event), flush=follow)
        if not follow or over:
            return 0
        time.sleep(LOOK_EVERY)
        for controller, _ in sources:
            controller.catch_up()


def _over(controller: Controller, run_id: str) -> bool:
    run = controller.state.runs[run_id]
    return run.ended_at is not None and not run.live_attempts


def _line(number: int, event: Event) -> str:
    when = datetime.fromtimestamp(event.at).astimezone().isoformat(timespec="seconds")
    attempt = attempt_of(event)
    who = f"{getattr(event, 'run_id', ''):<24} {f'#{attempt}' if attempt else '':<4}"
    return f"{when}  {number:>6}  {who}{describe(event)}"

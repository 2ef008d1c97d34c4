"""``fleet events``."""

from __future__ import annotations

import json
from datetime import datetime

from fleet.cli.timeline import attempt_of, describe
from fleet.control.controller import Controller
from fleet.control.history import events_of
from fleet.control.opened import opened, opened_run
from fleet.core.upcast import encode


def show(name: str | None, bucket: str | None, *, as_json: bool) -> int:
    """Print events, oldest first: a line each, of text or of JSON."""
    sources: list[tuple[Controller, str | None]]
    if name is not None:
        controller, run = opened_run(bucket, name)
        sources = [(controller, run.run_id)]
    else:
        sources = [(controller, None) for controller in opened(bucket)]
    for controller, run_id in sources:
        for number, event in events_of(controller, run_id):
            if as_json:
                print(json.dumps({"entry": number, **encode(event)}))
                continue
            when = datetime.fromtimestamp(event.at).astimezone().isoformat(timespec="seconds")
            attempt = attempt_of(event)
            who = f"{getattr(event, 'run_id', ''):<24} {f'#{attempt}' if attempt else '':<4}"
            print(f"{when}  {number:>6}  {who}{describe(event)}")
    return 0

"""``fleet status``."""

from __future__ import annotations

import json
from datetime import datetime

from fleet.cli.plain import plain
from fleet.cli.timeline import attempt_of, describe
from fleet.cli.views import run_object
from fleet.control.history import events_of
from fleet.control.opened import opened_run
from fleet.control.runs import RunView, view
from fleet.core.summary import interruptions
from fleet.model.units import format_duration, format_money

LAST_EVENTS = 30


def show(name: str, bucket: str | None, *, as_json: bool) -> int:
    """Everything about one run."""
    controller, run = opened_run(bucket, name)
    controller.observer.read_beats(controller.state)
    seen = view(controller, run)
    history = [(number, event) for number, event in events_of(controller, run.run_id)]
    attempt = run.newest
    told = {
        **run_object(seen),
        "why": attempt.why if attempt else "",
        "next": what_next(seen, controller.objects.now()),
        "notes": list(run.notes),
        "interrupted": [
            {
                "attempt": i.attempt,
                "kind": i.kind,
                "at": i.at,
                "recover_seconds": i.recover_seconds,
                "lost_steps": i.lost_steps,
            }
            for i in interruptions(run)
        ],
    }
    if as_json:
        print(json.dumps(told, indent=2))
        return 0
    cost, rate = seen.cost, told["rate"]
    reason = f" ({run.reason})" if run.reason else ""
    print(plain(f"run       {run.run_id}: {told['state']}{reason}"))
    if attempt is not None:
        print(f"machine   attempt {attempt.number}, {told['where'] or 'not launched yet'}")
        print(plain(f"why       {attempt.why}"))
    if told["step"] is not None:
        print(f"training  step {told['step']}" + (f", {rate:.1f}/s" if rate else ""))
    if told["message"] and run.ended_at is None:
        print(plain(f"says      {told['message']}"))
    spent, instead = format_money(cost.total), format_money(cost.on_demand)
    print(f"spent     {spent} (on demand {instead}), now {format_money(cost.rate)}/h")
    lost, taken = format_duration(told["seconds_lost"]), told["interruptions"]
    print(f"lost      {told['steps_lost']} steps, {lost} in {taken} interruption(s)")
    print(plain(f"next      {told['next']}"))
    for text in run.notes:
        print(plain(f"note      {text}"))
    print()
    if len(history) > LAST_EVENTS:
        print(f"… {len(history) - LAST_EVENTS} earlier events: fleet events {run.name}")
    for _, event in history[-LAST_EVENTS:]:
        number = attempt_of(event)
        when = datetime.fromtimestamp(event.at).astimezone().strftime("%m-%d %H:%M:%S")
        who = f"#{number}" if number else ""
        print(f"{when}  {who:<4}{describe(event)}")
    return 0


def what_next(seen: RunView, now: float) -> str:
    """What will happen by itself, or what the user may do."""
    run, attempt = seen.run, seen.attempt
    if run.ended_at is not None:
        return f"nothing; `fleet resume {run.name}` lets it go on" if run.outcome != "succeeded" else "nothing: it is done"
    if run.want != "train":
        return "its machine checkpoints and ends, as the user said"
    pause = run.pause
    if pause is not None and (pause.until is None or pause.until > now):
        waits = (
            "waits for a word of yours" if pause.until is None else f"tries again in {format_duration(pause.until - now)}"
        )
        return f"{waits}: {pause.reason}"
    if attempt is None or not attempt.serving:
        return "a machine is launched by the next controller that looks: `fleet controller run`"
    if attempt.lease_until is not None:
        left = format_duration(attempt.lease_until - now)
        return f"training goes on; the machine ends itself in {left} unless its lease is renewed"
    return "training goes on"

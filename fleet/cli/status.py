"""``fleet status``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fleet.cli.attending import others, watched
from fleet.cli.bought import bought_object, bought_of, told_bought
from fleet.cli.deadlines import deadline_line, deadline_object
from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.timeline import attempt_of, describe
from fleet.cli.views import run_object
from fleet.control.controller import Controller
from fleet.control.fleets import hostname
from fleet.control.history import events_of
from fleet.control.home import open_home
from fleet.control.opened import opened_run
from fleet.control.runs import RunView, view
from fleet.control.watchers import Watcher, watchers
from fleet.core.summary import interruptions
from fleet.model.units import format_duration, format_money

if TYPE_CHECKING:
    from fleet.cli.objects import StatusObject

LAST_EVENTS = 30


def show(name: str, bucket: str | None, *, as_json: bool) -> int:
    """Everything about one run."""
    controller, run = opened_run(bucket, name)
    controller.observer.read_beats(controller.state)
    seen = view(controller, run)
    alive = watchers(open_home(), controller.objects.url)
    told = status_object(seen, alive)
    if as_json:
        emit(told)
        return 0
    _print_head(seen, told)
    if run.ended_at is None:
        print(plain(f"watched   {watched(others(controller), hostname())}"))
    for text in run.notes:
        print(plain(f"note      {text}"))
    print()
    _print_timeline(controller, run.run_id, run.name)
    return 0


def status_object(seen: RunView, alive: list[Watcher]) -> StatusObject:
    """The status as ``-o json`` prints it."""
    attempt = seen.attempt
    return {
        **run_object(seen),
        "why": attempt.why if attempt else "",
        "deadline": deadline_object(seen),
        "next": what_next(seen, seen.at),
        "notes": list(seen.run.notes),
        "interrupted": [
            {
                "attempt": i.attempt,
                "kind": i.kind,
                "at": i.at,
                "recover_seconds": i.recover_seconds,
                "lost_steps": i.lost_steps,
                "lost_seconds": i.lost_seconds,
            }
            for i in interruptions(seen.run)
        ],
        "bought": bought_object(bought_of(seen)),
        "watchers": [{"process": w.process, "command": w.command, "started_at": w.started_at} for w in alive],
    }


def _print_head(seen: RunView, told: StatusObject) -> None:
    run, cost, attempt, rate = seen.run, seen.cost, seen.attempt, told["steps_per_second"]
    reason = f" ({run.reason})" if run.reason else ""
    print(plain(f"run       {run.run_id}: {told['state']}{reason}"))
    if attempt is not None:
        print(f"machine   attempt {attempt.number}, {told['where'] or 'not launched yet'}")
        print(plain(f"why       {attempt.why}"))
    _print_deadline(seen, told)
    if told["step"] is not None:
        print(f"training  step {told['step']}" + (f", {rate:.1f}/s" if rate else ""))
    if told["message"] and run.ended_at is None:
        print(plain(f"says      {told['message']}"))
    spent, instead = format_money(cost.total), format_money(cost.on_demand)
    print(f"spent     {spent} (on demand {instead}), now {format_money(cost.rate)}/h")
    for word, text in told_bought(bought_of(seen)):
        print(f"{word:<8}  {text}")
    lost, taken = format_duration(told["seconds_lost"]), told["interruptions"]
    print(f"lost      {told['steps_lost']} steps, {lost} in {taken} interruption(s), {told['recoveries']} recovered from")
    print(plain(f"next      {told['next']}"))


def _print_deadline(seen: RunView, told: StatusObject) -> None:
    plan, keeping = seen.forecast, told["deadline"]
    if plan is not None:
        print(plain(f"deadline  {deadline_line(plan, seen.at)}"))
    if keeping is not None:
        print(plain(f"choice    {keeping['why']}"))
    beside = seen.run.newest
    if beside is not None and beside is not seen.attempt and beside.serving:
        print(f"beside    attempt {beside.number}, {beside.offer.key if beside.offer else 'not launched yet'}")


def _print_timeline(controller: Controller, run_id: str, name: str) -> None:
    history = [event for _, event in events_of(controller, run_id)]
    if len(history) > LAST_EVENTS:
        print(f"… {len(history) - LAST_EVENTS} earlier events: fleet events {name}")
    for event in history[-LAST_EVENTS:]:
        number = attempt_of(event)
        when = datetime.fromtimestamp(event.at).astimezone().strftime("%m-%d %H:%M:%S")
        who = f"#{number}" if number else ""
        print(f"{when}  {who:<4}{describe(event)}")


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
            f"waits for a word of yours (`fleet resume {run.name}` tries again)"
            if pause.until is None
            else f"tries again in {format_duration(pause.until - now)}"
        )
        return f"{waits}: {pause.reason}"
    if seen.waits:
        return f"waits: {seen.waits}"
    if attempt is None or not attempt.serving:
        return "a machine is launched by the next controller that looks: `fleet controller run`"
    if attempt.lease_until is not None:
        left = format_duration(attempt.lease_until - now)
        return f"training goes on; the machine ends itself in {left} unless its lease is renewed"
    return "training goes on"

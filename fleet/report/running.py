"""What one run did in a night."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fleet.core.bought import WORDS, Shares, steps
from fleet.core.ledger import Line
from fleet.core.plain import plain
from fleet.core.state import AttemptState, RunState
from fleet.core.summary import interruptions
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span
from fleet.report.reading import Asked
from fleet.report.statement import RunNight, Share, Taken
from fleet.workloads.deepracer.redact import redact, secrets_of

MOST_LINES = 20
"""Of what a failed training printed last."""
MOST_CHARACTERS = 2000
_CODE = re.compile(r"[A-Z][A-Za-z]+(\.[A-Z][A-Za-z]+)*")
WAITS = "waits for you"
GOES_ON = "going on"


def in_night(run: RunState, night: Span, now: Seconds) -> bool:
    """Whether a run lived in a night, or a machine of it did."""
    ended = run.ended_at if run.ended_at is not None else now
    if run.created_at < night.end and ended >= night.start:
        return True
    return any(ran(attempt, night, now) for attempt in run.attempts.values())


def ran(attempt: AttemptState, span: Span, now: Seconds) -> bool:
    """Whether a machine ran in a stretch of time."""
    if attempt.launched_at is None:
        return False
    return attempt.launched_at < span.end and (attempt.ended_at if attempt.ended_at is not None else now) > span.start


def name_of(words: str) -> str:
    """A name that somebody else chose, for people: one line, and nothing that could end a command's quotes."""
    return " ".join(plain(words).replace("`", "'").split())


def where(attempt: AttemptState) -> str:
    """``g4dn.xlarge spot, us-east-1a``."""
    offer = attempt.offer
    return name_of(f"{offer.instance_type} {offer.market.value}, {offer.zone}") if offer is not None else "no machine"


def run_night(
    run: RunState, who: str, asked: Asked, lines: Sequence[Line], whole: Micros, bought: Shares
) -> RunNight:  # fmt: skip
    """The run's part of the night: ``lines`` are what it paid for then, ``whole`` what it has cost up to its end."""
    night, now = asked.night, asked.now
    paid = sum(line.amount for line in lines)
    kept = steps(run, night, now, asked.read.beats) or 0
    over = run.ended_at is not None and run.ended_at < night.end
    machines = [where(attempt) for attempt in run.attempts.values() if ran(attempt, night, now)]
    return RunNight(
        run_id=name_of(run.run_id),
        name=name_of(run.name),
        outcome=str(run.outcome) if over else WAITS if run.waits_for_user else GOES_ON,
        ended=over and run.ended_at is not None and night.holds(run.ended_at),
        paid=paid,
        on_demand=sum(line.on_demand for line in lines),
        paid_whole=whole,
        budget=run.job.budget.run,
        steps=kept,
        per_thousand=round(paid * 1000 / kept) if kept else None,
        machines=tuple(dict.fromkeys(machines)),
        launches=sum(a.launched_at is not None and night.holds(a.launched_at) for a in run.attempts.values()),
        interruptions=sum(1 for _ in taken(run, night)),
        shares=tuple(Share(WORDS[part], seconds) for part, seconds in bought.parts.items()),
        waiting=bought.waiting,
        reason=_reason(run, night, over=over),
        who=name_of(who),
    )


def taken(run: RunState, night: Span) -> Iterator[Taken]:
    """Its machines that were taken back in the night."""
    for one in interruptions(run):
        if night.holds(one.at):
            yield Taken(
                run_id=name_of(run.run_id),
                name=name_of(run.name),
                attempt=one.attempt,
                kind=one.kind,
                at=one.at,
                where=where(run.attempts[one.attempt]),
                lost_steps=one.lost_steps,
                lost_seconds=one.lost_seconds,
                recover_seconds=one.recover_seconds,
                moved=one.moved,
            )


def _reason(run: RunState, night: Span, *, over: bool) -> str:
    """Why it ended in the night or waits, and what a training that failed printed last; never what is secret."""
    known = secrets_of(run.job.envs)
    if not over:
        waits = run.pause.reason if run.waits_for_user and run.pause is not None else ""
        code, colon, message = waits.partition(": ")
        if _CODE.fullmatch(code):  # a cloud's own word for it, as UnauthorizedOperation: that holds no secret
            return f"{code}{colon}{shown(message, known)}"
        return shown(waits, known)
    if run.outcome == "succeeded" or run.ended_at is None or not night.holds(run.ended_at):
        return ""
    failures = [a.outcome.message for a in run.attempts.values() if a.outcome is not None and a.outcome.kind == "failed"]
    last = failures[-1] if failures else ""
    told = [run.reason] if last in run.reason else [last] if run.reason in last else [run.reason, last]
    return shown("\n".join(told), known)


def shown(words: str, known: set[str]) -> str:
    """The last lines of what was printed, for a page that is mailed: without secrets (``known`` among them)."""
    text = plain(redact(plain(words), known)).strip()
    lines = text.splitlines()
    cut = "\n".join(lines[-MOST_LINES:])[-MOST_CHARACTERS:]
    return f"…\n{cut}" if cut != text else cut

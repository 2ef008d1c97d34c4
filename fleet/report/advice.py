"""What to do about a night, in at most three sentences: rules over its statement, the most pressing first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from fleet.model.base import Micros
from fleet.report.running import WAITS
from fleet.report.statement import RunNight, Statement
from fleet.report.words import above, count, money, month, percent, price, whole

MOST = 3
NEARLY = 0.8
"""Of a budget."""
MUCH_LOST = 0.08
"""Of machine time."""
MUCH_BOOTING = 0.15
MUCH_IDLE = 0.10
OFTEN = 3
"""Times that one pool took a machine back in one night."""
TOO_LOW = 0.2
"""Of the time in which the bid was below a price."""
WORTH_A_WORD = 1_000_000
"""Micro-dollars a month: a smaller volume is in the table, and no more."""

Rule = Callable[[Statement], Iterator[str]]


def advice(s: Statement) -> tuple[str, ...]:
    """The first three sentences that the rules have."""
    found: list[str] = []
    for rule in RULES:
        for sentence in rule(s):
            found.append(sentence)
            if len(found) == MOST:
                return tuple(found)
            break  # the worst of a kind is told; the tables have the others
    return tuple(found)


def orphans(s: Statement) -> Iterator[str]:
    """Machines first, then whatever else no run owns."""
    machines = [one for one in s.left if one.kind == "machine"]
    others = [one for one in s.left if one.kind not in ("machine", "volume")]
    for some, word in ((machines, "machine"), (others, "thing")):
        if some:
            known = sum(one.monthly or 0 for one in some)
            cost = f", {money(known)} a month" if known else ""
            verb = "runs" if len(some) == 1 else "run"
            verb = verb if word == "machine" else "costs" if len(some) == 1 else "cost"
            yield f"{count(len(some), word)} that no run owns {verb}{cost}: `{some[0].command}` ends what it shows."


def waiting(s: Statement) -> Iterator[str]:
    """A run that goes no further without its user."""
    for run in s.runs:
        if run.outcome == WAITS:
            yield f"{run.name} waits for your word: see why with `fleet status {run.who}`, then `fleet resume {run.who}`."


def failed(s: Statement) -> Iterator[str]:
    """A run that failed in the night."""
    for run in s.runs:
        if run.ended and run.outcome == "failed":
            yield f"{run.name} failed: `fleet logs {run.who}` shows what it said, `fleet resume {run.who}` goes on."


def over_month(s: Statement) -> Iterator[str]:
    """The month's budget will not do."""
    m = s.totals.month
    if m.budget is None:
        return
    if m.paid >= m.budget:
        yield f"{month(m.name)} has used up its budget of {money(m.budget)}: `fleet budget` shows and changes it."
    elif m.likely > m.budget:
        beyond = money(m.likely - m.budget)
        yield (
            f"At this pace {month(m.name)} comes to {money(m.likely)}, {beyond} above its budget: "
            "`fleet budget` raises it, or end what can wait."
        )


def over_day(s: Statement) -> Iterator[str]:
    """The day's budget was used up, and held runs back."""
    t = s.totals
    if t.budget is not None and t.night.paid >= NEARLY * t.budget:
        waited = sum(run.waiting for run in s.runs)
        if waited > 0:
            yield f"The day's budget was {percent(t.night.paid, t.budget)} used, and runs waited: `fleet budget` raises it."


def over_run(s: Statement) -> Iterator[str]:
    """A run that is about to be ended by its own budget."""
    going = [run for run in s.runs if not run.ended and run.budget and run.paid_whole >= NEARLY * run.budget]
    for run in sorted(going, key=_used, reverse=True):
        part = percent(run.paid_whole, run.budget or 0)
        yield (
            f"{run.name} has used {part} of its {money(run.budget)} and is ended before it passes them: "
            f"`fleet stop {run.who}`, then `fleet resume {run.who} --budget` with more, lets it go on."
        )


def _used(run: RunNight) -> float:
    return run.paid_whole / run.budget if run.budget else 0.0


def volumes(s: Statement) -> Iterator[str]:
    """Disks that nobody uses."""
    kept = [one for one in s.left if one.kind == "volume"]
    monthly = sum(one.monthly or 0 for one in kept)
    if monthly >= WORTH_A_WORD:
        verb = "costs" if len(kept) == 1 else "cost"
        yield (
            f"{count(len(kept), 'volume')} that no live run uses {verb} {money(monthly)} a month: `{kept[0].command}` "
            + ("deletes it." if len(kept) == 1 else "deletes the largest.")
        )


def low_bid(s: Statement) -> Iterator[str]:
    """A bid below the price, in every zone: nothing can be had then."""
    by_type: dict[str, list[tuple[float, Micros]]] = {}
    for one in s.prices:
        if one.bid is not None and one.points:
            by_type.setdefault(one.instance_type, []).append((above(one.points, one.until, one.bid), one.bid))
    for kind, zones in by_type.items():
        share, bid = min(zones)
        if share >= TOO_LOW:
            yield (
                f"The bid of {price(bid)} was below the price of {kind} for {percent(share, 1)} of the time even where it "
                "is cheapest: raise max_price, or allow another type."
            )


def taken_often(s: Statement) -> Iterator[str]:
    """A pool that takes machines back again and again."""
    for where, times in Counter(one.where for one in s.interruptions).most_common(1):
        if times >= OFTEN:
            yield f"{where} was taken back {times} times: allow another zone or type in the job's resources (any_of)."


def lost_work(s: Statement) -> Iterator[str]:
    """Too much is trained twice, since machines were taken; of a training that failed there was nothing to keep."""
    if s.interruptions and _part(s, "lost work") >= MUCH_LOST:
        part = percent(_part(s, "lost work"), 1)
        yield f"{part} of machine time was trained twice: let training write checkpoints more often."


def slow_boot(s: Statement) -> Iterator[str]:
    """Machines take long to begin."""
    part = _part(s, "boot") + _part(s, "restore")
    if part >= MUCH_BOOTING:
        on_aws = any(one.provider == "aws" for one in s.prices)
        remedy = "`fleet ami build` prepares an image that boots fast." if on_aws else "a shorter `setup` in the job helps."
        yield f"{percent(part, 1)} of machine time went into booting and restoring: {remedy}"


def idle(s: Statement) -> Iterator[str]:
    """Machines that stood there."""
    if _part(s, "idle") >= MUCH_IDLE:
        yield f"{percent(_part(s, 'idle'), 1)} of machine time was idle: `fleet events` tells what machines waited for."


def _part(s: Statement, what: str) -> float:
    total = whole(s.shares)
    return sum(one.seconds for one in s.shares if one.what == what) / total if total else 0.0


RULES: tuple[Rule, ...] = (
    orphans, waiting, failed, over_month, over_day, over_run, volumes, low_bid, taken_often, lost_work, slow_boot, idle,
)  # fmt: skip

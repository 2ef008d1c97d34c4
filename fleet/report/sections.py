"""A statement as headings, sentences and tables: what HTML, Markdown and text are all made from."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.report.charted import figures, nights, prices, time_shares
from fleet.report.statement import Left, RunNight, Statement, Taken
from fleet.report.tables import Section, Table
from fleet.report.words import NOTHING, clock, count, day, lasted, money, percent, saved

__all__ = ["Heading", "Section", "Table", "heading", "sections"]


MOST_ROWS = 20
"""Of runs or interruptions in a table; the others stand in CSV and JSON."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above everything else."""

    title: str
    told: tuple[str, ...]
    advice: tuple[str, ...]


def heading(s: Statement) -> Heading:
    """The night in two sentences, and what to do about it."""
    t = s.totals
    title = f"What {day(s.date)} cost"
    if s.quiet:
        return Heading(title, ("Nothing ran, and nothing was paid for.",), s.advice)
    told = [f"{money(t.night.paid)} in all. {_compared(s)}"]
    told.append(
        f"{count(len(s.runs), 'run')}, {lasted(t.machine_seconds)} of machine time, "
        f"{count(len(s.interruptions), 'interruption')}, {count(t.steps, 'step')} kept."
    )
    if t.wasted:
        told.append(f"{money(t.wasted)} ({percent(t.wasted, t.night.paid)}) bought no training.")
    return Heading(title, tuple(told), s.advice)


def _compared(s: Statement) -> str:
    t = s.totals
    gained = saved(t.night.paid, t.night.on_demand)
    told = f"On demand it would have been {money(t.night.on_demand)}" + (f": {gained}. " if gained else ". ")
    if not t.days_before:
        return told + "It is the fleet's first day."
    if t.days_before == 1:
        return told + f"The day before cost {money(t.week_before)}."
    return told + f"On average the {t.days_before} days before cost {money(t.week_before)}."


def sections(s: Statement) -> list[Section]:
    """Everything below the heading, in the order in which it is read. What there is nothing to say of is left out."""
    if s.quiet:
        found: list[Section | None] = [_unsent(s)]
    else:
        found = [
            figures(s),
            *_runs(s),
            _interruptions(s),
            time_shares(s),
            _waste(s),
            _left(s),
            nights(s),
            *prices(s),
            _unsent(s),
        ]
    return [section for section in found if section is not None]


def _runs(s: Statement) -> list[Section | None]:
    """What each cost and bought, and what it ran on; the dearest, where there are many."""
    if not s.runs:
        return []
    head = ("Run", "State", "Paid", "On demand", "So far", "Steps", "Per 1,000", "Training")
    shown, others = s.runs[:MOST_ROWS], s.runs[MOST_ROWS:]
    rows = [_run(run) for run in shown]
    if others:
        rest = money(sum(run.paid for run in others)), money(sum(run.on_demand for run in others))
        rows.append((f"{len(others):,} others", "", *rest, "", "", "", ""))
    quoted = tuple((f"{run.name} ({run.outcome})", run.reason) for run in shown if run.reason)
    ran = [run for run in shown if run.machines or run.waiting]
    machines = Table(
        "What each run ran on", ("Run", "Launches", "Taken back", "Waited", "On"), tuple(_machines(run) for run in ran),
        frozenset((1, 2, 3)),
    )  # fmt: skip
    cost = Table("Each run in this night", head, tuple(rows), frozenset(range(2, 8)))
    return [
        Section("runs", "Runs", table=cost, quoted=quoted),
        Section("machines", "Machines of each run", table=machines, level=3) if ran else None,
    ]


def _run(run: RunNight) -> tuple[str, ...]:
    machine = sum(share.seconds for share in run.shares)
    training = next((share.seconds for share in run.shares if share.what == "training"), 0.0)
    so_far = money(run.paid_whole) + (f" of {money(run.budget)}" if run.budget is not None else "")
    return (
        run.name,
        run.outcome,
        money(run.paid),
        money(run.on_demand),
        so_far,
        f"{run.steps:,}" if run.steps else NOTHING,
        money(run.per_thousand),
        percent(training, machine),
    )


def _machines(run: RunNight) -> tuple[str, ...]:
    waited = lasted(run.waiting) if run.waiting else NOTHING
    return run.name, str(run.launches), str(run.interruptions), waited, "; ".join(run.machines) or "no machine"


def _interruptions(s: Statement) -> Section | None:
    if not s.interruptions:
        return None
    head = ("At", "Run", "Machine", "Warning", "Steps lost", "Work lost", "Went on after")
    rows = [_taken(one, s.zone) for one in s.interruptions[:MOST_ROWS]]
    if len(s.interruptions) > len(rows):
        rows.append((f"{len(s.interruptions) - len(rows)} more", "", "", "", "", "", ""))
    back = [one.recover_seconds for one in s.interruptions if one.recover_seconds is not None]
    told = f"{lasted(sum(one.lost_seconds for one in s.interruptions))} of work had to be done again"
    told += f"; training went on after {lasted(sum(back) / len(back))} on average." if back else "."
    table = Table("Machines that the cloud took back", head, tuple(rows), frozenset((4, 5, 6)))
    return Section("interruptions", "Interruptions", (told,), table)


def _taken(one: Taken, zone: str) -> tuple[str, ...]:
    warning = "none seen" if one.kind == "kill" else one.kind.replace("+", ", ")
    after = "not yet" if one.recover_seconds is None else lasted(one.recover_seconds) + (", elsewhere" if one.moved else "")
    return (
        clock(one.at, zone), f"{one.name}, attempt {one.attempt}", one.where, warning, f"{one.lost_steps:,}",
        lasted(one.lost_seconds), after,
    )  # fmt: skip


def _waste(s: Statement) -> Section | None:
    if not s.waste:
        return None
    rows = tuple(
        (one.reason, money(one.paid), percent(one.paid, s.totals.night.paid), lasted(one.seconds), one.why)
        for one in s.waste
    )
    head = ("Reason", "Paid", "Of the night", "Time", "What it is")
    return Section("waste", "Paid for nothing", table=Table("What bought no training", head, rows, frozenset((1, 2, 3))))


def _left(s: Statement) -> Section | None:
    if not s.left:
        return None
    known = [one.monthly for one in s.left if one.monthly is not None]
    told = f"Together {money(sum(known))} a month, if nobody ends it."
    if len(known) < len(s.left):
        told += " What has no price here costs something as well."
    head = ("What", "Id", "Where", "Made for", "A month", "Why it is here", "What ends it")
    rows = tuple(_one_left(one) for one in s.left)
    table = Table("What goes on costing money without a run that needs it", head, rows, frozenset((4,)))
    return Section("left", "Orphans and forgotten volumes", (told,), table)


def _one_left(one: Left) -> tuple[str, ...]:
    return one.kind, one.id, one.where, one.name or "no run", money(one.monthly), one.why, one.command


def _unsent(s: Statement) -> Section | None:
    if not s.unsent:
        return None
    rows = tuple((one.date, one.line) for one in s.unsent)
    return Section(
        "unsent", "Nights whose report could not be sent", table=Table("Earlier nights", ("Night", "In one line"), rows)
    )

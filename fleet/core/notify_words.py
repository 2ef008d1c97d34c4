"""How a message reads: a title of one line, and a body whose last line is what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from fleet.core.thing import Thing
from fleet.model.base import Seconds
from fleet.model.notify import KINDS, Kind
from fleet.model.units import format_duration

NAMED = 5
"""So many runs are named; the others are counted."""
LATE: Seconds = 120
"""What happened longer ago is told with its time."""

_OF_ONE: dict[Kind, str] = {
    "interruption": "{name} was interrupted",
    "recovery": "{name} trains again",
    "no-capacity": "{name} has no machine",
    "budget-80": "80 % of {name} are spent",
    "budget-100": "{name} is used up",
    "finished": "{name} finished",
    "failed": "{name} failed",
    "blind": "{name} is blind",
}
_OF_MANY: dict[Kind, tuple[str, str]] = {
    "interruption": ("interruption", "interruptions"),
    "recovery": ("recovery", "recoveries"),
    "no-capacity": ("wait without a machine", "waits without a machine"),
    "budget-80": ("budget at 80 %", "budgets at 80 %"),
    "budget-100": ("budget used up", "budgets used up"),
    "finished": ("run finished", "runs finished"),
    "failed": ("run failed", "runs failed"),
    "blind": ("blind controller", "blind controllers"),
}


def single(thing: Thing, now: Seconds) -> tuple[str, str]:
    """Of one thing."""
    when = f" ({clock(thing.at)})" if now - thing.at > LATE and not thing.standing else ""
    return f"fleet: {_OF_ONE[thing.kind].format(name=thing.name)}", f"{thing.what}{when}.\nNext: {thing.next}"


def several(things: Sequence[Thing]) -> tuple[str, str]:
    """Of several things of one kind and run: how many, and the last of them."""
    last, count = things[-1], counted(things[-1].kind, len(things))
    during = format_duration(last.at - things[0].at)
    return f"fleet: {last.name}: {count}", f"{last.name}: {count} within {during}. The last: {last.what}.\nNext: {last.next}"


def storm(kind: Kind, groups: Sequence[Sequence[Thing]]) -> tuple[str, str]:
    """Of one kind, of many runs at once."""
    names = _named([group[-1].name for group in groups])
    many, last = counted(kind, sum(map(len, groups))), max((group[-1] for group in groups), key=lambda one: one.at)
    where = f"{len(groups)} runs" if last.run_id else f"{len(groups)} of them"
    return f"fleet: {many} ({where})", f"{many}: {names}. The last: {last.what}.\nNext: fleet ps"


def summary(things: Sequence[Thing]) -> tuple[str, str]:
    """Of what happened long ago, and nobody told."""
    kinds = [(kind, [one for one in things if one.kind == kind]) for kind in KINDS]
    found = [(kind, some) for kind, some in kinds if some]
    told = ", ".join(counted(kind, len(some)) for kind, some in found)
    first, last = min(one.at for one in things), max(one.at for one in things)
    lines = [f"- {counted(kind, len(some))}: {_named([one.name for one in some])}" for kind, some in found]
    span = f"from {clock(first)} to {clock(last)}" if first < last else f"at {clock(first)}"
    body = [f"Nobody was there to tell it: {span}", *lines, "Next: fleet ps"]
    return f"fleet, earlier: {told}", "\n".join(body)


def counted(kind: Kind, number: int) -> str:
    """``3 interruptions``."""
    return f"{number} {_OF_MANY[kind][number != 1]}"


def clock(at: Seconds) -> str:
    """A time, in UTC: whoever reads it may be anywhere."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%b %d %H:%M UTC")


def _named(names: Sequence[str]) -> str:
    apart = list(dict.fromkeys(names))
    more = f" and {len(apart) - NAMED} more" if len(apart) > NAMED else ""
    return ", ".join(apart[:NAMED]) + more

"""``fleet deepracer repair``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fleet.cli.ask import confirm
from fleet.cli.deepracer_sound import plan_after_nan, say_of_committed
from fleet.cli.output import CHOSEN, emit, say
from fleet.workloads.deepracer.named import must_be_a_model
from fleet.workloads.deepracer.pointers import read_pointers
from fleet.workloads.deepracer.prefix import Prefix, Stat, open_prefix
from fleet.workloads.deepracer.repair import LOCK, Format, Repair, carry_out, plan_repair

if TYPE_CHECKING:
    from fleet.cli.objects import DeepRacerRepairObject

FRESH = 120.0
"""Seconds. A trainer holds its lock for less: an older one is nobody's any more."""


def repair(place: str, *, apply: bool, after_nan: bool, form: Format, yes: bool, as_json: bool) -> int:
    """Look, say what was found, and mend it if that was asked for."""
    prefix = open_prefix(place)
    listing = prefix.list()
    must_be_a_model(prefix.where, listing)
    say(f"{prefix.where}:")
    pointers = read_pointers(prefix, listing)
    plan = plan_after_nan(prefix, listing, pointers, form) if after_nan else plan_repair(listing, pointers, format=form)
    for sentence in plan.words:
        say(f"  {sentence}")
    if not after_nan:
        say_of_committed(prefix, listing, plan)
    young = _warn_of_a_young_lock(prefix, listing)
    if not plan.idle and apply:
        if young and not CHOSEN.as_json and sys.stdin.isatty():
            confirm("Is the trainer surely dead?", yes=yes, otherwise="nothing was changed")
        carry_out(prefix, plan)
        say(f"Done. Training can go on from {plan.committed}." if plan.committed else "Done.")
    elif not plan.idle:
        say("Nothing was changed. Once the trainer is surely dead, the same with --apply does it.")
    if as_json:
        emit(_object(plan))
    return 0


def _object(plan: Repair) -> DeepRacerRepairObject:
    return {
        "committed": plan.committed,
        "was": plan.was,
        "removed": list(plan.removed),
        "set_aside": list(plan.set_aside),
        "written": list(plan.written),
    }


def _warn_of_a_young_lock(prefix: Prefix, listing: Mapping[str, Stat]) -> bool:
    """Whether there is one. It forbids nothing: who types --apply knows whether the trainer is dead, and fleet does not."""
    if LOCK not in listing:
        return False
    age = max(0.0, prefix.now() - listing[LOCK].modified)
    if age >= FRESH:
        return False
    sys.stderr.write(
        f"Note: {LOCK} is {age:.0f} s old, so the trainer may be alive. Stop it first: a repair sets aside what it writes.\n"
    )
    return True

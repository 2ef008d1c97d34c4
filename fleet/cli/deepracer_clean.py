"""``fleet deepracer clean``: what may go of a model's prefix, or of a whole folder of them; what a resume needs stays."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.engine import Engine, find_engine
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.cleaning import carry_out, look, look_at_machine, plan
from fleet.workloads.deepracer.janitor import Action, Rules, kept_sets
from fleet.workloads.deepracer.prefix import Prefix, open_prefix
from fleet.workloads.deepracer.sets import MODEL

if TYPE_CHECKING:
    from fleet.cli.objects import DeepRacerCleanedObject

SHOWN = 8
"""Kept sets that are named."""


def clean(place: str, *, apply: bool, keep: int, docker: bool, as_json: bool) -> int:
    """Show what may go, and with ``apply`` let it go; 1 if something could not."""
    places = places_of(place)
    rules = Rules(sets=keep)
    engine = find_engine(os.environ) if docker else None
    machine = look_at_machine(engine, (), time.time()) if engine is not None else None
    actions = plan(places, rules, machine=machine)
    for name, prefix in places.items():
        say(plain(f"{prefix.where}:"))
        _say_kept(name, prefix, rules)
    for action in actions:
        say(plain(f"  {action.size / 1e6:>9.1f} MB  {action.why}"))
    size = sum(action.size for action in actions)
    failed = _carry_out(actions, places, engine) if apply else []
    say(_sum(len(actions), size, apply=apply, failed=len(failed)))
    if as_json:
        told: DeepRacerCleanedObject = {
            "applied": apply,
            "actions": [
                {
                    "kind": one.kind,
                    "prefix": places[one.place].where if one.place in places else None,
                    "names": list(one.names),
                    "bytes": one.size,
                    "why": one.why,
                    "done": apply and one not in failed,
                }
                for one in actions
            ],
            "bytes": size,
        }
        emit(told)
    return 1 if failed else 0


def places_of(place: str) -> dict[str, Prefix]:
    """The prefix that is named, or, of a folder of prefixes, each by its name. Raises FleetError if it is neither."""
    prefix = open_prefix(place)
    listing = prefix.list()
    if any(name.startswith(MODEL) and name.endswith("/xl.meta") for name in listing):
        hint = "Name it as s3://bucket/prefix, with AWS_ENDPOINT_URL and MinIO's keys in the environment."
        raise FleetError(f"{prefix.where} is MinIO's own storage, whose files only MinIO may touch", hint)
    if any(name.startswith((MODEL, "training-simtrace/", "metrics/")) for name in listing):
        return {"": prefix}
    inner = sorted(
        {name.partition("/")[0] for name in listing if f"/{MODEL}" in f"/{name}" and name.split("/")[1:2] == ["model"]}
    )
    if not inner:
        raise FleetError(
            f"{prefix.where} holds no DeepRacer model", "Name the folder that holds model/, or the one above it."
        )
    base = place.rstrip("/")
    return {name: open_prefix(f"{base}/{name}") for name in inner}


def _say_kept(name: str, prefix: Prefix, rules: Rules) -> None:
    kept = kept_sets(look(name, prefix), rules)
    for stem, why in list(kept.items())[-SHOWN:]:
        say(plain(f"  stays         {stem}: {why}"))


def _carry_out(actions: list[Action], places: dict[str, Prefix], engine: Engine | None) -> list[Action]:
    """One after the other; what cannot be done is said, and hinders nothing else."""
    failed = []
    for action in actions:
        try:
            carry_out(action, places, engine)
        except (FleetError, OSError) as error:
            told = error.message if isinstance(error, FleetError) else f"{error.filename}: {error.strerror}"
            say(plain(f"  not done: {told}"))
            failed.append(action)
    return failed


def _sum(count: int, size: int, *, apply: bool, failed: int) -> str:
    if not count:
        return "Nothing may go: what is there is needed, or small."
    if not apply:
        return f"{size / 1e9:.2f} GB may go. Nothing was removed; the same with --apply does it."
    return f"{size / 1e9:.2f} GB in {count - failed} of {count} steps are gone."

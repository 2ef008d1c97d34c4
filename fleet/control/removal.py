"""When a set-up in a cloud may be removed: never while something lives that needs it, never what others wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet import __version__
from fleet.control.controller import Controller
from fleet.control.fleets import controller_name, open_bucket
from fleet.control.home import Home
from fleet.core.allowed import providers_of
from fleet.core.state import FleetState
from fleet.model.errors import FleetError
from fleet.model.units import format_money
from fleet.providers.remains import Remains, Removal, living
from fleet.store.journal import Journal

NOTHING = "Nothing was removed."


@dataclass(frozen=True, slots=True)
class Doom:
    """What is to go."""

    provider: str
    url: str
    """The bucket's."""
    fleet_id: str
    """Empty: there is none."""
    in_bucket: str | None
    """The fleet that fleet.json in the bucket names; None: it is not there."""
    remains: Remains
    steps: Sequence[Removal]


def check(home: Home, doom: Doom, delete_bucket: bool) -> None:
    """Raises FleetError if it must not."""
    _refuse_living(home, doom, delete_bucket)
    _refuse_to_strand(doom)
    contents = doom.remains.contents
    if contents is not None and contents.objects and not doom.fleet_id:
        raise FleetError(f"{doom.url} is no fleet's, and is not empty", f"Name the fleet's bucket. {NOTHING}")
    if contents is not None and contents.strange:
        some = ", ".join(contents.strange)
        raise FleetError(
            f"{doom.url} holds what fleet did not write: {some}",
            f"Move that away first, or leave the bucket (without --delete-bucket). {NOTHING}",
        )


def _refuse_living(home: Home, doom: Doom, delete_bucket: bool) -> None:
    machines = living(doom.remains)
    if machines:
        told = "; ".join(f"{m.id} in {m.region} ({m.state}{f', run {m.run}' if m.run else ''})" for m in machines)
        runs = sorted({m.run for m in machines if m.run})
        commands = ", ".join(f"`fleet down {run}`" for run in runs) or "`fleet gc --delete`"
        raise FleetError(f"machines live: {told}", f"End them first: {commands}. {NOTHING}")
    state = _state(home, doom.url, doom.in_bucket) if doom.in_bucket is not None else None
    live = [run for run in state.runs.values() if run.ended_at is None] if state is not None else []
    needing = [run.run_id for run in live if delete_bucket or doom.provider in providers_of(run.job.resources)]
    if needing:
        commands = ", ".join(f"`fleet stop {run}`" for run in needing)
        raise FleetError(f"runs go on: {', '.join(needing)}", f"End them first: {commands}. {NOTHING}")


def _refuse_to_strand(doom: Doom) -> None:
    """Without the set-up nobody looks for disks any more: they would be paid for, for ever, and shown nowhere."""
    left = [step for step in doom.steps if step.action == "leave" and step.kind in ("volume", "snapshot")]
    if left:
        price = format_money(sum(step.monthly for step in left))
        names = ", ".join(step.name for step in left[:3]) + (" …" if len(left) > 3 else "")
        raise FleetError(
            f"{len(left)} volumes and snapshots would be left, and nobody would delete them: {names}, {price} a month",
            f"--delete-volumes deletes them too; `fleet volumes delete` one by one. {NOTHING}",
        )


def _state(home: Home, url: str, fleet_id: str) -> FleetState:
    """What the journal of a bucket says, without any provider: looking writes nothing."""
    objects = open_bucket(home, url)
    controller = Controller(objects, Journal(objects, fleet_id, by=controller_name(), version=__version__), fleet_id, {})
    controller.load()
    return controller.state

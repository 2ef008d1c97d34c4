"""``fleet destroy aws``, whole: what remains is looked at; then, once the user agreed, removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fleet import __version__
from fleet.control.aws_dismissal import controller_remains
from fleet.control.aws_place import Place, look_at_place, own_tag, usual_region
from fleet.control.controller import Controller
from fleet.control.fleets import controller_name, open_bucket
from fleet.control.home import Home
from fleet.core.allowed import providers_of
from fleet.core.state import FleetState
from fleet.model.errors import FleetError
from fleet.model.units import format_money
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.removing import look_at_remains, remove
from fleet.providers.aws.teardown import Remains, Removal, living, plan_removal
from fleet.store.journal import Journal

STAYING = ("bucket", "image")
"""What may be left, and needs no set-up to be looked after."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A teardown that is ready to be shown and done."""

    calls: Calls
    place: Place
    fleet_id: str
    regions: tuple[str, ...]
    remains: Remains
    steps: list[Removal]

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remove."""
        return all(step.action == "leave" for step in self.steps)


def prepare_removal(home: Home, calls: Calls, bucket: str | None, *, delete_volumes: bool, delete_bucket: bool) -> Doomed:
    """Look at everything. Changes nothing. Without a fleet there are no steps."""
    place = look_at_place(home, calls, usual_region(home, calls.profile), bucket)
    known, fleet_id = home.aws(), place.fleet_id or own_tag(place)
    if not place.there or (fleet_id is None and not delete_bucket):
        return Doomed(calls, place, "", (place.region,), Remains(""), [])
    regions = tuple(dict.fromkeys([*(place.setup.regions if place.setup else ()), *(known.regions if known else ())]))
    regions = regions or (place.region,)
    record = place.setup is not None
    remains = look_at_remains(calls, fleet_id or "", regions, place.region, place.bucket, record=record, count=delete_bucket)
    remains = replace(remains, things=(*remains.things, *controller_remains(home, calls, place, regions)))
    steps = plan_removal(remains, delete_volumes=delete_volumes, delete_bucket=delete_bucket)
    return Doomed(calls, place, fleet_id or "", regions, remains, steps)


def check_removal(home: Home, doomed: Doomed, *, delete_bucket: bool) -> None:
    """Raises FleetError while something lives that needs what is to be removed, or if a stranger's data would be lost."""
    machines = living(doomed.remains)
    if machines:
        told = "; ".join(f"{m.id} in {m.region} ({m.state}{f', run {m.run}' if m.run else ''})" for m in machines)
        runs = sorted({m.run for m in machines if m.run})
        commands = ", ".join(f"`fleet down {run}`" for run in runs) or "`fleet gc --delete`"
        raise FleetError(f"machines live: {told}", f"End them first: {commands}. Nothing was removed.")
    if doomed.place.fleet_id is not None:
        live = [run for run in state_of(home, doomed.place).runs.values() if run.ended_at is None]
        needing = [run.run_id for run in live if delete_bucket or "aws" in providers_of(run.job.resources)]
        if needing:
            commands = ", ".join(f"`fleet stop {run}`" for run in needing)
            raise FleetError(f"runs go on: {', '.join(needing)}", f"End them first: {commands}. Nothing was removed.")
    _refuse_to_strand(doomed)
    contents = doomed.remains.contents
    if contents is not None and contents.objects and not doomed.fleet_id:
        raise FleetError(
            f"{doomed.place.url} is no fleet's, and is not empty", "Name the fleet's bucket. Nothing was removed."
        )
    if contents is not None and contents.strange:
        some = ", ".join(contents.strange)
        raise FleetError(
            f"{doomed.place.url} holds what fleet did not write: {some}",
            "Move that away first, or leave the bucket (without --delete-bucket). Nothing was removed.",
        )


def _refuse_to_strand(doomed: Doomed) -> None:
    """Without the set-up nobody looks for disks any more: they would be paid for, for ever, and shown nowhere."""
    left = [step for step in doomed.steps if step.action == "leave" and step.kind in ("volume", "snapshot")]
    if left:
        price = format_money(sum(step.monthly for step in left))
        names = ", ".join(step.name for step in left[:3]) + (" …" if len(left) > 3 else "")
        raise FleetError(
            f"{len(left)} volumes and snapshots would be left, and nobody would delete them: {names}, {price} a month",
            "--delete-volumes deletes them too; `fleet volumes delete` one by one. Nothing was removed.",
        )


def state_of(home: Home, place: Place) -> FleetState:
    """What the journal says, without any provider: looking writes nothing."""
    objects, fleet_id = open_bucket(home, place.url), place.fleet_id or ""
    journal = Journal(objects, fleet_id, by=controller_name(), version=__version__)
    controller = Controller(objects, journal, fleet_id, {})
    controller.load()
    return controller.state


def carry_out_removal(home: Home, doomed: Doomed, done: Callable[[Removal], None]) -> None:
    """Do it; ``done`` is told of each. May break off anywhere: the next run completes it. Raises FleetError."""
    place = doomed.place
    for step in doomed.steps:
        if step.action == "remove":
            remove(doomed.calls, step, place.region, place.bucket, place.account)
            done(step)
    if any(step.kind == "bucket" and step.action == "remove" for step in doomed.steps):
        home.forget_bucket(place.url)
    known, left = home.aws(), any(step.action == "leave" and step.kind not in STAYING for step in doomed.steps)
    if known is not None and known.bucket == place.url and not left:
        home.forget_aws()

"""``fleet destroy gcp``, whole: what remains is looked at; then, once the user agreed, removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fleet.control.fleets import open_bucket
from fleet.control.gcp_place import Place, look_at_place, own_label, usual_region
from fleet.control.gcp_setup import Wish, blueprint_of
from fleet.control.home import Home
from fleet.control.removal import Doom, check
from fleet.model.errors import FleetError
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.removing import look_at_remains, remove
from fleet.providers.gcp.setup import Blueprint
from fleet.providers.gcp.teardown import plan_removal
from fleet.providers.remains import Remains, Removal


@dataclass(frozen=True, slots=True)
class Doomed:
    """A teardown that is ready to be shown and done."""

    calls: Calls
    place: Place
    blueprint: Blueprint
    """Of what was set up. Its fleet's id is empty where there is none."""
    remains: Remains
    steps: list[Removal]

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remove."""
        return all(step.action == "leave" for step in self.steps)


def prepare_removal(home: Home, calls: Calls, bucket: str | None, *, delete_volumes: bool, delete_bucket: bool) -> Doomed:
    """Look at everything. Changes nothing. Without a fleet there are no steps."""
    place = look_at_place(home, calls, usual_region(home), bucket)
    if delete_bucket and not place.on_google:
        raise FleetError(
            f"{place.bucket} is in an AWS account: `fleet destroy gcp` does not delete it",
            "`fleet destroy aws --delete-bucket` does, once nothing here needs it.",
        )
    fleet_id = place.fleet_id or own_label(place) or ""
    plan = replace(blueprint_of(place, Wish(), place.region), fleet_id=fleet_id)
    if not place.there or not (fleet_id or delete_bucket):
        return Doomed(calls, place, replace(plan, fleet_id=""), Remains(""), [])
    name, record = plan.bucket_name or None, place.setup is not None
    remains = look_at_remains(calls, plan, bucket=name, record=record, count=delete_bucket)
    steps = plan_removal(remains, delete_volumes=delete_volumes, delete_bucket=delete_bucket)
    return Doomed(calls, place, plan, remains, steps)


def check_removal(home: Home, doomed: Doomed, *, delete_bucket: bool) -> None:
    """Raises FleetError while something lives that needs what is to be removed, or if a stranger's data would be lost."""
    place = doomed.place
    doom = Doom("gcp", place.bucket, doomed.blueprint.fleet_id, place.fleet_id, doomed.remains, doomed.steps)
    check(home, doom, delete_bucket)


def carry_out_removal(home: Home, doomed: Doomed, done: Callable[[Removal], None]) -> None:
    """Do it; ``done`` is told of each. May break off anywhere: the next run completes it. Raises FleetError."""
    place = doomed.place
    for step in (one for one in doomed.steps if one.action == "remove"):
        if step.kind == "record":
            open_bucket(home, place.bucket).delete([step.name])
        else:
            remove(doomed.calls, step, doomed.blueprint)
        done(step)
    if any(step.kind == "bucket" and step.action == "remove" for step in doomed.steps):
        home.forget_bucket(place.bucket)
    known = home.gcp()
    left = any(step.action == "leave" and step.kind != "bucket" for step in doomed.steps)
    if known is not None and known.bucket == place.bucket and not left:
        home.forget_gcp()

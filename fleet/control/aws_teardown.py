"""``fleet destroy aws``, whole: what remains is looked at; then, once the user agreed, removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fleet.control.aws_dismissal import controller_remains
from fleet.control.aws_place import Place, look_at_place, own_tag, usual_region
from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.removal import Doom, check
from fleet.providers.aws import google_way
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.removing import look_at_remains, remove
from fleet.providers.aws.teardown import plan_removal
from fleet.providers.remains import Remains, Remnant, Removal
from fleet.providers.wanted import Found

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
    bucket = place.bucket if place.google is None else None  # on Cloud Storage it is the project's: fleet destroy gcp
    remains = look_at_remains(calls, fleet_id or "", regions, place.region, bucket, record=record, count=delete_bucket)
    others = controller_remains(home, calls, place, regions) if place.google is None else _of_google(place)
    remains = replace(remains, things=(*remains.things, *others))
    steps = plan_removal(remains, delete_volumes=delete_volumes, delete_bucket=delete_bucket)
    return Doomed(calls, place, fleet_id or "", regions, remains, steps)


def check_removal(home: Home, doomed: Doomed, *, delete_bucket: bool) -> None:
    """Raises FleetError while something lives that needs what is to be removed, or if a stranger's data would be lost."""
    place = doomed.place
    check(home, Doom("aws", place.url, doomed.fleet_id, place.fleet_id, doomed.remains, doomed.steps), delete_bucket)


def carry_out_removal(home: Home, doomed: Doomed, done: Callable[[Removal], None]) -> None:
    """Do it; ``done`` is told of each. May break off anywhere: the next run completes it. Raises FleetError."""
    place = doomed.place
    for step in doomed.steps:
        if step.action == "remove":
            _remove(home, doomed, step)
            done(step)
    if any(step.kind == "bucket" and step.action == "remove" for step in doomed.steps):
        home.forget_bucket(place.url)
    known, left = home.aws(), any(step.action == "leave" and step.kind not in STAYING for step in doomed.steps)
    if known is not None and known.bucket == place.url and not left:
        home.forget_aws()


def _of_google(place: Place) -> tuple[Remnant, ...]:
    """What the project knows of the machines' role. Its interfaces stay as they are."""
    trusted = place.trusted
    if trusted is None:
        return ()
    found = google_way.look(trusted)
    things = ((one.kind, one.name, found[one.kind]) for one in trusted.wanted() if one.kind in google_way.REMOVED)
    return tuple(Remnant(kind, "", name, "Google's trust in the role") for kind, name, there in things if _is_there(there))


def _is_there(found: Found | None) -> bool:
    """A pool that was deleted is kept for 30 days, and does nothing."""
    return found is not None and found.fields.get("state", "on") == "on"


def _remove(home: Home, doomed: Doomed, step: Removal) -> None:
    place = doomed.place
    if place.trusted is not None and step.kind in google_way.REMOVED:
        google_way.remove(place.trusted, step.kind)
    elif place.google is not None and step.kind == "record":
        open_bucket(home, place.url).delete([step.name])
    else:
        remove(doomed.calls, step, place.region, place.bucket, place.account)

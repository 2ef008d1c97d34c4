"""``fleet controller remove aws``, whole: what remains of the controller in the account is looked at; then removed.

``fleet destroy aws`` removes it in the same way, with everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleet.control.aws_place import Place, look_at_place, own_tag, usual_region
from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.setups import BrokenSetupError, aws_function
from fleet.model import layout
from fleet.model.errors import ErrorClass, NotFoundError, ProviderError
from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.function_removing import remains_of_function
from fleet.providers.aws.removing import remove
from fleet.providers.aws.teardown import plan_removal
from fleet.providers.remains import Remains, Remnant, Removal


@dataclass(frozen=True, slots=True)
class Dismissal:
    """A removal that is ready to be shown and done."""

    calls: Calls
    place: Place
    fleet_id: str
    steps: list[Removal]


def prepare_dismissal(home: Home, calls: Calls, bucket: str | None) -> Dismissal:
    """Look at everything. Changes nothing. Without a fleet there are no steps."""
    place = look_at_place(home, calls, usual_region(home, calls.profile), bucket)
    known = home.aws()
    regions = [*(place.setup.regions if place.setup else ()), *(known.regions if known else ())]
    things = controller_remains(home, calls, place, regions)
    fleet_id = fleet_of(place)
    steps = plan_removal(Remains(fleet_id, things=things), delete_volumes=False, delete_bucket=False)
    return Dismissal(calls, place, fleet_id, steps)


def fleet_of(place: Place) -> str:
    """The fleet's id; empty: there is none."""
    return (place.fleet_id or own_tag(place) or "") if place.there else ""


def controller_remains(home: Home, calls: Calls, place: Place, regions: Iterable[str]) -> tuple[Remnant, ...]:
    """Everything of the controller in the account, its record last. ``regions``: those of the fleet."""
    fleet_id = fleet_of(place)
    if not fleet_id:
        return ()
    there, record = _record(home, place)
    where = [*regions, *(record.rules if record is not None else ())]
    try:
        found = tuple(
            remains_of_function(
                calls, fleet_id, where, place.region, account=place.account, partition=place.partition, bucket=place.bucket
            )
        )
    except ProviderError as error:
        if there or error.error_class is not ErrorClass.DENIED:
            raise
        return ()  # whoever never deployed one need not be allowed to look for it
    told = Remnant("record", "", layout.AWS_FUNCTION, "where the controller was, in the bucket")
    return (*found, told) if there else found


def _record(home: Home, place: Place) -> tuple[bool, AwsFunction | None]:
    """Whether there is one, and what it says, if that can be read."""
    objects = open_bucket(home, place.url)
    try:
        objects.get(layout.AWS_FUNCTION)
    except NotFoundError:
        return False, None
    try:
        return True, aws_function(objects)
    except BrokenSetupError:
        return True, None


def carry_out_dismissal(dismissal: Dismissal, done: Callable[[Removal], None]) -> None:
    """Do it; ``done`` is told of each. May break off anywhere: the next run completes it. Raises FleetError."""
    place = dismissal.place
    for step in dismissal.steps:
        remove(dismissal.calls, step, place.region, place.bucket, place.account)
        done(step)

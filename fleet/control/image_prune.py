"""``fleet ami prune``, whole: what is there and who uses it, looked at; then, once the user agreed, removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from fleet.control.fleets import open_fleet
from fleet.control.image_places import ImagePlace
from fleet.control.images import forget_record, records
from fleet.model import layout
from fleet.model.base import Micros
from fleet.model.cloud import LaunchRequest
from fleet.model.errors import NotFoundError
from fleet.providers.aws import image_calls, image_left
from fleet.providers.aws.image_left import LeftOver
from fleet.providers.aws.image_pruning import Judged, Limits, judge
from fleet.providers.aws.images import Images
from fleet.providers.aws.own_images import SNAPSHOT_GB_MONTH
from fleet.store.fleetfile import read_fleet

YOUNG = 86_400.0


@dataclass(frozen=True, slots=True)
class LeftSnapshot:
    """One whose image is gone."""

    region: str
    id: str
    size_gb: int

    @property
    def monthly(self) -> Micros:
        """At most."""
        return self.size_gb * SNAPSHOT_GB_MONTH


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is to go, and what stays."""

    place: ImagePlace
    judged: list[Judged]
    snapshots: list[LeftSnapshot]
    forgotten: list[str]
    """Records of images that are gone."""
    leftovers: list[LeftOver] = field(default_factory=list)
    """Of builds that came to nothing."""

    @property
    def idle(self) -> bool:
        """Nothing is to go."""
        return not (self.snapshots or self.forgotten or self.leftovers or any(one.action == "remove" for one in self.judged))

    @property
    def freed(self) -> Micros:
        """What will not be paid for any more, a month, at most."""
        removed = sum(one.image.monthly for one in self.judged if one.action == "remove")
        left = sum(one.monthly for one in self.leftovers)
        return removed + left + sum(one.monthly for one in self.snapshots)


def prepare_pruning(place: ImagePlace, limits: Limits, now: float) -> Pruning:
    """Look at everything. Changes nothing. Raises FleetError."""
    intended, there = _intended(place), set[str]()
    judged: list[Judged] = []
    snapshots: list[LeftSnapshot] = []
    for region in place.regions:
        images = image_calls.look(place.calls, region)
        used = {**intended, **image_calls.users(place.calls, region, [one.image_id for one in images])}
        judged.extend(judge(images, used, limits, now))
        there |= {one.image_id for one in images}
        held = {snapshot for one in images for snapshot in one.snapshots}
        left = image_calls.left_snapshots(place.calls, region, held, now - YOUNG)
        snapshots.extend(LeftSnapshot(region, name, size) for name, size in left.items())
    leftovers = [one for region in place.regions for one in image_left.left_over(place.calls, region, now)]
    known = records(place.objects) if place.objects is not None else []
    forgotten = [one.image_id for one in known if one.region in place.regions and one.image_id not in there]
    return Pruning(place, judged, snapshots, forgotten, leftovers)


def _intended(place: ImagePlace) -> dict[str, str]:
    """Images that live runs' jobs name, and launches that were intended and not made yet. Machines that were made are asked
    of EC2.
    """
    if place.objects is None or place.url is None or read_fleet(place.objects) is None:
        return {}
    found: dict[str, str] = {}
    for run in open_fleet(place.home, place.url).state.runs.values():
        named = run.job.resources.image_id  # alternatives have no other
        if run.ended_at is None and named is not None:  # between two attempts, too
            found[named] = f"run {run.run_id}, whose job names it,"
        for attempt in run.live_attempts:
            if attempt.phase != "intended":
                continue
            try:
                data = place.objects.get(layout.launch(run.run_id, attempt.number, attempt.try_no))
                named = LaunchRequest.model_validate_json(data).image_id
            except (NotFoundError, ValidationError):
                continue
            if named is not None:
                found[named] = f"a launch of run {run.run_id}"
    return found


def carry_out_pruning(pruning: Pruning, done: Callable[[str], None]) -> None:
    """Do it; ``done`` is told of each. May break off anywhere: the next one completes it. Raises FleetError."""
    account = pruning.place.setup.account if pruning.place.setup is not None else None
    place, look = pruning.place, Images(pruning.place.home.cache / "aws", account=account)
    for judged in pruning.judged:
        if judged.action == "remove":
            look.forget(judged.image.region)
            image_calls.deregister(place.calls, judged.image)
            if place.objects is not None:
                forget_record(place.objects, judged.image.image_id)
            done(f"removed {judged.image.image_id} in {judged.image.region}")
    for left in pruning.snapshots:
        if image_calls.delete_left(place.calls, left.region, left.id):
            done(f"removed the snapshot {left.id} in {left.region}")
        else:
            done(f"kept the snapshot {left.id} in {left.region}: in use")
    for one in pruning.leftovers:
        gone = image_left.remove(place.calls, one)
        done(f"{'removed' if gone else 'kept'} the {one.kind} {one.id} in {one.region}{'' if gone else ': in use'}")
    for name in pruning.forgotten:
        if place.objects is not None:
            forget_record(place.objects, name)
            done(f"removed the record of {name}")

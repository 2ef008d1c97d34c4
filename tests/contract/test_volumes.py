"""The contract of persistent disks (fleet/providers/base.py)."""

from __future__ import annotations

import pytest

from fleet.model.cloud import NewVolume, VolumeState
from fleet.model.errors import ErrorClass, ProviderError
from tests.contract.benches import Desk


def test_a_volume_made_with_the_machine_is_in_its_zone_tagged_attached_and_outlives_it(desk: Desk) -> None:
    made = desk.running(volume=NewVolume(size_gb=10))
    seen = desk.until(lambda: next(iter(desk.provider.list(desk.region).volumes), None))
    volume = desk.volume_in(seen.volume_id, VolumeState.IN_USE, made.instance_id)
    assert (volume.zone, volume.size_gb) == (made.offer.zone, 10)
    assert (volume.tags["fleet"], volume.tags["run"]) == (desk.fleet_id, "run-1")
    attached = desk.until(lambda: (found := desk.listed(made.instance_id)) and found.volume_ids)
    assert attached == (volume.volume_id,)
    desk.provider.terminate(desk.region, made.instance_id)
    desk.ended(made.instance_id)
    assert desk.volume_in(volume.volume_id, VolumeState.AVAILABLE).size_gb == 10


def test_the_same_token_gives_the_same_volume(desk: Desk) -> None:
    zone, tags = desk.offers()[0].zone, {"fleet": desk.fleet_id, "run": "run-1"}
    made = {desk.provider.create_volume(desk.region, zone, NewVolume(size_gb=10), "t", tags).volume_id for _ in range(3)}
    assert len(made) == 1


def test_a_volume_goes_from_one_machine_to_the_next(desk: Desk) -> None:
    offer = desk.offers()[0]
    first, second = desk.running([offer]), desk.running([offer])
    volume = desk.new_volume(offer.zone)
    desk.attached(volume, first)
    desk.provider.attach(desk.region, volume.volume_id, first.instance_id)  # it is there already
    with pytest.raises(ProviderError) as told:
        desk.provider.attach(desk.region, volume.volume_id, second.instance_id)
    assert told.value.error_class is ErrorClass.NOT_YET
    desk.provider.detach(desk.region, volume.volume_id, first.instance_id)
    desk.provider.detach(desk.region, volume.volume_id, first.instance_id)
    desk.volume_in(volume.volume_id, VolumeState.AVAILABLE)
    desk.attached(volume, second)
    desk.provider.detach(desk.region, volume.volume_id, first.instance_id)  # not there any more: nothing happens
    desk.volume_in(volume.volume_id, VolumeState.IN_USE, second.instance_id)


def test_a_volume_stays_in_its_zone(desk: Desk) -> None:
    here = desk.offers()[0]
    there = next(o for o in desk.offers() if o.zone != here.zone)
    volume, machine = desk.new_volume(there.zone), desk.running([here])
    with pytest.raises(ProviderError) as told:
        desk.provider.attach(desk.region, volume.volume_id, machine.instance_id)
    assert told.value.error_class is ErrorClass.INVALID


def test_nothing_is_attached_to_what_has_ended_or_never_was(desk: Desk) -> None:
    machine = desk.running()
    volume = desk.new_volume(machine.offer.zone)
    desk.provider.terminate(desk.region, machine.instance_id)
    desk.ended(machine.instance_id)
    calls = [(volume.volume_id, machine.instance_id), (volume.volume_id, "i-0"), ("vol-0", machine.instance_id)]
    for call in calls:
        with pytest.raises(ProviderError) as told:
            desk.provider.attach(desk.region, *call)
        assert told.value.error_class is ErrorClass.INVALID


def test_a_volume_is_enlarged_attached_or_not_and_never_made_smaller(desk: Desk) -> None:
    if not desk.provider.capabilities.growing:
        return
    machine = desk.running()
    volume = desk.attached(desk.new_volume(machine.offer.zone), machine)
    larger = volume.size_gb + 8
    desk.provider.grow_volume(desk.region, volume.volume_id, larger)
    desk.until(lambda: (seen := desk.volume(volume.volume_id)) is not None and seen.size_gb == larger)
    desk.provider.grow_volume(desk.region, volume.volume_id, larger)
    desk.provider.grow_volume(desk.region, volume.volume_id, volume.size_gb)
    desk.until(lambda: desk.volume_in(volume.volume_id, VolumeState.IN_USE, machine.instance_id).size_gb == larger)
    with pytest.raises(ProviderError) as told:
        desk.provider.grow_volume(desk.region, "vol-00000000000000000", 100)
    assert told.value.error_class is ErrorClass.INVALID


def test_a_volume_is_deleted_only_once_it_is_free(desk: Desk) -> None:
    machine = desk.running()
    volume = desk.attached(desk.new_volume(machine.offer.zone), machine)
    with pytest.raises(ProviderError) as told:
        desk.provider.delete_volume(desk.region, volume.volume_id)
    assert told.value.error_class is ErrorClass.NOT_YET
    desk.provider.detach(desk.region, volume.volume_id, machine.instance_id)
    desk.until(lambda: desk.accepted(lambda: desk.provider.delete_volume(desk.region, volume.volume_id)))
    desk.until(lambda: desk.volume(volume.volume_id) is None)
    desk.provider.delete_volume(desk.region, volume.volume_id)
    desk.provider.delete_volume(desk.region, "vol-00000000000000000")


def test_detaching_what_is_unknown_is_success(desk: Desk) -> None:
    desk.provider.detach(desk.region, "vol-00000000000000000", "i-00000000000000000")


def test_another_fleets_volumes_are_neither_seen_nor_deleted(desk: Desk) -> None:
    volume = desk.new_volume(desk.offers()[0].zone)
    other = desk.bench.provider("fleet-2")
    assert other.list(desk.region).volumes == ()
    other.delete_volume(desk.region, volume.volume_id)
    for _ in range(60):
        desk.bench.wait(1.0)
    assert desk.volume(volume.volume_id) is not None

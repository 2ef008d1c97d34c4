"""What the provider sees and ends, over the stand-in in this process and on a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.cloud import InstanceState, Market, NewVolume, Volume, VolumeState
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import calls, rules
from fleet.providers.gcp.listing import Found
from tests.gce.ground import REGION, offer, shelf
from tests.gce.rented import WEST, A, Rented, refused


@pytest.fixture
def rented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rented]:
    found = Rented(tmp_path, monkeypatch)
    yield found
    assert found.router.cloud.faults == []


def test_a_round_over_all_regions_costs_two_lists(rented: Rented) -> None:
    here, there = rented.launched(), rented.launched(f"{WEST}-a", "t-2")
    before = rented.count("instances.aggregatedList"), rented.count("disks.aggregatedList")
    provider = rented.provider()
    seen = {region: [one.instance_id for one in provider.list(region).instances] for region in provider.regions()}
    assert seen == {REGION: [here.instance_id], WEST: [there.instance_id]}
    after = rented.count("instances.aggregatedList"), rented.count("disks.aggregatedList")
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_asking_twice_for_a_region_asks_the_cloud_twice(rented: Rented) -> None:
    provider = rented.provider()
    assert provider.list(REGION).instances == ()
    made = rented.launched()
    assert [one.instance_id for one in provider.list(REGION).instances] == [made.instance_id]
    provider.list(REGION)
    rented.launched(f"{WEST}-a", "t-2")
    rented.clock.advance(10)
    assert len(provider.list(WEST).instances) == 1  # what was answered ten seconds ago is no answer


def test_a_region_with_a_zone_that_did_not_answer_is_unknown_and_the_others_are_not() -> None:
    found = Found(0.0, [{"zone": f"projects/p/zones/{A}"}], [], frozenset({f"{WEST}-b"}))
    assert len(found.of(REGION)[0]) == 1
    assert refused(lambda: found.of(WEST)).error_class is ErrorClass.TRANSIENT


def test_a_zone_that_is_down_hides_no_other_region(rented: Rented) -> None:
    made = rented.launched()
    rented.told("silent", zones=[f"{WEST}-b"])
    provider = rented.provider()
    assert [one.instance_id for one in provider.list(REGION).instances] == [made.instance_id]
    told = refused(lambda: provider.list(WEST))
    assert (told.error_class, told.message) == (ErrorClass.TRANSIENT, f"{WEST}-b did not answer")


def test_where_a_tokens_machine_may_be_and_nobody_answers_no_other_is_made(rented: Rented) -> None:
    """All else that is remembered of it is forgotten: its zone alone knows that it is there."""
    rented.told("capacity", zone=A, what="*", left=0)
    made = rented.provider().launch(rented.request())
    rented.told("capacity", zone=A, what="*", left=None)
    rented.told("forget_operations", requests=True)
    zone = made.offer.zone
    rented.told("silent", zones=[zone])
    assert refused(lambda: rented.provider().launch(rented.request())).error_class is ErrorClass.TRANSIENT
    tags = {"fleet": "f1", "run": "car-1"}
    disk = refused(lambda: rented.provider().create_volume(REGION, zone, NewVolume(size_gb=50), "d", tags))
    assert disk.error_class is ErrorClass.TRANSIENT
    assert len(rented.machines()) == 1
    rented.told("silent", zones=[f"{WEST}-b"])
    assert rented.provider().launch(rented.request()).instance_id == made.instance_id


def test_every_page_of_a_list_is_read(rented: Rented) -> None:
    rented.told("settings", page=2)
    made = {rented.launched(token=f"t-{n}").instance_id for n in range(5)}
    listing = rented.provider().list(REGION)
    assert {one.instance_id for one in listing.instances} == made
    assert abs(listing.at - rented.clock()) <= 1


def test_boot_disks_are_no_volumes_and_the_runs_disk_is(rented: Rented) -> None:
    made = rented.launched(volume=NewVolume(size_gb=50))
    (volume,) = rented.provider().list(REGION).volumes
    assert (volume.state, volume.attached_to, volume.size_gb) == (VolumeState.IN_USE, made.instance_id, 50)
    assert volume.tags == {"fleet": "f1", "run": "car-1"}
    assert made.volume_ids == (volume.volume_id,)


def test_a_machine_that_was_taken_is_told_by_its_operations_also_to_who_never_saw_it(rented: Rented) -> None:
    made = rented.launched()
    rented.told("preempt", made)
    rented.clock.advance(5)
    stopping = rented.provider().get(REGION, made.instance_id)
    assert stopping is not None
    assert stopping.state is InstanceState.STOPPING
    rented.clock.advance(60)
    assert rented.provider().list(REGION).instances == ()
    gone = rented.provider().get(REGION, made.instance_id)
    assert gone is not None
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "cloud")
    assert gone.ended_at == pytest.approx(rented.clock() - 35, abs=2)


def test_who_saw_a_machine_remembers_what_it_was(rented: Rented) -> None:
    made, provider = rented.launched(), rented.provider()
    provider.list(REGION)
    rented.told("preempt", made)
    rented.clock.advance(60)
    first, again = provider.get(REGION, made.instance_id), provider.get(REGION, made.instance_id)
    assert first is not None
    assert (first.offer, first.tags, first.launched_at) == (made.offer, made.tags, made.launched_at)
    assert first == again


def test_a_machine_that_nothing_tells_of_is_unknown(rented: Rented) -> None:
    made = rented.launched()
    rented.told("vanish", made)
    assert rented.provider().get(REGION, made.instance_id) is None
    assert rented.provider().get(REGION, "i-0123456789abcdef0") is None


def test_a_machine_that_powered_itself_off_is_stopped_by_itself_and_is_ended_from_here(rented: Rented) -> None:
    made, provider = rented.launched(), rented.provider()
    rented.told("power_off", made)
    rented.clock.advance(60)
    (seen,) = provider.list(REGION).instances
    assert (seen.state, seen.ended_by) == (InstanceState.STOPPED, "itself")
    asked = rented.count("zoneOperations.list")
    provider.list(REGION)
    assert rented.count("zoneOperations.list") == asked  # who stopped it does not change
    provider.terminate(REGION, made.instance_id)
    rented.clock.advance(60)
    assert provider.list(REGION).instances == ()
    gone = rented.provider().get(REGION, made.instance_id)
    assert gone is not None
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "itself")
    assert gone.ended_at == pytest.approx(seen.ended_at, abs=2)


def test_a_lease_that_is_over_deletes_the_machine_whatever_happens(rented: Rented) -> None:
    made = rented.launched(lease_until=rented.clock() + 3600)
    rented.clock.advance(3600 + 299)
    assert rented.provider().get(REGION, made.instance_id) is not None
    rented.clock.advance(120)
    gone = rented.provider().get(REGION, made.instance_id)
    assert gone is not None
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "itself")


def test_a_machine_that_is_ended_from_here_shuts_down(rented: Rented) -> None:
    made, provider = rented.launched(), rented.provider()
    provider.terminate(REGION, made.instance_id)
    rented.clock.advance(2)
    (seen,) = provider.list(REGION).instances
    assert seen.state is InstanceState.SHUTTING_DOWN
    provider.terminate(REGION, made.instance_id)


def test_what_it_printed_is_told_from_its_end(rented: Rented) -> None:
    made = rented.launched()
    rented.told("console", made, text="x" * 70_000 + "the end")
    told = rented.provider().console(REGION, made.instance_id)
    assert (len(told), told[-7:]) == (65_536, "the end")
    assert rented.provider().console(REGION, "gone.us-central1-a") == ""


def test_a_region_that_tells_no_prices_is_passed_over(rented: Rented) -> None:
    def shop(region: str) -> list[Any]:
        if region == WEST:
            raise ProviderError(ErrorClass.TRANSIENT, "x", "away")
        return shelf(region)

    provider = rented.provider(shop=shop)
    assert {one.region for one in provider.offers()} == {REGION}
    assert refused(lambda: provider.offers(WEST)).error_class is ErrorClass.TRANSIENT


def test_a_machine_is_priced_by_what_it_was_offered_at(rented: Rented) -> None:
    rented.launched()
    (seen,) = rented.provider(book=lambda _: [offer(price=7)]).list(REGION).instances
    assert (seen.offer.price, seen.offer.market) == (7, Market.SPOT)


def test_who_is_let_in_is_told_once_and_closed(rented: Rented) -> None:
    provider = rented.provider()
    rule = rules.rule(rented.setup, "203.0.113.7/32", 1_800_000_000)
    calls.compute("firewalls.insert", project=rented.setup.project, body=rule)
    rented.clock.advance(5)
    assert provider.access_rules(REGION) == ()
    (seen,) = provider.access_rules(WEST)
    assert (seen.cidr, seen.group_id, seen.until) == ("203.0.113.7/32", rented.setup.network, 1_800_000_000)
    provider.close_access(seen)
    assert list(provider.access_rules(WEST)) == []
    provider.close_access(seen)


def test_a_volume_at_another_machine_is_not_yet_free(rented: Rented) -> None:
    first, second = rented.launched(), rented.launched(token="t-2")
    provider = rented.provider()
    disk = provider.create_volume(REGION, A, NewVolume(size_gb=10), "d", {"fleet": "f1", "run": "car-1"})
    provider.attach(REGION, disk.volume_id, first.instance_id)
    told = refused(lambda: provider.attach(REGION, disk.volume_id, second.instance_id))
    assert (told.error_class, first.instance_id in told.message) == (ErrorClass.NOT_YET, True)
    assert refused(lambda: provider.delete_volume(REGION, disk.volume_id)).error_class is ErrorClass.NOT_YET
    provider.terminate(REGION, first.instance_id)
    rented.clock.advance(60)
    provider.attach(REGION, disk.volume_id, second.instance_id)  # a machine that is gone holds nothing
    machine = provider.get(REGION, second.instance_id)
    assert machine is not None
    assert machine.volume_ids == (disk.volume_id,)


def test_an_answer_that_was_lost_leaves_one_volume(rented: Rented) -> None:
    provider, tags = rented.provider(), {"fleet": "f1", "run": "car-1"}
    rented.told("lose", method="compute.disks.insert")

    def make() -> Volume:
        return provider.create_volume(REGION, A, NewVolume(size_gb=10), "d", tags)

    assert refused(make).error_class is ErrorClass.TRANSIENT
    rented.told("settings", list_lag=600)
    assert make().volume_id == make().volume_id
    rented.told("settings", list_lag=0)
    assert len(provider.list(REGION).volumes) == 1


def test_without_a_public_address_none_is_paid_for(rented: Rented) -> None:
    assert rented.provider().capabilities.address_price == 5_000
    rented.setup = rented.setup.model_copy(update={"public_ip": False})
    assert rented.provider().capabilities.address_price == 0


def test_what_a_machine_boots_from_is_frozen_with_the_set_up_of_its_region(rented: Rented) -> None:
    newer = rented.setup.model_copy(update={"ssh_user": "somebody"})
    target = rented.provider(newest=lambda: newer).boot_target([offer()], None)
    assert target is not None
    assert target.image_id.startswith("projects/ubuntu-os-cloud/global/images/")
    frozen = type(newer).model_validate_json(target.setup)
    assert (frozen.ssh_user, list(frozen.regions)) == ("somebody", [REGION])

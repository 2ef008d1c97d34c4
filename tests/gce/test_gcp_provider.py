"""What the provider sees and ends, over the stand-in in this process and on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.cloud import Instance, InstanceState, LaunchRequest, Market, NewVolume, VolumeState
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import calls, names, rules
from fleet.providers.gcp.provider import GcpProvider
from tests.gce.clock import Clock
from tests.gce.ground import IMAGE, REGION, make_setup, offer, shelf
from tests.gce.led import lead
from tests.gce.router import Router

WEST = "europe-west4"


class Bench:
    """A project, and any number of controllers."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.clock = Clock(lambda: 1_772_390_000.0)
        self.router = Router(self.clock)
        self.setup = make_setup("f1", (REGION, WEST))
        lead(patch, self.router)

    def provider(self, **more: Any) -> GcpProvider:
        fields: dict[str, Any] = {"shop": shelf, "clock": self.clock, "sleep": self.clock.advance, **more}
        return GcpProvider("f1", self.setup, self.folder, **fields)

    def launched(self, zone: str = "us-central1-a", token: str = "t-1", **more: Any) -> Instance:  # noqa: S107
        tags = {"fleet": "f1", "run": "car-1", "attempt": "1", "try": "1", "token": token}
        fields: dict[str, Any] = {"offers": (offer(zone),), "image_id": IMAGE, "tags": tags, "token": token, **more}
        request = LaunchRequest(fleet_id="f1", run_id="car-1", run_name="car", attempt=1, try_no=1, **fields)
        return self.provider().launch(request)

    def told(self, verb: str, machine: Instance | None = None, **telling: Any) -> Any:
        if machine is not None:
            telling["instance"], telling["zone"] = names.parts_of(machine.instance_id)
        return self.router.control("compute", verb, telling)

    def count(self, method: str) -> int:
        return sum(one.method == f"compute.{method}" for one in self.router.cloud.calls)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    found = Bench(tmp_path, monkeypatch)
    yield found
    assert found.router.cloud.faults == []


def refused(call: Callable[[], Any]) -> ProviderError:
    with pytest.raises(ProviderError) as told:
        call()
    return told.value


def test_a_round_over_all_regions_costs_two_lists(bench: Bench) -> None:
    here, there = bench.launched(), bench.launched(f"{WEST}-a", "t-2")
    before = bench.count("instances.aggregatedList"), bench.count("disks.aggregatedList")
    provider = bench.provider()
    seen = {region: [one.instance_id for one in provider.list(region).instances] for region in provider.regions()}
    assert seen == {REGION: [here.instance_id], WEST: [there.instance_id]}
    after = bench.count("instances.aggregatedList"), bench.count("disks.aggregatedList")
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_asking_twice_for_a_region_asks_the_cloud_twice(bench: Bench) -> None:
    provider = bench.provider()
    assert provider.list(REGION).instances == ()
    made = bench.launched()
    assert [one.instance_id for one in provider.list(REGION).instances] == [made.instance_id]
    provider.list(REGION)
    bench.launched(f"{WEST}-a", "t-2")
    bench.clock.advance(10)
    assert len(provider.list(WEST).instances) == 1  # what was answered ten seconds ago is no answer


def test_every_page_of_a_list_is_read(bench: Bench) -> None:
    bench.told("settings", page=2)
    made = {bench.launched(token=f"t-{n}").instance_id for n in range(5)}
    listing = bench.provider().list(REGION)
    assert {one.instance_id for one in listing.instances} == made
    assert abs(listing.at - bench.clock()) <= 1


def test_boot_disks_are_no_volumes_and_the_runs_disk_is(bench: Bench) -> None:
    made = bench.launched(volume=NewVolume(size_gb=50))
    (volume,) = bench.provider().list(REGION).volumes
    assert (volume.state, volume.attached_to, volume.size_gb) == (VolumeState.IN_USE, made.instance_id, 50)
    assert volume.tags == {"fleet": "f1", "run": "car-1"}
    assert made.volume_ids == (volume.volume_id,)


def test_a_machine_that_was_taken_is_told_by_its_operations_also_to_who_never_saw_it(bench: Bench) -> None:
    made = bench.launched()
    bench.told("preempt", made)
    bench.clock.advance(5)
    stopping = bench.provider().get(REGION, made.instance_id)
    assert stopping is not None
    assert stopping.state is InstanceState.STOPPING
    bench.clock.advance(60)
    assert bench.provider().list(REGION).instances == ()
    gone = bench.provider().get(REGION, made.instance_id)
    assert gone is not None
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "cloud")
    assert gone.ended_at == pytest.approx(bench.clock() - 35, abs=2)


def test_who_saw_a_machine_remembers_what_it_was(bench: Bench) -> None:
    made, provider = bench.launched(), bench.provider()
    provider.list(REGION)
    bench.told("preempt", made)
    bench.clock.advance(60)
    first, again = provider.get(REGION, made.instance_id), provider.get(REGION, made.instance_id)
    assert first is not None
    assert (first.offer, first.tags, first.launched_at) == (made.offer, made.tags, made.launched_at)
    assert first == again


def test_a_machine_that_nothing_tells_of_is_unknown(bench: Bench) -> None:
    made = bench.launched()
    bench.told("vanish", made)
    assert bench.provider().get(REGION, made.instance_id) is None
    assert bench.provider().get(REGION, "i-0123456789abcdef0") is None


def test_a_machine_that_powered_itself_off_is_stopped_by_itself_and_is_ended_from_here(bench: Bench) -> None:
    made, provider = bench.launched(), bench.provider()
    bench.told("power_off", made)
    bench.clock.advance(60)
    (seen,) = provider.list(REGION).instances
    assert (seen.state, seen.ended_by) == (InstanceState.STOPPED, "itself")
    asked = bench.count("zoneOperations.list")
    provider.list(REGION)
    assert bench.count("zoneOperations.list") == asked  # who stopped it does not change
    provider.terminate(REGION, made.instance_id)
    bench.clock.advance(60)
    assert provider.list(REGION).instances == ()
    gone = bench.provider().get(REGION, made.instance_id)
    assert gone is not None
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "itself")
    assert gone.ended_at == pytest.approx(seen.ended_at, abs=2)


def test_a_lease_that_is_over_deletes_the_machine_whatever_happens(bench: Bench) -> None:
    made = bench.launched(lease_until=bench.clock() + 3600)
    bench.clock.advance(3600 + 299)
    assert bench.provider().get(REGION, made.instance_id) is not None
    bench.clock.advance(120)
    gone = bench.provider().get(REGION, made.instance_id)
    assert gone is not None
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "itself")


def test_a_machine_that_is_ended_from_here_shuts_down(bench: Bench) -> None:
    made, provider = bench.launched(), bench.provider()
    provider.terminate(REGION, made.instance_id)
    bench.clock.advance(2)
    (seen,) = provider.list(REGION).instances
    assert seen.state is InstanceState.SHUTTING_DOWN
    provider.terminate(REGION, made.instance_id)


def test_what_it_printed_is_told_from_its_end(bench: Bench) -> None:
    made = bench.launched()
    bench.told("console", made, text="x" * 70_000 + "the end")
    told = bench.provider().console(REGION, made.instance_id)
    assert (len(told), told[-7:]) == (65_536, "the end")
    assert bench.provider().console(REGION, "gone.us-central1-a") == ""


def test_a_region_that_tells_no_prices_is_passed_over(bench: Bench) -> None:
    def shop(region: str) -> list[Any]:
        if region == WEST:
            raise ProviderError(ErrorClass.TRANSIENT, "x", "away")
        return shelf(region)

    provider = bench.provider(shop=shop)
    assert {one.region for one in provider.offers()} == {REGION}
    assert refused(lambda: provider.offers(WEST)).error_class is ErrorClass.TRANSIENT


def test_a_machine_is_priced_by_what_it_was_offered_at(bench: Bench) -> None:
    bench.launched()
    (seen,) = bench.provider(book=lambda _: [offer(price=7)]).list(REGION).instances
    assert (seen.offer.price, seen.offer.market) == (7, Market.SPOT)


def test_who_is_let_in_is_told_once_and_closed(bench: Bench) -> None:
    provider = bench.provider()
    rule = rules.rule(bench.setup, "203.0.113.7/32", 1_800_000_000)
    calls.compute("firewalls.insert", project=bench.setup.project, body=rule)
    bench.clock.advance(5)
    assert provider.access_rules(REGION) == ()
    (seen,) = provider.access_rules(WEST)
    assert (seen.cidr, seen.group_id, seen.until) == ("203.0.113.7/32", bench.setup.network, 1_800_000_000)
    provider.close_access(seen)
    assert list(provider.access_rules(WEST)) == []
    provider.close_access(seen)


def test_a_volume_at_another_machine_is_not_yet_free(bench: Bench) -> None:
    first, second = bench.launched(), bench.launched(token="t-2")  # noqa: S106
    provider = bench.provider()
    disk = provider.create_volume(REGION, "us-central1-a", NewVolume(size_gb=10), "d", {"fleet": "f1", "run": "car-1"})
    provider.attach(REGION, disk.volume_id, first.instance_id)
    told = refused(lambda: provider.attach(REGION, disk.volume_id, second.instance_id))
    assert (told.error_class, first.instance_id in told.message) == (ErrorClass.NOT_YET, True)
    assert refused(lambda: provider.delete_volume(REGION, disk.volume_id)).error_class is ErrorClass.NOT_YET
    provider.terminate(REGION, first.instance_id)
    bench.clock.advance(60)
    provider.attach(REGION, disk.volume_id, second.instance_id)  # a machine that is gone holds nothing
    machine = provider.get(REGION, second.instance_id)
    assert machine is not None
    assert machine.volume_ids == (disk.volume_id,)


def test_an_answer_that_was_lost_leaves_one_volume(bench: Bench) -> None:
    provider, tags = bench.provider(), {"fleet": "f1", "run": "car-1"}
    bench.told("lose", method="compute.disks.insert")
    make = lambda: provider.create_volume(REGION, "us-central1-a", NewVolume(size_gb=10), "d", tags)  # noqa: E731
    assert refused(make).error_class is ErrorClass.TRANSIENT
    bench.told("settings", list_lag=600)
    assert make().volume_id == make().volume_id
    bench.told("settings", list_lag=0)
    assert len(provider.list(REGION).volumes) == 1


def test_without_a_public_address_none_is_paid_for(bench: Bench) -> None:
    assert bench.provider().capabilities.address_price == 5_000
    bench.setup = bench.setup.model_copy(update={"public_ip": False})
    assert bench.provider().capabilities.address_price == 0


def test_what_a_machine_boots_from_is_frozen_with_the_set_up_of_its_region(bench: Bench) -> None:
    newer = bench.setup.model_copy(update={"ssh_user": "somebody"})
    target = bench.provider(newest=lambda: newer).boot_target([offer()], None)
    assert target is not None
    assert target.image_id.startswith("projects/ubuntu-os-cloud/global/images/")
    frozen = type(newer).model_validate_json(target.setup)
    assert (frozen.ssh_user, list(frozen.regions)) == ("somebody", [REGION])

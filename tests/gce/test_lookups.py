from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import compute_v1

from tests.gce import inprocess
from tests.gce.bench import PROJECT, REGION, ZONE, Bench


def test_machine_types_say_their_processors_memory_and_accelerators(bench: Bench) -> None:
    types = inprocess.client(compute_v1.MachineTypesClient, bench.router)
    found = types.get(project=PROJECT, zone=ZONE, machine_type="g2-standard-4")
    assert (found.guest_cpus, found.memory_mb) == (4, 16384)
    assert [(each.guest_accelerator_type, each.guest_accelerator_count) for each in found.accelerators] == [("nvidia-l4", 1)]
    request = compute_v1.AggregatedListMachineTypesRequest(project=PROJECT, filter="name=n1-*")
    names = {each.name for _, scoped in types.aggregated_list(request=request) for each in scoped.machine_types}
    assert "n1-standard-4" in names
    assert all(name.startswith("n1-") for name in names)


def test_a_zone_lacks_what_a_test_takes_from_it(bench: Bench) -> None:
    bench.say("lacking", zone=ZONE, types=["g2-standard-4", "nvidia-tesla-t4"])
    types = inprocess.client(compute_v1.MachineTypesClient, bench.router)
    kinds = inprocess.client(compute_v1.AcceleratorTypesClient, bench.router)
    with pytest.raises(NotFound):
        types.get(project=PROJECT, zone=ZONE, machine_type="g2-standard-4")
    with pytest.raises(NotFound):
        kinds.get(project=PROJECT, zone=ZONE, accelerator_type="nvidia-tesla-t4")
    assert (
        kinds.get(project=PROJECT, zone="us-central1-b", accelerator_type="nvidia-tesla-t4").maximum_cards_per_instance == 4
    )
    with pytest.raises(BadRequest, match="does not exist in zone"):
        bench.insert(machine_type=f"zones/{ZONE}/machineTypes/g2-standard-4")


def test_zones_and_regions_are_told_with_their_state(bench: Bench) -> None:
    bench.say("zone", zone=ZONE, up=False)
    zones = inprocess.client(compute_v1.ZonesClient, bench.router)
    states = {zone.name: zone.status for zone in zones.list(project=PROJECT)}
    assert (states[ZONE], states["us-central1-b"]) == ("DOWN", "UP")
    region = bench.regions.get(project=PROJECT, region=REGION)
    assert [zone.rpartition("/")[2] for zone in region.zones] == [f"us-central1-{letter}" for letter in "abcf"]
    with pytest.raises(NotFound):
        bench.regions.get(project=PROJECT, region="mars-north1")


def test_a_family_gives_its_newest_image_that_is_not_deprecated(bench: Bench) -> None:
    images = inprocess.client(compute_v1.ImagesClient, bench.router)
    where: dict[str, Any] = {"project": "ubuntu-os-cloud", "family": "ubuntu-2404-lts-amd64"}
    first = images.get_from_family(**where)
    newer = {"family": where["family"], "creationTimestamp": "2026-09-01T00:00:00.000-07:00"}
    bench.say("image", project=where["project"], name="newest", deprecated={"state": "DEPRECATED"}, **newer)
    bench.say("image", project=where["project"], name="newer", **newer)
    assert (first.disk_size_gb, first.architecture) == (10, "X86_64")
    assert images.get_from_family(**where).name == "newer"
    assert images.get(project=where["project"], image="newest").deprecated.state == "DEPRECATED"
    assert len(list(images.list(project="ubuntu-os-cloud"))) == 4
    with pytest.raises(NotFound):
        images.get_from_family(project="ubuntu-os-cloud", family="none")


def test_disk_types_say_their_sizes(bench: Bench) -> None:
    kinds = inprocess.client(compute_v1.DiskTypesClient, bench.router)
    found = kinds.get(project=PROJECT, zone=ZONE, disk_type="pd-balanced")
    assert found.valid_disk_size == "10GB-65536GB"

"""What a launch says to Compute Engine, word for word, and held against the interface's discovery document."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from fleet.model.cloud import ExistingVolume, LaunchRequest, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers import asked
from fleet.providers.gcp import launch, names, rules, volumes
from fleet.providers.gcp.launch import LONGEST, Boots, check_request, machine, wanted
from tests.gce.discovery import document
from tests.gce.ground import IMAGE, make_setup, offer

RAW = gzip.compress(b"#cloud-config\n{}\n", mtime=0)
TAGS = {"fleet": "f1", "run": "car-1", "attempt": "2", "try": "1", "token": "t-1", "volume": "data"}
SETUP = make_setup("f1")
BOOTS = Boots(IMAGE, 10)
NOW = 1_772_390_000.0


def request(*offers: Offer, **more: Any) -> LaunchRequest:
    fields: dict[str, Any] = {
        "token": "t-1",
        "fleet_id": "f1",
        "run_id": "car-1",
        "run_name": "car",
        "attempt": 2,
        "try_no": 1,
        "offers": offers or (offer(),),
        "user_data": base64.b64encode(RAW).decode(),
        "lease_until": NOW + 3600,
        "tags": TAGS,
        **more,
    }
    return LaunchRequest(**fields)


def body(wish: LaunchRequest, now: float = NOW) -> dict[str, Any]:
    return machine(wish, wish.offers[0], SETUP, BOOTS, now)


def faults(method: str, found: dict[str, Any]) -> list[str]:
    found_document = document("compute", "v1")
    return found_document.body_faults(found_document.methods[f"compute.{method}"], found)


WISHES = [
    request(),
    request(offer(market=Market.ON_DEMAND), volume=NewVolume(size_gb=500)),
    request(offer(instance_type="n1-standard-4+1xT4"), volume=NewVolume(size_gb=500), disk_size_gb=200),
    request(offer(instance_type="t2a-standard-4"), lease_until=None),
    request(offer(instance_type="n4-standard-4"), volume=NewVolume(size_gb=20)),
]


@pytest.mark.parametrize("wish", WISHES)
def test_every_word_is_one_of_the_interfaces(wish: LaunchRequest) -> None:
    assert faults("instances.insert", body(wish)) == []


def test_disks_and_rules_are_asked_for_in_the_interfaces_words() -> None:
    tags = {"fleet": "f1", "run": "car-1"}
    made = volumes.volume_request("p", "us-central1-a", NewVolume(size_gb=500), "fleet-car-disk-1", "t", tags)
    assert faults("disks.insert", made) == []
    assert faults("firewalls.insert", rules.rule(SETUP, "203.0.113.7/32", 1_800_000_000)) == []


def test_a_spot_machine_is_deleted_when_it_is_taken_and_when_its_lease_is_over() -> None:
    assert body(request())["scheduling"] == {
        "provisioningModel": "SPOT",
        "instanceTerminationAction": "DELETE",
        "automaticRestart": False,
        "onHostMaintenance": "TERMINATE",
        "terminationTime": "2026-03-01T19:38:20Z",  # the lease, and five minutes
    }


def test_an_on_demand_machine_moves_with_its_host_unless_it_has_a_gpu() -> None:
    plain, gpu = (offer(instance_type=one, market=Market.ON_DEMAND) for one in ("e2-standard-4", "n1-standard-4+1xT4"))
    assert body(request(plain))["scheduling"]["onHostMaintenance"] == "MIGRATE"
    assert body(request(gpu))["scheduling"]["onHostMaintenance"] == "TERMINATE"
    free = body(request(plain, lease_until=None))["scheduling"]
    assert "instanceTerminationAction" not in free  # which only a machine with an end may have
    assert "terminationTime" not in free


def test_a_lease_beyond_every_limit_ends_at_the_limit() -> None:
    far = body(request(lease_until=NOW + 200 * 86_400))["scheduling"]
    assert far["maxRunDuration"] == {"seconds": str(LONGEST)}
    assert "terminationTime" not in far


def test_a_retry_says_the_same_whenever_it_is_made() -> None:
    wish = request(volume=NewVolume(size_gb=500))
    assert body(wish, NOW) == body(wish, NOW + 1800)
    assert launch.request_id(wish, wish.offers[0]) == launch.request_id(wish, wish.offers[0])
    assert len({launch.request_id(wish, one) for one in (offer(), offer("us-central1-b"))}) == 2


def test_a_new_disk_is_kept_and_named_and_the_boot_disk_is_not() -> None:
    boot, data = body(request(volume=NewVolume(size_gb=500)))["disks"]
    assert (boot["boot"], boot["autoDelete"], boot["initializeParams"]["sourceImage"]) == (True, True, IMAGE)
    assert boot["initializeParams"]["diskSizeGb"] == "100"
    assert (data["boot"], data["autoDelete"], data["initializeParams"]["diskSizeGb"]) == (False, False, "500")
    assert data["deviceName"] == data["initializeParams"]["diskName"] == launch.new_disk_name(request())
    assert names.tags_of(data["initializeParams"]["description"]) == {"fleet": "f1", "run": "car-1", "volume": "data"}
    assert data["initializeParams"]["labels"]["fleet"] == "f1"


def test_a_disk_is_no_smaller_than_the_cloud_makes_them() -> None:
    _, data = body(request(volume=NewVolume(size_gb=1)))["disks"]
    assert data["initializeParams"]["diskSizeGb"] == "10"


def test_a_boot_disk_is_no_smaller_than_its_image() -> None:
    wish = request(disk_size_gb=20)
    (boot,) = machine(wish, wish.offers[0], SETUP, Boots(IMAGE, 50), NOW)["disks"]
    assert boot["initializeParams"]["diskSizeGb"] == "50"


def test_an_n1_gets_its_gpu_and_no_secure_boot() -> None:
    found = body(request(offer(instance_type="n1-standard-4+1xT4")))
    assert found["machineType"].endswith("/zones/us-central1-a/machineTypes/n1-standard-4")
    (put_in,) = found["guestAccelerators"]
    assert (put_in["acceleratorType"].rpartition("/")[2], put_in["acceleratorCount"]) == ("nvidia-tesla-t4", 1)
    assert found["shieldedInstanceConfig"]["enableSecureBoot"] is False
    assert body(request())["shieldedInstanceConfig"]["enableSecureBoot"] is True


def test_the_machine_finds_its_user_data_and_lets_in_nobody_but_the_fleets_key() -> None:
    items = {one["key"]: one["value"] for one in body(request())["metadata"]["items"]}
    assert base64.b64decode(items["user-data"]) == RAW
    assert items["user-data-encoding"] == "base64"
    assert (items["enable-oslogin"], items["block-project-ssh-keys"], items["serial-port-enable"]) == (
        "FALSE",
        "TRUE",
        "FALSE",
    )
    assert items["ssh-keys"] == f"fleet:{SETUP.ssh_key}"


def test_labels_say_whose_it_is_and_the_description_says_its_tags() -> None:
    found = body(request())
    assert found["labels"]["fleet-request"] == asked.digest(request())
    assert found["labels"]["fleet-token"] == names.digest("t-1")
    assert json.loads(found["description"]) == {"fleet": TAGS}
    assert found["tags"] == {"items": ["fleet-f1"]}
    assert found["serviceAccounts"][0]["email"] == SETUP.service_account


def test_without_a_public_address_it_has_none() -> None:
    hidden = SETUP.model_copy(update={"public_ip": False, "ssh_key": None})
    found = machine(request(), offer(), hidden, BOOTS, NOW)
    assert "accessConfigs" not in found["networkInterfaces"][0]
    assert "ssh-keys" not in {one["key"] for one in found["metadata"]["items"]}


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (request().model_copy(update={"offers": ()}), "no offer"),
        (request(offer(), offer("europe-west4-a")), "several regions"),
        (request(offer().model_copy(update={"provider": "aws"})), "another cloud"),
        (request(offer("europe-west4-a")), "fleet init gcp --region europe-west4"),
        (request(token="x" * 65), "64 ASCII"),
        (request(tags={**TAGS, "fleet": "f2"}), "whose it is"),
        (request(user_data="#" * 200_000), "user-data is limited"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(wish: LaunchRequest, says: str) -> None:
    with pytest.raises(ProviderError, match=says) as told:
        check_request(wish, SETUP)
    assert told.value.error_class is ErrorClass.INVALID


def test_only_offers_within_the_bid_and_beside_the_disk_are_asked_for() -> None:
    here, there = offer(), offer("us-central1-b")
    assert wanted(request(here, there, volume=ExistingVolume(volume_id="d.us-central1-b", zone="us-central1-b"))) == (there,)
    with pytest.raises(ProviderError) as told:
        wanted(request(here, max_price=here.price - 1))
    assert told.value.error_class is ErrorClass.PRICE
    with pytest.raises(ProviderError) as told:
        wanted(request(here, volume=ExistingVolume(volume_id="d.us-central1-f", zone="us-central1-f")))
    assert told.value.error_class is ErrorClass.INVALID


def test_offers_that_would_boot_otherwise_than_the_first_are_left_out() -> None:
    first, gpu, arm = offer(), offer(instance_type="n1-standard-4+1xT4"), offer(instance_type="t2a-standard-4")
    wish = request(first, gpu, arm)
    assert launch.alike(wish, wish.offers) == (first,)


def test_a_rule_says_whose_it_is_and_until_when() -> None:
    made = rules.rule(SETUP, "203.0.113.7/32", 1_800_000_000)
    (seen,) = rules.own_rules("us-central1", [made, {**made, "description": "mine"}], SETUP)
    assert (seen.cidr, seen.until, seen.rule_id) == ("203.0.113.7/32", 1_800_000_000, made["name"])
    assert rules.own_rules("us-central1", [{**made, "network": "projects/p/global/networks/default"}], SETUP) == []


def test_the_cloud_ends_a_machine_no_sooner_than_its_lease_may_be_renewed_to() -> None:
    renewable = body(request(lease_until=NOW + 3600, ends_by=NOW + 7 * 86_400))["scheduling"]
    assert renewable["terminationTime"] == "2026-03-08T18:38:20Z"
    assert renewable["instanceTerminationAction"] == "DELETE"

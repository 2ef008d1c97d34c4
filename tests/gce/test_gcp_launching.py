"""Launches over the stand-in, on a clock of its own: what stands between a token and a second machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.cloud import ExistingVolume, InstanceState, Market, NewVolume
from fleet.model.errors import ErrorClass
from fleet.providers.gcp import launch, launching, names
from tests.gce.ground import REGION, make_setup, offer
from tests.gce.rented import A, B, Rented, refused


@pytest.fixture
def rented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rented]:
    found = Rented(tmp_path, monkeypatch)
    yield found
    assert found.router.cloud.faults == []


def test_a_zone_without_capacity_is_passed_over_for_the_next(rented: Rented) -> None:
    rented.told("capacity", zone=A, what="*", left=0)
    made = rented.provider().launch(rented.request())
    assert (made.offer.zone, made.state) == (B, InstanceState.RUNNING)
    assert len(rented.machines()) == 1


def test_the_refusal_told_is_the_most_hopeful(rented: Rented) -> None:
    rented.told("capacity", zone=A, what="*", left=0)
    rented.told("lacking", zone=B, types=["e2-standard-4"])
    told = refused(lambda: rented.provider().launch(rented.request()))
    assert (told.error_class, told.code) == (ErrorClass.CAPACITY, "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS")
    assert "e2-standard-4 in us-central1-a" in told.message
    assert rented.machines() == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_quota_says_what_to_ask_for(rented: Rented, at_once: bool) -> None:
    rented.told("settings", quota_at_once=at_once)
    rented.told("quota", metric="GPUS_ALL_REGIONS", limit=0)
    told = refused(lambda: rented.provider().launch(rented.request(offer(A, "n1-standard-4+1xT4"))))
    assert told.error_class is ErrorClass.QUOTA
    assert "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally." in told.message
    assert "ask for more of GPUS_ALL_REGIONS: https://console.cloud.google.com/iam-admin/quotas?project=" in told.message


def test_after_a_refusal_that_may_be_another_for_another_no_further_offer_is_asked_for(rented: Rented) -> None:
    """Refused at once, nothing remembers it: another controller with the token might get what was refused here."""
    rented.told("settings", quota_at_once=True)
    rented.told("quota", region=REGION, metric="CPUS", limit=0)
    assert refused(lambda: rented.provider().launch(rented.request())).error_class is ErrorClass.QUOTA
    assert rented.count("instances.insert") == 1


def test_two_controllers_go_the_same_way(rented: Rented) -> None:
    """The second comes when the first zone has capacity again: it is told what the first was told."""
    rented.told("capacity", zone=A, what="*", left=0)
    first = rented.provider().launch(rented.request())
    rented.told("capacity", zone=A, what="*", left=None)
    rented.told("settings", list_lag=600)
    second = rented.provider().launch(rented.request())
    assert second.instance_id == first.instance_id
    assert len(rented.machines()) == 1


def test_an_answer_that_was_lost_is_asked_for_again(rented: Rented) -> None:
    rented.told("lose", method="compute.instances.insert")
    provider = rented.provider()
    assert refused(lambda: provider.launch(rented.request())).error_class is ErrorClass.TRANSIENT
    rented.told("settings", list_lag=600)
    made = provider.launch(rented.request())
    assert [one["name"] for one in rented.machines()] == [names.parts_of(made.instance_id)[0]]


def test_a_machine_that_is_long_in_the_making_is_told_once_it_runs(rented: Rented) -> None:
    rented.told("timing", provision=300)
    told = refused(lambda: rented.provider().launch(rented.request()))
    assert (told.error_class, told.code) == (ErrorClass.TRANSIENT, "operationRunning")
    assert rented.provider().list(REGION).instances == ()
    rented.clock.advance(300)
    made = rented.provider().launch(rented.request())
    assert made.state is InstanceState.RUNNING
    assert [one.instance_id for one in rented.provider().list(REGION).instances] == [made.instance_id]
    assert len(rented.machines()) == 1


def test_one_that_comes_to_nothing_later_was_never_told_and_the_next_offer_is_asked_for(rented: Rented) -> None:
    """In the same zone too, where the next has its name: who looked meanwhile must not have taken it for that."""
    rented.told("timing", provision=300)
    rented.told("capacity", zone=A, what="e2-standard-4", left=0)
    wanted = rented.request(offer(A), offer(A, "n4-standard-4"))
    assert refused(lambda: rented.provider().launch(wanted)).error_class is ErrorClass.TRANSIENT
    rented.told("timing", provision=4)
    rented.clock.advance(300)
    made = [rented.provider().launch(wanted) for _ in range(2)]
    assert {one.offer.instance_type for one in made} == {"n4-standard-4"}
    assert len(rented.machines()) == 1


def test_a_token_whose_machine_is_gone_is_told_by_its_operations(rented: Rented) -> None:
    made = rented.provider().launch(rented.request())
    name, zone = names.parts_of(made.instance_id)
    rented.told("preempt", zone=zone, instance=name)
    rented.clock.advance(120)
    again = rented.provider().launch(rented.request())
    assert (again.instance_id, again.state, again.ended_by) == (made.instance_id, InstanceState.TERMINATED, "cloud")
    assert (again.offer, again.tags) == (made.offer, made.tags)
    assert rented.machines() == []


def test_a_token_is_used_up_also_if_its_machine_was_taken_while_it_was_made(rented: Rented) -> None:
    rented.told("timing", provision=300)
    assert refused(lambda: rented.provider().launch(rented.request())).error_class is ErrorClass.TRANSIENT
    (begun,) = rented.machines()
    rented.told("preempt", zone=A, instance=begun["name"])
    rented.clock.advance(1)
    dying = rented.provider().launch(rented.request())
    rented.clock.advance(600)
    gone = rented.provider().launch(rented.request())
    assert {dying.instance_id, gone.instance_id} == {names.id_of(begun["name"], A)}
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "cloud")
    assert rented.machines() == []


def test_another_request_under_the_token_is_refused_also_where_lists_lag(rented: Rented) -> None:
    rented.provider().launch(rented.request())
    other = rented.request(user_data='{"other": 1}')
    for lag in (0, 600):
        rented.told("settings", list_lag=lag)
        assert refused(lambda: rented.provider().launch(other)).error_class is ErrorClass.INVALID
    assert len(rented.machines()) == 1


def test_the_zone_itself_refuses_a_second_machine_of_a_token(rented: Rented) -> None:
    """All that is remembered of the launch is forgotten, and no list shows it yet: its name is there."""
    made = rented.provider().launch(rented.request())
    rented.told("forget_operations", requests=True)
    rented.told("settings", list_lag=600)
    assert rented.provider().launch(rented.request()).instance_id == made.instance_id
    assert len(rented.machines()) == 1


def test_a_failed_machines_new_disk_is_not_left_behind(rented: Rented) -> None:
    rented.told("settings", keeps_disks_of_failed=True)
    rented.told("capacity", zone=A, what="*", left=0)
    made = rented.provider().launch(rented.request(volume=NewVolume(size_gb=50)))
    rented.clock.advance(60)
    name = launch.new_disk_name(rented.request())
    left = {one["zone"].rpartition("/")[2] for one in rented.told("disks") if one["name"] == name}
    assert (made.offer.zone, left) == (B, {B})


def test_a_disk_that_something_had_since_is_never_cleared_away(rented: Rented, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sleeps after the failure finds under the token's name what the run's next machine has written to."""
    rented.told("settings", keeps_disks_of_failed=True)
    rented.told("capacity", zone=A, what="*", left=0)
    name, clear = launch.new_disk_name(rented.request()), launching.Launcher._clear

    def asleep(*args: Any) -> None:
        rented.clock.advance(3600)
        rented.told("capacity", zone=A, what="*", left=None)
        holder = rented.launched(token="t-2")
        rented.provider().attach(REGION, names.id_of(name, A), holder.instance_id)
        rented.provider().detach(REGION, names.id_of(name, A), holder.instance_id)
        clear(*args)
        rented.clock.advance(60)

    monkeypatch.setattr(launching.Launcher, "_clear", asleep)
    told = refused(lambda: rented.provider().launch(rented.request(volume=NewVolume(size_gb=50))))
    assert told.code == "operationRunning"  # no time was left to wait for the next offer's
    assert {one["zone"].rpartition("/")[2] for one in rented.told("disks") if one["name"] == name} == {A, B}


@pytest.mark.parametrize("method", ["zoneOperations.wait", "instances.get"])
def test_a_machine_that_cannot_be_looked_at_is_no_refusal(rented: Rented, method: str) -> None:
    """A role that lacks one permission: the try must not end while its machine lives."""
    rented.told("fail", method=f"compute.{method}", status=403, reason="forbidden", message="Required permission")
    told = refused(lambda: rented.provider().launch(rented.request()))
    assert told.error_class is ErrorClass.TRANSIENT
    assert "may have been made" in told.message
    (made,) = rented.machines()
    assert rented.provider().launch(rented.request()).instance_id == names.id_of(made["name"], A)
    assert len(rented.machines()) == 1


def test_a_token_of_whose_machine_only_the_disk_is_left_is_used_up(rented: Rented) -> None:
    """All that is remembered of the machine is forgotten: the disk is the run's, and the try is over."""
    request = rented.request(offer(A), volume=NewVolume(size_gb=50))
    made = rented.provider().launch(request)
    rented.provider().terminate(REGION, made.instance_id)
    rented.clock.advance(300)
    rented.told("forget_operations", requests=True)
    told = refused(lambda: rented.provider().launch(request))
    assert (told.error_class, told.code) == (ErrorClass.CAPACITY, "tokenUsed")
    assert rented.machines() == []
    assert [one["name"] for one in rented.told("disks")] == [launch.new_disk_name(request)]


def test_only_machines_that_take_the_runs_disk_are_asked_for(rented: Rented) -> None:
    provider = rented.provider()
    volume = provider.create_volume(REGION, A, NewVolume(size_gb=50), "d", {"fleet": "f1", "run": "car-1"})
    kept = ExistingVolume(volume_id=volume.volume_id, zone=A)
    made = provider.launch(rented.request(offer(A, "n4-standard-4"), offer(A), volume=kept))
    assert made.offer.instance_type == "e2-standard-4"
    told = refused(lambda: provider.launch(rented.request(offer(A, "n4-standard-4"), token="t-2", volume=kept)))
    assert told.error_class is ErrorClass.UNAVAILABLE


def test_an_image_that_is_gone_is_told_by_its_code(rented: Rented) -> None:
    provider = rented.provider()
    gone = rented.request(image_id="projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20200101")
    told = refused(lambda: provider.launch(gone))
    assert told.code in provider.capabilities.images_gone


def test_a_launch_is_made_by_the_set_up_that_it_was_frozen_with(rented: Rented) -> None:
    hidden = make_setup("f1").model_copy(update={"public_ip": False})
    rented.provider().launch(rented.request(setup=hidden.model_dump_json()))
    (made,) = rented.machines()
    assert "accessConfigs" not in made["networkInterfaces"][0]
    broken = rented.request(token="t-2", setup="{}")
    assert refused(lambda: rented.provider().launch(broken)).error_class is ErrorClass.INVALID


def test_a_login_that_is_over_is_said(rented: Rented) -> None:
    rented.told(
        "fail", method="compute.instances.aggregatedList", status=401, reason="authError", message="Invalid Credentials"
    )
    told = refused(lambda: rented.provider().launch(rented.request()))
    assert told.error_class is ErrorClass.CREDENTIALS
    assert "gcloud auth application-default login" in told.hint


def test_a_spot_machine_is_asked_for_as_one(rented: Rented) -> None:
    provider = rented.provider()
    for market in Market:
        provider.launch(rented.request(offer(A, market=market), token=f"t-{market.value}"))
    models = sorted(one["scheduling"]["provisioningModel"] for one in rented.machines())
    assert models == ["SPOT", "STANDARD"]

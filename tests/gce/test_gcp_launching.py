"""Launches over the stand-in, in this process and on a clock of its own: what stands between a token and a second machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.model.cloud import ExistingVolume, InstanceState, LaunchRequest, Market, NewVolume, Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp import launch, names
from fleet.providers.gcp.provider import GcpProvider
from tests.gce.clock import Clock
from tests.gce.ground import IMAGE, REGION, make_setup, offer, shelf
from tests.gce.led import lead
from tests.gce.router import Router

A, B = "us-central1-a", "us-central1-b"


class Bench:
    """A project, and any number of controllers."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.clock = Clock(lambda: 1_772_390_000.0)
        self.router = Router(self.clock)
        lead(patch, self.router)

    def provider(self, fleet_id: str = "f1", **more: Any) -> GcpProvider:
        return GcpProvider(
            fleet_id,
            make_setup(fleet_id),
            self.folder,
            shop=shelf,
            clock=self.clock,
            sleep=self.clock.advance,
            **more,
        )

    def request(self, *offers: Offer, token: str = "t-1", **more: Any) -> LaunchRequest:
        fields: dict[str, Any] = {
            "token": token,
            "fleet_id": "f1",
            "run_id": "car-1",
            "run_name": "car",
            "attempt": 1,
            "try_no": 1,
            "offers": offers or (offer(A), offer(B)),
            "image_id": IMAGE,
            "user_data": "{}",
            "tags": {"fleet": "f1", "run": "car-1", "attempt": "1", "try": "1", "token": token},
            **more,
        }
        return LaunchRequest(**fields)

    def told(self, verb: str, **telling: Any) -> Any:
        return self.router.control("compute", verb, telling)

    def calls(self, method: str) -> list[Any]:
        return [one for one in self.router.cloud.calls if one.method == f"compute.{method}"]

    def machines(self) -> list[Any]:
        return list(self.told("instances"))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    found = Bench(tmp_path, monkeypatch)
    yield found
    assert found.router.cloud.faults == []


def refused(call: Callable[[], Any]) -> ProviderError:
    with pytest.raises(ProviderError) as told:
        call()
    return told.value


def test_a_zone_without_capacity_is_passed_over_for_the_next(bench: Bench) -> None:
    bench.told("capacity", zone=A, what="*", left=0)
    made = bench.provider().launch(bench.request())
    assert (made.offer.zone, made.state) == (B, InstanceState.RUNNING)
    assert len(bench.machines()) == 1


def test_the_refusal_told_is_the_most_hopeful(bench: Bench) -> None:
    bench.told("capacity", zone=A, what="*", left=0)
    bench.told("lacking", zone=B, types=["e2-standard-4"])
    told = refused(lambda: bench.provider().launch(bench.request()))
    assert (told.error_class, told.code) == (ErrorClass.CAPACITY, "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS")
    assert "e2-standard-4 in us-central1-a" in told.message
    assert bench.machines() == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_quota_says_what_to_ask_for(bench: Bench, at_once: bool) -> None:
    bench.told("settings", quota_at_once=at_once)
    bench.told("quota", metric="GPUS_ALL_REGIONS", limit=0)
    provider = bench.provider(advice=lambda one: f"ask for {one.instance_type}")
    told = refused(lambda: provider.launch(bench.request(offer(A, "n1-standard-4+1xT4"))))
    assert told.error_class is ErrorClass.QUOTA
    assert "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally." in told.message
    assert told.message.endswith("ask for n1-standard-4+1xT4")


def test_after_a_refusal_that_may_be_another_for_another_no_further_offer_is_asked_for(bench: Bench) -> None:
    """Refused at once, nothing remembers it: another controller with the token might get what was refused here."""
    bench.told("settings", quota_at_once=True)
    bench.told("quota", region=REGION, metric="CPUS", limit=0)
    assert refused(lambda: bench.provider().launch(bench.request())).error_class is ErrorClass.QUOTA
    assert len(bench.calls("instances.insert")) == 1


def test_two_controllers_go_the_same_way(bench: Bench) -> None:
    """The second comes when the first zone has capacity again: it is told what the first was told."""
    bench.told("capacity", zone=A, what="*", left=0)
    first = bench.provider().launch(bench.request())
    bench.told("capacity", zone=A, what="*", left=None)
    bench.told("settings", list_lag=600)
    second = bench.provider().launch(bench.request())
    assert second.instance_id == first.instance_id
    assert len(bench.machines()) == 1


def test_an_answer_that_was_lost_is_asked_for_again(bench: Bench) -> None:
    bench.told("lose", method="compute.instances.insert")
    provider = bench.provider()
    assert refused(lambda: provider.launch(bench.request())).error_class is ErrorClass.TRANSIENT
    bench.told("settings", list_lag=600)
    made = provider.launch(bench.request())
    assert [one["name"] for one in bench.machines()] == [names.parts_of(made.instance_id)[0]]


def test_a_machine_that_is_long_in_the_making_is_pending(bench: Bench) -> None:
    bench.told("timing", provision=300)
    made = bench.provider().launch(bench.request())
    assert made.state is InstanceState.PENDING
    assert bench.clock() - made.launched_at == pytest.approx(60, abs=5)


def test_one_that_comes_to_nothing_later_ended_by_the_cloud(bench: Bench) -> None:
    bench.told("timing", provision=300)
    bench.told("capacity", zone=A, what="*", left=0)
    provider = bench.provider()
    made = provider.launch(bench.request())
    bench.clock.advance(300)
    gone = provider.get(REGION, made.instance_id)
    assert gone is not None
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "cloud")


def test_a_token_whose_machine_is_gone_is_told_by_its_operations(bench: Bench) -> None:
    made = bench.provider().launch(bench.request())
    name, zone = names.parts_of(made.instance_id)
    bench.told("preempt", zone=zone, instance=name)
    bench.clock.advance(120)
    again = bench.provider().launch(bench.request())
    assert (again.instance_id, again.state, again.ended_by) == (made.instance_id, InstanceState.TERMINATED, "cloud")
    assert (again.offer, again.tags) == (made.offer, made.tags)
    assert bench.machines() == []


def test_a_token_is_used_up_also_if_its_machine_was_taken_while_it_was_made(bench: Bench) -> None:
    bench.told("timing", provision=300)
    first = bench.provider()
    made = first.launch(bench.request())
    name, zone = names.parts_of(made.instance_id)
    bench.told("preempt", zone=zone, instance=name)
    bench.clock.advance(1)
    dying = bench.provider().launch(bench.request())
    bench.clock.advance(600)
    gone = bench.provider().launch(bench.request())
    assert {dying.instance_id, gone.instance_id} == {made.instance_id}
    assert (gone.state, gone.ended_by) == (InstanceState.TERMINATED, "cloud")
    assert bench.machines() == []


def test_another_request_under_the_token_is_refused_also_where_lists_lag(bench: Bench) -> None:
    bench.provider().launch(bench.request())
    for lag in (0, 600):
        bench.told("settings", list_lag=lag)
        other = bench.request(user_data='{"other": 1}')
        assert refused(lambda: bench.provider().launch(other)).error_class is ErrorClass.INVALID
    assert len(bench.machines()) == 1


def test_the_zone_itself_refuses_a_second_machine_of_a_token(bench: Bench) -> None:
    """All that is remembered of the launch is forgotten, and no list shows it yet: its name is there."""
    made = bench.provider().launch(bench.request())
    bench.told("forget_operations", requests=True)
    bench.told("settings", list_lag=600)
    assert bench.provider().launch(bench.request()).instance_id == made.instance_id
    assert len(bench.machines()) == 1


def test_a_failed_machines_new_disk_is_not_left_behind(bench: Bench) -> None:
    bench.told("settings", keeps_disks_of_failed=True)
    bench.told("capacity", zone=A, what="*", left=0)
    made = bench.provider().launch(bench.request(volume=NewVolume(size_gb=50)))
    bench.clock.advance(60)
    left = {
        one["zone"].rpartition("/")[2] for one in bench.told("disks") if one["name"] == launch.new_disk_name(bench.request())
    }
    assert (made.offer.zone, left) == (B, {B})


def test_only_machines_that_take_the_runs_disk_are_asked_for(bench: Bench) -> None:
    provider = bench.provider()
    volume = provider.create_volume(REGION, A, NewVolume(size_gb=50), "d", {"fleet": "f1", "run": "car-1"})
    kept = ExistingVolume(volume_id=volume.volume_id, zone=A)
    made = provider.launch(bench.request(offer(A, "n4-standard-4"), offer(A), volume=kept))
    assert made.offer.instance_type == "e2-standard-4"
    told = refused(lambda: provider.launch(bench.request(offer(A, "n4-standard-4"), token="t-2", volume=kept)))
    assert told.error_class is ErrorClass.UNAVAILABLE


def test_an_image_that_is_gone_is_told_by_its_code(bench: Bench) -> None:
    provider = bench.provider()
    gone = bench.request(image_id="projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20200101")
    told = refused(lambda: provider.launch(gone))
    assert told.code in provider.capabilities.images_gone


def test_a_launch_is_made_by_the_set_up_that_it_was_frozen_with(bench: Bench) -> None:
    hidden = make_setup("f1").model_copy(update={"public_ip": False})
    bench.provider().launch(bench.request(setup=hidden.model_dump_json()))
    (made,) = bench.machines()
    assert "accessConfigs" not in made["networkInterfaces"][0]
    broken = bench.request(token="t-2", setup="{}")
    assert refused(lambda: bench.provider().launch(broken)).error_class is ErrorClass.INVALID


def test_a_login_that_is_over_is_said(bench: Bench) -> None:
    bench.told(
        "fail", method="compute.instances.aggregatedList", status=401, reason="authError", message="Invalid Credentials"
    )
    told = refused(lambda: bench.provider().launch(bench.request()))
    assert told.error_class is ErrorClass.CREDENTIALS
    assert "gcloud auth application-default login" in told.hint


def test_a_spot_machine_is_asked_for_as_one(bench: Bench) -> None:
    provider = bench.provider()
    for market in Market:
        provider.launch(bench.request(offer(A, market=market), token=f"t-{market.value}"))
    models = sorted(one["scheduling"]["provisioningModel"] for one in bench.machines())
    assert models == ["SPOT", "STANDARD"]

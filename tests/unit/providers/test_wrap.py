"""What can be put around a provider."""

from __future__ import annotations

import pytest

from fleet.model.cloud import InstanceState, NewVolume
from fleet.model.errors import ErrorClass, ProviderError, TooLateError
from fleet.providers.wrap import Call, DryRun, Fault, Faults, Limit, Record, Recorder, Retry
from tests.unit.providers.test_sim import cheapest, cloud, request


def lost() -> ProviderError:
    return ProviderError(ErrorClass.TRANSIENT, "RequestTimeout", "the answer was lost")


@pytest.mark.parametrize("error_class", list(ErrorClass))
def test_only_what_may_succeed_a_moment_later_is_tried_again(error_class: ErrorClass) -> None:
    _, provider, _ = cloud()
    calls: list[Call] = []

    def plan(call: Call) -> Fault:
        calls.append(call)
        return Fault(before=ProviderError(error_class, "Code", "no"))

    waits: list[float] = []
    retry = Retry(Faults(provider, plan), tries=4, sleep=waits.append)
    with pytest.raises(ProviderError) as told:
        retry.list("sim-1")
    again = error_class in (ErrorClass.THROTTLED, ErrorClass.TRANSIENT)
    assert told.value.code == "Code"
    assert (len(calls), len(waits)) == ((4, 3) if again else (1, 0))
    assert sum(waits) <= 15


def test_a_launch_whose_answer_is_lost_is_found_by_trying_again() -> None:
    made, provider, _ = cloud()
    faults = iter([Fault(after=lost()), Fault(after=lost()), None])
    retry = Retry(Faults(provider, lambda _call: next(faults)), sleep=lambda _s: None)
    instance = retry.launch(request(cheapest(provider)))
    assert list(made.instances) == [instance.instance_id]


def test_what_is_too_late_is_not_tried_again_and_has_failed_as_it_did_while_there_was_time() -> None:
    made, provider, _ = cloud()
    wish = request(cheapest(provider))
    waits: list[float] = []
    with pytest.raises(TooLateError):
        Retry(provider, sleep=waits.append).launch(wish, lambda: False)
    assert waits == []
    faults, asked = iter([Fault(before=lost()), None]), iter([False])
    with pytest.raises(ProviderError) as told:
        Retry(Faults(provider, lambda _call: next(faults)), sleep=waits.append).launch(wish, lambda: next(asked))
    assert (told.value.code, len(waits), next(asked, None)) == ("RequestTimeout", 1, None)
    assert made.instances == {}


def test_a_call_that_arrives_twice_makes_one_machine() -> None:
    made, provider, _ = cloud()
    Faults(provider, lambda _call: Fault(repeat=3)).launch(request(cheapest(provider)))
    assert len(made.instances) == 1
    assert made.calls["launch"] == 4


def test_a_listing_can_be_spoilt() -> None:
    _, provider, clock = cloud()
    provider.launch(request(cheapest(provider)))
    clock.advance(100)
    empty = Faults(provider, lambda _call: Fault(listing=lambda seen: seen.model_copy(update={"instances": ()})))
    assert len(provider.list("sim-1").instances) == 1
    assert empty.list("sim-1").instances == ()


def test_the_limit_lets_a_burst_pass_and_then_one_call_at_a_time() -> None:
    _, provider, clock = cloud(calls_burst=1000)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    limit = Limit(provider, per_second=2, burst=3, clock=clock, sleep=sleep)
    for _ in range(7):
        limit.list("sim-1")
    assert waits == pytest.approx([0.5] * 4)
    limit.list("sim-2")
    assert len(waits) == 4


def test_every_call_is_recorded_with_its_end() -> None:
    _, provider, clock = cloud()
    records: list[Record] = []
    recorder = Recorder(provider, records.append, clock=clock)
    recorder.list("sim-1")
    recorder.terminate("sim-1", "i-1")
    with pytest.raises(ProviderError):
        recorder.attach("sim-1", "vol-1", "i-1")
    assert [r.call.method for r in records] == ["list", "terminate", "attach"]
    assert [r.call.changes for r in records] == [False, True, True]
    assert [r.error.code if r.error else None for r in records] == [None, None, "InvalidVolume.NotFound"]
    assert records[1].call.arguments == {"instance_id": "i-1"}


def test_a_dry_run_changes_nothing_and_shows_what_it_would_have_made() -> None:
    made, provider, clock = cloud()
    dry = DryRun(provider, clock=clock)
    wish = request(cheapest(provider))
    instance = dry.launch(wish)
    volume = dry.create_volume("sim-1", "sim-1a", NewVolume(size_gb=8), "t", {"fleet": "f"})
    assert dry.launch(wish) == instance
    seen = dry.list("sim-1")
    assert [i.instance_id for i in seen.instances] == [instance.instance_id]
    assert [v.volume_id for v in seen.volumes] == [volume.volume_id]
    assert dry.get("sim-1", instance.instance_id) == instance
    assert instance.state is InstanceState.PENDING
    dry.attach("sim-1", volume.volume_id, instance.instance_id)
    dry.detach("sim-1", volume.volume_id, instance.instance_id)
    dry.terminate("sim-1", instance.instance_id)
    dry.delete_volume("sim-1", volume.volume_id)
    assert dry.list("sim-1").instances == ()
    assert not made.instances
    assert not made.volumes
    assert [c.method for c in dry.calls] == [
        "launch", "create_volume", "launch", "attach", "detach", "terminate", "delete_volume",
    ]  # fmt: skip

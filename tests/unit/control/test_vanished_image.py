"""An image that is gone between the freezing of a launch and the launch itself stops no run, unless the job names it."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.control import booting
from fleet.control.act import Effects
from fleet.core import actions as do
from fleet.core.fold import fold
from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.cloud import BootTarget, Capabilities, LaunchRequest
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.base import InTime, always
from fleet.store.opening import open_objects
from tests.unit.core.world import RUN, folded
from tests.unit.core.world import event as event_of

GONE = ProviderError(ErrorClass.INVALID, "InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist")


class Cloud:
    """Chooses ami-1, then ami-2; knows the second alone."""

    name = "sim"
    capabilities = Capabilities(
        notice_seconds=120, visible_within=60, images=True, images_gone=("InvalidAMIID.NotFound",), volume_price=80_000
    )

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.sent: list[str | None] = []

    def boot_target(self, offers: Any, image_id: str | None) -> BootTarget:
        self.asked.append(image_id)
        return BootTarget(image_id=image_id or f"ami-{len(self.asked)}", image="ubuntu-24.04")

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Any:
        self.sent.append(request.image_id)
        raise GONE if request.image_id == "ami-1" else ProviderError(ErrorClass.CAPACITY, "None", "there is none")


def tried(cloud: Any, objects: Any, state: FleetState, try_no: int) -> ev.Event:
    launch = do.Launch(not_after=1e9, run_id=RUN, attempt=1, try_no=try_no)
    objects.now = lambda: 5.0
    (event,) = Effects(objects, {"sim": cloud}).perform(launch, state)
    return event


@pytest.mark.parametrize("wish", [None, "ami-1"])
def test_the_next_try_is_rendered_anew_unless_the_job_names_the_image(
    monkeypatch: pytest.MonkeyPatch, wish: str | None
) -> None:
    monkeypatch.setattr(booting, "user_data", lambda *_: "text")
    cloud, objects = Cloud(), open_objects("memory://")
    state = folded([{"run-created": {"resources": {"image_id": wish}}}, {"launch-intended": {}}])
    event = tried(cloud, objects, state, 1)
    assert isinstance(event, ev.LaunchFailed)
    assert event.code == "InvalidAMIID.NotFound"
    state = fold(state, state.head + 1, 5.0, [event])
    run = state.runs[RUN]
    assert run.attempts[1].phase == "refused"
    assert run.pause is not None
    if wish is not None:
        assert (event.error_class, run.pause.until) == (ErrorClass.INVALID, None)
        return
    assert event.error_class is ErrorClass.TRANSIENT
    assert run.pause.until is not None
    assert state.cooling == {}
    again = ev.LaunchIntended.model_validate(
        {**folded_intention().model_dump(), "at": run.pause.until, "try_no": 2, "token": "token-2"}
    )
    state = fold(state, state.head + 1, again.at, [again])
    second = tried(cloud, objects, state, 2)
    assert isinstance(second, ev.LaunchFailed)
    assert second.error_class is ErrorClass.CAPACITY
    assert cloud.sent == ["ami-1", "ami-2"]
    frozen = [objects.get(layout.launch(RUN, 1, number)) for number in (1, 2)]
    assert [LaunchRequest.model_validate_json(data).image_id for data in frozen] == ["ami-1", "ami-2"]


@pytest.mark.parametrize(("failures", "wish", "asked"), [(1, None, None), (2, None, "stock"), (2, "ami-7", "ami-7")])
def test_after_two_machines_that_never_spoke_the_publishers_image_is_tried_unless_the_job_names_one(
    monkeypatch: pytest.MonkeyPatch, failures: int, wish: str | None, asked: str | None
) -> None:
    monkeypatch.setattr(booting, "user_data", lambda *_: "text")
    cloud, objects = Cloud(), open_objects("memory://")
    state = folded([{"run-created": {"resources": {"image_id": wish}}}, {"launch-intended": {}}])
    run = state.runs[RUN].model_copy(update={"boot_failures": failures})
    tried(cloud, objects, state.model_copy(update={"runs": {RUN: run}}), 1)
    assert cloud.asked == [asked]


def folded_intention() -> ev.LaunchIntended:
    made = event_of({"launch-intended": {}})
    assert isinstance(made, ev.LaunchIntended)
    return made

"""A launch that comes to its turn when its time is over, wherever that was spent, is not sent, and nothing is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.control.act import Effects
from fleet.core import actions as do
from fleet.core.state import FleetState
from fleet.model.cloud import Capabilities, LaunchRequest
from fleet.model.errors import ErrorClass, ProviderError, TooLateError
from fleet.providers.base import InTime, always
from fleet.providers.local.elsewhere import Elsewhere
from fleet.providers.wrap import Guard
from fleet.store.opening import open_objects
from tests.unit.core.world import RUN, folded

NOT_AFTER = 1000.0


class Slow:
    """Comes to send the request after a while, and is told by the bucket's clock what time it is then."""

    name = "sim"
    capabilities = Capabilities(notice_seconds=120, visible_within=60, volume_price=80_000)

    def __init__(self, objects: Any, seconds: float) -> None:
        self.objects, self.seconds = objects, seconds
        self.sent = 0

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Any:
        now = self.objects.now() + self.seconds
        self.objects.now = lambda: now
        if not in_time():
            raise TooLateError(request.run_id)
        self.sent += 1
        raise ProviderError(ErrorClass.CAPACITY, "Full", "there is none")


@pytest.mark.parametrize(("seconds", "sent", "told"), [(10.0, 1, ["launch-failed"]), (10.5, 0, []), (3600.0, 0, [])])
def test_a_launch_is_sent_until_its_time_is_over_and_not_after(seconds: float, sent: int, told: list[str]) -> None:
    state: FleetState = folded([{"run-created": {}}, {"launch-intended": {}}])
    objects: Any = open_objects("memory://")
    objects.now = lambda: NOT_AFTER - 10
    cloud: Any = Slow(objects, seconds)
    action = do.Launch(not_after=NOT_AFTER, run_id=RUN, attempt=1, try_no=1)
    events = Effects(objects, {"sim": Guard(cloud)}).perform(action, state)
    assert cloud.sent == sent
    assert [event.type for event in events] == told


def test_a_launch_in_a_cloud_that_only_another_controller_can_ask_is_left_to_that_one() -> None:
    """A failure of ours would pause the run, and keep whoever intended the launch from repeating it."""
    state: FleetState = folded([{"run-created": {}}, {"launch-intended": {}}])
    objects: Any = open_objects("memory://")
    objects.now = lambda: NOT_AFTER - 10
    cloud: Any = Slow(objects, 0.0)
    action = do.Launch(not_after=NOT_AFTER, run_id=RUN, attempt=1, try_no=1)
    assert Effects(objects, {"sim": Elsewhere(cloud, told="not from here")}).perform(action, state) == []
    assert cloud.sent == 0

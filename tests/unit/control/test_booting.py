"""What keeps a machine's user-data from being written, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.boot.request import launch_request
from fleet.control import booting
from fleet.model.cloud import BootTarget
from fleet.model.documents import WheelIndex, Wheels
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.store.opening import open_objects
from tests.unit.core.world import RUN, folded

TARGET = BootTarget(image_id="ami-1", image="debian-12")
INDEX = WheelIndex(version="1", archives={"cp311-x86_64": Wheels(key="agent/1/a", sha256="0" * 64, size=1)})


def written(monkeypatch: pytest.MonkeyPatch, answer: Any, **job: Any) -> ProviderError:
    def ensure(*_: Any, **__: Any) -> WheelIndex:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    monkeypatch.setattr(booting, "ensure_wheels", ensure)
    run = folded([{"run-created": job}, {"launch-intended": {}}]).runs[RUN]
    request = launch_request("f", "s3://b", run, run.attempts[1])
    with pytest.raises(ProviderError) as told:
        booting.user_data(open_objects("memory://"), request, TARGET, run.job)
    return told.value


@pytest.mark.parametrize("answer", [FleetError("pip cannot download"), OSError(28, "No space left on device")])
def test_a_package_index_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch, answer: Exception) -> None:
    assert written(monkeypatch, answer).error_class is ErrorClass.TRANSIENT


def test_a_job_that_does_not_fit_waits_for_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    import random

    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=40_000))
    assert written(monkeypatch, INDEX, setup=long).error_class is ErrorClass.INVALID

"""A project of the stand-in in this process, on a clock of its own, and any number of controllers that launch there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.model.cloud import Instance, LaunchRequest, Offer
from fleet.model.errors import ProviderError
from fleet.providers.gcp import names
from fleet.providers.gcp.provider import GcpProvider
from tests.gce.clock import Clock
from tests.gce.ground import IMAGE, REGION, make_setup, offer, shelf
from tests.gce.led import lead
from tests.gce.router import Router

WEST = "europe-west4"
A, B = "us-central1-a", "us-central1-b"


class Rented:
    """One fleet's."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.clock = Clock(lambda: 1_772_390_000.0)
        self.router = Router(self.clock)
        self.setup = make_setup("f1", (REGION, WEST))
        lead(patch, self.router)

    def provider(self, **more: Any) -> GcpProvider:
        """As one controller has it: what one remembers, another does not."""
        fields: dict[str, Any] = {"shop": shelf, "clock": self.clock, "sleep": self.clock.advance, **more}
        return GcpProvider("f1", self.setup, self.folder, **fields)

    def request(self, *offers: Offer, token: str = "t-1", **more: Any) -> LaunchRequest:  # no secret
        """A launch of the fleet's."""
        fields: dict[str, Any] = {
            "image_id": IMAGE,
            "user_data": "{}",
            "tags": {"fleet": "f1", "run": "car-1", "attempt": "1", "try": "1", "token": token},
            **more,
        }
        return LaunchRequest(
            token=token,
            fleet_id="f1",
            run_id="car-1",
            run_name="car",
            attempt=1,
            try_no=1,
            offers=offers or (offer(A), offer(B)),
            **fields,
        )

    def launched(self, zone: str = A, token: str = "t-1", **more: Any) -> Instance:  # no secret
        """A machine that runs."""
        return self.provider().launch(self.request(offer(zone), token=token, **more))

    def told(self, verb: str, machine: Instance | None = None, **telling: Any) -> Any:
        """A word to Compute Engine, about one machine if it is given."""
        if machine is not None:
            telling["instance"], telling["zone"] = names.parts_of(machine.instance_id)
        return self.router.control("compute", verb, telling)

    def count(self, method: str) -> int:
        """How often something was asked."""
        return sum(one.method == f"compute.{method}" for one in self.router.cloud.calls)

    def machines(self) -> list[Any]:
        """All that there are."""
        return list(self.told("instances"))


def refused(call: Callable[[], Any]) -> ProviderError:
    """What a call is refused with."""
    with pytest.raises(ProviderError) as told:
        call()
    return told.value

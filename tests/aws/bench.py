"""A provider on the standing cloud, and what tests ask of it over and over."""

from __future__ import annotations

import base64
import gzip
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet.model.cloud import ExistingVolume, LaunchRequest, NewVolume, Offer
from fleet.model.setup import AwsSetup
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.session import aws_client
from fleet.providers.base import Provider
from fleet.providers.wrap import Guard, Limit, Retry
from tests.aws.ground import AMI, REGION, offer, shelf
from tests.aws.proxy import Proxy

USER_DATA = base64.b64encode(gzip.compress(b"#cloud-config\nbootcmd: []\n", mtime=0)).decode()


@dataclass
class Rig:
    """A fleet in an rig."""

    proxy: Proxy
    setup: AwsSetup
    cache: Path
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def provider(self) -> AwsProvider:
        """A controller's; each is another."""
        return AwsProvider(self.setup.fleet_id, self.setup, self.cache, shop=shelf)

    def wrapped(self) -> Provider:
        """With everything around it that a controller puts there; it does not really wait."""
        return Guard(Retry(Limit(self.provider(), sleep=_no_time), sleep=_no_time))

    def request(self, *offers: Offer, volume: NewVolume | ExistingVolume | None = None, **changes: Any) -> LaunchRequest:
        """What a try asks for."""
        token = changes.pop("token", f"token-{next(self.numbers)}")
        fleet_id = self.setup.fleet_id
        return LaunchRequest(
            token=token,
            fleet_id=fleet_id,
            run_id="car-1",
            run_name="car",
            attempt=1,
            try_no=1,
            offers=offers or (offer(zone="a"), offer(zone="b")),
            volume=volume,
            user_data=USER_DATA,
            tags={"fleet": fleet_id, "run": "car-1", "attempt": "1", "try": "1", "token": token},
            **{"image_id": AMI, **changes},
        )

    def machines(self) -> list[dict[str, Any]]:
        """Everything in the rig, asked behind fleet's back."""
        found = aws_client("ec2", REGION).describe_instances()["Reservations"]
        return [one for reservation in found for one in reservation["Instances"]]

    def disks(self) -> list[dict[str, Any]]:
        """Every volume in the rig."""
        volumes: list[dict[str, Any]] = aws_client("ec2", REGION).describe_volumes()["Volumes"]
        return volumes


def _no_time(seconds: float) -> None:
    """Waiting is for the real world."""

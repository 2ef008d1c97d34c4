"""The providers that the contract is held against. A new one joins by a Bench of its own in BENCHES."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from fleet.model.cloud import (
    ExistingVolume,
    Instance,
    InstanceState,
    LaunchRequest,
    Market,
    NewVolume,
    Offer,
    Volume,
    VolumeState,
)
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.base import Provider
from fleet.providers.local.provider import LocalProvider, stop_everything
from fleet.providers.sim.clock import VirtualClock
from fleet.providers.sim.cloud import Manners, SimCloud
from fleet.providers.sim.market import Weather
from fleet.providers.sim.provider import SimProvider
from fleet.providers.wrap import Call, Fault, Faults, Guard, Limit, Recorder, Retry
from tests.aws.ground import setup_once, shelf
from tests.aws.standing import standing_cloud
from tests.gce import ground as google
from tests.gce.standing import standing_google

T = TypeVar("T")


class Bench(Protocol):
    """A cloud to try things on."""

    def provider(self, fleet_id: str) -> Provider:
        """An account's view; any number share one cloud."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class LocalBench:
    """This computer, its machines asleep."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "local"

    def provider(self, fleet_id: str) -> Provider:
        return Guard(LocalProvider(self._home, fleet_id, agent_command=["sleep", "600"]))

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.02))

    def close(self) -> None:
        stop_everything(self._home)


class SimBench:
    """The simulated cloud in its usual bad mood, but with capacity."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        always = Weather(up=1e12, epoch=self.clock())
        self.cloud = SimCloud(self.clock, seed=11, manners=Manners(weather=always))

    def provider(self, fleet_id: str) -> Provider:
        return SimProvider(self.cloud, fleet_id)

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def close(self) -> None:
        self.cloud.invoice()


class WrappedBench(SimBench):
    """Everything harmless that can be put around a provider."""

    def provider(self, fleet_id: str) -> Provider:
        inner = Recorder(super().provider(fleet_id), lambda _record: None, clock=self.clock)
        return Retry(Limit(inner, per_second=4, clock=self.clock, sleep=self._sleep), sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)


class LossyBench(WrappedBench):
    """Of every three calls one fails before it has an effect, and the answer of another is lost after it."""

    def provider(self, fleet_id: str) -> Provider:
        turns = itertools.cycle(
            [
                Fault(before=ProviderError(ErrorClass.TRANSIENT, "InternalError", "it never arrived")),
                Fault(after=ProviderError(ErrorClass.TRANSIENT, "RequestTimeout", "the answer was lost")),
                None,
            ]
        )

        def plan(call: Call) -> Fault | None:
            return next(turns)

        return Retry(Faults(SimProvider(self.cloud, fleet_id), plan), sleep=self._sleep)


class AwsBench:
    """moto as EC2, with EC2's memory for tokens in front of it (tests/aws/proxy.py)."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._patch = folder, pytest.MonkeyPatch()
        self.proxy = standing_cloud(self._patch)

    def provider(self, fleet_id: str) -> Provider:
        from fleet.providers.aws.provider import AwsProvider

        return Guard(AwsProvider(fleet_id, setup_once(fleet_id), self._folder / "aws", shop=shelf))

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.002))

    def close(self) -> None:
        self._patch.undo()


class SingleFileBench(AwsBench):
    """An account that may make no fleets: one offer after the other."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.proxy.error("CreateFleet", "UnauthorizedOperation", times=10**9)


class GcpBench:
    """The stand-in for Compute Engine (tests/gce), a process of its own, through Google's library."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._patch = folder, pytest.MonkeyPatch()
        self.google = standing_google(self._patch)
        self.google.control("cloud", "pace", pace=0.001)

    def provider(self, fleet_id: str) -> Provider:
        from fleet.providers.gcp.provider import GcpProvider

        found = google.make_setup(fleet_id)
        return Guard(GcpProvider(fleet_id, found, self._folder / "gcp", shop=google.shelf, sleep=self._nap))

    def wait(self, seconds: float) -> None:
        self.google.control("cloud", "advance", seconds=seconds)

    def _nap(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.002))

    def close(self) -> None:
        faults = self.google.faults()
        self.google.control("cloud", "pace", pace=0.02)
        self._patch.undo()
        assert not faults, faults


class LossyGcpBench(GcpBench):
    """The same, losing answers on the wire: of every eighth request to Compute Engine, after it had its effect."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for turn in range(40):
            self.google.control("compute", "lose", method="compute.*", skip=7 * turn + 2)

    def provider(self, fleet_id: str) -> Provider:
        return Retry(super().provider(fleet_id), tries=12, sleep=self._nap)  # so many that bad luck is no failure


BENCHES: dict[str, Callable[[Path], Bench]] = {
    "local": LocalBench,
    "sim": SimBench,
    "sim, wrapped": WrappedBench,
    "sim, losing answers": LossyBench,
    "aws (moto)": AwsBench,
    "aws (moto), without fleets": SingleFileBench,
    "gcp (stand-in)": GcpBench,
    "gcp (stand-in), losing answers": LossyGcpBench,
}

WAIT_MOST = 400
"""Rounds; a second each on a virtual clock."""


class Desk:
    """What the tests do over and over, in the contract's words."""

    fleet_id = "fleet-1"

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.provider = bench.provider(self.fleet_id)
        self.region = self.provider.regions()[0]
        self._tokens = itertools.count(1)

    def offers(self, market: Market = Market.SPOT) -> list[Offer]:
        found = [o for o in self.provider.offers(self.region) if o.market is market]
        return sorted(found, key=lambda o: (o.price, o.key))

    def request(
        self,
        offers: list[Offer] | None = None,
        *,
        token: str | None = None,
        volume: NewVolume | ExistingVolume | None = None,
        max_price: int | None = None,
        fleet_id: str | None = None,
    ) -> LaunchRequest:
        token = token or f"token-{os.getpid()}-{next(self._tokens)}"  # ids of `local` follow from it, on the whole computer
        fleet = fleet_id or self.fleet_id
        tags = {"fleet": fleet, "run": "run-1", "attempt": "1", "try": "1", "token": token}
        return LaunchRequest(
            token=token,
            fleet_id=fleet,
            run_id="run-1",
            run_name="run",
            attempt=1,
            try_no=1,
            offers=tuple(self.offers()[:3] if offers is None else offers),
            max_price=max_price,
            volume=volume,
            user_data="{}",
            tags=tags,
        )

    def running(self, offers: list[Offer] | None = None, volume: NewVolume | None = None) -> Instance:
        made = self.provider.launch(self.request(offers, volume=volume))
        return self.until(lambda: self.instance_in(made.instance_id, InstanceState.RUNNING))

    def instance_in(self, instance_id: str, state: InstanceState) -> Instance | None:
        seen = self.provider.get(self.region, instance_id)
        return seen if seen is not None and seen.state is state else None

    def ended(self, instance_id: str) -> Instance:
        return self.until(lambda: self.instance_in(instance_id, InstanceState.TERMINATED))

    def listed(self, instance_id: str) -> Instance | None:
        found = [i for i in self.provider.list(self.region).instances if i.instance_id == instance_id]
        return found[0] if found else None

    def volume(self, volume_id: str) -> Volume | None:
        found = [v for v in self.provider.list(self.region).volumes if v.volume_id == volume_id]
        return found[0] if found else None

    def volume_in(self, volume_id: str, state: VolumeState, at: str | None = None) -> Volume:
        def check() -> Volume | None:
            seen = self.volume(volume_id)
            return seen if seen is not None and (seen.state, seen.attached_to) == (state, at) else None

        return self.until(check)

    def new_volume(self, zone: str) -> Volume:
        tags = {"fleet": self.fleet_id, "run": "run-1"}
        made = self.provider.create_volume(self.region, zone, NewVolume(size_gb=10), f"disk-{next(self._tokens)}", tags)
        return self.volume_in(made.volume_id, VolumeState.AVAILABLE)

    def attached(self, volume: Volume, instance: Instance) -> Volume:
        self.until(lambda: self.accepted(lambda: self.provider.attach(self.region, volume.volume_id, instance.instance_id)))
        return self.volume_in(volume.volume_id, VolumeState.IN_USE, instance.instance_id)

    def accepted(self, call: Callable[[], None]) -> bool:
        """False while the answer is ``not-yet``."""
        try:
            call()
        except ProviderError as error:
            if error.error_class is not ErrorClass.NOT_YET:
                raise
            return False
        return True

    def until(self, check: Callable[[], T | None]) -> T:
        for _ in range(WAIT_MOST):
            found = check()
            if found:
                return found
            self.bench.wait(1.0)
        raise AssertionError("it never came to pass")

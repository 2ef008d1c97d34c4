"""Stories as fleet records them: the same lives as the oracle's, as events of a journal."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.core.fold import fold_all
from fleet.core.state import FleetState
from fleet.core.upcast import decode, encode
from fleet.model import events as ev
from fleet.model.cloud import Billing, Instance, InstanceState, Market, NewVolume, Offer, PriceSince, Volume, VolumeState
from fleet.model.job import Job
from tests.unit.core.ledger.oracle import FREE_WITHIN, MINIMUM, Disk, Machine

BILLING = {"sim": Billing(minimum_seconds=MINIMUM, free_if_interrupted_within=FREE_WITHIN)}
RUN = "r-1"


def created(run_id: str = RUN, at: float = 0.0, **job: object) -> ev.RunCreated:
    made = Job.model_validate({"name": "r", "run": "x", "volume": {"size": "1GB"}, **job})
    return ev.RunCreated(at=at, run_id=run_id, name="r", job=made, mounts={})


def machine_events(number: int, machine: Machine, run_id: str = RUN, market: Market = Market.SPOT) -> list[ev.Event]:
    """From its intention to its end, and what the provider told of its prices afterwards."""
    who = {"run_id": run_id, "attempt": number}
    offer = Offer(
        provider="sim", region="r", zone="r-a", instance_type="t", market=market, price=machine.price,
        on_demand_price=machine.on_demand,
    )  # fmt: skip
    instance = Instance(
        instance_id=f"i-{number}", offer=offer, state=InstanceState.RUNNING, launched_at=float(machine.launched)
    )
    found: list[ev.Event] = [
        ev.LaunchIntended(
            **who, at=machine.launched, try_no=1, token="t", offers=(offer,), volume=NewVolume(size_gb=1),
            predecessor=None, lease_until=None, share=None, why="",
        ),
        ev.LaunchSucceeded(**who, at=machine.launched, try_no=1, instance=instance),
        *(ev.PriceChanged(**who, at=at, price=price) for at, price in machine.seen),
    ]  # fmt: skip
    if machine.ended is not None:
        found.append(ev.AttemptGone(**who, at=machine.ended, ended_at=machine.ended, ended_by=machine.by))
    if machine.history:
        prices = tuple(PriceSince(at=at, price=price) for at, price in machine.history)
        until = machine.ended if machine.ended is not None else machine.history[-1][0]
        found.append(ev.PricesFilled(**who, at=machine.launched, prices=prices, until=until))
    return found


def disk_events(name: str, disk: Disk, run_id: str = RUN) -> list[ev.Event]:
    """From its making to its deletion."""
    volume = Volume(
        volume_id=name, region="r", zone="r-a", size_gb=disk.size, state=VolumeState.IN_USE, created_at=float(disk.made),
        price=disk.price,
    )  # fmt: skip
    found: list[ev.Event] = [ev.VolumeMade(at=disk.made, run_id=run_id, provider="sim", volume=volume)]
    found += [ev.VolumeGrown(at=at, run_id=run_id, volume_id=name, size_gb=size) for at, size in disk.grown]
    if disk.deleted is not None:
        found.append(ev.VolumeDeleted(at=disk.deleted, run_id=run_id, volume_id=name))
    return found


def folded(*stories: Sequence[ev.Event], twice: bool = False) -> FleetState:
    """The state after some stories, as they come from a journal; ``twice``: every event was recorded by two controllers."""
    entries: list[tuple[int, float, list[ev.Event]]] = []
    for story in stories:
        for event in story:
            raw = [encode(event)] * (2 if twice else 1)
            entries.append((len(entries) + 1, event.at, [decode(one) for one in raw]))
    return fold_all(FleetState(fleet_id="f"), entries)

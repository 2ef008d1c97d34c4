"""Fleets whose nights are worked by hand: hours are counted from the night's midnight."""

from __future__ import annotations

from typing import Any

from fleet.core.state import AttemptState, FleetState, RunState, VolumeRecord
from fleet.model.base import Micros
from fleet.model.calendar import Span
from fleet.model.cloud import Billing, Market, NewVolume, Offer, PriceSince
from fleet.model.documents import Notice, Resumed
from fleet.model.job import Job
from fleet.report.reading import Read
from fleet.report.statement import Statement
from fleet.report.stating import statement

ZONE = "Europe/Berlin"
START = 1_795_561_200.0
"""Midnight of 2026-11-25 there."""
NIGHT = Span(START, START + 86_400)
USUAL = 600_000
READ = Read(billing={"aws": Billing(minimum_seconds=60, free_if_interrupted_within=3600)})


def hour(count: float) -> float:
    return START + count * 3600


def offer(zone: str = "us-east-1a", price: Micros = 100_000, kind: str = "g4dn.xlarge", market: str = "spot") -> Offer:
    return Offer(
        provider="aws", region=zone[:-1], zone=zone, instance_type=kind, market=Market(market), price=price,
        on_demand_price=USUAL,
    )  # fmt: skip


def attempt(
    number: int, start: float, end: float | None, prices: dict[float, Micros], zone: str = "us-east-1a", **more: Any
) -> AttemptState:
    """A machine from one hour until another (None: it lives), at prices from hours on; it spoke after six minutes."""
    usual = next(iter(prices.values()), 0)
    what = offer(zone, usual, more.pop("kind", "g4dn.xlarge"), more.pop("market", "spot"))
    told: dict[str, Any] = {
        "number": number,
        "try_no": 1,
        "token": f"t{number}",
        "offers": (what,),
        "volume": NewVolume(size_gb=100),
        "predecessor": None,
        "why": "",
        "intended_at": hour(start),
        "instance_id": f"i-{number}",
        "offer": what,
        "phase": "running" if end is None else "gone",
        "launched_at": hour(start),
        "ended_at": hour(end) if end is not None else None,
        "ended_by": None if end is None else "cloud",
        "began_at": hour(start + 0.1),
        "prices": tuple(PriceSince(at=hour(at), price=price) for at, price in prices.items()),
        **more,
    }
    return AttemptState(**told)


def resumed(at: float, lost_steps: int = 0, lost_seconds: float = 0.0, step: int | None = None) -> Resumed:
    return Resumed(
        ref=None, source="bucket", step=step, reached=None, lost_steps=lost_steps, lost_seconds=lost_seconds, at=hour(at),
        trained=None if step is None else float(step),
    )  # fmt: skip


def notice(at: float) -> Notice:
    return Notice(kind="notice", seen_at=hour(at))


def volume(name: str = "vol-1", since: float = -2.0, **more: Any) -> VolumeRecord:
    return VolumeRecord(
        volume_id=name, provider="aws", region="us-east-1", zone="us-east-1a", size_gb=100, price=80_000,
        created_at=hour(since), **more,
    )  # fmt: skip


def run(*attempts: AttemptState, name: str = "racer", created: float = -2.0, **more: Any) -> RunState:
    job = more.pop("job", {})
    volumes = more.pop("volumes", ())
    return RunState(
        run_id=f"{name}-1", name=name, job=Job.model_validate({"name": "racer", "run": "true", **job}), workdir_key=None,
        created_at=hour(created), attempts={one.number: one for one in attempts},
        volumes={one.volume_id: one for one in volumes}, **more,
    )  # fmt: skip


def fleet(*runs: RunState, **more: Any) -> FleetState:
    return FleetState(runs={one.run_id: one for one in runs}, names={one.name: one.run_id for one in runs}, **more)


def racer(**more: Any) -> RunState:
    """Two machines: the first until it was taken at six, the second from half past six on, dearer from ten on."""
    first = attempt(
        1, -2, 6, {-2: 100_000}, resumed=resumed(-1.8), notice=notice(5.98), released_at=hour(5.99),
    )  # fmt: skip
    second = attempt(
        2, 6.5, None, {6.5: 200_000, 10: 300_000}, "us-east-1b", resumed=resumed(6.8, 120, 400.0), predecessor=1
    )
    return run(first, second, volumes=(volume(),), volume_id="vol-1", **more)


def night(state: FleetState, now: float = 26.0, read: Read = READ, of: Span = NIGHT, zone: str = ZONE) -> Statement:
    return statement(state, of, hour(now), zone, read, fleet="s3://fleet-example")

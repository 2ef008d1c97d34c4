"""A fleet of 2,000 runs over 90 days, as a journal in a folder: what asking about money is measured with.

What a controller would have written: 25 entries for a run, two or three machines each, prices that changed every two hours,
a disk each, and the bucket counted every day. A snapshot lies a few entries behind the head, as it does in life.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleet.core.fold import fold_all
from fleet.core.state import FOLD_VERSION, FleetState
from fleet.core.upcast import decode, encode
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import canonical_json
from fleet.model.cloud import Instance, InstanceState, Market, NewVolume, Offer, PriceSince, Volume, VolumeState
from fleet.model.documents import Notice
from fleet.model.job import Job
from fleet.store import snapshots
from fleet.store.files import FileObjects
from fleet.store.fleetfile import ensure_fleet

DAY = 86_400.0
TYPES = {"g4dn.xlarge": 526_000, "g5.xlarge": 1_006_000, "g6.xlarge": 804_800, "p3.2xlarge": 3_060_000}
ZONES = ("us-east-1a", "us-east-1b", "us-west-2a", "eu-central-1a")
BEHIND = 60
"""Entries since the snapshot."""

Entry = tuple[float, list[ev.Event]]


def make(folder: Path, runs: int = 2000, days: int = 90, end: float = 1_795_000_000.0, seed: int = 1) -> int:
    """Write the journal and its snapshot; how many entries it has. The last run is still open at ``end``."""
    objects = FileObjects(folder, lambda: end)
    fleet_id = ensure_fleet(objects, "money-benchmark").fleet_id
    rng, entries = random.Random(seed), list[Entry]()
    for number in range(runs):
        entries += _run(number, end - days * DAY + (days - 4) * DAY * number / runs, rng, open_at=number == runs - 1)
    entries += [
        (at, [_counted(at, n)]) for n, at in enumerate(end - days * DAY + day * DAY for day in range(days))
    ]  # fmt: skip
    entries.sort(key=lambda entry: entry[0])
    hashes = list(_written(folder, fleet_id, entries))
    known = len(entries) - BEHIND
    told = ((n, at, [decode(encode(e)) for e in events]) for n, (at, events) in enumerate(entries[:known], 1))
    state = fold_all(FleetState(fleet_id=fleet_id), told)
    snapshots.save(objects, FOLD_VERSION, known, hashes[known - 1], state.model_dump_json().encode())
    return len(entries)


def _written(folder: Path, fleet_id: str, entries: list[Entry]) -> Iterator[str]:
    """Entries in their chain, each with the hash of the one before. Without fsync: nobody minds losing them."""
    before = ""
    (folder / layout.JOURNAL).mkdir(exist_ok=True)
    for number, (at, events) in enumerate(entries, 1):
        raw: list[dict[str, Any]] = [encode(event) for event in events]
        head = {"v": 1, "n": number, "fleet": fleet_id, "prev": before, "nonce": f"{number:032x}"}
        data = canonical_json({**head, "at": at, "by": "bench", "version": "0", "events": raw})
        (folder / layout.journal_entry(number)).write_bytes(data)
        before = hashlib.sha256(data).hexdigest()
        yield before


def _counted(at: float, day: int) -> ev.StorageMeasured:
    size = (10 + day) * 10**9
    asked = {"put": 20_000 * (day + 1), "get": 90_000 * (day + 1)}
    return ev.StorageMeasured(at=at, provider="aws", region="us-east-1", bytes=size, objects=100 * day, **asked)


def _offer(kind: str, zone: str, rng: random.Random) -> Offer:
    price = round(TYPES[kind] * rng.uniform(0.25, 0.5))
    return Offer(
        provider="aws", region=zone[:-1], zone=zone, instance_type=kind, market=Market.SPOT, price=price,
        on_demand_price=TYPES[kind], accelerators=("T4",),
    )  # fmt: skip


def _run(number: int, begins: float, rng: random.Random, *, open_at: bool) -> Iterator[Entry]:
    run_id, name = f"train-{number % 40}-{number:08x}", f"train-{number % 40}"
    job = Job.model_validate(
        {"name": name, "run": "python train.py", "resources": {"infra": "aws"}, "volume": {"size": 100}}
    )
    yield begins, [ev.RunCreated(at=begins, run_id=run_id, name=name, job=job, mounts={})]
    at = begins + 5
    for attempt in range(1, 1 + rng.choice((2, 3))):
        offers = tuple(_offer(rng.choice(list(TYPES)), rng.choice(ZONES), rng) for _ in range(4))
        who = {"run_id": run_id, "attempt": attempt}
        intended = ev.LaunchIntended(
            **who, at=at, try_no=1, token="t" * 64, offers=offers, volume=NewVolume(size_gb=100), predecessor=None,
            lease_until=at + 7 * DAY, share=None, why="the cheapest by what an hour of training is expected to cost",
        )  # fmt: skip
        yield at, [intended]
        machine = Instance(
            instance_id=f"i-{number:08x}{attempt:04x}", offer=offers[0], state=InstanceState.RUNNING, launched_at=at + 2
        )
        yield at + 3, [ev.LaunchSucceeded(**who, at=at + 3, try_no=1, instance=machine)]
        if attempt == 1:
            disk = Volume(
                volume_id=f"vol-{number:08x}", region=offers[0].region, zone=offers[0].zone, size_gb=100,
                state=VolumeState.IN_USE, created_at=at + 2, price=80_000,
            )  # fmt: skip
            yield at + 10, [ev.VolumeMade(at=at + 10, run_id=run_id, provider="aws", volume=disk)]
        yield at + 60, [ev.AttemptBegan(**who, at=at + 60, instance_id=machine.instance_id)]
        lasts = rng.uniform(2, 20) * 3600
        ends = at + lasts
        changes = [PriceSince(at=at + 2, price=offers[0].price)]
        for hour in range(2, int(lasts // 3600), 2):
            price = round(offers[0].price * rng.uniform(0.9, 1.2))
            changes.append(PriceSince(at=at + hour * 3600, price=price))
            yield changes[-1].at, [ev.PriceChanged(**who, at=changes[-1].at, price=price)]
        if open_at:
            return
        notice = Notice(kind="notice", seen_at=ends - 120, until=ends)
        yield ends - 118, [ev.NoticeSeen(**who, at=ends - 118, notice=notice)]
        yield ends + 5, [ev.AttemptGone(**who, at=ends + 5, ended_at=ends, ended_by="cloud", step=1000, rate=3.0)]
        yield ends + 3600, [ev.PricesFilled(**who, at=ends + 3600, prices=tuple(changes), until=ends)]
        at = ends + 30
    yield at, [ev.RunEnded(at=at, run_id=run_id, outcome="succeeded", reason="it said so")]
    yield at + 7 * DAY, [ev.VolumeDeleted(at=at + 7 * DAY, run_id=run_id, volume_id=f"vol-{number:08x}")]

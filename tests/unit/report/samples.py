"""A statement with something in every part of it, and names and lines that mean mischief."""

from __future__ import annotations

from dataclasses import replace

from fleet.model.cloud import PriceSince
from fleet.report.statement import (
    Earlier,
    Left,
    Month,
    PriceHistory,
    RunNight,
    Share,
    Spent,
    Statement,
    Taken,
    Totals,
    Waste,
)

DAY = 86400.0
START = 1_795_561_200.0
"""Midnight of 2026-11-25 in Berlin."""
MISCHIEF = "<script>alert(1)</script><img src=x onerror=alert(2)>"
ZONE = "Europe/Berlin"


def spent(day: int) -> Spent:
    machines, disks = 2_000_000 + 400_000 * (day % 5), 1_333_333
    small = 60_000
    kinds = (("instance", machines), ("volume", disks), ("address", small))
    return Spent(f"2026-11-{day:02d}", machines + disks + small, 3 * machines + disks + small, kinds)


def shares(scale: float = 1.0) -> tuple[Share, ...]:
    parts = {"training": 61_000.0, "boot": 2_400.0, "restore": 700.0, "lost work": 3_100.0, "idle": 0.0, "leaving": 240.0}
    return tuple(Share(what, seconds * scale) for what, seconds in parts.items())


def run(name: str = "racer") -> RunNight:
    return RunNight(
        run_id=f"{name}-1a2b3c4d",
        name=name,
        outcome="going on",
        ended=False,
        paid=3_100_000,
        on_demand=8_900_000,
        paid_whole=11_200_000,
        budget=15_000_000,
        steps=12_400,
        per_thousand=250_000,
        machines=("g4dn.xlarge spot, us-east-1a", "g4dn.xlarge spot, us-east-1b"),
        launches=3,
        interruptions=2,
        shares=shares(),
        waiting=900.0,
        reason="",
        who=name,
    )


def failed(reason: str) -> RunNight:
    return replace(run(MISCHIEF), run_id="odd-99999999", outcome="failed", ended=True, reason=reason, budget=None)


def taken(hour: float, kind: str = "notice", recover: float | None = 412.0) -> Taken:
    where = "g4dn.xlarge spot, us-east-1a"
    return Taken("racer-1a2b3c4d", "racer", 4, kind, START + hour * 3600, where, 120, 410.0, recover, moved=recover is None)


def history(zone: str, level: float, bid: int | None = 300_000) -> PriceHistory:
    points = tuple(
        PriceSince(at=START - 27 * DAY + n * DAY, price=round((level + 0.02 * ((n * 7) % 5)) * 1e6)) for n in range(28)
    )
    used = ((START + 3600, START + 20_000), (START + 30_000, START + 70_000))
    return PriceHistory(
        "aws", "us-east-1", zone, "g4dn.xlarge", 526_000, bid, points, START + DAY, used, "EC2's price history"
    )


def statement(reason: str = "exit code 1\nTraceback: boom") -> Statement:
    days = tuple(spent(day) for day in range(1, 26))
    night = days[-1]
    month = Month("2026-11", sum(day.paid for day in days), 90_000_000, 118_000_000, 131_000_000, 100_000_000)
    totals = Totals(
        night=replace(night, estimated=12_000), week_before=4_200_000, days_before=7, machine_seconds=67_440.0, steps=12_400,
        per_thousand=340_000, wasted=610_000, budget=6_000_000, month=month,
    )  # fmt: skip
    left = (
        Left("machine", "i-0abc", "aws/us-east-1", "", 152_000_000, None,
             "no attempt of this fleet owns it", "fleet gc --delete"),
        Left(
            "volume", "vol-0123", "aws/us-east-1", "old", 40_000_000, START - 20 * DAY,
            "its run ended on 2026-11-05", "fleet volumes delete vol-0123",
        ),
    )  # fmt: skip
    return Statement(
        fleet="s3://fleet-example",
        date="2026-11-25",
        start=START,
        end=START + DAY,
        zone=ZONE,
        made_at=START + DAY + 7200,
        totals=totals,
        days=days,
        runs=(run(), failed(reason)),
        shares=shares(2.0),
        interruptions=(taken(3.2), taken(9.7, "kill"), taken(22.5, "rebalance+notice", None)),
        waste=(
            Waste("lost work", 240_000, 3_100.0, "training that had to be done again"),
            Waste("boot", 310_000, 2_400.0, "from the launch to the first word of the machine"),
        ),
        prices=(history("us-east-1a", 0.21), history("us-east-1b", 0.28), history("us-east-1c", 0.35)),
        left=left,
        advice=("End the machine that no run owns: `fleet gc --delete`.", "At this pace the month passes its budget."),
        unsent=(Earlier("2026-11-24", "2026-11-24: $4.11 (on demand $12.00), 2 runs"),),
    )


def quiet() -> Statement:
    full = statement()
    nothing = Spent("2026-11-25", 0, 0, ())
    month = Month("2026-11", 0, 0, 0, 0, None)
    totals = Totals(nothing, 0, 0, 0.0, 0, None, 0, None, month)
    return replace(
        full, totals=totals, days=(nothing,), runs=(), shares=(), interruptions=(), waste=(), prices=(), left=(),
        advice=(), unsent=(),
    )  # fmt: skip

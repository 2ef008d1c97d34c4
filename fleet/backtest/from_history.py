"""A market from a fleet's own history: a pool has capacity from a launch on, and none from a refusal or an interruption."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fleet.backtest.market import Pool, Record, Recorded
from fleet.backtest.sold import allowed, on_demand_price, sim_type, wanted_types
from fleet.core.history import VERSION
from fleet.model.base import FURTHEST, Micros, Seconds
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.providers.sim.market import SimType

AGAIN = "Write it anew: fleet history export."
UP = {"launched": True, "refused": False, "taken": False}
"""What a record says of capacity; the others say nothing."""
KNOWN = frozenset({*UP, "rebalance", "notice", "ended"})
LEAST: Seconds = 3600
"""A history that reaches no further says nothing of how things go."""


def history_market(found: Mapping[str, Any], name: str, job: Job) -> Recorded:
    """The pools of an export, as far as a job may use them. Raises FleetError for a file that lies, or says nothing."""
    if found.get("v") != VERSION:
        raise FleetError(
            f"{name} is of version {found.get('v')!r}; this fleet reads {VERSION}", "Upgrade fleet, or export anew."
        )
    records = found.get("records")
    if not isinstance(records, list):
        raise FleetError(f"{name} has no records", AGAIN)
    seen: dict[tuple[str, str, str], list[tuple[Seconds, bool, Micros | None]]] = {}
    elsewhere: set[str] = set()
    last = -math.inf
    for index, record in enumerate(records):
        at, what, where, price = _checked(name, index, record)
        if at < last:
            raise FleetError(f"{name}: records[{index}] is earlier than the one before it", AGAIN)
        last = at
        if record["market"] != "spot":
            continue
        region, zone, kind = where
        if not allowed(job, region, zone) or (wanted_types(job) and kind not in wanted_types(job)):
            elsewhere.add(f"{zone}/{kind}")
            continue
        if what in UP:
            seen.setdefault(where, []).append((at, UP[what], price))
    return _market(name, seen, elsewhere)


def _checked(name: str, index: int, record: Any) -> tuple[Seconds, str, tuple[str, str, str], Micros | None]:
    """One record's time, what it says, where, and at what price."""

    def wrong(why: str) -> FleetError:
        return FleetError(f"{name}: records[{index}]: {why}", AGAIN)

    if not isinstance(record, dict):
        raise wrong("it is no object")
    at, what, price = record.get("at"), record.get("what"), record.get("usd_per_hour")
    if not isinstance(at, (int, float)) or isinstance(at, bool) or not abs(at) <= FURTHEST:
        raise wrong(f"at is {at!r}, no time")
    if what not in KNOWN:
        raise wrong(f"what is {what!r}; known are {', '.join(sorted(KNOWN))}")
    where = (record.get("region"), record.get("zone"), record.get("instance_type"))
    if not all(isinstance(part, str) and part for part in where) or record.get("market") not in ("spot", "on-demand"):
        raise wrong("its region, zone, instance_type or market is missing")
    if price is not None and not (isinstance(price, (int, float)) and not isinstance(price, bool) and 0 < price < 10_000):
        raise wrong(f"usd_per_hour is {price!r}, no price")
    region, zone, kind = where
    return float(at), what, (str(region), str(zone), str(kind)), round(price * 1e6) if price is not None else None


def _market(
    name: str, seen: Mapping[tuple[str, str, str], list[tuple[Seconds, bool, Micros | None]]], elsewhere: set[str]
) -> Recorded:
    usable = {where: of for where, of in seen.items() if any(price is not None for _, _, price in of)}
    if not usable:
        more = f": it tells of {', '.join(sorted(elsewhere)[:8])}" if elsewhere else ": it tells of no spot machine at all"
        raise FleetError(
            f"{name} has nothing that this job could use{more}", "A market by name works without: --market average"
        )
    first, last = min(of[0][0] for of in usable.values()), max(of[-1][0] for of in usable.values())
    if last - first < LEAST:
        raise FleetError(
            f"{name} reaches over {last - first:.0f} s only: too short to try anything on",
            "A market by name: --market average",
        )
    pools: dict[Pool, Record] = {}
    types: dict[str, SimType] = {}
    regions: dict[str, tuple[str, ...]] = {}
    notes = ["capacity is what the fleet met: a pool is up from a launch on, and down from a refusal or an interruption"]
    for (region, zone, kind), of in usable.items():
        prices = [(at - first, price) for at, _, price in of if price is not None]
        usual = on_demand_price(kind, region)
        if usual is None:
            usual = max(price for _, price in prices)
            notes.append(f"what {kind} costs on demand is not known here: its highest spot price is taken")
        types.setdefault(kind, sim_type(kind, usual))
        regions[region] = tuple(dict.fromkeys((*regions.get(region, ()), zone)))
        pools[zone, kind] = Record(_turns(of, first), of[0][1], ((0.0, prices[0][1]), *prices[1:]))
    return Recorded(name, types, regions, pools, last - first, tuple(dict.fromkeys(notes)))


def _turns(of: list[tuple[Seconds, bool, Micros | None]], first: Seconds) -> tuple[Seconds, ...]:
    turns: list[Seconds] = []
    up = of[0][1]
    for at, now_up, _ in of:
        if now_up != up:
            turns.append(at - first)
            up = now_up
    return tuple(turns)

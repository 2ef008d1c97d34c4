"""What the local market has in store: a pure function of its description and time, so that no daemon is needed for it.

Four kinds: ``none`` never takes an instance; ``schedule`` says what happens to the first, second, … spot instance launched;
``trace`` follows measured capacity (spot-traces format: ``data[i]`` ≥ 1 is capacity); ``seed`` draws ups and
downs.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from fleet.model.base import FURTHEST, Frozen, Micros, Seconds
from fleet.model.cloud import Market, Offer
from fleet.model.errors import FleetError
from fleet.providers.local.folder import REGION, read_json, write_json

ZONES = ("here-a", "here-b", "here-c")
SPOT_SHARE = 0.3
"""Spot costs about this share of on-demand, as on EC2 for GPUs (policy.md: 0.318)."""
Stretch = Annotated[float, Field(ge=0, le=FURTHEST)]
Span = Annotated[float, Field(ge=0.001, le=FURTHEST)]
TURNS = 10_000
"""A market that is drawn begins anew after about so many ups and downs: else it took longer to look at with every day."""
TRACE_FORM = 'It holds {"metadata": {"gap_seconds": …}, "data": [0, 1, …]}.'
ZONE_FACTOR = {"here-a": 1.0, "here-b": 1.08, "here-c": 1.15}


class TakeBack(Frozen):
    """What happens to one spot instance."""

    after: Stretch
    from_: Literal["launch", "training"] = Field(default="launch", alias="from")
    signals: tuple[Literal["rebalance", "notice"], ...] = ()
    """None of them: killed without warning."""
    rebalance_lead: Stretch = 0.0
    """From the rebalance signal to the notice."""
    lead: Stretch = 0.0
    """From the notice to the end."""
    zone_out: Stretch = 0.0
    """The zone has no spot capacity for so long, from the notice (or the end) on."""


class LocalType(Frozen):
    """An instance type that this computer pretends to have."""

    price: Micros = Field(gt=0)
    """On demand, micro-dollars per hour."""
    accelerators: tuple[str, ...] = ()


class _Common(Frozen):
    types: dict[str, LocalType] = Field(
        default_factory=lambda: {
            "small": LocalType(price=500_000),
            "medium": LocalType(price=900_000, accelerators=("K80",)),
            "large": LocalType(price=1_600_000, accelerators=("K80", "K80")),
        }
    )


class NoMarket(_Common):
    """Nothing is ever taken back."""

    kind: Literal["none"] = "none"


class ScheduleMarket(_Common):
    """The k-th spot instance launched gets the k-th entry; those after the last are left alone."""

    kind: Literal["schedule"] = "schedule"
    take_backs: tuple[TakeBack, ...]


class TraceMarket(_Common):
    """Measured capacity per zone. Zones without a trace have no spot capacity; after its end a trace stays as it was."""

    kind: Literal["trace"] = "trace"
    zones: dict[str, str]
    """Zone → file."""
    tick: Span = 1.0
    """Seconds that one step of the trace takes here."""
    start: int = Field(default=0, ge=0, le=10**9)
    """The step that stands for ``epoch``."""
    epoch: Seconds
    lead: Stretch = 0.0
    """Notice given before the end; 0: none."""


class SeedMarket(_Common):
    """Each zone is up for ``up`` seconds and down for ``down`` seconds on average, drawn from the seed."""

    kind: Literal["seed"] = "seed"
    seed: int
    up: Span = 60.0
    down: Span = 20.0
    lead: Stretch = 2.0
    epoch: Seconds
    """When the first stretch began; ``set_market`` puts now if nothing is said."""


AnyMarket = Annotated[NoMarket | ScheduleMarket | TraceMarket | SeedMarket, Field(discriminator="kind")]
MarketSpec = NoMarket | ScheduleMarket | TraceMarket | SeedMarket
_ADAPTER: TypeAdapter[MarketSpec] = TypeAdapter(AnyMarket)


def set_market(home: Path, spec: dict[str, Any]) -> None:
    """Give a local cloud its market; instances that live already keep their fate. Raises FleetError for a wrong one."""
    if spec.get("kind") == "seed":
        spec = {"epoch": time.time(), **spec}
    parse_market(spec)
    home.mkdir(parents=True, exist_ok=True)
    write_json(home / "market.json", spec)


def parse_market(spec: dict[str, Any]) -> MarketSpec:
    """A market from its description. Raises FleetError saying which field is wrong."""
    try:
        market = _ADAPTER.validate_python(spec)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FleetError(f"the local market's description is wrong: {where}: {first['msg']}") from None
    if isinstance(market, TraceMarket):
        for path in market.zones.values():
            read_trace(path)
    return market


def read_market(home: Path) -> MarketSpec:
    """The home's market; ``none`` unless one was set."""
    return parse_market(read_json(home / "market.json") or {"kind": "none"})


@lru_cache(maxsize=64)
def read_trace(path: str) -> tuple[int, ...]:
    """The capacity at each step of a trace file. Raises FleetError if it holds none."""
    try:
        data = tuple(int(value) for value in json.loads(Path(path).read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise FleetError(f"{path} is no spot trace: {error!r}", TRACE_FORM) from None
    if not data:
        raise FleetError(f"{path} is a spot trace without data", TRACE_FORM)
    return data


def capacity(market: MarketSpec, zone: str, now: float) -> bool:
    """Whether a spot instance can be had in a zone now, outages apart."""
    return _next_change(market, zone, now)[0]


def fate(market: MarketSpec, zone: str, spot_number: int, now: float) -> dict[str, Any] | None:
    """What will happen to the ``spot_number``-th (from 0) spot instance, launched now; None: it is left alone."""
    if isinstance(market, ScheduleMarket):
        if spot_number < len(market.take_backs):
            return market.take_backs[spot_number].model_dump(by_alias=True)
        return None
    up, until = _next_change(market, zone, now)
    if not up or until is None or isinstance(market, NoMarket):
        return None
    signals = ["notice"] if market.lead > 0 else []
    return {"take_at": until, "signals": signals, "lead": market.lead, "rebalance_lead": 0.0, "zone_out": 0.0}


def _next_change(market: MarketSpec, zone: str, now: float) -> tuple[bool, float | None]:
    """Whether the zone is up, and until when it stays as it is (None: for ever)."""
    if isinstance(market, TraceMarket):
        return _trace_change(market, zone, now)
    if isinstance(market, SeedMarket):
        return _seed_change(market, zone, now)
    return True, None


def _trace_change(market: TraceMarket, zone: str, now: float) -> tuple[bool, float | None]:
    if zone not in market.zones:
        return False, None
    data = read_trace(market.zones[zone])
    index = min(max(0, market.start + math.floor((now - market.epoch) / market.tick)), len(data) - 1)
    up = data[index] >= 1
    for later in range(index + 1, len(data)):
        if (data[later] >= 1) != up:
            return up, market.epoch + (later - market.start) * market.tick
    return up, None


def _seed_change(market: SeedMarket, zone: str, now: float) -> tuple[bool, float | None]:
    age = TURNS * (market.up + market.down)
    number = max(0, math.floor((now - market.epoch) / age))
    at, turn = market.epoch + number * age, 0
    end, which = at + age, f"{zone}/{number}" if number else zone
    while True:
        up = turn % 2 == 0
        mean = market.up if up else market.down
        at += -mean * math.log(1.0 - _draw(market.seed, which, turn))
        if at > now or end <= now:
            return up, max(min(at, end), math.nextafter(now, math.inf))
        turn += 1


def _draw(seed: int, which: str, turn: int) -> float:
    """A number in [0, 1) that depends on nothing else."""
    digest = hashlib.sha256(f"{seed}/{which}/{turn}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def offers(market: MarketSpec) -> list[Offer]:
    """Everything for sale, with prices."""
    found = []
    for zone in ZONES:
        for name, kind in market.types.items():
            spot = round(kind.price * SPOT_SHARE * ZONE_FACTOR[zone])
            for way, price in ((Market.SPOT, spot), (Market.ON_DEMAND, kind.price)):
                found.append(
                    Offer(
                        provider="local",
                        region=REGION,
                        zone=zone,
                        instance_type=name,
                        market=way,
                        price=price,
                        on_demand_price=kind.price,
                        accelerators=kind.accelerators,
                    )
                )
    return found

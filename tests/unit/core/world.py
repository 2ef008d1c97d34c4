"""Short forms for the facts → actions cases: a case names only what it is about, everything else has a usual value."""

from __future__ import annotations

from typing import Any

from fleet.core.actions import Action, CloseAccess, Record
from fleet.core.facts import facts
from fleet.core.fold import fold
from fleet.core.observed import Lookup, Observed
from fleet.core.plan import plan
from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.model.cloud import (
    AccessRule,
    Billing,
    Capabilities,
    ExistingVolume,
    Instance,
    InstanceState,
    Listing,
    Market,
    NewVolume,
    Offer,
    Volume,
    VolumeState,
)
from fleet.model.documents import Desired, Heartbeat, Notice, Outcome, Resumed
from fleet.model.errors import ErrorClass
from fleet.model.job import Job

RUN = "racer-1"
PRICES = {"small": 100_000, "medium": 200_000, "large": 400_000}


def offer(name: str) -> Offer:
    """``a-small-spot`` or ``b-medium-on-demand``, with ``@price`` in micro-dollars to override the usual one.

    ``other:a-small-spot`` is another cloud's, whose region and zones have the very same names.
    """
    provider, _, name = name.rpartition(":")
    name, _, price = name.partition("@")
    zone, kind, market = name.split("-", 2)
    usual = PRICES[kind] if market == "spot" else PRICES[kind] * 3
    return Offer(
        provider=provider or "sim",
        region="r",
        zone=f"r-{zone}",
        instance_type=kind,
        market=Market(market),
        price=int(price) if price else usual,
        on_demand_price=PRICES[kind] * 3,
    )


def short(of: Offer) -> str:
    """The short form of an offer, without its price."""
    cloud = "" if of.provider == "sim" else f"{of.provider}:"
    return f"{cloud}{of.zone.removeprefix('r-')}-{of.instance_type}-{of.market.value}"


def job(fields: dict[str, Any]) -> Job:
    """A job on ``sim`` with the given fields."""
    resources = {"infra": "sim", **fields.get("resources", {})}
    return Job.model_validate({"name": "racer", "run": "true", **fields, "resources": resources})


def _instance(data: dict[str, Any]) -> Instance:
    attempt = data.get("attempt", 1)
    return Instance(
        instance_id=data.get("id", f"i-{attempt}"),
        offer=offer(data.get("offer", "a-small-spot")),
        state=InstanceState(data.get("state", "running")),
        launched_at=data.get("launched_at", 0.0),
        ended_at=data.get("ended_at"),
        ended_by=data.get("ended_by"),
        tags=data.get(
            "tags", {"fleet": "f", "run": RUN, "attempt": str(attempt), "token": data.get("token", f"token-{attempt}")}
        ),
    )


def _volume(data: dict[str, Any]) -> Volume:
    return Volume(
        volume_id=data.get("id", "v-1"),
        region="r",
        zone=data.get("zone", "r-a"),
        size_gb=data.get("size_gb", 500),
        state=VolumeState(data.get("state", "available")),
        attached_to=data.get("attached_to"),
        created_at=data.get("created_at", 0.0),
        price=80_000,
        tags={"fleet": "f", "run": data.get("run", RUN), **({"volume": data["name"]} if "name" in data else {})},
    )


def _rule(data: dict[str, Any]) -> AccessRule:
    return AccessRule(
        **{"region": "r", "group_id": "sg-1", "rule_id": "sgr-1", "cidr": "198.51.100.7/32", "fleet_id": "f", **data}
    )


def _launch_intended(at: float, data: dict[str, Any]) -> ev.Event:
    attempt, volume = data.get("attempt", 1), data.get("volume")
    return ev.LaunchIntended(
        at=at,
        run_id=RUN,
        attempt=attempt,
        try_no=data.get("try_no", 1),
        token=data.get("token", f"token-{attempt}"),
        offers=tuple(offer(o) for o in data.get("offers", ["a-small-spot"])),
        volume=ExistingVolume(volume_id=volume, zone="r-a") if volume else NewVolume(size_gb=500),
        predecessor=data.get("predecessor"),
        besides=tuple(data.get("besides", ())),
        lease_until=data.get("lease_until", 1_000_000.0),
        share=data.get("share"),
        why="",
    )


def event(data: dict[str, Any]) -> ev.Event:
    """One event of a case: ``{<type>: {fields}}``, ``at`` among the fields, and ``run`` if it is another run's."""
    ((kind, fields),) = data.items()
    fields = dict(fields or {})
    run = fields.pop("run", None)
    made = _made(kind, fields)
    if run is None or kind == "orphan-intended":
        return made
    update: dict[str, Any] = {"run_id": run, **({"name": run} if kind == "run-created" else {})}
    if isinstance(made, ev.VolumeMade):
        update["volume"] = made.volume.model_copy(update={"tags": {**made.volume.tags, "run": run}})
    return made.model_copy(update=update)


def _made(kind: str, fields: dict[str, Any]) -> ev.Event:
    at = float(fields.pop("at", 0.0))
    attempt = fields.get("attempt", 1)
    if kind == "run-created":
        return ev.RunCreated(at=at, run_id=RUN, name="racer", job=job(fields), mounts={})
    if kind == "launch-intended":
        return _launch_intended(at, fields)
    if kind == "launch-succeeded":
        instance = _instance({"launched_at": at, **fields})
        return ev.LaunchSucceeded(at=at, run_id=RUN, attempt=attempt, try_no=fields.get("try_no", 1), instance=instance)
    if kind == "volume-made":
        return ev.VolumeMade(at=at, run_id=RUN, provider=fields.pop("provider", "sim"), volume=_volume(fields))
    return _plain(kind, at, attempt, fields)


def _plain(kind: str, at: float, attempt: int, fields: dict[str, Any]) -> ev.Event:
    who = {"at": at, "run_id": RUN}
    one = {**who, "attempt": attempt}
    rest = {k: v for k, v in fields.items() if k != "attempt"}
    error = {"code": "Code", "message": "message", **rest}
    makers: dict[str, Any] = {
        "run-resumed": lambda: ev.RunResumed(**who, **rest),
        "stop-requested": lambda: ev.StopRequested(**who, **rest),
        "launch-failed": lambda: ev.LaunchFailed(
            **one, **{"try_no": 1, **error, "error_class": ErrorClass(rest["error_class"])}
        ),
        "call-failed": lambda: ev.CallFailed(
            **one, **{"call": "launch", **error, "error_class": ErrorClass(rest["error_class"])}
        ),
        "attempt-began": lambda: ev.AttemptBegan(**one, instance_id=f"i-{attempt}"),
        "notice-seen": lambda: ev.NoticeSeen(**one, notice=Notice(**{"kind": "notice", "seen_at": at, **rest})),
        "attempt-resumed": lambda: ev.AttemptResumed(**one, resumed=resumed(at, rest)),
        "work-learned": lambda: ev.WorkLearned(**one, **rest),
        "attempt-relieved": lambda: ev.AttemptRelieved(**one, **{"by": attempt + 1, "reason": "why", **rest}),
        "attempt-released": lambda: ev.AttemptReleased(
            **one, **{"step": None, "checkpoint": None, "checkpoint_step": None, **rest}
        ),
        "attempt-finished": lambda: ev.AttemptFinished(**one, outcome=Outcome(**rest), step=None),
        "terminate-intended": lambda: ev.TerminateIntended(**one, **{"reason": "why", **rest}),
        "attempt-gone": lambda: ev.AttemptGone(**one, **{"ended_at": at, "ended_by": "cloud", **rest}),
        "boot-examined": lambda: ev.BootExamined(**one, **rest),
        "price-changed": lambda: ev.PriceChanged(**one, **rest),
        "volume-grow-intended": lambda: ev.VolumeGrowIntended(**who, **rest),
        "volume-grow-failed": lambda: ev.VolumeGrowFailed(
            **who, **{**error, "error_class": ErrorClass(rest["error_class"])}
        ),
        "volume-grown": lambda: ev.VolumeGrown(**who, **rest),
        "volume-delete-intended": lambda: ev.VolumeDeleteIntended(**who, **rest),
        "volume-passed": lambda: ev.VolumePassed(**who, **rest),
        "volume-deleted": lambda: ev.VolumeDeleted(**who, **rest),
        "run-ended": lambda: ev.RunEnded(**who, **{"reason": "", **rest}),
        "budget-set": lambda: ev.BudgetSet(at=at, **{"day": None, "month": None, "time_zone": "UTC", **rest}),
        "budget-warned": lambda: ev.BudgetWarned(at=at, **{"run_id": None, "spent": 0, "forecast": 0, **rest}),
        "lease-extended": lambda: ev.LeaseExtended(**one, **{"share": None, **rest}),
        "orphan-intended": lambda: ev.OrphanIntended(at=at, provider="sim", region="r", reason="", **rest),
    }
    made: ev.Event = makers[kind]()
    return made


def resumed(at: float, data: dict[str, Any]) -> Resumed:
    """A resumption from nothing unless the case says more."""
    return Resumed(
        **{
            "ref": None,
            "source": "nothing",
            "step": None,
            "reached": None,
            "lost_steps": 0,
            "lost_seconds": 0.0,
            "at": at,
            **data,
        }
    )


def _heartbeat(data: dict[str, Any], now: float) -> Heartbeat:
    data = dict(data)
    attempt = data.pop("attempt", 1)
    if "resumed" in data:
        data["resumed"] = resumed(now, data["resumed"] or {})
    return Heartbeat(
        **{
            "run_id": RUN,
            "attempt": attempt,
            "instance_id": f"i-{attempt}",
            "boot_id": "b",
            "beat": 1,
            "at": now,
            "phase": "training",
            **data,
        }
    )


def folded(events: list[dict[str, Any]]) -> FleetState:
    """The state after a case's events, each an entry of its own."""
    state = FleetState(fleet_id="f")
    for number, data in enumerate(events, 1):
        one = event(data)
        state = fold(state, number, one.at, [one])
    return state


def _listing(world: dict[str, Any], now: float) -> Listing:
    return Listing(
        region="r",
        at=now,
        instances=tuple(_instance(i) for i in world.get("instances", ())),
        volumes=tuple(_volume(v) for v in world.get("volumes", ())),
    )


def observed(world: dict[str, Any], now: float) -> Observed:
    """What a case sees. ``blind: true``: no listing could be had; ``other``: what stands in another cloud's."""
    listings = {} if world.get("blind") else {("sim", "r"): _listing(world, now)}
    if "other" in world:
        listings["other", "r"] = _listing(world["other"], now)
    offers = [offer(o) for o in world.get("offers", ["a-small-spot", "b-small-spot"])]
    capabilities = Capabilities(
        notice_seconds=120,
        visible_within=60,
        billing=Billing(**world.get("billing", {})),
        images=world.get("images", False),
        console=world.get("console", False),
        growing=world.get("growing", False),
        volume_price=80_000,
        price_history=world.get("price_history", False),
    )
    return Observed(
        now=now,
        listings=listings,
        lookups={
            key: Lookup(
                _instance(value["instance"]) if value.get("instance") else None,
                value.get("absent_since"),
                value.get("absences", 0),
            )
            for key, value in world.get("lookups", {}).items()
        },
        missing={
            key: Lookup(None, value["absent_since"], value["absences"]) for key, value in world.get("missing", {}).items()
        },
        heartbeats={(b.run_id, b.attempt): b for b in (_heartbeat(h, now) for h in world.get("heartbeats", ()))},
        listed_beats=frozenset((RUN, number) for number in world.get("listed_beats", ())),
        offers={name: tuple(o for o in offers if o.provider == name) for name in ("sim", "other")},
        capabilities={"sim": capabilities, "other": capabilities},
        priced_in_vain_since={(RUN, number): at for number, at in world.get("priced_in_vain_since", {}).items()},
        desired={RUN: Desired(**world["desired"])} if "desired" in world else {},
        access={("sim", "r"): tuple(_rule(one) for one in world["access"])} if "access" in world else {},
        secrets=frozenset(world["secrets"]) if "secrets" in world else None,
        awake_since=world.get("awake_since", 0.0),
        acted=world.get("acted", {}),
    )


def decide(case: dict[str, Any]) -> tuple[list[ev.Event], list[Action], FleetState]:
    """The facts, the actions planned after them, and the state with the facts folded in."""
    now = float(case["now"])
    state, seen = folded(case.get("events", [])), observed(case.get("world", {}), now)
    new = facts(state, seen)
    ahead = fold(state, state.head + 1, now, new)
    return new, plan(ahead, seen), ahead


def told(action: Action) -> dict[str, Any]:
    """An action as a case writes it: its kind, and everything that could be expected of it."""
    kind = type(action).__name__.lower()
    fields = {
        name: getattr(action, name)
        for name in ("run_id", "attempt", "try_no", "instance_id", "volume_id", "provider", "region")
        if hasattr(action, name)
    }
    intention = action.intention
    if isinstance(action, Record) and intention is not None:
        kind = f"record {intention.type}"
    if intention is not None:
        fields |= intention.model_dump(mode="json")
        fields["intended"] = True
    if isinstance(intention, ev.LaunchIntended):
        fields["offers"] = [short(o) for o in intention.offers]
        fields["volume"] = intention.volume.kind
    if isinstance(action, CloseAccess):
        fields["rule_id"] = action.rule.rule_id
    if hasattr(action, "desired"):
        fields |= action.desired.model_dump(mode="json")
    return {"kind": kind, "intended": False, **fields}

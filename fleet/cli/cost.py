"""``fleet cost``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.controller import Controller, uncollected
from fleet.control.opened import opened, opened_run
from fleet.control.rates import billing_of, rates_of
from fleet.control.zone import local_zone
from fleet.core.ledger import UNSEEN, By, Group, Line, group, ledger, midnights, total
from fleet.core.state import RunState
from fleet.model.base import FURTHEST, Seconds
from fleet.model.calendar import Span, clock_text, parse_since
from fleet.model.units import format_duration, format_money

if TYPE_CHECKING:
    from fleet.cli.money_objects import CostGroupObject, CostLineObject, CostObject

SHOWN = 30
"""People are shown so many rows, the newest or the dearest, unless they ask for more; the others are one row together."""
DEAREST_FIRST: frozenset[By] = frozenset({"type", "zone", "kind"})
"""The rest is told in the order of time."""
HEAD = ("MACHINES", "DISKS", "REST", "TOTAL", "ON-DEMAND", "SAVED", "TIME", "KNOWN")
SPARE = ("TIME", "KNOWN", "REST", "DISKS", "MACHINES")
"""Left out, in this order, where the terminal is too narrow for all."""
LINE_HEAD = ("WHAT", "WHOSE", "WHERE", "FROM", "UNTIL", "QUANTITY", "COST", "ON-DEMAND", "KNOWN")


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    run: str | None = None
    since: str | None = None
    by: By | None = None
    lines: bool = False
    everything: bool = False


def show(wish: Wish, bucket: str | None, *, as_json: bool) -> int:
    """Print what was paid. Reads only."""
    with uncollected():  # much is made here, and all of it kept
        return _show(wish, bucket, as_json=as_json)


def _show(wish: Wish, bucket: str | None, *, as_json: bool) -> int:
    place = local_zone()
    by: By = wish.by or ("attempt" if wish.run is not None else "run")
    found: list[Line] = []
    start, now = 0.0, 0.0
    for controller, runs in _asked(wish.run, bucket):
        now = controller.objects.now()
        start = parse_since(wish.since, now, place) if wish.since is not None else 0.0
        found += _lines(controller, runs, Span(start, FURTHEST), now, by, place)
    now = now or time.time()
    groups, whole = group(found, by, place), total(found)
    if by in DEAREST_FIRST:
        groups.sort(key=lambda one: one.amount, reverse=True)
    if as_json:
        told = found if wish.lines else []
        emit(_object(start if wish.since is not None else None, now, place, by, groups, whole, told))
        return 0
    if not found:
        print("nothing was paid for" + (f" since {clock_text(start, place)}" if wish.since is not None else " yet"))
        return 0
    if wish.lines:
        print_table([LINE_HEAD, *(_line_row(one, place) for one in found)])
    else:
        rows = groups if wish.everything else _fewer(groups, dearest_first=by in DEAREST_FIRST)
        print_table([(by.upper(), *HEAD), *(_row(one) for one in rows), _row(whole)], SPARE)
    _print_notes(found, whole)
    return 0


def _asked(run: str | None, bucket: str | None) -> Iterator[tuple[Controller, list[RunState] | None]]:
    """Every fleet that is asked about, and which of its runs (None: everything)."""
    if run is not None:
        controller, one = opened_run(bucket, run)
        yield controller, [one]
        return
    for controller in opened(bucket):
        yield controller, None


def _lines(
    controller: Controller, runs: Sequence[RunState] | None, span: Span, now: Seconds, by: By, place: str
) -> list[Line]:
    providers, state = controller.observer.providers, controller.state
    cuts: list[Seconds] = []
    if by == "day":
        begun = min((one.created_at for one in (runs if runs is not None else state.runs.values())), default=now)
        cuts = midnights(Span(max(span.start, begun - 86_400), now + 86_400), place)
    return ledger(state, span, now, billing_of(providers), rates_of(providers), runs=runs, cuts=cuts)


def _fewer(groups: list[Group], *, dearest_first: bool) -> list[Group]:
    """The newest or the dearest, and all the others as one."""
    if len(groups) <= SHOWN + 1:
        return groups
    if dearest_first:
        return [*groups[:SHOWN], sum_of(groups[SHOWN:], f"{len(groups) - SHOWN} more (--all)")]
    early, late = groups[:-SHOWN], groups[-SHOWN:]
    return [sum_of(early, f"{len(early)} earlier (--all)"), *late]


def sum_of(groups: Sequence[Group], key: str) -> Group:
    """Some groups as one."""
    found = replace(groups[0], key=key)
    order = ("measured", "listed", "estimated")
    for one in groups[1:]:
        found = Group(
            key=key,
            instances=found.instances + one.instances,
            volumes=found.volumes + one.volumes,
            small=found.small + one.small,
            on_demand=found.on_demand + one.on_demand,
            seconds=found.seconds + one.seconds,
            known=max(found.known, one.known, key=order.index),
        )
    return found


def _row(one: Group) -> tuple[str, ...]:
    amounts = (one.instances, one.volumes, one.small, one.amount, one.on_demand)
    saved = f"{(one.on_demand - one.amount) / one.on_demand:.0%}" if one.on_demand > 0 else "-"
    return (one.key, *map(format_money, amounts), saved, format_duration(one.seconds) if one.seconds else "-", one.known)


def _line_row(one: Line, place: str) -> tuple[str, ...]:
    whose = f"{one.run} #{one.attempt}" if one.attempt is not None else one.run or one.name
    where = " ".join(filter(None, (one.zone or one.region, one.instance_type, one.market.value if one.market else "")))
    times = (clock_text(one.start, place), clock_text(one.end, place))
    return (
        one.kind,
        whose,
        where,
        *times,
        f"{one.quantity:{',.0f' if one.quantity >= 1000 else '.4g'}} {one.unit}",
        format_money(one.amount),
        format_money(one.on_demand),
        one.how,
    )


def _print_notes(lines: Sequence[Line], whole: Group) -> None:
    """What the figures rest on."""
    unsure = {(one.run, one.attempt): one.how for one in lines if one.known == "estimated" and one.kind == "instance"}
    unseen = sum(how == UNSEEN for how in unsure.values())
    notes = []
    if unseen:
        notes.append(f"Nobody saw the end of {unseen} machine(s): counted up to the last sign of life.")
    if len(unsure) > unseen:
        told = "counted at the prices that were seen"
        notes.append(f"Nobody tells what {len(unsure) - unseen} machine(s) were charged: {told}.")
    if whole.small:
        notes.append("REST: the machines' own disks, their addresses and the bucket, at listed prices (--lines says which).")
    notes.append("Credits and free tiers are not in it, nor taxes.")
    print(plain("\n" + "\n".join(notes)))


def _object(
    start: Seconds | None, now: Seconds, place: str, by: By, groups: Sequence[Group], whole: Group, lines: Sequence[Line]
) -> CostObject:
    return {
        "since_at": start,
        "until_at": round(now, 3),
        "zone": place,
        "by": by,
        "total": _group_object(whole),
        "groups": [_group_object(one) for one in groups],
        "lines": [_line_object(one) for one in lines],
    }


def _group_object(one: Group) -> CostGroupObject:
    return {
        "key": one.key,
        "usd": dollars(one.amount),
        "machines_usd": dollars(one.instances),
        "volumes_usd": dollars(one.volumes),
        "rest_usd": dollars(one.small),
        "on_demand_usd": dollars(one.on_demand),
        "machine_seconds": round(one.seconds, 3),
        "known": one.known,
    }


def _line_object(one: Line) -> CostLineObject:
    return {
        "kind": one.kind,
        "run": one.run,
        "attempt": one.attempt,
        "provider": one.provider,
        "region": one.region,
        "zone": one.zone,
        "instance_type": one.instance_type,
        "market": one.market.value if one.market is not None else None,
        "resource": one.resource,
        "start_at": round(one.start, 3),
        "end_at": round(one.end, 3),
        "quantity": one.quantity,
        "unit": one.unit,
        "price_usd": dollars(one.price),
        "usd": dollars(one.amount),
        "on_demand_usd": dollars(one.on_demand),
        "known": one.known,
        "how": one.how,
        "ended_by": one.ended_by,
    }

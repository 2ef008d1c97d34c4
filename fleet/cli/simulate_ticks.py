"""``fleet simulate --model tick``: policies on traces, under the public benchmark's cost model."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.backtest.runner import OMNISCIENT, Ran, closed, mean_ratio, names, run_windows, run_zones
from fleet.backtest.traces import FORM, Trace, read_folder, read_zones
from fleet.cli.output import emit_line
from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.control.names import nearest
from fleet.core.ticks.model import Places, Terms, checked, exactly
from fleet.model.errors import FleetError
from fleet.model.units import parse_duration

if TYPE_CHECKING:
    from fleet.cli.objects import TicksObject

SPOT_PRICE = 0.9731
GREEDY = "greedy"
SPARE = ("FINISHED", "MOVES", "LAUNCHES")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for, read and checked."""

    folder: Path
    policies: tuple[str, ...]
    work: float
    deadline: float | None
    overhead: float
    restore: float | None
    price: float
    """Spot's share of on-demand's price."""
    prices: Mapping[str, float]
    """The same, where a zone has its own."""
    transfer: float
    """For each change of region, hours of on-demand."""
    nodes: int

    @classmethod
    def of(
        cls,
        folder: Path | None,
        policies: Sequence[str] | None,
        work: str | None,
        deadline: str | None,
        overhead: str,
        restore: str | None,
        spot_prices: Sequence[str] | None,
        on_demand: float,
        transfer: float,
        nodes: int,
    ) -> Wish:
        """From words. Raises FleetError."""
        if folder is None:
            raise FleetError("--traces is missing: a folder of traces", FORM)
        if work is None:
            raise FleetError("--work is missing: how much there is to do", "For example: --work 48h")
        usual = _dollars("--on-demand-price", on_demand)
        if usual == 0:
            raise FleetError("--on-demand-price must be above 0: other costs are told as hours of it")
        zones = dict(_zone_price(one) for one in spot_prices or ())
        price = zones.pop("", SPOT_PRICE)
        return cls(
            folder,
            tuple(_known(policies or names())),
            _seconds("--work", work),
            None if deadline is None else _seconds("--deadline", deadline),
            _seconds("--overhead", overhead),
            None if restore is None else _seconds("--restore", restore),
            price / usual,
            {zone: price / usual for zone, price in zones.items()},
            _dollars("--transfer", transfer) / usual,
            nodes,
        )

    def terms(self, tick: float) -> Terms:
        """In ticks of so many seconds."""
        return Terms(self.work, self.deadline, self.overhead, tick, self.price, self.restore)


def _seconds(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise FleetError(f"{option}: {error}") from None


def _dollars(option: str, value: float | str) -> float:
    try:
        price = float(value)
    except ValueError:
        price = math.nan
    if not (math.isfinite(price) and price >= 0):
        raise FleetError(f"{option} must be dollars, 0 or more, not {value}", f"For example: {option} 0.95")
    return price


def _zone_price(text: str) -> tuple[str, float]:
    """``0.95``, or ``us-east-1a=0.95``."""
    zone, _, price = text.rpartition("=")
    return zone, _dollars("--spot-price", price.removeprefix("$"))


def _known(wanted: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(wanted))
    for name in found:
        if name not in names():
            raise FleetError(f"there is no policy {name!r}; {nearest(name, names())}", f"Policies: {', '.join(names())}.")
    return found


def show(wish: Wish, *, zones: bool, as_json: bool) -> int:
    """Run, and print a table, or an object for each policy."""
    wanted = list(wish.policies)
    measured = wanted if as_json else list(dict.fromkeys([*wanted, GREEDY, OMNISCIENT]))
    if zones:
        ran = _over_zones(wish, measured)
    else:
        if wish.prices or wish.transfer:
            raise FleetError("prices of zones and --transfer need --zones", "Without it each file is a window of its own.")
        ran = _over_windows(wish, measured)
    if as_json:
        for name in wanted:
            emit_line(_object(name, ran[name]))
    else:
        _print(wish, wanted, ran)
    return 0


def _over_windows(wish: Wish, measured: Sequence[str]) -> dict[str, list[Ran]]:
    traces = read_folder(wish.folder, wish.nodes)
    if wish.deadline is not None:
        _warn_of_short([trace for trace in traces if trace.seconds < wish.deadline], len(traces))
    try:
        return run_windows(traces, measured, wish.terms, on_done=_progress if sys.stderr.isatty() else None)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _over_zones(wish: Wish, measured: Sequence[str]) -> dict[str, list[Ran]]:
    traces = read_zones(wish.folder, wish.nodes)
    strange = [zone for zone in wish.prices if not any(trace.name.startswith(zone) for trace in traces)]
    if strange:
        known = [trace.name.removesuffix(".json") for trace in traces]
        raise FleetError(f"--spot-price: no trace is named after {strange[0]!r}; {nearest(strange[0], known)}")
    if wish.deadline is not None:
        _warn_of_short([trace for trace in traces[:1] if trace.seconds < wish.deadline], 1)
    places = Places(
        tuple(_price_of(trace, wish) for trace in traces), tuple(trace.region for trace in traces), wish.transfer
    )
    terms = checked(wish.terms(traces[0].gap))
    file = wish.folder.resolve().name
    return {name: [run_zones(traces, name, terms, places, file)] for name in measured}


def _price_of(trace: Trace, wish: Wish) -> float:
    return next((price for zone, price in wish.prices.items() if trace.name.startswith(zone)), wish.price)


def _warn_of_short(short: Sequence[Trace], count: int) -> None:
    if short:
        told = (
            f"note: {len(short)} of {count} windows end before the deadline ({short[0].name}: {exactly(short[0].seconds)})"
        )
        sys.stderr.write(plain(f"{told}; beyond its end spot counts as not available") + "\n")


def _progress(done: int, count: int) -> None:
    sys.stderr.write(f"\r\x1b[K{done} of {count} runs")
    sys.stderr.flush()


def _object(name: str, ran: Sequence[Ran]) -> TicksObject:
    return {
        "policy": name,
        "windows": [
            {
                "file": one.file,
                "cost_od_hours": one.cost_od_hours,
                "finish_tick": one.finish_tick,
                "late": one.late,
                "launches": one.launches,
            }
            for one in ran
        ],
        "mean_cost_ratio": mean_ratio(ran),
        "late": sum(one.late for one in ran),
    }


def _print(wish: Wish, wanted: Sequence[str], ran: Mapping[str, Sequence[Ran]]) -> None:
    moves = any(one.moves for name in wanted for one in ran[name])
    head = ("POLICY", "COST", "CLOSED", "LATE", "LAUNCHES", *(("MOVES",) if moves else ()), "FINISHED")
    print_table([head, *(_row(name, ran, moves=moves) for name in wanted)], SPARE)
    count = len(ran[wanted[0]])
    by = f"by {exactly(wish.deadline)}" if wish.deadline is not None else "without a deadline"
    windows = f"{count} window{'s' if count != 1 else ''}"
    print(f"\n{windows}: {exactly(wish.work)} of work {by}, {exactly(wish.overhead)} from a launch to training.")
    print("COST: the mean, with that of the work alone on on-demand as 1. CLOSED: of the gap from greedy to the omniscient.")
    filled = sum(one.filled > 0 for name in wanted for one in ran[name])
    if filled:
        print(f"{filled} run{'s' if filled != 1 else ''} reached the window's end; from there on-demand did the rest.")


def _row(name: str, ran: Mapping[str, Sequence[Ran]], *, moves: bool) -> tuple[str, ...]:
    mine = ran[name]
    count = len(mine)
    share = closed(mine, ran[GREEDY], ran[OMNISCIENT])
    return (
        name,
        f"{mean_ratio(mine):.4f}",
        f"{share:.2f}" if share is not None else "-",
        str(sum(one.late for one in mine)),
        f"{sum(one.launches for one in mine) / count:.1f}",
        *((f"{sum(one.moves for one in mine) / count:.1f}",) if moves else ()),
        f"{sum(one.finish_tick * one.tick for one in mine) / count / 3600:.1f}h",
    )

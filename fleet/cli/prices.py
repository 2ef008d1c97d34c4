"""``fleet prices``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.cli.price_objects import prices_object
from fleet.cli.price_words import saving, stacks, told_price, told_sources
from fleet.cli.sparkline import sparkline
from fleet.cli.table import print_table
from fleet.control.home import Home, open_home
from fleet.control.names import nearest
from fleet.control.price_looking import all_regions, look, regions_of
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.providers.priced import Overview, Row, Wish, accelerators

SPARE = ("VCPUS", "RANGE", "ACCELERATORS", "INTERRUPTED", "ON-DEMAND")


def show(wish: Wish, *, plot: Path | None, refresh: bool, as_json: bool) -> int:
    """A table of prices, cheapest first, with the age of every figure; 1 if nothing that was named is offered."""
    if plot is not None and plot.suffix not in (".html", ".png"):
        raise FleetError(f"--plot writes .html or .png, not {plot.suffix or plot.name!r}", "For example: --plot prices.html")
    seen = _looked(wish, open_home(), force=refresh)
    for note in seen.notes:
        sys.stderr.write(plain(f"note: {note}") + "\n")
    plotted = plot is not None and _plot(seen, plot)
    if as_json:
        emit(prices_object(seen))
    else:
        _print(seen, wish)
    if plot is not None:
        say(f"plotted      {plot}" if plotted else "plotted      nothing: there is no price over time")
    return 0 if seen.rows else 1


def _looked(wish: Wish, home: Home, *, force: bool) -> Overview:
    """The look itself; a region that nobody knows is most likely a slip of the pen."""
    several = sum(len(regions) for regions in regions_of(home, wish).values()) > 1

    def on_region(region: str) -> None:
        if several and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[Klooking at {region}")
            sys.stderr.flush()

    try:
        return look(home, wish, force=force, on_region=on_region)
    except ProviderError as error:
        strange = [region for region in wish.regions if region not in all_regions()]
        if strange and error.error_class in (ErrorClass.TRANSIENT, ErrorClass.UNKNOWN, ErrorClass.INVALID):
            hint = f"{strange[0]}: {nearest(strange[0], all_regions())}"
            raise ProviderError(error.error_class, error.code, error.message, error.hint or hint) from None
        raise
    finally:
        if several and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _plot(seen: Overview, path: Path) -> bool:
    """Draw, if there is anything to draw."""
    from fleet.cli.price_plot import page, panels

    drawn = panels(seen)
    if not drawn:
        return False
    if path.suffix == ".html":
        path.write_text(page(seen, drawn), encoding="utf-8")
    else:
        from fleet.cli.price_png import draw

        draw(seen, drawn, path)
    return True


def _print(seen: Overview, wish: Wish) -> None:
    brief = not wish.types and not wish.gpu
    rows = _cheapest_zones(seen.rows) if brief else seen.rows
    if rows:
        head = ("TYPE", "ZONE", "ACCELERATORS", "VCPUS", "SPOT/H", "ON-DEMAND", "SAVED", "INTERRUPTED",
                f"{wish.days} DAYS", "RANGE", *(("SCORE",) if wish.scores else ()))  # fmt: skip
        print_table([head, *(_row(one, seen, scores=wish.scores) for one in rows)], SPARE)
        print()
    if brief:
        print("Each type's cheapest zone. All zones, other types: fleet prices g4dn.xlarge 'g6.*', fleet prices --gpu L4\n")
    for line in (*told_sources(seen), *stacks(rows)):
        print(plain(line))
    for missing in seen.missing:
        print(plain(f"missing      {missing.told}"))
    if not rows and not seen.missing:
        where = ", ".join(wish.regions or sorted({source.region for source in seen.sources if source.region}))
        print(f"missing      nothing that was named is offered in {where or 'the regions that were looked at'}")


def _cheapest_zones(rows: Sequence[Row]) -> list[Row]:
    found: dict[tuple[str, str], Row] = {}
    for row in rows:  # the cheapest come first
        found.setdefault((row.region, row.instance_type), row)
    return list(found.values())


def _row(row: Row, seen: Overview, *, scores: bool) -> tuple[str, ...]:
    usual, saved = row.on_demand, saving(row)
    prices = [price for _, price in row.points]
    devices = accelerators(row.facts)
    cells = (
        row.instance_type,
        row.zone,
        (f"{len(devices)}x{devices[0]}" if len(devices) > 1 else devices[0]) if devices else "-",
        str(row.facts.vcpus) if row.facts else "-",
        told_price(row.spot) if row.spot is not None else "-",
        ("~" if usual.source == "estimate" else "") + told_price(usual.price) if usual else "-",
        f"{saved}%" if saved is not None else "-",
        row.band.label if row.band else "-",
        sparkline(row.points, seen.since, seen.at),
        f"{told_price(min(prices))} to {told_price(max(prices))}" if prices else "-",
    )
    return (*cells, str(row.score) if row.score is not None else "-") if scores else cells

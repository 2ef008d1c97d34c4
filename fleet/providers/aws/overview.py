"""Prices for people: what chosen types cost in every zone of some regions, now and over time, and how old each figure is."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.model.cloud import Offer
from fleet.model.errors import ProviderError
from fleet.providers.aws import catalog
from fleet.providers.aws.asking import Asking
from fleet.providers.aws.bands import known_bands, refresh_bands
from fleet.providers.aws.missing import explain_missing
from fleet.providers.aws.offers import Known, known, offers, refresh
from fleet.providers.aws.pricecache import region_cache
from fleet.providers.aws.session import aws_client
from fleet.providers.aws.spot import cut, placement_scores
from fleet.providers.pricecache import DAY, Part, PriceCache, in_short, part_dict
from fleet.providers.priced import Missing, Overview, Points, Row, Source, TypeFacts, Wish, by_price, is_pattern

if TYPE_CHECKING:
    from fleet.model.setup import AwsSetup


def names_of(wish: Wish) -> tuple[str, ...]:
    """The patterns that types are matched against."""
    of_gpu = catalog.with_gpu(wish.gpu) if wish.gpu else ()
    return wish.types or tuple(of_gpu) or (() if wish.gpu else catalog.USUAL)


def look(
    wish: Wish,
    cache: Path,
    setup: AwsSetup | None = None,
    *,
    profile: str | None = None,
    force: bool = False,
    now: Callable[[], float] = time.time,
    on_region: Callable[[str], None] = lambda _: None,
) -> Overview:
    """Ask what is old, and put it together. A region that cannot be asked is a note; raises ProviderError if all are."""
    at = now()
    looking = _Looking(wish, cache, setup, profile, force, Overview(at, at - wish.days * DAY))
    made = looking.made
    problem = refresh_bands(cache, at, force=force)
    errors: list[ProviderError] = []
    for region in wish.regions:
        on_region(region)
        try:
            looking.at_region(region)
        except ProviderError as error:
            errors.append(error)
            made.notes.append(f"{region}: {in_short(error)}")
    if errors and len(errors) == len(wish.regions):
        raise errors[0]
    made.sources.append(Source("bands", "", "Spot Instance Advisor", known_bands(cache)[1], problem))
    made.missing = looking.missing()
    made.rows.sort(key=by_price)
    return made


@dataclass(slots=True)
class _Looking:
    """One look, region after region."""

    wish: Wish
    cache: Path
    setup: AwsSetup | None
    profile: str | None
    force: bool
    made: Overview

    def missing(self) -> tuple[Missing, ...]:
        """What was named and no region has; offers are only looked at if there is such a thing."""
        shown = {row.instance_type for row in self.made.rows}
        unseen = [name for name in _literal(self.wish.types) if name not in shown]
        gpu = None if self.made.rows else self.wish.gpu
        if not unseen and gpu is None:
            return ()
        sold: list[Offer] = []
        for region in {source.region for source in self.made.sources if source.region}:
            sold += offers(self.setup, region, self.cache, profile=self.profile, now=lambda: self.made.at)
        return explain_missing(unseen, gpu, sold, self.wish.regions)

    def at_region(self, region: str) -> None:
        """Add a region's rows and sources. Raises ProviderError if nothing is known of it and nothing can be asked."""
        kept = region_cache(self.cache, self.setup, region, self.profile)
        self._refresh(region, _literal(names_of(self.wish)), force=self.force)
        found = known(kept, self.cache, region)
        chosen = _chosen(self.wish, found)
        if any(name in found.offered and name not in found.spot for name in chosen):
            self._refresh(region, chosen)  # a pattern that reaches beyond the table
            found = known(kept, self.cache, region)
        there = [name for name in chosen if name in found.offered]
        ask = Asking(region, self.profile, tries=3)
        lines, history_at, problem = _history(kept, ask, there, self.wish.days, self.made.at, force=self.force)
        scores = _scores(kept, there, region, self.profile, self.made) if self.wish.scores and there else {}
        rows = list(self._rows(found, there, lines, scores))
        self.made.rows += rows
        self.made.sources += _sources(found, rows, history_at, problem)

    def _refresh(self, region: str, types: Sequence[str], *, force: bool = False) -> None:
        told = refresh(
            self.setup, region, self.cache, types, profile=self.profile, force=force, now=lambda: self.made.at
        )  # fmt: skip
        self.made.notes += [one for one in told if one not in self.made.notes]

    def _rows(
        self, found: Known, types: Sequence[str], lines: dict[str, dict[str, Points]], scores: dict[str, int]
    ) -> Iterator[Row]:
        bands = known_bands(self.cache)[0]
        for name in types:
            for zone in found.offered[name]:
                points = [(float(at), int(price)) for at, price in lines.get(name, {}).get(zone, [])]
                yield Row(
                    region=found.region,
                    zone=zone,
                    instance_type=name,
                    facts=found.facts_of(name),
                    spot=found.spot.get(name, {}).get(zone),
                    on_demand=found.on_demand.get(name),
                    band=bands.of(found.region, name) if bands else None,
                    points=cut(points, self.made.since),
                    score=scores.get(zone),
                )


def _literal(names: Iterable[str]) -> list[str]:
    return [name for name in names if not is_pattern(name)]


def _chosen(wish: Wish, found: Known) -> list[str]:
    """The types to show, in the order asked for: names of the region's list and the table's that match."""
    there = list(dict.fromkeys([*catalog.known_types(), *found.offered]))
    chosen = [name for pattern in names_of(wish) for name in there if fnmatch.fnmatchcase(name, pattern)]
    if wish.gpu:
        chosen = [name for name in chosen if _has(found.facts_of(name), wish.gpu)]
    return list(dict.fromkeys(chosen))


def _has(facts: TypeFacts | None, gpu: str) -> bool:
    return facts is not None and (facts.gpu or "").casefold() == gpu.casefold()


def _history(
    kept: PriceCache, ask: Asking, types: Sequence[str], days: int, at: float, *, force: bool
) -> tuple[dict[str, dict[str, Points]], float | None, str]:
    """The price lines of these types, the oldest answer's time, and what went wrong. Kept by type: each has its own age."""
    had = part_dict(kept.read("history"))

    def usable(name: str) -> bool:
        try:
            return Part(had[name]["at"], None).fresh("history", at) and bool(had[name]["days"] >= days)
        except (KeyError, TypeError):
            return False

    old = [name for name in types if force or not usable(name)]
    problem = ""
    if old:
        try:
            asked = ask.history(old, at - days * DAY)
            had = {name: one for name, one in had.items() if usable(name) or name in old}
            had.update({name: {"at": at, "days": days, "zones": asked.get(name, {})} for name in old})
            kept.write("history", had, at)
        except ProviderError as error:
            problem = in_short(error)
    shown = {name: had[name] for name in types if isinstance(had.get(name), dict)}
    times = [one["at"] for one in shown.values()]
    return {name: one["zones"] for name, one in shown.items()}, min(times, default=None), problem


def _scores(kept: PriceCache, chosen: Sequence[str], region: str, profile: str | None, made: Overview) -> dict[str, int]:
    """Placement scores of the chosen types together; AWS lets an account ask only so many different questions a day."""
    question = ",".join(sorted(chosen))
    part = kept.read("scores")
    if part is not None and part.fresh("scores", made.at) and part.data.get("for") == question:
        answer: dict[str, int] = part.data["zones"]
        return answer
    try:
        found = placement_scores(aws_client("ec2", region, profile=profile), chosen, region)
    except ProviderError as error:
        made.notes.append(f"{region}: no placement scores: {in_short(error)}")
        return {}
    kept.write("scores", {"for": question, "zones": found}, made.at)
    return found


def _sources(found: Known, rows: Sequence[Row], history_at: float | None, problem: str) -> Iterator[Source]:
    yield Source("spot", found.region, "EC2", found.spot_at)
    if rows:
        yield Source("history", found.region, "EC2", history_at, problem)
    told = {
        "price-list": "AWS Price List",
        "bundled": "fleet's own table",
        "estimate": "worked out from fleet's own table",
    }
    prices = {row.on_demand.source: row.on_demand.at for row in rows if row.on_demand is not None}
    for source, at in sorted(prices.items()):
        yield Source("on-demand", found.region, told[source], at, found.unlisted)

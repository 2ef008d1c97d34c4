"""What chosen types cost in the clouds, for people: each region is asked of the cloud that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.model.errors import FleetError
from fleet.providers.priced import Overview, Wish, by_price

if TYPE_CHECKING:
    from fleet.control.home import Home

_GOOGLES = re.compile(r"[a-z]+-[a-z]+[0-9]+")


def is_googles(region: str) -> bool:
    """``us-central1`` is a region of Google's; of Amazon's is ``us-east-1``."""
    return _GOOGLES.fullmatch(region) is not None


def all_regions() -> tuple[str, ...]:
    """That fleet knows by heart, of both."""
    from fleet.providers.aws import pricing
    from fleet.providers.gcp import prices

    return (*pricing.known_regions(), *prices.known_regions())


def look(home: Home, wish: Wish, *, force: bool = False, on_region: Callable[[str], None] = lambda _: None) -> Overview:
    """Ask what is old, and put it together. A region that cannot be asked is a note; raises FleetError if all are.

    Without regions those that were set up are looked at, in the clouds that have types of such names.
    """
    seen: list[Overview] = []
    failed: list[FleetError] = []
    for cloud, regions in regions_of(home, wish).items():
        if not regions:
            continue
        ask = _google if cloud == "gcp" else _amazon
        try:
            seen.append(ask(home, replace(wish, regions=regions), force=force, on_region=on_region))
        except FleetError as error:
            failed.append(error)
    if not seen:
        raise failed[0]
    made = _together(seen)
    made.notes += [error.message for error in failed]
    return made


def regions_of(home: Home, wish: Wish) -> dict[str, tuple[str, ...]]:
    """By cloud, the regions to look at. Raises FleetError if there is none."""
    if wish.regions:
        google = tuple(region for region in wish.regions if is_googles(region))
        return {"aws": tuple(region for region in wish.regions if region not in google), "gcp": google}
    amazons, googles = home.aws(), home.gcp()
    # ``g4dn.xlarge`` is a type of Amazon's, ``g2-standard-4`` of Google's; ``g*`` may be of either.
    for_amazon = not wish.types or any("-" not in name or "." in name for name in wish.types)
    for_google = not wish.types or any("." not in name for name in wish.types)
    found = {
        "aws": tuple(amazons.regions) if amazons is not None and for_amazon else (),
        "gcp": tuple(googles.regions) if googles is not None and for_google else (),
    }
    if any(found.values()):
        return found
    if not for_amazon:
        raise FleetError("no region is named, and none of Google Cloud was set up", "Add for example --region us-central1.")
    return {"aws": (_configured(home),)}


def _configured(home: Home) -> str:
    from fleet.control.aws_place import profile_of
    from fleet.providers.aws.config import default_region

    region = default_region(profile_of(home))
    if region is None:
        raise FleetError("no region is named, and the AWS configuration names none", "Add for example --region us-east-1.")
    return region


def _amazon(home: Home, wish: Wish, *, force: bool, on_region: Callable[[str], None]) -> Overview:
    from fleet.control.aws_place import profile_of
    from fleet.providers.aws import overview

    return overview.look(wish, home.cache / "aws", profile=profile_of(home), force=force, on_region=on_region)


def _google(home: Home, wish: Wish, *, force: bool, on_region: Callable[[str], None]) -> Overview:
    from fleet.providers.gcp import overview

    known = home.gcp()
    return overview.look(wish, home.cache / "gcp", known.project if known else None, force=force, on_region=on_region)


def _together(seen: Iterable[Overview]) -> Overview:
    """One look of several; what one cloud has is missing nowhere."""
    first, *others = seen
    shown = {name for one in (first, *others) for row in one.rows for name in (row.instance_type, *_gpus(row.facts))}
    for one in others:
        first.rows += one.rows
        first.sources += one.sources
        first.notes += one.notes
        first.missing += one.missing
    if others:
        first.missing = tuple(one for one in first.missing if one.what.partition(":")[0].casefold() not in shown)
        first.rows.sort(key=by_price)
    return first


def _gpus(facts: object) -> tuple[str, ...]:
    gpu = getattr(facts, "gpu", None)
    return (str(gpu).casefold(),) if gpu else ()

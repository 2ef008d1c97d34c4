"""Prices of clouds, fetched outside of ticks: before a plan, before a run begins, and each hour while somebody watches."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fleet.control.setups import aws_setup, gcp_setup
from fleet.control.shops import FRESH, Shop, amazon, asked_for, google
from fleet.core.allowed import alternatives, fitting, providers_of
from fleet.model.base import Seconds
from fleet.model.cloud import Market, Offer
from fleet.model.errors import FleetError
from fleet.model.job import Job, Resources
from fleet.model.setup import AwsSetup
from fleet.model.units import format_money
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.control.controller import Controller
    from fleet.control.home import Home
    from fleet.core.state import FleetState

log = logging.getLogger("fleet.control")

PRICED = frozenset({"aws", "gcp"})
"""Clouds that have prices to be fetched."""
TOO_OLD: Seconds = 2 * FRESH
"""Older prices than these are fetched anew even if a launch must wait for it."""
A_REGION: Seconds = 30
"""A region's prices may take so long where nobody answers in time: with less than this left of a call none are begun."""


def shops_of(home: Home, objects: Objects, job: Job) -> list[Shop]:
    """The clouds that a job may go to, and that its fleet was set up in. Raises StoreError."""
    named, found = providers_of(job.resources), list[Shop]()
    on_aws = aws_setup(objects) if "aws" in named else None
    if on_aws is not None:
        found.append(amazon(on_aws, home.cache / "aws", home.aws_profile(objects.url)))
    on_gcp = gcp_setup(objects) if "gcp" in named else None
    if on_gcp is not None:
        found.append(google(on_gcp, home.cache / "gcp"))
    return found


def refresh_prices(home: Home, objects: Objects, job: Job) -> tuple[str, ...]:
    """Fetch the prices that a job may be placed by, where they are older than their limits: before a plan, never in a tick.

    Returns what could not be had and what is used instead, a line each. One region without prices keeps no other from its
    own: raises FleetError only if none has any.
    """
    told: list[str] = []
    failed: list[FleetError] = []
    asked = 0
    for shop in shops_of(home, objects, job):
        for region, types in wanted_regions(job, shop).items():
            asked += 1
            try:
                told.extend(shop.refresh(region, types))
            except FleetError as error:
                failed.append(error)
                told.append(f"{region} has no prices: {error.message}")
    if failed and len(failed) == asked:
        raise failed[0]
    return tuple(told)


def refresh_old_prices(home: Home, objects: Objects, job: Job, now: Callable[[], float] = time.time) -> tuple[str, ...]:
    """The same where prices are unknown or too old: for processes that make one round each minute."""
    old = [
        region
        for shop in shops_of(home, objects, job)
        for region, types in wanted_regions(job, shop).items()
        if shop.is_old(region, types, now())
    ]
    return refresh_prices(home, objects, job) if old else ()


def missing_types(home: Home, objects: Objects, job: Job) -> tuple[str, ...]:
    """What of a job's wishes a cloud has no offer of at all, why, and what serves instead; and what a low bid costs."""
    told: dict[str, None] = {}
    for shop in shops_of(home, objects, job):
        wanted = wanted_regions(job, shop)
        known = [offer for region in wanted for offer in shop.offers(region)]
        for one in alternatives(job.resources) if wanted else ():
            if one.infra.partition("/")[0] == shop.name:
                told |= dict.fromkeys(low_bid(one, known) if shop.bids else ())
                missing = shop.missing(one.instance_type, one.accelerators, known, tuple(wanted))
                told |= dict.fromkeys(each.told for each in missing)
    return tuple(told)


def low_bid(resources: Resources, known: Iterable[Offer]) -> Iterator[str]:
    """A bid below what a machine costs on demand is paid for in interruptions (clouds.md)."""
    bid = resources.max_price
    usual = [offer.on_demand_price for offer in known if offer.market is Market.SPOT and fitting(offer, resources)]
    if bid is not None and resources.market != "on-demand" and usual and bid < max(usual):
        top = format_money(max(usual))
        yield (
            f"a bid of {format_money(bid)} is below the price on demand (up to {top}): "
            "machines are taken back more often, and waited for longer"
        )


class Setting(Protocol):
    """Where a cloud was set up, as far as regions go."""

    @property
    def regions(self) -> Iterable[str]:
        """By their names."""
        ...


def wanted_regions(job: Job, setup: Setting | None) -> dict[str, list[str]]:
    """The regions of a cloud that a job may go to, each with the types that it names there."""
    found: dict[str, list[str]] = {}
    whose = getattr(setup, "name", "aws")
    for one in alternatives(job.resources) if setup is not None else ():
        name, _, rest = one.infra.partition("/")
        region = rest.partition("/")[0]
        for each in sorted(setup.regions) if setup is not None and name == whose else ():
            if region in ("", each):
                found.setdefault(each, []).extend(one.instance_type)
    return found


@dataclass
class PriceWatch:
    """Keeps the prices fresh that a controller's runs are placed by. A cloud that does not answer is asked again later."""

    home: Callable[[], Home]
    """Opened only if prices are wanted: looking at machines of this computer makes no home."""
    refresh: Callable[[Home, Objects, Job], tuple[str, ...]] = refresh_prices
    _at: Seconds = float("-inf")

    def look(self, controller: Controller) -> None:
        """After a tick: fetch, if it is time. Never raises: yesterday's prices are better than none."""
        jobs = [run.job for run in controller.state.busy_runs if run.ended_at is None]
        wanted = [job for job in jobs if providers_of(job.resources) & PRICED]
        now = controller.objects.now()
        if not wanted or (now >= self._at and now - self._at < FRESH):
            return
        self._at = now
        for job in wanted:
            try:
                for told in self.refresh(self.home(), controller.objects, job):
                    log.warning("fleet: %s", told)
            except (FleetError, OSError) as error:  # a full disk too: it must not end whoever keeps the runs alive
                log.warning("fleet: prices could not be fetched: %s", error)


@dataclass
class Shelf:
    """What a function buys from. Nothing is on its disk when it begins, and each call of a cloud is time that is paid for.

    Prices are fetched beside the ticks, hourly while a run wants a cloud's machines; in a tick only if a machine is wanted
    and nothing recent is known. What a machine costs that is only looked at, its own launch says.
    """

    cache: Path
    """Where providers keep what they find out."""
    state: Callable[[], FleetState]
    now: Callable[[], Seconds]
    _at: Seconds = float("-inf")
    """When the last round of fetching began."""
    _asked: set[str] | None = field(default_factory=set)
    """Regions that it has asked so far; None: it is over."""
    _fetched: dict[str, Seconds] = field(default_factory=dict)

    def shop(self, setup: AwsSetup, region: str) -> Sequence[Offer]:
        """In a tick that wants a machine. Raises ProviderError if no price can be had."""
        from fleet.providers.aws.offers import offers
        from fleet.providers.aws.pricecache import region_cache

        wanted = self._types(setup)
        if region not in wanted:
            return ()  # no job may go there: its prices are not worth a moment of a call
        types = wanted[region]
        kept = region_cache(self.cache, setup, region).read("spot")
        old = self.now() - self._fetched.get(region, float("-inf")) > TOO_OLD
        if kept is None or old or not set(types) <= set(asked_for(kept)):
            self._fetch(setup, region, types)
        return offers(setup, region, self.cache)

    def freshen(self, objects: Objects, left: Callable[[], float] = lambda: math.inf) -> None:
        """After a tick: fetch, if it is time. Never raises: yesterday's prices are better than none.

        ``left`` tells the seconds that remain of this call: what it has no time for is fetched by the next one.
        """
        now = self.now()
        if not any(run.ended_at is None for run in self.state().busy_runs):
            return
        if not 0 <= now - self._at < FRESH:
            self._at, self._asked = now, set()
        if self._asked is None or left() < A_REGION:
            return
        try:
            setup = aws_setup(objects)
            wanted = self._types(setup)
        except (FleetError, OSError) as error:
            self._asked = None
            log.warning("fleet: prices could not be fetched: %s", error)
            return
        for region in sorted(wanted.keys() - self._asked):
            if left() < A_REGION:
                return
            self._asked.add(region)
            try:
                if setup is not None:
                    self._fetch(setup, region, wanted[region])
            except (FleetError, OSError) as error:
                log.warning("fleet: prices could not be fetched: %s", error)
        self._asked = None

    def book(self, region: str) -> list[Offer]:
        """What the live machines of a region, and those that are being launched, were offered at; the last known prices."""
        found: list[Offer] = []
        for run in self.state().busy_runs:
            for attempt in run.live_attempts:
                found.extend(offer for offer in attempt.offers if offer.region == region)
                if attempt.offer is not None and attempt.offer.region == region:
                    price = attempt.prices[-1].price if attempt.prices else attempt.offer.price
                    found.append(attempt.offer.model_copy(update={"price": price}))
        return found

    def _types(self, setup: AwsSetup | None) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for run in self.state().busy_runs:
            for region, types in wanted_regions(run.job, setup).items() if run.ended_at is None else ():
                found.setdefault(region, []).extend(types)
        return found

    def _fetch(self, setup: AwsSetup, region: str, types: Sequence[str]) -> None:
        from fleet.providers.aws.offers import refresh

        for told in refresh(setup, region, self.cache, types, lean=True, tries=1, now=self.now):
            log.warning("fleet: %s", told)
        self._fetched[region] = self.now()

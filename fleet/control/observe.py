"""Seeing the world once a tick: one listing per region in use, one of heartbeats, and what must be asked by id."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fleet.control.hearing import Hearing, documents
from fleet.core.allowed import alternatives, providers_of
from fleet.core.facts import place_of
from fleet.core.observed import AttemptKey, History, Lookup, Observed, Place
from fleet.core.pace import pace_of
from fleet.core.rhythm import lively, wants_machine
from fleet.core.state import FleetState, RunState
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule, InstanceState, Listing, Market, Offer
from fleet.model.documents import Desired, Heartbeat
from fleet.model.errors import ProviderError
from fleet.providers.base import Provider
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.core.survival import Hints

SWEEP_EVERY: Seconds = 3600
"""All regions are listed so often, for orphans where no run is; where one is found, it is looked at until it is gone."""
SWEEP_LATER: Seconds = 120
"""A process that is only called, and began just now, looks after what lives first: it is killed after a minute, and a region
that hangs, where nothing is, must not take that minute from it."""
DESIRED_EVERY: Seconds = 30
"""desired.json is read again so often: another controller may have written it."""
DESIRED_SELDOM: Seconds = 600
"""And so often where each reading is paid for, while the journal is quiet."""
QUIET: Seconds = 120
"""What another controller writes follows from an entry that it read a moment before: plans live for half a minute. Once the
newest entry is older than this, whoever writes knows it, and writes the same."""
CLOCK_BACK: Seconds = 1
"""A clock that goes back by more was set; less is how clocks are kept right."""
SLEPT: Seconds = 60
"""Two looks that are so much further apart than they are meant to be mean that this computer was suspended."""
ACTED_WITHIN: Seconds = 600
"""What was done longer ago is due again, whatever it was."""
HISTORY_EVERY: Seconds = 3600
"""What a machine was charged is asked for so often, and when its listing shows another price, and at its end."""
HISTORY_LEAST: Seconds = 60
"""Never more often: listings lag, and show a price that was."""
HISTORIES_AT_ONCE = 20
"""So many are asked for in one look, those of what lives first: one call follows another, and all else waits."""
SLOW: Seconds = 10
"""A listing that failed after longer than this keeps the other regions from being looked after."""
SORE_FIRST: Seconds = 60
SORE_MOST: Seconds = 600
OFFERS_EVERY: Seconds = 300
"""Prices are asked for so often (each second on ``local``, where asking costs nothing)."""


@dataclass
class Observer:
    """Looks, and remembers what only looking twice can tell: what was absent, which heartbeats are old."""

    objects: Objects
    providers: Mapping[str, Provider]
    called: bool = False
    """Looks only when it is called, as a function in the cloud is, and each request is paid for: what only a launch needs to
    know is asked for once one is wanted (``shopped``)."""
    troubles: dict[str, str] = field(default_factory=dict)
    """What could not be asked in the last look, in words, by what was asked."""
    acted: dict[str, Seconds] = field(default_factory=dict)
    every: Seconds = 0.0
    """How far apart looks are meant to be: who is called by a schedule is not suspended in between, and must believe in a
    machine's silence as those do who look all the time."""
    hinting: Callable[[str, Iterable[Offer], Seconds], Mapping[str, Hints]] | None = None
    """What a provider tells of the pools of some offers; None: nothing is asked."""
    _hints: Mapping[str, Hints] = field(default_factory=dict)
    _swept: Seconds = float("-inf")
    _sore: dict[Place, tuple[Seconds, Seconds, str]] = field(default_factory=dict)
    """Regions that are left alone: until when, for how long, why."""
    _alive: set[Place] = field(default_factory=set)
    """Where something of this fleet lived when it was last listed: it is looked at until nothing does."""
    _looked: Seconds = 0.0
    _awake_since: Seconds = 0.0
    _lookups: dict[str, Lookup] = field(default_factory=dict)
    _desired: dict[str, tuple[Seconds, Desired]] = field(default_factory=dict)
    _offers: dict[str, tuple[Seconds, tuple[Offer, ...]]] = field(default_factory=dict)
    _missing: dict[str, Lookup] = field(default_factory=dict)
    _priced: dict[AttemptKey, Seconds] = field(default_factory=dict)
    """When an attempt's price history was last asked for."""
    _in_vain: dict[AttemptKey, Seconds] = field(default_factory=dict)
    """Since when it is asked for, of one that has ended."""

    def __post_init__(self) -> None:
        self._hearing = Hearing(self.objects, self.troubles)

    def look(self, state: FleetState) -> Observed:
        """One tick's view."""
        now = self.objects.now()
        if now - self._looked > SLEPT + 2 * self.every and self._looked > 0:
            self._awake_since = now
        if now < self._looked - CLOCK_BACK:
            self._clock_went_back(now)
        self._looked = now
        self.troubles.clear()
        self.acted = {key: at for key, at in self.acted.items() if now - at < ACTED_WITHIN}
        runs = state.busy_runs
        listings = dict(self._listings(state, runs, now))
        swept = self._swept == now
        return Observed(
            now=now,
            listings=listings,
            lookups=self._ask_for_missing(runs, listings, now),
            heartbeats=self._hearing.listen(runs, left=swept or self._hearing.left(state)),
            heard=dict(self._hearing.heard),
            listed_beats=frozenset(self._hearing.listed),
            offers=self._offers_now(() if self.called else runs, now),
            hints=self._hints,
            capabilities={name: provider.capabilities for name, provider in self.providers.items()},
            missing=self._missing_volumes(state, listings, now),
            histories=dict(self._histories(state, runs, listings, now)),
            priced_in_vain_since=dict(self._in_vain),
            access=dict(self._access_rules()) if swept else {},
            desired=self._desired_now(runs, now, quiet=self.called and now - state.at > QUIET),
            secrets=frozenset(os.environ) if any(run.job.secrets for run in runs) else frozenset(),
            awake_since=self._awake_since,
            acted=dict(self.acted),
        )

    def shopped(self, state: FleetState, observed: Observed) -> Observed:
        """What was seen, with what a launch needs to know if one may be wanted: offers, and what is where they are.

        A look knows this already, but for one that is only called: it asks now, for the state that it has led to.
        """
        wanting = [run for run in state.busy_runs if wants_machine(run, observed.now)] if self.called else []
        if not wanting:
            return observed
        more = {place for run in wanting for place in self._places_of(run)} - observed.listings.keys()
        listings = {**observed.listings, **dict(self._listed_places(more))}
        offers = self._offers_now(wanting, observed.now)
        return replace(observed, listings=listings, offers=offers, hints=self._hints)

    def _clock_went_back(self, now: Seconds) -> None:
        """Somebody set it. What is due at a time must not wait until that comes once more."""
        self._swept = float("-inf")
        self._awake_since = min(self._awake_since, now)
        self._sore.clear()
        self._desired.clear()
        self._offers.clear()
        self._lookups.clear()
        self._missing.clear()
        self.acted.clear()
        self._hearing.heard.clear()

    def wrote_desired(self, run_id: str, desired: Desired) -> None:
        """What this controller has just written need not be read."""
        self._desired[run_id] = (self.objects.now(), desired)

    def beat(self, run_id: str, attempt: int) -> Heartbeat | None:
        """The attempt's latest word as last seen, for people to look at."""
        known = self._hearing.beats.get((run_id, attempt))
        return known[1] if known else None

    def read_beats(self, state: FleetState) -> None:
        """Read the heartbeats alone, for those who only look."""
        self._hearing.listen(state.busy_runs)

    def _listings(self, state: FleetState, runs: list[RunState], now: Seconds) -> Iterator[tuple[Place, Listing]]:
        places = {place_of(attempt) for run in runs for attempt in run.live_attempts}
        places |= {(v.provider, v.region) for run in runs for v in run.volumes.values() if v.held}
        for run in runs:
            if run.ended_at is None and not self.called:
                places |= set(self._places_of(run))
        if self.called and self._swept == float("-inf") and lively(state):
            self._swept = now - SWEEP_EVERY + SWEEP_LATER
        if now - self._swept >= SWEEP_EVERY:
            self._swept = now
            places |= {(name, region) for name, p in self.providers.items() for region in p.regions()}
            places |= {(v.provider, v.region) for r in state.runs.values() for v in r.volumes.values()}
        yield from self._listed_places(places | self._alive)

    def _listed_places(self, places: Iterable[Place]) -> Iterator[tuple[Place, Listing]]:
        for place in sorted(places):
            provider = self.providers.get(place[0])
            if provider is None:
                self.troubles[place[0]] = f"no provider {place[0]!r} is set up here"
                continue
            listing = self._listed_in_time(provider, place)
            if listing is None:
                continue
            alive = any(instance.state is not InstanceState.TERMINATED for instance in listing.instances)
            (self._alive.add if alive else self._alive.discard)(place)
            yield place, listing

    def _listed_in_time(self, provider: Provider, place: Place) -> Listing | None:
        """A region's listing. One that takes long to fail is left alone for a while: the others must not wait for it."""
        began, key = self.objects.now(), "/".join(place)
        again_at, pause, why = self._sore.get(place, (0.0, 0.0, ""))
        if began < again_at:
            self.troubles[key] = f"{why}; left alone for a while"  # the same each time: what is new is told
            return None
        try:
            listing = provider.list(place[1])
        except ProviderError as error:
            told = self.troubles[key] = f"{error.error_class.value}: {error.message}"
            ended = self.objects.now()
            if ended - began > SLOW:
                pause = min(2 * pause or SORE_FIRST, SORE_MOST)
                self._sore[place] = (ended + pause, pause, told)
            return None
        self._sore.pop(place, None)
        return listing

    def _access_rules(self) -> Iterator[tuple[Place, tuple[AccessRule, ...]]]:
        """Who is let in, in every region that this fleet may use, but for those that are left alone."""
        for name, provider in self.providers.items():
            for region in provider.regions() if provider.capabilities.access_rules else ():
                if self.objects.now() < self._sore.get((name, region), (0.0, 0.0, ""))[0]:
                    continue  # its listing has just said why
                try:
                    yield (name, region), tuple(provider.access_rules(region))
                except ProviderError as error:
                    self.troubles[f"{name}/{region} access"] = f"{error.error_class.value}: {error.message}"

    def _histories(
        self, state: FleetState, runs: list[RunState], listings: Mapping[Place, Listing], now: Seconds
    ) -> Iterator[tuple[AttemptKey, History]]:
        """What spot instances were charged, where something new is to be expected."""
        seen = {i.instance_id: i for listing in listings.values() for i in listing.instances}
        wanted = [((run.run_id, a.number), a) for run in runs for a in run.live_attempts if a.instance_id is not None]
        wanted += [((run_id, n), state.runs[run_id].attempts[n]) for run_id, n in state.unsettled.values()]
        known, asked = {who for who, _ in wanted}, 0
        self._priced = {key: at for key, at in self._priced.items() if key in known}
        self._in_vain = {key: at for key, at in self._in_vain.items() if key in known}
        for key, attempt in wanted:
            offer, start = attempt.offer, attempt.launched_at
            provider = self.providers.get(offer.provider) if offer is not None else None
            if offer is None or offer.market is not Market.SPOT or start is None or provider is None:
                continue
            if not provider.capabilities.price_history:
                continue
            instance = seen.get(attempt.instance_id or "")
            ended = attempt.ended_at or (instance.ended_at if instance is not None else None)
            changed = instance is not None and bool(attempt.prices) and instance.offer.price != attempt.prices[-1].price
            urgent = changed or ended is not None
            if key in self._priced or not urgent:
                last = self._priced.get(key, attempt.priced_until or start)
                if now - last < (HISTORY_LEAST if urgent else HISTORY_EVERY):
                    continue
            if asked == HISTORIES_AT_ONCE:
                return
            asked += 1
            if attempt.ended_at is not None:
                self._in_vain.setdefault(key, now)
            since, until = attempt.priced_until or start, min(now, ended) if ended is not None else now
            try:
                found = tuple(provider.price_history(offer, since, max(since, until)))
            except ProviderError as error:
                self.troubles[f"prices {offer.key}"] = error.message
                self._priced[key] = now  # asked again in a minute: every attempt of a day would be, at every tick
                continue
            self._priced[key] = now
            yield key, History(found, max(since, until))

    def _places_of(self, run: RunState) -> Iterator[Place]:
        """Where a run's job may go."""
        for one in alternatives(run.job.resources):
            name, _, rest = one.infra.partition("/")
            provider = self.providers.get(name)
            if provider is not None:
                region = rest.partition("/")[0]
                yield from ((name, r) for r in provider.regions() if region in ("", r))

    def _ask_for_missing(self, runs: list[RunState], listings: Mapping[Place, Listing], now: Seconds) -> dict[str, Lookup]:
        found: dict[str, Lookup] = {}
        listed = {place: {i.instance_id for i in listing.instances} for place, listing in listings.items()}
        for run in runs:
            for attempt in run.live_attempts:
                place, instance_id = place_of(attempt), attempt.instance_id
                if instance_id is None or place not in listed or instance_id in listed[place]:
                    continue
                try:
                    instance = self.providers[place[0]].get(place[1], instance_id)
                except ProviderError as error:
                    self.troubles[instance_id] = error.message
                    continue
                before = self._lookups.get(instance_id, Lookup(None))
                since = before.absent_since if before.absent_since is not None else now
                found[instance_id] = Lookup(instance) if instance else Lookup(None, since, before.absences + 1)
        self._lookups = found
        return found

    def _missing_volumes(self, state: FleetState, listings: Mapping[Place, Listing], now: Seconds) -> dict[str, Lookup]:
        """Volumes that should be there, and since when no listing shows them. Where nobody looked nothing is learned."""
        listed = {place: {volume.volume_id for volume in listing.volumes} for place, listing in listings.items()}
        found: dict[str, Lookup] = {}
        for volume in (one for run in state.runs.values() for one in run.volumes.values() if one.held):
            there, before = listed.get((volume.provider, volume.region)), self._missing.get(volume.volume_id)
            if there is None and before is not None:
                found[volume.volume_id] = before
            elif there is not None and volume.volume_id not in there:
                since = before.absent_since if before is not None else now
                found[volume.volume_id] = Lookup(None, since, (before.absences if before is not None else 0) + 1)
        self._missing = found
        return found

    def _offers_now(self, runs: Iterable[RunState], now: Seconds) -> dict[str, tuple[Offer, ...]]:
        names = {name for run in runs if run.ended_at is None for name in providers_of(run.job.resources)}
        for name in names & self.providers.keys():
            at, _ = self._offers.get(name, (float("-inf"), ()))
            if now - at < min(OFFERS_EVERY, pace_of(name).again / 2):
                continue
            try:
                self._offers[name] = (now, tuple(self.providers[name].offers()))
                if self.hinting is not None:
                    self._hints = self.hinting(name, self._offers[name][1], now)
            except ProviderError as error:
                self.troubles[f"{name} offers"] = error.message
        return {name: offers for name, (_, offers) in self._offers.items()}

    def _desired_now(self, runs: list[RunState], now: Seconds, *, quiet: bool) -> dict[str, Desired]:
        again = DESIRED_SELDOM if quiet else DESIRED_EVERY
        told = [run.run_id for run in runs if run.attempts]
        never: tuple[Seconds, Desired | None] = (float("-inf"), None)
        old = [run_id for run_id in told if now - self._desired.get(run_id, never)[0] >= again]
        self._desired = {run_id: self._desired[run_id] for run_id in told if run_id in self._desired}
        found = {run_id: document for run_id, (_, document) in self._desired.items()}
        keys = [layout.desired(run_id) for run_id in old]
        for run_id, document in zip(old, documents(self.objects, Desired, keys, self.troubles), strict=True):
            found.pop(run_id, None)
            if document is not None:
                self._desired[run_id] = (now, document)
                found[run_id] = document
        return found

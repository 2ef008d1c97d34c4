"""Seeing the world once a tick: one listing per region in use, one of heartbeats, and what must be asked by id."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from fleet.core.allowed import alternatives, providers_of
from fleet.core.facts import place_of
from fleet.core.observed import AttemptKey, Lookup, Observed, Place
from fleet.core.pace import pace_of
from fleet.core.state import FleetState, RunState
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.cloud import Listing, Offer
from fleet.model.documents import Desired, Heartbeat
from fleet.model.errors import NotFoundError, ProviderError, StoreError
from fleet.providers.base import Provider
from fleet.store.objects import Objects

SWEEP_EVERY: Seconds = 3600
"""All regions are listed so often, for orphans where no run is."""
DESIRED_EVERY: Seconds = 30
"""desired.json is read again so often: another controller may have written it."""
CLOCK_BACK: Seconds = 1
"""A clock that goes back by more was set; less is how clocks are kept right."""
SLEPT: Seconds = 60
"""Two looks further apart than this mean that this computer was suspended."""
OFFERS_EVERY: Seconds = 300
"""Prices are asked for so often (each second on ``local``, where asking costs nothing)."""


@dataclass
class Observer:
    """Looks, and remembers what only looking twice can tell: what was absent, which heartbeats are old."""

    objects: Objects
    providers: Mapping[str, Provider]
    troubles: dict[str, str] = field(default_factory=dict)
    """What could not be asked in the last look, in words, by what was asked."""
    acted: dict[str, Seconds] = field(default_factory=dict)
    _swept: Seconds = float("-inf")
    _beats: dict[AttemptKey, tuple[str, Heartbeat]] = field(default_factory=dict)
    _heard: dict[AttemptKey, Seconds] = field(default_factory=dict)
    _looked: Seconds = 0.0
    _awake_since: Seconds = 0.0
    _listed: set[AttemptKey] = field(default_factory=set)
    _lookups: dict[str, Lookup] = field(default_factory=dict)
    _desired: dict[str, tuple[Seconds, Desired]] = field(default_factory=dict)
    _offers: dict[str, tuple[Seconds, tuple[Offer, ...]]] = field(default_factory=dict)

    def look(self, state: FleetState) -> Observed:
        """One tick's view."""
        now = self.objects.now()
        if now - self._looked > SLEPT and self._looked > 0:
            self._awake_since = now
        if now < self._looked - CLOCK_BACK:
            self._clock_went_back(now)
        self._looked = now
        self.troubles.clear()
        runs = state.busy_runs
        listings = dict(self._listings(state, runs, now))
        return Observed(
            now=now,
            listings=listings,
            lookups=self._ask_for_missing(runs, listings, now),
            heartbeats=self._heartbeats(runs),
            heard=dict(self._heard),
            listed_beats=frozenset(self._listed),
            offers=self._offers_now(runs, now),
            capabilities={name: provider.capabilities for name, provider in self.providers.items()},
            desired=self._desired_now(runs, now),
            secrets=frozenset(os.environ),
            awake_since=self._awake_since,
            acted=dict(self.acted),
        )

    def _clock_went_back(self, now: Seconds) -> None:
        """Somebody set it. What is due at a time must not wait until that comes once more."""
        self._swept = float("-inf")
        self._awake_since = min(self._awake_since, now)
        self._desired.clear()
        self._offers.clear()
        self._lookups.clear()
        self.acted.clear()
        self._heard.clear()

    def wrote_desired(self, run_id: str, desired: Desired) -> None:
        """What this controller has just written need not be read."""
        self._desired[run_id] = (self.objects.now(), desired)

    def beat(self, run_id: str, attempt: int) -> Heartbeat | None:
        """The attempt's latest word as last seen, for people to look at."""
        known = self._beats.get((run_id, attempt))
        return known[1] if known else None

    def read_beats(self, state: FleetState) -> None:
        """Read the heartbeats alone, for those who only look."""
        self._heartbeats(state.busy_runs)

    def _listings(self, state: FleetState, runs: list[RunState], now: Seconds) -> Iterator[tuple[Place, Listing]]:
        places = {place_of(attempt) for run in runs for attempt in run.live_attempts}
        places |= {(v.provider, v.region) for run in runs for v in run.volumes.values() if v.deleted_at is None}
        for run in runs:
            if run.ended_at is None:
                for one in alternatives(run.job.resources):
                    places |= set(self._infra_places(one.infra))
        if now - self._swept >= SWEEP_EVERY:
            self._swept = now
            places |= {(name, region) for name, p in self.providers.items() for region in p.regions()}
            places |= {(v.provider, v.region) for r in state.runs.values() for v in r.volumes.values()}
        for place in sorted(places):
            provider = self.providers.get(place[0])
            if provider is None:
                self.troubles[place[0]] = f"no provider {place[0]!r} is set up here"
                continue
            try:
                yield place, provider.list(place[1])
            except ProviderError as error:
                self.troubles["/".join(place)] = f"{error.error_class.value}: {error.message}"

    def _infra_places(self, infra: str) -> Iterator[Place]:
        name, _, rest = infra.partition("/")
        provider = self.providers.get(name)
        if provider is not None:
            region = rest.partition("/")[0]
            yield from ((name, r) for r in provider.regions() if region in ("", r))

    def _ask_for_missing(self, runs: list[RunState], listings: Mapping[Place, Listing], now: Seconds) -> dict[str, Lookup]:
        found: dict[str, Lookup] = {}
        for run in runs:
            for attempt in run.live_attempts:
                place, instance_id = place_of(attempt), attempt.instance_id
                listing = listings.get(place)
                if instance_id is None or listing is None:
                    continue
                if any(i.instance_id == instance_id for i in listing.instances):
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

    def _heartbeats(self, runs: list[RunState]) -> dict[AttemptKey, Heartbeat]:
        wanted = {(run.run_id, attempt.number): attempt for run in runs for attempt in run.live_attempts}
        keys = {layout.heartbeat(*who): who for who in wanted}
        self._listed.clear()
        try:
            listed = self.objects.list(layout.HEARTBEATS) if wanted else ()
        except StoreError as error:
            self.troubles["heartbeats"] = error.message
            listed = ()
        for info in listed:
            who = keys.get(info.key)
            speaker = who or layout.beat_of(info.key)
            if speaker is not None:
                self._listed.add(speaker)
            if who is not None and self._beats.get(who, ("",))[0] != info.version:
                self._read_beat(who, info.key, info.version)
        self._beats = {who: beat for who, beat in self._beats.items() if who in wanted}
        self._heard = {who: at for who, at in self._heard.items() if who in wanted}
        return {who: beat for who, (_, beat) in self._beats.items()}

    def _read_beat(self, who: AttemptKey, key: str, version: str) -> None:
        try:
            beat = Heartbeat.model_validate_json(self.objects.get(key))
            if who in self._beats:
                self._heard[who] = self.objects.now()
            self._beats[who] = (version, beat)
        except NotFoundError:
            return
        except (StoreError, ValidationError) as error:
            self.troubles[key] = str(error)

    def _offers_now(self, runs: list[RunState], now: Seconds) -> dict[str, tuple[Offer, ...]]:
        names = {name for run in runs if run.ended_at is None for name in providers_of(run.job.resources)}
        for name in names & self.providers.keys():
            at, _ = self._offers.get(name, (float("-inf"), ()))
            if now - at < min(OFFERS_EVERY, pace_of(name).again / 2):
                continue
            try:
                self._offers[name] = (now, tuple(self.providers[name].offers()))
            except ProviderError as error:
                self.troubles[f"{name} offers"] = error.message
        return {name: offers for name, (_, offers) in self._offers.items()}

    def _desired_now(self, runs: list[RunState], now: Seconds) -> dict[str, Desired]:
        found: dict[str, Desired] = {}
        for run in runs:
            if not run.attempts:
                continue
            at, known = self._desired.get(run.run_id, (float("-inf"), None))
            if known is None or now - at >= DESIRED_EVERY:
                known = self._read_desired(run.run_id)
                if known is not None:
                    self._desired[run.run_id] = (now, known)
            if known is not None:
                found[run.run_id] = known
        return found

    def _read_desired(self, run_id: str) -> Desired | None:
        try:
            return Desired.model_validate_json(self.objects.get(layout.desired(run_id)))
        except NotFoundError:
            return None
        except (StoreError, ValidationError) as error:
            self.troubles[layout.desired(run_id)] = str(error)
            return None

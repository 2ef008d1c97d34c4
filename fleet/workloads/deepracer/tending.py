"""Looks after the disk while a stack trains: notes how it fills, and above a threshold cleans what no resume needs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from fleet.engine import Engine
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.cleaning import automatic, carry_out, look_at_machine
from fleet.workloads.deepracer.growth import growth, note
from fleet.workloads.deepracer.history import HISTORY
from fleet.workloads.deepracer.janitor import Action, Leg, Machine, Rules
from fleet.workloads.deepracer.prefix import Prefix, open_folder
from fleet.workloads.deepracer.spec import DeepRacer

EVERY: Seconds = 300.0
SOON: Seconds = 3600.0
"""A disk that is full within this, although it was cleaned, is told of."""


class Places(Protocol):
    """Where the stack keeps its prefixes (ground.Storage)."""

    def open(self, prefix: str, /) -> Prefix:
        """One of them."""
        ...

    def names(self) -> list[str]:
        """All that there are."""
        ...


class Caretaker:
    """Of one volume. ``engine``: docker, if this machine is the run's alone; images and logs of others are not touched."""

    def __init__(
        self,
        volume: Path,
        places: Places,
        spec: DeepRacer,
        say: Callable[[str], None],
        engine: Engine | None = None,
        clock: Callable[[], Seconds] = time.time,
    ) -> None:
        self._volume, self._places, self._spec, self._say = volume, places, spec, say
        self._engine, self._clock = engine, clock
        self._rules = Rules(sets=spec.keep_sets, back=spec.nan.back)
        self._looked_at = float("-inf")
        self._problem = ""

    def look_if_due(self, legs: Sequence[Leg]) -> None:
        """Note, and clean if need be, now and then. ``legs``: of the run's course. Nothing that fails ends training."""
        now = self._clock()
        if now < self._looked_at + EVERY:
            return
        self._looked_at = now
        try:
            self._look(legs, now)
            self._problem = ""
        except (FleetError, OSError) as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._say(f"the disk could not be looked after, training goes on: {error}")

    def _look(self, legs: Sequence[Leg], now: Seconds) -> None:
        usage = shutil.disk_usage(self._volume)
        share = (usage.total - usage.free) / usage.total if usage.total else 0.0
        note(self._volume, now)
        if share <= self._spec.clean_above:
            return
        places, carried = self._all(legs)
        actions = automatic(
            self._volume,
            share,
            places,
            self._rules,
            above=self._spec.clean_above,
            legs=legs,
            carried=carried,
            machine=self._machine(now),
        )
        freed = self._carry_out(actions, places)
        notes = note(self._volume, now + 0.001, freed) if freed else note(self._volume, now)
        said = f"cleaned {freed / 1e9:.2f} GB" if freed else "there is nothing to clean that a resume does not need"
        told = growth(notes)
        full = told.full_at if told is not None else None
        more = f"; it will be full in {(full - now) / 60:.0f} minutes" if full is not None and full - now < SOON else ""
        self._say(f"the disk is {share:.0%} full: {said}{more}")

    def _all(self, legs: Sequence[Leg]) -> tuple[dict[str, Prefix], set[str]]:
        """Every prefix of the run, and what the history keeps of each; the names of those whose metrics are kept there."""
        own = {name for leg in legs for name in (leg.prefix, f"{leg.prefix}-from")}
        places = {name: self._places.open(name) for name in self._places.names() if name in own}
        history = self._volume / HISTORY
        for leg in legs:
            if (history / leg.prefix).is_dir():
                places[f"{HISTORY}/{leg.prefix}"] = open_folder(history / leg.prefix)
        return places, {leg.prefix for leg in legs if any((history / leg.prefix / "metrics").glob("*.json"))}

    def _machine(self, now: Seconds) -> Machine | None:
        if self._engine is None:
            return None
        images = self._spec.images
        named = (images.simapp, images.coach, images.trainer, images.simulator, images.s3)
        return look_at_machine(self._engine, {name for name in named if name is not None}, now)

    def _carry_out(self, actions: Sequence[Action], places: dict[str, Prefix]) -> int:
        """What cannot be done hinders nothing else; the bytes that are gone."""
        freed = 0
        for action in actions:
            try:
                carry_out(action, places, self._engine)
            except (FleetError, OSError) as error:
                self._say(f"not cleaned: {action.why}: {error}")
                continue
            freed += action.size
            self._say(f"cleaned: {action.why}")
        return freed

"""Everything of a fleet in the project, in two calls for all regions: each asks for its own part of the answer.

Compute Engine's aggregated lists speak of every zone at once. Whoever looks after several regions lists one after the other;
an answer serves each region once, and for a few seconds at most, so that a round over five regions costs two calls, and
asking twice for a region asks the cloud twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fleet.model.base import Seconds
from fleet.providers.gcp import calls, mapping
from fleet.providers.gcp.errors import refusal
from fleet.providers.gcp.names import FLEET_LABEL, label, region_of

Json = dict[str, Any]
SHARED: Seconds = 5.0


@dataclass
class Found:
    """What the project's lists said."""

    at: Seconds
    """The cloud's time."""
    machines: list[Json]
    disks: list[Json]
    unreachable: frozenset[str]
    """Zones that did not answer."""
    asked: Seconds = 0.0
    served: set[str] = field(default_factory=set)

    def of(self, region: str) -> tuple[list[Json], list[Json]]:
        """A region's machines and disks. Raises ProviderError if one of its zones did not answer."""
        silent = sorted(zone for zone in self.unreachable if zone == region or region_of(zone) == region)
        if silent:
            raise refusal("unreachable", f"{', '.join(silent)} did not answer")
        return [one for one in self.machines if _in(one, region)], [one for one in self.disks if _in(one, region)]


class Lists:
    """One fleet's."""

    def __init__(self, fleet_id: str, project: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._fleet_id, self._project, self._clock = fleet_id, project, clock
        self._found: Found | None = None
        self._asking = threading.Lock()

    def of(self, region: str) -> tuple[Seconds, list[Json], list[Json]]:
        """The cloud's time, and a region's machines and disks. Raises ProviderError."""
        with self._asking:
            found, now = self._found, self._clock()
            if found is None or region in found.served or not 0 <= now - found.asked < SHARED:
                found = self._found = self._ask(now)
            found.served.add(region)
        return (found.at, *found.of(region))

    def everywhere(self) -> Found:
        """What there is in all regions, those that no set-up names among them. Raises ProviderError."""
        return self._ask(self._clock())

    def _ask(self, now: Seconds) -> Found:
        """Both lists at a time, since all that takes time in them is waiting."""
        with ThreadPoolExecutor(1) as beside:
            later = beside.submit(self._all, "disks.aggregatedList", "disks")
            machines, at, silent = self._all("instances.aggregatedList", "instances")
            disks, _, silent_too = later.result()
        return Found(at, machines, disks, silent | silent_too, asked=now)

    def _all(self, call: str, what: str) -> tuple[list[Json], Seconds, frozenset[str]]:
        wanted = f"labels.{FLEET_LABEL}={label(self._fleet_id)}"
        found = calls.everywhere(call, what, project=self._project, filter=wanted)
        return [one for one in found.items if mapping.is_mine(one, self._fleet_id)], found.at, found.silent


def _in(described: Json, region: str) -> bool:
    return region_of(described.get("zone", "")) == region

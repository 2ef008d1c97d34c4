"""How machines ended: Compute Engine forgets them at once, and says of one that is stopped only that it is.

What was seen is remembered for as long as this process lives; what was not, the operations tell.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from fleet.model.cloud import EndedBy, Instance, InstanceState, Market, Offer
from fleet.model.errors import ProviderError
from fleet.providers.gcp import mapping, names, operations

REMEMBERED = 10_000
"""Machines; the oldest are forgotten first."""


class Ends:
    """What this process remembers of one project's machines."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._known: OrderedDict[str, Instance] = OrderedDict()
        self._deleting: set[str] = set()
        self._stopped: dict[tuple[str, str], EndedBy] = {}
        self._lock = threading.Lock()

    def seen(self, machines: Iterable[Instance]) -> None:
        """How machines are now."""
        with self._lock:
            for one in machines:
                before = self._known.pop(one.instance_id, None)
                over = before is not None and before.state is InstanceState.TERMINATED
                self._known[one.instance_id] = before if over and before is not None else one
            while len(self._known) > REMEMBERED:
                gone, _ = self._known.popitem(last=False)
                self._deleting.discard(gone)

    def deleting(self, instance_id: str) -> None:
        """Its deletion was asked for."""
        with self._lock:
            self._deleting.add(instance_id)

    def told(self, described: Mapping[str, Any], book: Mapping[str, Offer]) -> Instance:
        """A machine that is there, with who stopped it, if it is stopped."""
        instance_id = mapping.machine_id(described)
        stopped = mapping.state_of(described) is InstanceState.STOPPED
        by = self._stopper(instance_id, described) if stopped else None
        return mapping.instance(described, book, ended_by=by, deleting=instance_id in self._deleting)

    def of_gone(self, instance_id: str) -> Instance | None:
        """A machine that is not there, as its operations tell its end; None: they tell none (any more, or yet)."""
        with self._lock:
            known = self._known.get(instance_id)
        if known is not None and known.state is InstanceState.TERMINATED:
            return known
        name, zone = names.parts_of(instance_id)
        told = operations.of_machine(self._project, zone, name)
        end = operations.ended(told)
        if end is None:
            return None
        began = known.launched_at if known is not None else operations.began(told[0])
        gone = (known or _bare(instance_id, zone, began)).model_copy(
            update={
                "state": InstanceState.TERMINATED,
                "ended_at": max(began, end.at),
                "ended_by": end.by,
                "volume_ids": (),
            }
        )
        self.seen([gone])
        return gone

    def _stopper(self, instance_id: str, described: Mapping[str, Any]) -> EndedBy:
        """Who stopped a machine that is stopped: asked for once."""
        key = instance_id, str(described.get("lastStopTimestamp"))
        if key not in self._stopped:
            name, zone = names.parts_of(instance_id)
            try:
                end = operations.ended(operations.of_machine(self._project, zone, name))
            except ProviderError:
                return "unknown"
            self._stopped[key] = end.by if end is not None else "unknown"
        return self._stopped[key]


def _bare(instance_id: str, zone: str, began: float) -> Instance:
    """A machine that this process never saw: what it was is not told by its operations, and the journal knows it."""
    offer = Offer(
        provider=mapping.PROVIDER,
        region=names.region_of(zone),
        zone=zone,
        instance_type="",
        market=Market.SPOT,
        price=0,
        on_demand_price=0,
    )
    return Instance(instance_id=instance_id, offer=offer, state=InstanceState.TERMINATED, launched_at=began)

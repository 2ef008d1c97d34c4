"""The policies by their names."""

from __future__ import annotations

from collections.abc import Callable

from fleet.core.ticks.own import OWN
from fleet.core.ticks.peers import EagerNextRegion, Failover, Greedy, OnDemand, StayAndWait, UniformProgress
from fleet.core.ticks.run import Policy

PEERS: dict[str, Callable[[], Policy]] = {
    "on-demand": OnDemand,
    "greedy": Greedy,
    "uniform-progress": UniformProgress,
    "stay-and-wait": StayAndWait,
    "failover": Failover,
    "eager-next-region": EagerNextRegion,
}


def policies() -> dict[str, Callable[[], Policy]]:
    """Every policy that sees no future, fleet's own last."""
    return {**PEERS, **OWN}

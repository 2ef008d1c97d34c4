"""The policies by their names."""

from __future__ import annotations

from collections.abc import Callable

from fleet.core.ticks.own import OWN
from fleet.core.ticks.peers import Greedy, OnDemand, UniformProgress
from fleet.core.ticks.run import Policy

PEERS: dict[str, Callable[[], Policy]] = {"on-demand": OnDemand, "greedy": Greedy, "uniform-progress": UniformProgress}


def policies() -> dict[str, Callable[[], Policy]]:
    """Every policy that sees no future, fleet's own last."""
    return {**PEERS, **OWN}

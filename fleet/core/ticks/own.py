"""fleet's own policies in the tick model: an adapter of a few lines around the decision that the controller calls too."""

from __future__ import annotations

from collections.abc import Callable

from fleet.core.ticks.run import Policy

OWN: dict[str, Callable[[], Policy]] = {}
"""By name: ``fleet`` (one machine at a time), ``fleet-overlap`` (may choose BOTH)."""

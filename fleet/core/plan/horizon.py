"""Until when a planned action is worth doing."""

from __future__ import annotations

from fleet.core.observed import Observed
from fleet.model.base import Seconds

HORIZON: Seconds = 30
"""A laptop that slept does not carry out yesterday's plan (design.md, section 4)."""


def not_after(observed: Observed) -> Seconds:
    """The time after which an action planned now is dropped."""
    return observed.now + HORIZON

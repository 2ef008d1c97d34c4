"""A port that was opened for somebody for a while is closed once that is over, whoever opened it (design.md, section 10)."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.actions import Action, CloseAccess
from fleet.core.observed import Observed
from fleet.core.plan.horizon import not_after


def close_forgotten(observed: Observed) -> Iterator[Action]:
    """Whoever is still connected would have moved the rule's time on; what is forgotten here is harmless to close twice."""
    for (provider, _), rules in observed.access.items():
        for rule in rules:
            if rule.until < observed.now:
                yield CloseAccess(not_after=not_after(observed), provider=provider, rule=rule)

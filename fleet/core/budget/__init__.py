"""Budgets for a day and a month, of a run and of the whole fleet: what a lease may reach to, and what is told of them.

The budget of a whole run is in core/leases.py. Here each day and each month that a lease reaches into counts by itself: what
was spent in it, what every machine may still spend in it at the highest price that it can come to, and the disks until its
end, together stay within each cap. So they hold with every controller dead.
"""

from __future__ import annotations

from fleet.core.budget.caps import Cap, caps_of
from fleet.core.budget.reaching import Ask, Later, reach, within

__all__ = ["Ask", "Cap", "Later", "caps_of", "reach", "within"]

"""Keeping a deadline: how much work is left, what is known of spot, and what follows from both (docs/deadlines.md)."""

from __future__ import annotations

from fleet.core.keeping.verdict import Verdict, judge
from fleet.core.keeping.words import told

__all__ = ["Verdict", "judge", "told"]

"""Deadlines: spot while it can be, on-demand when it must be, back to spot when that pays. Pure, and one implementation.

The controller, the simulated cloud and the benchmark's tick model all ask ``decide``.
"""

from fleet.core.deadlines.choose import decide
from fleet.core.deadlines.model import Decision, Do, Situation, Sky, Terms
from fleet.core.deadlines.shelf import table
from fleet.core.deadlines.solve import Table

__all__ = ["Decision", "Do", "Situation", "Sky", "Table", "Terms", "decide", "table"]

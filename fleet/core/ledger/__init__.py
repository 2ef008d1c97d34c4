"""What was paid, line by line: a pure function of the fleet's state (design.md, section 9)."""

from fleet.core.ledger.book import ledger
from fleet.core.ledger.charges import UNSEEN
from fleet.core.ledger.grouping import By, Group, group, midnights, total
from fleet.core.ledger.line import SMALL, Kind, Known, Line

__all__ = ["SMALL", "UNSEEN", "By", "Group", "Kind", "Known", "Line", "group", "ledger", "midnights", "total"]

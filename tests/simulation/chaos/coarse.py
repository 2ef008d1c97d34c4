"""Tables of deadlines that are quickly solved: what a choice costs is no law, and no deadline is kept by them alone.

With the usual ones nine tenths of a long search would go into what no law looks at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from fleet.core import deadlines
from fleet.core.deadlines import solve
from fleet.core.keeping import asking

COARSE: dict[Any, dict[str, Any]] = {
    solve: {"FINEST": 60, "EFFORT": 1_000_000},
    asking: {"TICKS": 24, "LEVELS": 24, "TICK_MOST": 6 * 3600.0},
    deadlines: {"table": lru_cache(maxsize=2000)(solve.solved)},
}


@contextlib.contextmanager
def coarse_tables() -> Iterator[None]:
    """As long as it lasts."""
    before = {where: {name: getattr(where, name) for name in names} for where, names in COARSE.items()}
    _set(COARSE)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[Any, dict[str, Any]]) -> None:
    for where, names in values.items():
        for name, value in names.items():
            setattr(where, name, value)

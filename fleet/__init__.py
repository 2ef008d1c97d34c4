"""fleet: cheap training on spot machines that survives every interruption.

``import fleet`` gives a training ``progress``, ``saved`` and ``save_requested`` at once; everything else (``up``, ``ps``,
``stop`` …: the commands' names, documented in fleet/api.py) is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fleet._training import progress, save_requested, saved

if TYPE_CHECKING:
    from fleet.api import (
        checkpoints,
        controllers,
        delete_volume,
        down,
        events,
        gc,
        logs,
        note,
        offers,
        plan,
        prices,
        prune,
        ps,
        pull,
        repair_journal,
        resume,
        run_controller,
        status,
        stop,
        up,
        verify,
        volumes,
    )
    from fleet.model.errors import FleetError
    from fleet.model.job import Job

__all__ = [
    "FleetError", "Job", "__version__", "checkpoints", "controllers", "delete_volume", "down", "events", "gc", "logs",
    "note", "offers", "plan", "prices", "progress", "prune", "ps", "pull", "repair_journal", "resume",
    "run_controller", "save_requested", "saved", "status", "stop", "up", "verify", "volumes",
]  # fmt: skip

__version__ = "0.1.0"


_WHERE = {"FleetError": "fleet.model.errors", "Job": "fleet.model.job"}


def __getattr__(name: str) -> Any:
    """What is not needed by a training is imported at first use: a training machine is for training."""
    if name not in __all__:
        raise AttributeError(f"module 'fleet' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE.get(name, "fleet.api")), name)

"""What can be put around any provider without its knowing: retry, limits, dry-run, recording, faults.

Each is imported when it is first named: a command that only looks needs one of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleet.providers.wrap.around import Call, Wrapper
    from fleet.providers.wrap.dry_run import DryRun
    from fleet.providers.wrap.faults import Fault, Faults
    from fleet.providers.wrap.guard import Guard
    from fleet.providers.wrap.limit import Limit
    from fleet.providers.wrap.record import Record, Recorder
    from fleet.providers.wrap.retry import Retry

__all__ = ["Call", "DryRun", "Fault", "Faults", "Guard", "Limit", "Record", "Recorder", "Retry", "Wrapper"]

_WHERE = {"Call": "around", "Wrapper": "around", "DryRun": "dry_run", "Fault": "faults", "Recorder": "record"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE.get(name, name.lower())}"), name)

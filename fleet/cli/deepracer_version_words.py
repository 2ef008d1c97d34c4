"""What versions are told by, for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fleet.workloads.deepracer.versions.changes import Change

if TYPE_CHECKING:
    from fleet.cli.deepracer_version_objects import DeepRacerChangeObject


def change_objects(changes: Iterable[Change]) -> list[DeepRacerChangeObject]:
    """Changes as ``-o json`` prints them."""
    return [{"kind": one.kind, "name": one.name, "before": one.before, "after": one.after} for one in changes]

"""A run's checkpoints, as people look at them: which there are, whether they are whole, and getting one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fleet.core.chain import late_refs, newest_based, valid_refs
from fleet.model.documents import CheckpointRef, Manifest
from fleet.model.errors import CheckpointError, FleetError
from fleet.store.checkpoints import Checkpoints
from fleet.store.objects import Objects


@dataclass(frozen=True, slots=True)
class SavedSet:
    """One committed checkpoint."""

    ref: CheckpointRef
    status: Literal["newest", "trusted", "late", "broken"]
    """``late``: written by an attempt after the next one had taken over; never restored."""
    manifest: Manifest | None
    problem: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files, those shared with other checkpoints too."""
        return sum(entry.size for entry in self.manifest.files) if self.manifest else 0


def list_saved(objects: Objects, run_id: str) -> list[SavedSet]:
    """Every committed checkpoint of a run, newest first, late ones last."""
    checkpoints = Checkpoints(objects, run_id)
    bases = checkpoints.bases()
    committed = checkpoints.all_committed()
    trusted = valid_refs(newest_based(bases), bases, committed)
    found = [_described(checkpoints, ref, "newest" if ref == trusted[0] else "trusted") for ref in trusted]
    return found + [_described(checkpoints, ref, "late") for ref in late_refs(bases, committed)]


def _described(checkpoints: Checkpoints, ref: CheckpointRef, status: Literal["newest", "trusted", "late"]) -> SavedSet:
    try:
        return SavedSet(ref, status, checkpoints.manifest(ref))
    except CheckpointError as error:
        return SavedSet(ref, "broken", None, error.message)


def verify_saved(objects: Objects, run_id: str, one: SavedSet) -> str | None:
    """Fetch every byte of a checkpoint and compare; what is wrong with it, or None."""
    if one.manifest is None:
        return one.problem
    with tempfile.TemporaryDirectory(prefix="fleet-verify-") as folder:
        try:
            Checkpoints(objects, run_id).fetch(one.manifest, Path(folder) / "checkpoint")
        except CheckpointError as error:
            return error.message
    return None


def pull_saved(objects: Objects, run_id: str, ref: CheckpointRef | None, into: Path) -> Manifest:
    """Bring a checkpoint (the newest whole one unless named) into a new folder, verified. Raises FleetError."""
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise FleetError(f"{into} is there already, and not empty", "Name a new folder with --into.")
    problems = []
    for one in list_saved(objects, run_id):
        if (one.ref != ref) if ref is not None else (one.status == "late"):
            continue
        if one.manifest is None:
            problems.append(f"{one.ref}: {one.problem}")
            continue
        try:
            Checkpoints(objects, run_id).fetch(one.manifest, into)
        except CheckpointError as error:
            problems.append(f"{one.ref}: {error.message}")
            continue
        return one.manifest
    what = f"checkpoint {ref}" if ref is not None else "whole checkpoint"
    told = f" ({'; '.join(problems)})" if problems else ""
    raise FleetError(f"run {run_id} has no {what}{told}", "`fleet checkpoints list RUN` shows what there is.")


def prune_saved(objects: Objects, run_id: str, keep: int) -> list[CheckpointRef]:
    """Remove trusted checkpoints beyond the newest ``keep``; those removed. The one being resumed from always stays."""
    checkpoints = Checkpoints(objects, run_id)
    head = newest_based(checkpoints.bases())
    return checkpoints.prune(head, keep=keep, protect=()) if head is not None else []

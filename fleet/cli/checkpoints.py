"""``fleet checkpoints``."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

from fleet.cli.ask import confirm
from fleet.cli.table import print_table
from fleet.control.opened import opened_run
from fleet.control.saved import SavedSet, list_saved, prune_saved, pull_saved, verify_saved
from fleet.model.documents import CheckpointRef
from fleet.model.errors import FleetError


def show(name: str, bucket: str | None, *, as_json: bool) -> int:
    """List them."""
    controller, run = opened_run(bucket, name)
    found = list_saved(controller.objects, run.run_id)
    if as_json:
        print(json.dumps([_object(one) for one in found], indent=2))
        return 0
    if not found:
        print(f"Run {run.run_id} has no checkpoint yet.")
        return 0
    rows = [("CHECKPOINT", "STEP", "SAVED", "FILES", "BYTES", "STATUS")]
    for one in found:
        when, step, files = "-", "-", 0
        if one.manifest is not None:
            when = datetime.fromtimestamp(one.manifest.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            step = "-" if one.manifest.step is None else str(one.manifest.step)
            files = len(one.manifest.files)
        rows.append((str(one.ref), step, when, str(files), f"{one.size:,}", f"{one.status} {one.problem}".strip()))
    print_table(rows)
    return 0


def _object(one: SavedSet) -> dict[str, object]:
    manifest = one.manifest
    return {
        "checkpoint": str(one.ref),
        "status": one.status,
        "step": manifest.step if manifest else None,
        "at": manifest.at if manifest else None,
        "files": len(manifest.files) if manifest else 0,
        "bytes": one.size,
        "problem": one.problem,
    }


def verify(name: str, bucket: str | None, *, everything: bool, as_json: bool) -> int:
    """Check every byte; 1 if one is broken."""
    controller, run = opened_run(bucket, name)
    found = list_saved(controller.objects, run.run_id)
    if not found:
        raise FleetError(f"run {run.run_id} has no checkpoint yet")
    results = []
    for one in found if everything else found[:1]:
        problem = verify_saved(controller.objects, run.run_id, one)
        results.append({"checkpoint": str(one.ref), "whole": problem is None, "problem": problem or ""})
        if not as_json:
            print(f"{one.ref}  {'whole' if problem is None else f'BROKEN: {problem}'}")
    if as_json:
        print(json.dumps(results, indent=2))
    return 0 if all(result["whole"] for result in results) else 1


def pull(name: str, ref: str | None, into: Path, bucket: str | None) -> int:
    """Get one."""
    controller, run = opened_run(bucket, name)
    manifest = pull_saved(controller.objects, run.run_id, _parsed(ref) if ref is not None else None, into)
    print(f"Checkpoint {manifest.ref} (step {manifest.step}) lies in {into}: {len(manifest.files)} file(s), verified.")
    return 0


def prune(name: str, keep: int, bucket: str | None, *, yes: bool) -> int:
    """Remove old ones."""
    controller, run = opened_run(bucket, name)
    confirm(f"Remove all but the newest {keep} checkpoint(s) of run {run.run_id}?", yes=yes, otherwise="nothing was removed")
    gone = prune_saved(controller.objects, run.run_id, keep)
    print(f"Removed {', '.join(map(str, gone)) or 'nothing'}.")
    return 0


def _parsed(text: str) -> CheckpointRef:
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None:
        raise FleetError(f"{text!r} names no checkpoint", "Write attempt/number as `fleet checkpoints list` does: 2/17.")
    return CheckpointRef(attempt=int(match[1]), seq=int(match[2]))

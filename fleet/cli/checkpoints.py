"""``fleet checkpoints``."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import api
from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.cli.table import print_table
from fleet.control.names import nearest
from fleet.control.saved import SavedSet
from fleet.model.documents import CheckpointRef
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.cli.objects import CheckObject, CheckpointObject, PrunedObject, PulledObject


def show(name: str, bucket: str | None, *, as_json: bool) -> int:
    """List them."""
    run_id = api.status(name, bucket=bucket).run.run_id
    found = api.checkpoints(run_id, bucket=bucket)
    if as_json:
        emit([_object(one) for one in found])
        return 0
    if not found:
        print(f"Run {run_id} has no checkpoint yet.")
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


def _object(one: SavedSet) -> CheckpointObject:
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
    results: list[CheckObject] = []
    for one, problem in api.verify(name, everything=everything, bucket=bucket):
        results.append({"checkpoint": str(one.ref), "whole": problem is None, "problem": problem or ""})
        say(f"{one.ref}  {'whole' if problem is None else f'BROKEN: {problem}'}")
    if as_json:
        emit(results)
    return 0 if all(result["whole"] for result in results) else 1


def pull(name: str, ref: str | None, into: Path, bucket: str | None, *, as_json: bool) -> int:
    """Get one."""
    wanted = _parsed(ref) if ref is not None else None
    if wanted is not None:
        known = [str(one.ref) for one in api.checkpoints(name, bucket=bucket)]
        if str(wanted) not in known:
            hint = f"`fleet checkpoints list {name}` shows what there is."
            raise FleetError(f"run {name!r} has no checkpoint {wanted}; {nearest(str(wanted), known)}", hint)
    manifest = api.pull(name, into, ref=wanted, bucket=bucket)
    say(f"Checkpoint {manifest.ref} (step {manifest.step}) lies in {into}: {len(manifest.files)} file(s), verified.")
    if as_json:
        told: PulledObject = {
            "run": manifest.run_id,
            "checkpoint": str(manifest.ref),
            "step": manifest.step,
            "files": len(manifest.files),
            "bytes": sum(entry.size for entry in manifest.files),
            "folder": str(into.absolute()),
        }
        emit(told)
    return 0


def prune(name: str, keep: int, bucket: str | None, *, yes: bool, as_json: bool) -> int:
    """Remove old ones."""
    run_id = api.status(name, bucket=bucket).run.run_id
    confirm(f"Remove all but the newest {keep} checkpoint(s) of run {run_id}?", yes=yes, otherwise="nothing was removed")
    gone = [str(ref) for ref in api.prune(run_id, keep=keep, bucket=bucket)]
    say(f"Removed {', '.join(gone) or 'nothing'}.")
    if as_json:
        told: PrunedObject = {"run": run_id, "removed": gone}
        emit(told)
    return 0


def _parsed(text: str) -> CheckpointRef:
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None:
        raise FleetError(f"{text!r} names no checkpoint", "Write attempt/number as `fleet checkpoints list` does: 2/17.")
    return CheckpointRef(attempt=int(match[1]), seq=int(match[2]))

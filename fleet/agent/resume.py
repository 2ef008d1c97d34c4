"""Bringing training back: fix the base, commit what only the volume holds, restore, and measure what was lost."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from fleet.agent.disk import Disk, Reached
from fleet.agent.saver import ROUNDING
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.documents import Base, BootDocument, Heartbeat, Manifest, Resumed
from fleet.model.errors import NotFoundError
from fleet.store.checkpoints import Checkpoints, Restored, Scanner
from fleet.store.objects import Objects

CLOCK_SET: Seconds = 2.0
"""Two clocks that are kept right differ by less."""


def resume(
    objects: Objects, checkpoints: Checkpoints, boot: BootDocument, disk: Disk, now: Callable[[], Seconds]
) -> tuple[Resumed, Manifest | None, int]:
    """Make the checkpoint folder what training is to begin from. With it: restarts that the run has had before.

    Raises FencedError if a later attempt has taken over, StoreError if the bucket cannot be asked; both leave the disk's
    checkpoints as they were.
    """
    base = checkpoints.establish_base(boot.attempt, now())
    beat = _last_beat(objects, boot.run_id, base.predecessor)
    mine = disk.writer() == (boot.run_id, boot.attempt) or (
        disk.writer() == (boot.run_id, base.predecessor) and not checkpoints.committed(boot.attempt)
    )
    if mine:
        disk.sign(boot.run_id, boot.attempt)  # whoever comes after a death in what follows finds it still ours
        _commit_unsent(checkpoints, boot, disk, base, beat)
    else:
        disk.set_aside(boot.attempt)  # another attempt's, or overtaken by this one elsewhere: the bucket knows better
    restored = checkpoints.restore(boot.attempt, disk.checkpoints, have=disk.checkpoints)
    if restored.manifest is None:
        disk.set_aside(boot.attempt)
    known = disk.reached(boot.run_id) if mine else None
    disk.sign(boot.run_id, boot.attempt)
    return _measured(base, restored, beat, known, now()), restored.manifest, _restarts_before(beat)


def _restarts_before(beat: Heartbeat | None) -> int:
    """``retries.training`` counts over the whole run, but begins anew where the user let it go on after its end."""
    taken_back = beat is not None and (beat.outcome is None or beat.outcome.kind == "interrupted")
    return beat.restarts if beat is not None and taken_back else 0


def _last_beat(objects: Objects, run_id: str, attempt: int | None) -> Heartbeat | None:
    if attempt is None:
        return None
    try:
        return Heartbeat.model_validate_json(objects.get(layout.heartbeat(run_id, attempt)))
    except (NotFoundError, ValidationError):
        return None


def _commit_unsent(
    checkpoints: Checkpoints,
    boot: BootDocument,
    disk: Disk,
    base: Base,
    beat: Heartbeat | None,
) -> None:
    """A verified checkpoint that exists only on the volume is committed first, under this attempt.

    One that the bucket has had before is no news, nor is one from before the newest: where the power failed, the volume may
    have lost a rename that the bucket knows of, and shows the checkpoint before it.
    """
    newest, _ = checkpoints.newest_valid(boot.attempt)
    scanner = Scanner(disk.checkpoints, disk.staging, boot.job.checkpoint.format)
    staged = scanner.finished(settled=True)
    if staged is None:
        return
    with staged:
        step, at = _step_of(disk, boot.run_id, staged.modified, beat), _at_of(disk, boot.run_id, staged.modified)
        if newest is not None and _is_older(step, at, newest):
            return
        if newest is not None and staged.signature in checkpoints.signatures(boot.attempt):
            return
        checkpoints.commit(
            boot.attempt,
            staged,
            parent=newest.ref if newest else base.ref,
            step=step,
            at=at,
            format=boot.job.checkpoint.format,
            previous=newest,
            trained=_trained_of(newest, beat, at),
        )


def _is_older(step: int | None, at: Seconds, newest: Manifest) -> bool:
    """By the time, where the steps do not say otherwise: without them a clock that was set may be what it is older by."""
    if step is None or newest.step is None:
        return at < newest.at - CLOCK_SET
    return at < newest.at and step <= newest.step


def _step_of(disk: Disk, run_id: str, modified: Seconds, beat: Heartbeat | None) -> int | None:
    """Which step an unsent checkpoint holds: told by training where it says so (``fleet.saved``), else unknown to a step."""
    saved = disk.saved(run_id)
    if saved is not None and saved[1] >= modified - ROUNDING:
        return saved[0]  # said after the set was written, and there is no newer one
    known = disk.reached(run_id)
    if known is not None and known.wall <= modified:
        return known.step
    return beat.step if beat is not None and beat.step_at is not None and beat.step_at <= modified else None


def _trained_of(newest: Manifest | None, beat: Heartbeat | None, at: Seconds) -> Seconds | None:
    """How long an unsent checkpoint was trained, at least: the one before it, or what the machine had last told by then."""
    least = newest.trained if newest is not None else 0.0
    if least is None or beat is None or beat.trained is None:
        return least
    return round(max(least, beat.trained - max(0.0, beat.at - at)), 3)


def _at_of(disk: Disk, run_id: str, modified: Seconds) -> Seconds:
    """When a file was written, by the bucket's clock: the clock of the machine that wrote it may have been another's."""
    known = disk.reached(run_id)
    return modified + (known.at - known.wall if known is not None else 0.0)


def _measured(base: Base, restored: Restored, beat: Heartbeat | None, known: Reached | None, now: Seconds) -> Resumed:
    """How far training had come, from every witness, against what was brought back."""
    witnesses = [(known.step, known.at)] if known is not None else []
    if beat is not None and beat.step is not None and beat.step_at is not None:
        witnesses.append((beat.step, beat.step_at))
    reached, reached_at = max(witnesses, default=(None, now))
    manifest = restored.manifest
    step = manifest.step if manifest is not None else 0
    lost = max(0, reached - step) if reached is not None and step is not None else 0
    since = manifest.at if manifest is not None else (beat.resumed.at if beat and beat.resumed else reached_at)
    return Resumed(
        ref=manifest.ref if manifest else None,
        source=restored.source,
        step=manifest.step if manifest else None,
        reached=reached,
        lost_steps=lost,
        lost_seconds=round(max(0.0, reached_at - since), 3) if lost else 0.0,
        trained=manifest.trained if manifest is not None else 0.0,
        skipped=(*base.skipped, *restored.skipped),
        at=now,
    )

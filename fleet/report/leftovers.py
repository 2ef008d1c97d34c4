"""What goes on costing money although no live run needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet.core.ledger import Line
from fleet.core.plan.volumes import KEEP
from fleet.core.state import FleetState, RunState, VolumeRecord
from fleet.model.base import Micros, Seconds
from fleet.model.calendar import Span, date_text
from fleet.report.running import name_of
from fleet.report.statement import Left


def left_behind(state: FleetState, zone: str, strays: Sequence[Left]) -> Iterator[Left]:
    """Machines and whatever else nobody owns, then volumes that no live run uses; the dearest first."""
    seen = {one.id for one in strays}
    machines = [*strays, *(_orphan(id_, since) for id_, since in state.orphans.items() if id_ not in seen)]
    yield from sorted(machines, key=lambda one: (-(one.monthly or 0), one.id))
    volumes = [
        _volume(run, volume, zone)
        for run in state.runs.values()
        for volume in run.volumes.values()
        if volume.held and volume.volume_id not in seen and _unused(run, volume)
    ]
    yield from sorted(volumes, key=lambda one: (-(one.monthly or 0), one.id))


def _orphan(instance_id: str, since: Seconds) -> Left:
    why = "no attempt of this fleet owns it; any controller ends it"
    return Left("machine", name_of(instance_id), "", "", None, since, why, "fleet gc --delete")


def _unused(run: RunState, volume: VolumeRecord) -> bool:
    return run.over or run.volume_id != volume.volume_id


def _volume(run: RunState, volume: VolumeRecord, zone: str) -> Left:
    ended = run.ended_at if run.over else None
    since = volume.superseded_at if volume.superseded_at is not None else ended
    what = "its run moved to another volume" if volume.superseded_at is not None else "its run ended"
    when = f" on {date_text(since, zone)}" if since is not None else ""
    keep = run.job.volume.keep if run.job.volume.keep is not None else KEEP
    goes = f"; kept until {date_text(since + keep, zone)}" if since is not None else ""
    return Left(
        kind="volume",
        id=name_of(volume.volume_id),
        where=f"{volume.provider}/{volume.zone}",
        name=name_of(run.name),
        monthly=volume.size_gb * volume.price,
        since=since,
        why=f"{what}{when}{goes}",
        command=f"fleet volumes delete {name_of(volume.volume_id)}",
    )


def forgotten(state: FleetState, lines: Sequence[Line], night: Span) -> Micros:
    """What was paid in the night for volumes of runs that had ended before it began."""
    over = {
        r.run_id for r in state.runs.values() if r.ended_at is not None and r.ended_at < night.start and not r.live_attempts
    }
    return sum(line.amount for line in lines if line.kind == "volume" and line.run in over)

"""The launch request of a try, rendered once: its bytes are then frozen in launch-<try>.json, whoever sends them."""

from __future__ import annotations

from fleet.core.allowed import bid
from fleet.core.pace import pace_of
from fleet.core.state import AttemptState, RunState
from fleet.model.base import document_bytes
from fleet.model.cloud import ExistingVolume, LaunchRequest, NewVolume
from fleet.model.documents import BootDocument


def launch_request(fleet_id: str, root: str, run: RunState, attempt: AttemptState) -> LaunchRequest:
    """Render the request for the attempt's present try. ``root`` is the bucket's URL, which the agent opens."""
    job, volume, pace = run.job, attempt.volume, pace_of(attempt.offers[0].provider)
    longest = pace.longest_life
    boot = BootDocument(
        fleet_id=fleet_id,
        root=root,
        run_id=run.run_id,
        run_name=run.name,
        attempt=attempt.number,
        try_no=attempt.try_no,
        job=job,
        workdir_key=run.workdir_key,
        mounts=run.mounts,
        volume_id=volume.volume_id if isinstance(volume, ExistingVolume) else None,
        volume_new=isinstance(volume, NewVolume),
        predecessor=attempt.predecessor,
        besides=attempt.besides,
        lease_until=attempt.lease_until,
        intervals=pace.intervals,
    )
    return LaunchRequest(
        token=attempt.token,
        fleet_id=fleet_id,
        run_id=run.run_id,
        run_name=run.name,
        attempt=attempt.number,
        try_no=attempt.try_no,
        offers=attempt.offers,
        max_price=bid(attempt.offers[0], job.resources),
        volume=volume,
        image_id=job.resources.image_id,
        disk_size_gb=job.resources.disk_size,
        user_data=document_bytes(boot).decode(),
        lease_until=attempt.lease_until,
        ends_by=attempt.intended_at + longest if longest is not None else None,
        tags={
            "fleet": fleet_id,
            "run": run.run_id,
            "attempt": str(attempt.number),
            "try": str(attempt.try_no),
            "token": attempt.token,
            **({"volume": job.volume.name} if job.volume.name is not None else {}),
        },
    )

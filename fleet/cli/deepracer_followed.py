"""A training that goes on, as the watch follows it: its records by what was added, and how its run does, by the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.cli.deepracer_recordings import Records, open_records
from fleet.control.runs import view
from fleet.workloads.deepracer.analysis.following import Follow
from fleet.workloads.deepracer.analysis.recording import Recording


@dataclass
class Followed:
    """Of a run, or of whatever else was named."""

    records: Records
    follow: Follow

    def poll(self) -> Recording | None:
        """All there is; None: nothing has changed since the last call. Raises StoreError."""
        news = self.follow.poll()
        return news.recording if news is not None else None

    def state(self) -> tuple[str, bool]:
        """What the run does, and whether it is over. Raises StoreError."""
        controller = self.records.controller
        if controller is None or self.records.run is None:
            return "", False
        controller.catch_up()
        run = controller.state.runs[self.records.run.run_id]
        over = run.ended_at is not None and not run.live_attempts
        if not over:
            controller.observer.read_beats(controller.state)
        return view(controller, run).phase, over

    def outcome(self) -> str | None:
        """How the run ended; None: it goes on, or there is none."""
        if self.records.controller is None or self.records.run is None:
            return None
        return self.records.controller.state.runs[self.records.run.run_id].outcome


def open_source(paths: Sequence[str], bucket: str | None) -> Followed:
    """What a user names, to be looked at again and again. Raises FleetError."""
    records = open_records(paths, bucket, grows=True)
    return Followed(records, Follow(records.opened))

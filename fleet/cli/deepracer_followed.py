"""A training that goes on, as the watch follows it: its records by what was added, and how its run does, by the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.cli.deepracer_recordings import open_records
from fleet.control.controller import Controller
from fleet.control.runs import view
from fleet.core.state import RunState
from fleet.workloads.deepracer.analysis.following import Follow
from fleet.workloads.deepracer.analysis.recording import Recording


@dataclass
class Followed:
    """Of a run, or of whatever else was named."""

    follow: Follow
    controller: Controller | None = None
    run: RunState | None = None

    def poll(self) -> Recording | None:
        """All there is; None: nothing has changed since the last call. Raises StoreError."""
        news = self.follow.poll()
        return news.recording if news is not None else None

    def state(self) -> tuple[str, bool]:
        """What the run does, and whether it is over. Raises StoreError."""
        if self.controller is None or self.run is None:
            return "", False
        self.controller.catch_up()
        run = self.controller.state.runs[self.run.run_id]
        over = run.ended_at is not None and not run.live_attempts
        if not over:
            self.controller.observer.read_beats(self.controller.state)
        return view(self.controller, run).phase, over

    def outcome(self) -> str | None:
        """How the run ended; None: it goes on, or there is none."""
        if self.controller is None or self.run is None:
            return None
        return self.controller.state.runs[self.run.run_id].outcome


def open_source(paths: Sequence[str], bucket: str | None) -> Followed:
    """What a user names, to be looked at again and again. Raises FleetError."""
    records = open_records(paths, bucket, grows=True)
    return Followed(Follow(records.opened), records.controller, records.run)

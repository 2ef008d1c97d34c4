"""Laws of fencing: who is an attempt, from when on it may build on what is there, and what nobody ever builds on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fleet.core.state import AttemptState, FleetState
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.cloud import InstanceState
from fleet.model.documents import Base, Began, CheckpointRef, Heartbeat, Intervals, Resumed
from tests.simulation.chaos.more_laws import Part

if TYPE_CHECKING:
    from tests.simulation.chaos.laws import Laws

AWAKE = ("setup", "training")
OVER = ("released", "fenced")
INTERVALS = Intervals()


class Fencing(Part):
    """Worked out from times alone, which the code that is judged never looks at."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(laws)
        self._bases: dict[tuple[str, int], Base] = {}
        self._based_at: dict[str, dict[int, Seconds]] = defaultdict(dict)
        self._made_at: dict[tuple[str, CheckpointRef], Seconds] = {}
        self._owner: dict[tuple[str, int], str] = {}
        self._last: dict[tuple[str, int], Heartbeat] = {}

    # --- the bucket

    def changed(self, key: str, data: bytes | None) -> None:
        if data is None:
            return
        parts = key.split("/")
        speaker = layout.beat_of(key)
        if speaker is not None:
            self._beat(speaker, data)
        elif parts[0] == "runs" and key.endswith("/began.json"):
            self._owner.setdefault((parts[1], int(parts[3])), Began.model_validate_json(data).instance_id)
        elif parts[0] == "runs" and key.endswith("/base.json"):
            self._base(parts[1], int(parts[3]), Base.model_validate_json(data))
        elif parts[0] == "runs" and key.endswith("/manifest.json"):
            ref = CheckpointRef(attempt=int(parts[3]), seq=int(parts[4]))
            self._made_at.setdefault((parts[1], ref), self.world.clock())

    def _base(self, run_id: str, number: int, base: Base) -> None:
        self._based_at[run_id].setdefault(number, self.world.clock())
        self._bases.setdefault((run_id, number), base)
        if base.ref is not None:
            self._not_late(run_id, number, base.ref, "is based on")
        run = self.laws.state.runs.get(run_id)
        attempt = run.attempts.get(number) if run is not None else None
        before = run.attempts.get(base.predecessor) if run is not None and base.predecessor is not None else None
        waits_for = (attempt.predecessor, *attempt.besides) if attempt is not None else ()
        if before is not None and before.number in waits_for:
            problem = self._still_there(run_id, before)
            if problem:
                what = f"run {run_id} #{number}: {problem}"
                self.laws.broken("a base is fixed only once the machine before it let go", what)

    def _still_there(self, run_id: str, before: AttemptState) -> str:
        """Why the machine of an attempt may still write; empty if it said that it will not, or cannot."""
        now = self.world.clock()
        made = self.world.cloud.instances.get(before.instance_id or "")
        if made is None or made.ended_by is not None or made.state.at(now) is not InstanceState.RUNNING:
            return ""
        beat = self._last.get((run_id, before.number))
        if beat is None or beat.phase in OVER:
            return ""
        wait = INTERVALS.released_wait
        if beat.notice is not None and now >= (beat.notice.until or beat.notice.seen_at) + wait:
            return ""
        if now - beat.at >= 2 * INTERVALS.dead_man + wait:
            return ""
        return f"attempt {before.number} is {beat.phase} on {made.instance_id}"

    def _not_late(self, run_id: str, number: int, ref: CheckpointRef, how: str) -> None:
        """What was committed after a later attempt had taken over is late for everybody who comes after that one."""
        made = self._made_at.get((run_id, ref))
        between = [at for n, at in self._based_at[run_id].items() if ref.attempt < n < number]
        if made is not None and between and made > min(between):
            what = f"run {run_id} #{number} {how} {ref}, {made - min(between):.0f} s late"
            self.laws.broken("at most one attempt's checkpoints are trusted from any base on", what)

    # --- what agents say

    def _beat(self, speaker: tuple[str, int], data: bytes) -> None:
        try:
            beat = Heartbeat.model_validate_json(data)
        except ValidationError:
            return
        run_id, number = speaker
        before = self._last.get(speaker)
        self._last[speaker] = beat
        owner = self._owner.get(speaker)
        if owner != beat.instance_id:
            self.laws.broken(
                "an attempt is one machine", f"run {run_id} #{number} is {owner}, and {beat.instance_id} speaks"
            )
        if beat.phase in AWAKE and number not in self._based_at[run_id]:
            self.laws.broken("whoever trains has fixed what it goes on from", f"run {run_id} #{number}")
        if beat.phase == "released" and (before is None or before.phase != "released"):
            self._released(run_id, beat)

    def _released(self, run_id: str, beat: Heartbeat) -> None:
        """What lies finished on its disk is committed by now, or it says that it could not be."""
        machine = self.world.machines.get(beat.instance_id)
        if machine is None or machine.agent is None or beat.resumed is None or beat.message:
            return
        if beat.outcome is None or beat.outcome.message:
            return
        try:
            on_disk = int(json.loads((machine.agent.disk.checkpoints / "state.json").read_text())["step"])
        except (OSError, ValueError, KeyError):
            return
        held = self.laws.runs[run_id]
        steps = [self._step(run_id, ref) for ref in held.manifests if ref.attempt <= beat.attempt]
        if max(steps, default=0) < on_disk:
            what = f"run {run_id} #{beat.attempt}: step {on_disk} on the disk, {max(steps, default=0)} in the bucket"
            self.laws.broken("what says released has committed what it holds", what)

    def _step(self, run_id: str, ref: CheckpointRef) -> int:
        """The step that a checkpoint's file really holds."""
        found = [self.world.bucket.data.get(entry.key) for entry in self.laws.runs[run_id].manifests[ref].files]
        return max((int(json.loads(one[0])["step"]) for one in found if one is not None), default=0)

    # --- the journal

    def recorded(self, entry: dict[str, Any], before: FleetState, events: Sequence[ev.Event]) -> None:
        for event in events:
            if isinstance(event, ev.AttemptResumed):
                self._resumed(event.run_id, event.attempt, event.resumed)

    def _resumed(self, run_id: str, number: int, resumed: Resumed) -> None:
        """From its base; from what it committed itself before; behind it only where the base is broken, and named."""
        ref, base = resumed.ref, self._bases.get((run_id, number))
        if ref is not None:
            self._not_late(run_id, number, ref, "resumed from")
        if base is None or base.ref is None or base.ref in {one.ref for one in resumed.skipped}:
            return
        if ref is None or (ref.attempt, ref.seq) < (base.ref.attempt, base.ref.seq):
            what = f"run {run_id} #{number} is based on {base.ref}, and resumed from {ref}"
            self.laws.broken("whoever resumes goes on from its base", what)

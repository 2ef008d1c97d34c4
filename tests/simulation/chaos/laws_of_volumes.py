"""Laws of disks: never formatted with data on them, never at two machines, never waited for without a deadline.

Whoever waits for its volume goes on without it after a while, by itself; so does whoever waits for a machine that lets go,
or is gone. Only a machine that was launched beside one that trains, for a deadline, waits for a word of a controller, and
that may be away for as long as a laptop is closed. It waits for no volume then, and nothing is lost by it: training goes on,
and should the other machine be lost, this one takes over by itself. That time does not count, and has a law of its own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from fleet.model.base import Seconds
from fleet.model.cloud import ExistingVolume, InstanceState, LaunchRequest, VolumeState
from fleet.model.documents import BootDocument, Heartbeat, Intervals
from fleet.model.layout import beat_of
from fleet.providers.wrap.around import Call
from tests.simulation.chaos.more_laws import Part

if TYPE_CHECKING:
    from tests.simulation.chaos.laws import Laws

LAG: Seconds = 200
"""A listing is so old, and a call so late, at most: what was free then may be taken now, and the cloud refuses."""
PATIENCE: Seconds = Intervals().volume_wait + 3600
"""An agent that is killed and started again begins to wait anew: it has an hour for that."""
GOES_ON = ("restoring", "setup", "training")
"""Who says so waits for nothing, and lets go of nothing."""


@dataclass(slots=True)
class Wait:
    """Of a machine, for its volume or for the one before it."""

    since: Seconds
    instance_id: str
    volume_since: Seconds | None = None
    """For the volume alone; None: not now."""


class Volumes(Part):
    """What is done with disks."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(laws)
        self._waits: dict[tuple[str, int], Wait] = {}
        self._goes_on: dict[str, dict[int, tuple[str, Seconds | None]]] = defaultdict(dict)
        """By run and attempt: the machine that said that it goes on, and when it said something else."""
        self._let_go: set[str] = set()
        """Machines that said released, or fenced."""
        self._told: set[str] = set()

    def called(self, call: Call) -> None:
        if call.method == "launch":
            self._marked(call.arguments["request"])
        elif call.method == "attach":
            self._attached(str(call.arguments["volume_id"]), str(call.arguments["instance_id"]))
        elif call.method == "detach":
            self._detached(str(call.arguments["volume_id"]), str(call.arguments["instance_id"]))

    def _marked(self, request: LaunchRequest) -> None:
        """A machine formats what is blank and marked new, and the mark is for what the launching call makes."""
        boot = BootDocument.model_validate_json(request.user_data)
        if isinstance(request.volume, ExistingVolume) and boot.volume_new:
            self.laws.broken("a volume is never formatted with data on it", f"{request.volume.volume_id} is marked new")

    def _attached(self, volume_id: str, instance_id: str) -> None:
        """The cloud would refuse; who asks for it once the listings show it does not look."""
        disk, now = self.world.cloud.volumes.get(volume_id), self.world.clock()
        was = disk.held.at(now - LAG) if disk is not None else None
        held = disk.held.at(now) if disk is not None else None
        if was is None or held is None or was != held or held[0] is not VolumeState.IN_USE or held[1] == instance_id:
            return
        self.laws.broken("a volume is never attached twice", f"{volume_id} is at {held[1]}, and asked for at {instance_id}")

    def _detached(self, volume_id: str, instance_id: str) -> None:
        made = self.world.cloud.instances.get(instance_id)
        alive = made is not None and made.ended_by is None
        if alive and instance_id not in self._let_go:
            self.laws.broken("a volume is taken off only once it was let go of", f"{volume_id} of {instance_id}")

    def changed(self, key: str, data: bytes | None) -> None:
        speaker = beat_of(key)
        if speaker is None or data is None:
            return
        try:
            beat = Heartbeat.model_validate_json(data)
        except ValidationError:
            return
        if beat.phase in ("released", "fenced"):
            self._let_go.add(beat.instance_id)
        self._heard(speaker, beat)

    def _heard(self, speaker: tuple[str, int], beat: Heartbeat) -> None:
        now, (run_id, number) = self.world.clock(), speaker
        if beat.phase in GOES_ON:
            self._goes_on[run_id][number] = beat.instance_id, None
        elif number in self._goes_on[run_id]:
            instance_id, until = self._goes_on[run_id][number]
            self._goes_on[run_id][number] = instance_id, until if until is not None else now
        if not beat.phase.startswith("waiting"):
            self._waits.pop(speaker, None)
            return
        wait = self._waits.setdefault(speaker, Wait(now, beat.instance_id))
        if beat.phase != "waiting-volume":
            wait.volume_since = None
        elif wait.volume_since is None:
            wait.volume_since = now

    def look_around(self) -> None:
        self._look_at_waits()
        self._look_at_volumes()

    def _look_at_waits(self) -> None:
        now, cloud = self.world.clock(), self.world.cloud
        for (run_id, number), wait in list(self._waits.items()):
            made = cloud.instances[wait.instance_id]
            machine = self.world.machines.get(wait.instance_id)
            if made.ended_by is not None or made.state.at(now) is not InstanceState.RUNNING:
                del self._waits[run_id, number]
            elif machine is None or machine.cut_off_until > now - PATIENCE:
                continue  # it may have stopped waiting long ago, and could not say so
            else:
                self._judge(run_id, number, wait)

    def _judge(self, run_id: str, number: int, wait: Wait) -> None:
        now, watched = self.world.clock(), self.laws.healthy_since
        beside = self._beside_until(run_id, number)
        since = wait.volume_since if wait.volume_since is not None else now
        if now - min(since, max(wait.since, beside)) > PATIENCE:
            self.laws.broken("a volume is never waited for without a deadline", f"run {run_id} #{number}")
        if watched is not None and beside == now and now - max(wait.since, watched) > PATIENCE + 2 * self.world.seldom:
            what = f"run {run_id} #{number}, since {(now - wait.since) / 3600:.1f} h"
            self.laws.broken("a machine beside another takes over or ends, while somebody watches", what)

    def _beside_until(self, run_id: str, number: int) -> Seconds:
        """Until when an older machine of the run went on, by its own word; 0: none did."""
        now, cloud = self.world.clock(), self.world.cloud
        untils = [0.0]
        for older, (instance_id, until) in self._goes_on[run_id].items():
            if older < number:
                ended = cloud.instances[instance_id].ended_at(now)
                untils.append(min(one for one in (until, ended, now) if one is not None))
        return max(untils)

    def _look_at_volumes(self) -> None:
        cloud = self.world.cloud
        for run in self.laws.state.runs.values():
            for record in run.volumes.values():
                disk = cloud.volumes.get(record.volume_id)
                gone = record.passed_at is None and disk is not None and disk.deleted_at is not None
                if gone and record.delete_at is None and record.volume_id not in self.laws.users_word | self._told:
                    self._told.add(record.volume_id)
                    self.laws.broken("a volume outlives its machines", record.volume_id)

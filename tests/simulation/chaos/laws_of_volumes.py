"""Laws of disks: never formatted with data on them, never at two machines, never waited for without a deadline."""

from __future__ import annotations

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


class Volumes(Part):
    """What is done with disks."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(laws)
        self._waits: dict[tuple[str, int], tuple[Seconds, str]] = {}
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
        if beat.phase.startswith("waiting"):
            self._waits.setdefault(speaker, (self.world.clock(), beat.instance_id))
        else:
            self._waits.pop(speaker, None)

    def look_around(self) -> None:
        now, cloud = self.world.clock(), self.world.cloud
        for (run_id, number), (since, instance_id) in list(self._waits.items()):
            made = cloud.instances[instance_id]
            machine = self.world.machines.get(instance_id)
            if made.ended_by is not None or made.state.at(now) is not InstanceState.RUNNING:
                del self._waits[run_id, number]
            elif machine is None or machine.cut_off_until > now - PATIENCE:
                continue  # it may have stopped waiting long ago, and could not say so
            elif now - since > PATIENCE:
                self.laws.broken("a volume is never waited for without a deadline", f"run {run_id} #{number}")
        for run in self.laws.state.runs.values():
            for record in run.volumes.values():
                disk = cloud.volumes.get(record.volume_id)
                gone = record.passed_at is None and disk is not None and disk.deleted_at is not None
                if gone and record.delete_at is None and record.volume_id not in self.laws.users_word | self._told:
                    self._told.add(record.volume_id)
                    self.laws.broken("a volume outlives its machines", record.volume_id)

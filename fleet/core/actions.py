"""What the plan wants done: until when each action is worth doing, and the event that records its intention."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model import events as ev
from fleet.model.base import Seconds
from fleet.model.cloud import AccessRule
from fleet.model.documents import Desired


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to do."""

    not_after: Seconds
    """By the bucket's clock; later it is dropped, and planned anew from what is then known."""
    intention: ev.Event | None = None
    """Recorded before the action is done. None: recorded already (or nothing but the record is wanted)."""

    @property
    def key(self) -> str:
        """Names the action, so that it is not repeated before its effect can be seen."""
        raise TypeError("an action has a kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch(Action):
    """Send the launch request of an attempt's try."""

    run_id: str
    attempt: int
    try_no: int

    @property
    def key(self) -> str:
        """One per try."""
        return f"launch {self.run_id} {self.attempt} {self.try_no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate(Action):
    """End an instance: an attempt's, or (run_id empty) one that nobody owns."""

    run_id: str
    attempt: int
    provider: str
    region: str
    instance_id: str

    @property
    def key(self) -> str:
        """One per instance."""
        return f"terminate {self.instance_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineBoot(Action):
    """Keep what a machine that never spoke has left behind, while the cloud still tells."""

    run_id: str
    attempt: int
    provider: str
    region: str
    instance_id: str

    @property
    def key(self) -> str:
        """One per instance."""
        return f"examine-boot {self.instance_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach(Action):
    """Attach the run's volume to the attempt's instance."""

    run_id: str
    attempt: int
    provider: str
    region: str
    volume_id: str
    instance_id: str

    @property
    def key(self) -> str:
        """One per volume and instance."""
        return f"attach {self.volume_id} {self.instance_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detach(Action):
    """Take the volume off an instance that released it."""

    run_id: str
    attempt: int
    provider: str
    region: str
    volume_id: str
    instance_id: str

    @property
    def key(self) -> str:
        """One per volume and instance."""
        return f"detach {self.volume_id} {self.instance_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowVolume(Action):
    """Enlarge the run's volume."""

    run_id: str
    provider: str
    region: str
    volume_id: str
    size_gb: int

    @property
    def key(self) -> str:
        """One per volume and size."""
        return f"grow-volume {self.volume_id} {self.size_gb}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVolume(Action):
    """Delete a volume whose time is over."""

    run_id: str
    provider: str
    region: str
    volume_id: str

    @property
    def key(self) -> str:
        """One per volume."""
        return f"delete-volume {self.volume_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDesired(Action):
    """Tell a run's agents what to do."""

    run_id: str
    desired: Desired

    @property
    def key(self) -> str:
        """One per document."""
        return f"desired {self.run_id} {self.desired.model_dump_json(exclude={'journal'})}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetBeat(Action):
    """Remove the last heartbeat of an attempt that nobody asks about any more."""

    run_id: str
    attempt: int

    @property
    def key(self) -> str:
        """One per attempt."""
        return f"forget-beat {self.run_id} {self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAccess(Action):
    """Let an address range in no longer, whose time is over."""

    provider: str
    rule: AccessRule

    @property
    def key(self) -> str:
        """One per rule."""
        return f"close-access {self.rule.rule_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Action):
    """A decision that is nothing but its record: the end of a run, a longer lease."""

    @property
    def key(self) -> str:
        """Never repeated within a tick; the state prevents it afterwards."""
        return f"record {self.intention}"

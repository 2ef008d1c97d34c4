"""What the cloud says and is not so: real ones answered "terminated" and charged on, and held disks for dead machines."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleet.model.base import Seconds


@dataclass
class Lies:
    """By machine or disk; set by whoever plays the cloud's bad day. Without an entry the cloud keeps its word."""

    deaf: dict[str, int] = field(default_factory=dict)
    """Machine → so many requests to end it are answered as done, and nothing is."""
    said_ended: dict[str, Seconds] = field(default_factory=dict)
    """Machine → until then every answer calls it terminated, while it lives and is charged for."""
    held_until: dict[str, Seconds] = field(default_factory=dict)
    """Disk → it comes free no sooner, whether it is detached or its machine is long off."""

    def ignores_end(self, instance_id: str) -> bool:
        """Whether one more request to end a machine is answered and forgotten."""
        left = self.deaf.get(instance_id, 0)
        self.deaf[instance_id] = max(0, left - 1)
        return left > 0

    def calls_ended(self, instance_id: str, now: Seconds) -> bool:
        """Whether a machine is called terminated whatever it does."""
        return now < self.said_ended.get(instance_id, 0.0)

    def free_at(self, volume_id: str, at: Seconds) -> Seconds:
        """When a disk that should come free at a time does."""
        return max(at, self.held_until.get(volume_id, 0.0))

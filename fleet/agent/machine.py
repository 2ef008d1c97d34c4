"""What the agent asks of the machine that it runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from fleet.model.base import Seconds


class BlankVolumeError(OSError):
    """The volume is there and nothing is on it, though it should have been used before: it may not be formatted."""


class Machine(Protocol):
    """An instance from the inside. Calls are quick; OSError means that the machine could not be asked just now."""

    @property
    def instance_id(self) -> str:
        """The cloud's name for this instance."""
        ...

    @property
    def boot_id(self) -> str:
        """Differs after every boot."""
        ...

    @property
    def scratch(self) -> Path:
        """The instance's own disk: gone when it ends."""
        ...

    @property
    def root(self) -> Path:
        """Where the absolute paths of a job begin: ``volume.mount`` and those under ``file_mounts``."""
        ...

    def user_data(self) -> str:
        """The boot document's JSON."""
        ...

    def notice(self) -> Seconds | None:
        """When the cloud takes the machine back, once it says so."""
        ...

    def rebalance(self) -> bool:
        """Whether the cloud recommends to leave."""
        ...

    def volume(self, volume_id: str | None, *, new: bool) -> Path | None:
        """Where the volume is, once it can be used. None for the id: the only one. OSError says why it cannot be yet.

        ``new``: nothing was ever on it, so it may be formatted if it is blank; else a blank one is a BlankVolumeError.
        """
        ...

    @property
    def mounting(self) -> bool:
        """The volume came and is being made ready: nobody gives it up now."""
        ...

    def release_volume(self) -> bool:
        """Let go of the volume: asked again until it is True. Then all of it is on the disk, and the disk unmounted."""
        ...

    def arm(self, power_off_at: Seconds, now: Seconds) -> None:
        """Set the dead-man switch: the machine ends then whatever happens to the agent. Both times are the bucket's."""
        ...

    def training_begins(self) -> None:
        """Tell the machine, for what it is worth, that training runs now."""
        ...

    def power_off(self) -> None:
        """End the machine, now."""
        ...

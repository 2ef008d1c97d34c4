"""What an attempt waits for before it looks for its checkpoint: its volume, and the end of the attempt before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.agent.disk import Disk
from fleet.agent.machine import BlankVolumeError
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.documents import BootDocument
from fleet.model.errors import NotFoundError
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.agent.logic import Agent


class Arriving:
    """One attempt's way to its volume."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._new = agent.boot.volume_new
        """The volume may be formatted, if it is blank."""
        self._blank = False
        """It is, though it should have been used before: whether it was is being looked up."""

    def wait_for_volume(self, now: Seconds) -> None:
        """Until it is mounted. One that does not come in time is done without."""
        agent = self._agent
        if agent.leaving is not None:
            agent.phase = "draining"
            return
        if agent.disk.writer() == (agent.boot.run_id, agent.boot.attempt):
            # This agent was started again: a volume that came meanwhile knows less than the disk it trained on without it.
            agent.message, agent.phase = "it goes on on the machine's own disk", "waiting-predecessor"
            return
        if self._blank and not self._looked_up(now):
            return
        path, why = None, ""
        try:
            path = agent.machine.volume(agent.boot.volume_id, new=self._new)
        except BlankVolumeError as error:
            why = f" ({error})"
            self._blank = not self._new and can_be_untouched(agent.boot)
        except OSError as error:
            why = f" ({error})"
        if path is not None:
            agent.disk = Disk(path, agent.boot.job.checkpoint.path, is_volume=True)
            agent.message, agent.phase = "", "waiting-predecessor"
        elif now - agent.began_at >= agent.boot.intervals.volume_wait and not agent.machine.mounting:
            agent.message = f"no volume came in time: it trains on the machine's own disk, from the bucket{why}"
            agent.phase = "waiting-predecessor"
        else:
            which = f"volume {agent.boot.volume_id}" if agent.boot.volume_id is not None else "its volume"
            agent.message = f"waits for {which}{why}"

    def _looked_up(self, now: Seconds) -> bool:
        """Whether an attempt before us can have used the volume. If none can, it is as new as on the day it was made."""
        agent = self._agent
        found = agent.in_lane("volume", lambda: untouched(agent.objects, agent.boot), now)
        if found is None:
            return False
        self._blank, self._new = False, found is True
        if not self._new:
            agent.message = "the volume is blank, though an attempt before this one has trained"
            agent.phase = "waiting-predecessor"  # nothing that may be used will come
        return self._new

    def wait_for_predecessor(self, now: Seconds) -> None:
        """A volume that came from the predecessor is the proof that it let go; else its word is waited for."""
        agent = self._agent
        handed_over = agent.disk.is_volume and not self._new
        waiting = None if handed_over else agent.wishes.predecessor_over(now)
        if agent.leaving is not None:
            agent.phase = "draining"
        elif waiting is None:
            agent.message = "" if agent.disk.is_volume else agent.message
            agent.phase = "restoring"
        else:
            agent.message = f"waits for {waiting}"


def can_be_untouched(boot: BootDocument) -> bool:
    """Whether this may be a volume that the first attempt's machine had made and never came to format.

    One with a name may have come from another run, of whose attempts we know nothing.
    """
    return boot.volume_id is not None and boot.job.volume.name is None


def untouched(objects: Objects, boot: BootDocument) -> bool:
    """Whether no attempt before ours ever came so far as to write: base.json comes before all that is written.

    Raises StoreError.
    """
    for number in range(boot.attempt - 1, 0, -1):
        try:
            objects.get(layout.base(boot.run_id, number))
        except NotFoundError:
            continue
        return False
    return True

"""What a controller says of itself in the bucket, for people to look at: nothing is decided by it."""

from __future__ import annotations

from typing import Literal

from fleet.model.base import Frozen, Seconds

Kind = Literal["terminal", "service", "cron", "function"]
"""What keeps a controller alive: somebody's terminal, a service manager, a crontab, a schedule in the cloud."""


class Presence(Frozen):
    """One controller, as it last spoke."""

    v: Literal[1] = 1
    name: str
    """As in the journal's entries (``by``)."""
    kind: Kind
    host: str
    home: str = ""
    """Which home of fleet's there (a random name), and with ``process`` who exactly: looked at there alone."""
    process: int | None = None
    """Its process; None: its processes come and go."""
    command: str
    """What runs the loop: ``controller run``, ``follows racer``, ``function fleet-1a2b3c4d``."""
    version: str
    started_at: Seconds
    """All times are by the bucket's clock."""
    seen_at: Seconds
    """When it wrote this."""
    again_at: Seconds
    """By when it writes again if it lives; long past that it counts as dead."""
    acted_at: Seconds | None = None
    """When it last recorded something in the journal."""
    read_only: str = ""
    """Why it may not act, if so."""
    blind: str = ""
    """What it cannot see, and why, if so."""

    @property
    def outlives_terminal(self) -> bool:
        """It goes on when the terminal is closed. On a laptop that sleeps nothing does: who is elsewhere, ``host`` tells."""
        return self.kind != "terminal"

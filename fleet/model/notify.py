"""What its user wants to be told of a fleet, and what they were told: documents in the bucket, without any secret.

Where to (``to``) is named as it may be shown: ``ses:…`` and ``sns:…`` as they are, Apprise's URLs with stars in the place of
what is secret; those stand whole in the user's own file only.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fleet.model.base import Frozen, Seconds

Kind = Literal["interruption", "recovery", "no-capacity", "budget-80", "budget-100", "finished", "failed", "blind"]

KINDS: dict[Kind, str] = {
    "interruption": "the cloud takes a machine back",
    "recovery": "training goes on after an interruption",
    "no-capacity": "a run has had no machine for some minutes",
    "budget-80": "80 % of a budget are spent",
    "budget-100": "a budget is used up",
    "finished": "a run succeeded",
    "failed": "a run failed",
    "blind": "a controller cannot see a region or the bucket, or may not act",
}
"""In the order in which they are shown, and what each tells."""

Kinds = dict[Kind, Seconds]
"""Some kinds, and since when each is wished for: what happened before is not told."""


class Wish(Frozen):
    """``settings/notify.json``: what is to be told, and whom. Nobody is told anything without it."""

    v: Literal[1] = 1
    to: dict[str, Kinds] = Field(default_factory=dict)
    no_capacity: Seconds = 600
    """A run is without a machine for so long before that is told."""
    blind: Seconds = 300
    """A controller is blind for so long before that is told."""
    quiet: Seconds = 900
    """After a message nothing more of its kind and run is told for so long; then how many there were."""


class Unsent(Frozen):
    """A message that could not be sent, and is sent again."""

    kind: str
    title: str
    body: str
    tries: int
    """So often it was tried."""
    again_at: Seconds
    why: str


class Said(Frozen):
    """One of the last messages, for people to look at."""

    at: Seconds
    by: str
    title: str
    why: str = ""
    """Why it could not be sent, if so."""


class Log(Frozen):
    """``notifications/<to>/<number>.json``: all that one destination was told until then.

    Each is created exclusively, *before* what it adds is sent: of several controllers that want to tell the same, one does.
    """

    v: Literal[1] = 1
    nonce: str = ""
    """Of the one creation: whoever finds another's has lost."""
    told: dict[str, Seconds] = Field(default_factory=dict)
    """What was told, and when, or when it happened if that was later."""
    floor: Seconds = -1e10
    """What happened before is not told any more: it was forgotten whether it was."""
    last: dict[str, Seconds] = Field(default_factory=dict)
    """When something of a kind and run was told for the last time."""
    unsent: tuple[Unsent, ...] = ()
    said: tuple[Said, ...] = ()
    """The newest last."""

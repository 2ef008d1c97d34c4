"""The objects that ``-o json`` prints of money (see objects.py)."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

KindName = Literal["interruption", "recovery", "no-capacity", "budget-80", "budget-100", "finished", "failed", "blind"]


class SaidObject(TypedDict):
    """A message that one destination was told, or was to be told."""

    at: float
    """When."""
    title: str
    """Its first line."""
    why: str
    """Why it could not be sent; empty: it was."""


class DestinationObject(TypedDict):
    """Whom a fleet tells."""

    to: str
    """As it may be shown: stars in the place of what is secret."""
    here: bool
    """This computer can reach it."""
    kinds: list[KindName]
    """What it is told."""
    unsent_count: int
    """Messages that could not be sent, and are sent again."""
    said: list[SaidObject]
    """The last ones, the newest last."""


class NotificationsObject(TypedDict):
    """What one fleet tells, and whom."""

    bucket: str
    """Its URL."""
    destinations: list[DestinationObject]
    """Empty: nobody is told anything."""
    no_capacity_seconds: float
    """A run is without a machine for so long before that is told."""
    blind_seconds: float
    """A controller is blind for so long before that is told."""
    quiet_seconds: float
    """At most one message of a kind and run in so long; then one that says how many there were."""
    notes: list[str]
    """What will not work as it may be meant."""


class NotifyTestObject(TypedDict):
    """What became of a message that was sent to see whether it arrives."""

    to: str
    """As it may be shown."""
    sent: bool
    """It was taken."""
    why: str
    """Why not; else empty."""

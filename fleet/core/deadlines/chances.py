"""What is learned of spot's weather: chances within ten minutes, by the age of the present run."""

from __future__ import annotations

from dataclasses import dataclass

Chances = tuple[float, ...]
"""One for each bin of age (weather.EDGES)."""


@dataclass(frozen=True, slots=True)
class Company:
    """What several zones of one region are to each other: droughts come together, so that zones are not independent."""

    down: Chances
    """All zones are without: one has some again."""
    alone: Chances
    """The zone that serves is lost, while no other is up."""
    company: Chances
    """The same, while another is."""
    arrives: Chances
    """How old the run is, in the zone that is fled to. Sums to 1."""
    joined: float
    """A second zone comes up."""
    left: float
    """It goes."""
    refuge: tuple[float, float]
    """Once the zone that serves is lost: there is another to go to, if none was up before, and if one was."""
    again: float
    """And a further one beside it."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Everything."""

    down: Chances
    """One zone: its drought ends."""
    up: Chances
    """Its spot is taken back."""
    zones: tuple[Company, ...]
    """Two zones, three, four and more."""

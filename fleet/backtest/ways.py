"""How long things take on a simulated machine, and how its training goes: bounds of uniform draws, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.base import Micros, Seconds

Bounds = tuple[Seconds, Seconds]


@dataclass(frozen=True, slots=True)
class Ways:
    """The defaults are what machines of EC2 took (docs/boot.md), and some more."""

    boot: Bounds = (8, 25)
    """From the launching call until the system runs."""
    speaks: Bounds = (15, 50)
    """From there to the agent's first word."""
    setup: Bounds = (5, 20)
    """Only of jobs that have one."""
    restore_volume: Bounds = (2, 10)
    restore_bucket: Bounds = (10, 60)
    save: Bounds = (4, 20)
    """From being asked to leave until the last checkpoint is committed and the volume is free."""
    commit: Seconds = 5
    """Until a checkpoint is durable."""
    every: Seconds = 600
    """Between checkpoints, unless the job says."""
    shutdown: Bounds = (5, 60)
    disk: Bounds = (1, 12)
    lag: Seconds = 15
    """Lists may be so old."""
    notice: Seconds = 120
    """The cloud's warning; 0: none."""
    pace: Seconds = 10
    """A controller looks so often while something goes on."""
    quiet: Seconds = 3600
    """And so often while nothing does."""
    decides: Seconds = 300
    """And so often while a deadline is to be kept; sooner once on-demand must begin soon."""
    speed: float = 1.0
    """Seconds of work that are done in a second of training."""
    minimum_seconds: int = 60
    free_if_interrupted_within: int = 3600
    """Of the bill: EC2's rules."""
    volume_price: Micros = 80_000
    """Per GB and month."""
    on_demand_fails: float = 0.0
    """Share of launches on demand that are refused for want of capacity."""

"""The job: what the user writes, checked before anything is spent. Names are the usual ones (design.md, section 11)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from fleet.model.base import Frozen
from fleet.model.units import Deadline, Duration, Money, Share, SizeGB

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


def _one_or_many(value: object) -> object:
    """A single word where a list may stand."""
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


Accelerators = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(:[1-9][0-9]?)?$")]
"""``K80``, or ``K80:2`` for at least two."""


class Alternative(Frozen):
    """One of ``any_of``: what it says replaces what the job's resources say; the rest stays."""

    infra: str = "local"
    instance_type: Words = ()
    accelerators: Accelerators | None = None
    market: Literal["spot", "spot-first", "on-demand"] = "spot-first"
    max_price: Money | None = None


class Resources(Frozen):
    """Where and on what the job may run."""

    infra: str = "local"
    """``provider``, ``provider/region`` or ``provider/region/zone``."""
    instance_type: Words = ()
    """Types that may serve; empty: any that the provider offers."""
    accelerators: Accelerators | None = None
    any_of: tuple[Alternative, ...] = ()
    market: Literal["spot", "spot-first", "on-demand"] = "spot-first"
    """``spot``: wait rather than pay more; ``spot-first``: on-demand while no spot offer can be had."""
    max_price: Money | None = None
    """The bid: dollars per hour never exceeded."""
    disk_size: SizeGB | None = None
    image_id: str | None = None


class VolumeSpec(Frozen):
    """The persistent disk that follows the run."""

    size: SizeGB = 500
    mount: str = "/mnt/fleet"
    """Where training finds it; it also stands in ``$FLEET_VOLUME``. On ``local`` below the instance's own root."""
    name: Annotated[str, Field(pattern=NAME_PATTERN)] | None = None
    """Runs whose jobs name the same volume have it one after another, with everything on it."""
    keep: Duration | None = None
    """Kept for so long after the run's end (7 days unless said)."""


class CheckpointSpec(Frozen):
    """How to find a finished checkpoint."""

    path: str = "checkpoints"
    """A folder, relative to the volume; it also stands, absolute, in ``$FLEET_CHECKPOINTS``."""
    format: Literal["rename", "marker", "quiet"] = "rename"
    """``rename``: files appear whole, under a temporary name first; ``marker``: a set is finished once a file named
    ``DONE`` or ``.ready`` stands beside it; ``quiet``: once nothing changed for five seconds."""
    every: Duration | None = None
    """Commit at most so often (a notice, a stop and the end commit at once)."""
    keep: int = Field(default=5, ge=2)
    """The last so many are kept in the bucket; the one being resumed from always is."""
    cpu: Share | None = None
    """Of the machine's CPU time (all its cores), what hashing and sending may take while training runs, at most. In any
    case they run at a low priority."""


class Budget(Frozen):
    """Hard caps, disks included. The run is stopped before one is passed."""

    run: Money | None = None
    """For the whole run: it ends before that is passed."""
    day: Money | None = None
    """For a calendar day: the run waits for the next one."""
    month: Money | None = None
    """For a calendar month: the run waits for the next one."""
    time_zone: str | None = None
    """Whose days and months those are, as ``Europe/Berlin`` (the zone of the computer that ``fleet up`` is called on)."""


class Retries(Frozen):
    """How often to try again what failed by itself (interruptions do not count)."""

    training: int = Field(default=2, ge=0, le=100)
    """Restarts after a non-zero exit, over the whole run."""
    boot: int = Field(default=3, ge=0, le=100)
    """Instances that never spoke or died while booting, in a row."""


class Job(Frozen):
    """A training to be run to its end, however often it is interrupted."""

    name: str = Field(pattern=NAME_PATTERN)
    workdir: str | None = None
    """A folder, relative to the job file; obeys .gitignore and .fleetignore, refuses .env."""
    resources: Resources = Resources()
    num_nodes: int = 1
    volume: VolumeSpec = VolumeSpec()
    bucket: str | None = None
    """``file:///…``, ``s3://…`` or ``gs://…``; default: a folder in fleet's home."""
    checkpoint: CheckpointSpec = CheckpointSpec()
    outputs: tuple[str, ...] = ()
    """Files or patterns, relative to the workdir or else the volume, exported as models/<name>/ at the end."""
    envs: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()
    """Names of variables: from the controller's own environment, or where machines boot from images from the cloud's own
    store. Handed on in memory, never stored."""
    file_mounts: dict[str, str] = Field(default_factory=dict)
    setup: str | None = None
    """Shell commands, once per instance, before run."""
    run: str | None = None
    """Shell commands: the training. Exit code 0 is the end of the run."""
    stack: str | None = None
    """Instead of run: a docker compose file, relative to the workdir. The end of the service that trains is the run's."""
    workload: dict[str, JsonValue] | None = None
    """Instead of run: ``kind``, a training that fleet knows (``deepracer``), and what that kind wants to know."""
    deadline: Deadline | None = None
    """The run is to have ended by then: so long after its creation, or at a time."""
    max_duration: Duration | None = None
    """Of all attempts together, from the first launch."""
    budget: Budget = Budget()
    retries: Retries = Retries()
    estimate: Duration | None = None
    """The work: training time at full speed, without interruptions."""
    keep_failed: Duration | None = None
    """A machine whose boot failed is left for so long, for a look at it; it is paid for meanwhile."""

    @property
    def in_containers(self) -> bool:
        """Whether its machines need docker."""
        return self.stack is not None or self.workload is not None

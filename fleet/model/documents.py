"""What agent and controller write for each other in the bucket, apart from the journal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fleet.model.base import Frozen, Seconds, Steps
from fleet.model.job import Job


class CheckpointRef(Frozen):
    """Names one committed checkpoint of a run: the attempt that wrote it and its sequence number there (from 1)."""

    attempt: int
    seq: int

    def __str__(self) -> str:
        return f"{self.attempt}/{self.seq}"


class FileEntry(Frozen):
    """One file of a checkpoint."""

    path: str
    """Relative to the checkpoint folder, ``/`` between parts."""
    size: int
    sha256: str
    key: str
    """Where its bytes lie in the bucket: under this checkpoint, or under an earlier one if it did not change."""


class Manifest(Frozen):
    """Makes a checkpoint exist. Written last, created exclusively."""

    v: Literal[1] = 1
    run_id: str
    ref: CheckpointRef
    parent: CheckpointRef | None = None
    """The checkpoint before it on the chain, whichever attempt wrote it."""
    at: Seconds
    step: Steps | None = None
    """The last step that training had reported when the set was staged."""
    format: str
    files: tuple[FileEntry, ...]
    trained: Seconds | None = None
    """Seconds of training that led to it, over all attempts on its chain; None: the agent that wrote it did not count."""


class Began(Frozen):
    """An attempt's first durable act: this instance, in this boot, is the attempt."""

    v: Literal[1] = 1
    instance_id: str
    boot_id: str
    at: Seconds


class Skipped(Frozen):
    """A checkpoint that could have been resumed from but for what is wrong with it."""

    ref: CheckpointRef
    reason: str


class Base(Frozen):
    """The checkpoint that an attempt resumes from: fences every attempt before it."""

    v: Literal[1] = 1
    predecessor: int | None
    """The nearest earlier attempt that has a base itself."""
    ref: CheckpointRef | None
    """None: it begins from nothing, since no checkpoint existed."""
    skipped: tuple[Skipped, ...] = ()
    at: Seconds


class Notice(Frozen):
    """The cloud's warning. ``until`` is when it takes the machine back, if it says so."""

    kind: Literal["notice", "rebalance"]
    seen_at: Seconds
    until: Seconds | None = None


AgentPhase = Literal[
    "booting",  # began.json is being created
    "waiting-volume",
    "waiting-predecessor",
    "restoring",
    "setup",
    "training",
    "draining",  # told to leave: saving, committing, syncing
    "released",  # holds nothing any more: the volume may be detached
    "fenced",  # another instance owns the attempt, or a later attempt has a base: it leaves without writing
]


class Resumed(Frozen):
    """What was brought back when training went on."""

    ref: CheckpointRef | None
    source: Literal["volume", "bucket", "nothing"]
    step: Steps | None
    """The step of the checkpoint resumed from."""
    reached: Steps | None
    """The furthest step that the attempts before are known to have reached."""
    lost_steps: Steps
    """``reached - step``, measured: never below 0."""
    lost_seconds: Seconds
    """From the time of that checkpoint to the last sign of training by the attempt before."""
    skipped: tuple[Skipped, ...] = ()
    at: Seconds
    trained: Seconds | None = None
    """Seconds of training that the checkpoint resumed from holds; None: that is not known."""


class Outcome(Frozen):
    """How the training in an attempt ended."""

    kind: Literal["succeeded", "failed", "stopped", "interrupted", "lease"]
    """``stopped``: the user asked; ``interrupted``: the cloud did; ``lease``: its money or time was used up."""
    exit_code: int | None = None
    message: str = ""
    """For failures: what happened, with the log's last lines."""


class Heartbeat(Frozen):
    """The agent's latest word, written over the one before."""

    v: Literal[1] = 1
    run_id: str
    attempt: int
    instance_id: str
    boot_id: str
    beat: int
    """Grows with each heartbeat of this boot."""
    at: Seconds
    phase: AgentPhase
    step: Steps | None = None
    step_at: Seconds | None = None
    total: Steps | None = None
    """The step at which training will have ended, if it says so."""
    rate: float | None = None
    """Steps per second, over the last minute."""
    metrics: dict[str, Annotated[float, Field(allow_inf_nan=True)]] = Field(default_factory=dict)
    """A training that diverges may report what is no number."""
    checkpoint: CheckpointRef | None = None
    """The newest committed checkpoint on this attempt's chain."""
    checkpoint_step: Steps | None = None
    checkpoint_at: Seconds | None = None
    trained: Seconds | None = None
    """Seconds of training up to now, over all attempts on the chain, without what had to be trained again."""
    saved: Seconds | None = None
    """Those of them that the newest checkpoint holds."""
    checkpoints: int = 0
    """Committed by this attempt."""
    resumed: Resumed | None = None
    notice: Notice | None = None
    rebalance: Notice | None = None
    outcome: Outcome | None = None
    restarts: int = 0
    lease_until: Seconds | None = None
    desired_seen: int = 0
    """Journal number of the desired.json last read."""
    disk_free: int | None = None
    """Bytes free where checkpoints are written."""
    volume_id: str | None = None
    message: str = ""
    """What it waits for or complains of, for people."""
    version: str = ""


class Desired(Frozen):
    """What the agents of one run should do, derived from the journal."""

    v: Literal[1] = 1
    journal: int
    """The journal number that this derives from; an older document never replaces what a newer one said."""
    want: Literal["train", "stop"] = "train"
    """``stop``: checkpoint, then end."""
    live: tuple[int, ...] = ()
    """Attempts that should be alive; one that is not listed and not newer than ``newest`` drains and leaves."""
    newest: int = 0
    gone: tuple[int, ...] = ()
    """Attempts whose instance is confirmed stopped or terminated: nothing of theirs runs any more."""
    leases: dict[int, Seconds] = Field(default_factory=dict)
    """Absolute power-off time per attempt."""


class Intervals(Frozen):
    """How often the agent does what, in seconds. ``local`` uses short ones."""

    heartbeat: Seconds = 15.0
    """While training; changes of phase, notices and commits are told at once."""
    notice: Seconds = 1.0
    desired: Seconds = 10.0
    scan: Seconds = 2.0
    """Looking for finished checkpoints."""
    log: Seconds = 10.0
    dead_man: Seconds = 900.0
    """The OS timer is renewed to so long from now, never past the lease."""
    cut_off: Seconds = 1800.0
    """A machine whose last word that reached the bucket is older saves, and ends: nobody can count on it any more."""
    stop_grace: Seconds = 90.0
    """From SIGTERM to SIGKILL when asked to stop; a notice leaves less."""
    volume_wait: Seconds = 600.0
    """How long to wait for the volume before restoring from the bucket without it."""
    released_wait: Seconds = 150.0
    """A predecessor's notice and so many seconds: it is over (design.md, section 7)."""


class Mount(Frozen):
    """Files of the user's that every machine gets."""

    key: str
    """The packed archive in the bucket."""
    is_file: bool = False
    """The archive holds one file, which takes the destination's own name."""


class BootDocument(Frozen):
    """All that an instance needs to know, as its user-data. Holds no secret."""

    v: Literal[1] = 1
    fleet_id: str
    root: str
    """The bucket's URL."""
    run_id: str
    run_name: str
    attempt: int
    try_no: int
    job: Job
    workdir_key: str | None = None
    mounts: dict[str, Mount] = Field(default_factory=dict)
    """Destination → what lies there."""
    volume_id: str | None = None
    """None with ``volume_new``: the one made in the launching call."""
    volume_new: bool = False
    """Only a volume marked new here may ever be formatted, and only if it is blank."""
    predecessor: int | None = None
    """The latest attempt before this one that was launched at all."""
    besides: tuple[int, ...] = ()
    """Attempts before that one which may still write: they are waited for as well."""
    lease_until: Seconds | None = None
    intervals: Intervals = Intervals()


class HostKeys(Frozen):
    """How a machine proves that it is the one: read from the bucket before the first connection, never from the network."""

    v: Literal[1] = 1
    instance_id: str
    keys: tuple[str, ...]
    """In OpenSSH's form without comment: ``ssh-ed25519 AAAA…``."""
    user: str = ""
    """Who to log in as (``ubuntu``, ``admin``); empty: nobody knows."""
    at: Seconds


class Wheels(Frozen):
    """One archive of everything that the agent needs, unpacked already: to be put on PYTHONPATH, without pip."""

    key: str
    sha256: str
    size: int


class WheelIndex(Frozen):
    """The archives of one version of the agent, by ``cp310-x86_64`` (CPython's tag and ``uname -m``)."""

    v: Literal[1] = 1
    version: str
    archives: dict[str, Wheels]

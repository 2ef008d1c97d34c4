"""The events of the journal. Each has a type and a version; what one means is written in core/fold.py.

A field never changes its meaning: a change makes a new version ``v`` and an upcast from the old one (core/upcast.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fleet.model.base import Frozen, Micros, Seconds, Steps
from fleet.model.cloud import EndedBy, ExistingVolume, Instance, NewVolume, Offer, PriceSince, Volume
from fleet.model.documents import CheckpointRef, Mount, Notice, Outcome, Resumed
from fleet.model.errors import ErrorClass
from fleet.model.job import Job

BudgetScope = Literal["run", "day", "month", "fleet-day", "fleet-month"]
"""What a budget is for: a run as a whole, a run's or the whole fleet's day or month."""
MOST_BYTES = 10**18
"""An exabyte in a bucket is a slip."""


class _Event(Frozen):
    at: Seconds
    """By the bucket's clock."""


class RunCreated(_Event):
    """The user's word: this job shall run."""

    type: Literal["run-created"] = "run-created"
    v: Literal[6] = 6
    run_id: str
    name: str
    job: Job
    """With ``keep_failed`` since version 3; since version 4 its ``deadline`` is kept, and may be a time; with ``workload``
    since version 5; since version 6 its budget's ``day`` and ``month`` are kept, and have a ``time_zone``."""
    workdir_key: str | None = None
    mounts: dict[str, Mount]
    """``file_mounts``, packed (since version 2)."""


class StopRequested(_Event):
    """The user's word: ``stop`` checkpoints first, ``down`` ends every instance at once."""

    type: Literal["stop-requested"] = "stop-requested"
    v: Literal[1] = 1
    run_id: str
    how: Literal["stop", "down"]


class RunResumed(_Event):
    """The user's word: a run that ended goes on from its newest checkpoint, or one that waits for a word tries again."""

    type: Literal["run-resumed"] = "run-resumed"
    v: Literal[1] = 1
    run_id: str
    budget: Micros | None = None
    """A new hard cap for the whole run; None: the one that it had."""


class NoteAdded(_Event):
    """A word of the user's to themselves, kept with the run."""

    type: Literal["note-added"] = "note-added"
    v: Literal[1] = 1
    run_id: str
    text: str


class BudgetSet(_Event):
    """The user's word: so much may the whole fleet spend in a day and in a month, all runs and their disks together."""

    type: Literal["budget-set"] = "budget-set"
    v: Literal[1] = 1
    day: Micros | None
    """None: no cap."""
    month: Micros | None
    time_zone: str
    """Whose days and months, as ``Europe/Berlin``."""


class BudgetWarned(_Event):
    """A budget is 80 % used, or used up: once for each period."""

    type: Literal["budget-warned"] = "budget-warned"
    v: Literal[1] = 1
    scope: BudgetScope
    run_id: str | None
    """None: the budget of the whole fleet."""
    period_start: Seconds
    """When the day or month began; a run's budget: when the run was created."""
    share: Literal[80, 100]
    spent: Micros
    """In the period until now."""
    cap: Micros
    forecast: Micros
    """What the period comes to, if all goes on as it does."""


class LaunchIntended(_Event):
    """Fixes a launch before it is made. Its request is launch-<try>.json, whoever sends it."""

    type: Literal["launch-intended"] = "launch-intended"
    v: Literal[2] = 2
    run_id: str
    attempt: int
    try_no: int
    token: str
    offers: tuple[Offer, ...] = Field(min_length=1)
    volume: NewVolume | ExistingVolume = Field(discriminator="kind")
    predecessor: int | None
    besides: tuple[int, ...] = ()
    """Attempts before that one which may still write: they are waited for as well (since version 2)."""
    lease_until: Seconds | None
    share: Micros | None
    """Micro-dollars of the run's budget that this attempt may spend; None without a budget."""
    why: str
    """One sentence, for people: why this offer, and whether it is a move to another zone."""


class LaunchSucceeded(_Event):
    """The outcome: an instance, and which offer it became."""

    type: Literal["launch-succeeded"] = "launch-succeeded"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    try_no: int
    instance: Instance


class LaunchFailed(_Event):
    """The outcome: refused for good. The end of this try; the next has a new token."""

    type: Literal["launch-failed"] = "launch-failed"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    try_no: int
    error_class: ErrorClass
    code: str
    message: str


class CallFailed(_Event):
    """A call whose effect is unknown or did not happen, and that will be made again."""

    type: Literal["call-failed"] = "call-failed"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    call: Literal["launch", "terminate", "attach", "detach", "delete-volume"]
    error_class: ErrorClass
    code: str
    message: str


class AttemptBegan(_Event):
    """The agent spoke for the first time."""

    type: Literal["attempt-began"] = "attempt-began"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    instance_id: str


class NoticeSeen(_Event):
    """The agent saw the cloud's warning."""

    type: Literal["notice-seen"] = "notice-seen"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    notice: Notice


class AttemptResumed(_Event):
    """Training goes on; what was brought back, and what was lost."""

    type: Literal["attempt-resumed"] = "attempt-resumed"
    v: Literal[2] = 2
    run_id: str
    attempt: int
    resumed: Resumed
    """With ``trained`` since version 2."""


class WorkLearned(_Event):
    """How much work there is, as training's own steps show it: seconds of training at the speed it was seen to have."""

    type: Literal["work-learned"] = "work-learned"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    work: Seconds
    step: Steps
    total: Steps


class AttemptRelieved(_Event):
    """The attempt's machine shall save and let go: the one that was booted beside it is ready."""

    type: Literal["attempt-relieved"] = "attempt-relieved"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    by: int
    """The attempt that goes on in its place."""
    reason: str


class AttemptReleased(_Event):
    """The agent holds nothing any more: its volume may be detached."""

    type: Literal["attempt-released"] = "attempt-released"
    v: Literal[2] = 2
    run_id: str
    attempt: int
    step: Steps | None
    checkpoint: CheckpointRef | None
    checkpoint_step: Steps | None
    saved: Seconds | None = None
    """Seconds of training that the run's newest checkpoint holds (since version 2)."""


class AttemptFinished(_Event):
    """How the training in this attempt ended."""

    type: Literal["attempt-finished"] = "attempt-finished"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    outcome: Outcome
    step: Steps | None


class TerminateIntended(_Event):
    """This attempt's instance shall end."""

    type: Literal["terminate-intended"] = "terminate-intended"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    reason: str


class BootExamined(_Event):
    """What a machine that never spoke left behind: kept under its attempt, the end of it here."""

    type: Literal["boot-examined"] = "boot-examined"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    console: bool
    """What it printed is kept as console.txt."""
    boot_log: bool
    """It wrote a boot.log itself."""
    tail: str
    """The last lines of either."""


class AttemptGone(_Event):
    """Confirmed: nothing of this attempt runs any more."""

    type: Literal["attempt-gone"] = "attempt-gone"
    v: Literal[4] = 4
    run_id: str
    attempt: int
    ended_at: Seconds
    ended_by: EndedBy
    estimate: bool = False
    """True if nobody saw the end: ``ended_at`` is then the last sign of life."""
    step: Steps | None = None
    """The last step that it reported."""
    rate: float | None = None
    """Steps per second over the last minute of its training, as its last heartbeat told (since version 2)."""
    saved: Seconds | None = None
    """Seconds of training that the run's newest checkpoint holds, as that told (since version 3)."""
    saved_step: Steps | None = None
    """The step of that checkpoint (since version 4, as what follows)."""
    trained: Seconds | None = None
    """Seconds of training that it had come to, over all attempts on its chain, without what had to be trained again."""


class PriceChanged(_Event):
    """What the instance is charged from now on, micro-dollars per hour."""

    type: Literal["price-changed"] = "price-changed"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    price: Micros


class PricesFilled(_Event):
    """What a spot instance was charged, by the provider's own history: it takes the place of what was seen meanwhile."""

    type: Literal["prices-filled"] = "prices-filled"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    prices: tuple[PriceSince, ...]
    """The first one was in force where the last history ended. Empty: there is none to be had any more."""
    until: Seconds
    """Up to when it reaches."""


class LeaseExtended(_Event):
    """Another lease: a longer one within the budgets, or a shorter one where a budget was lowered."""

    type: Literal["lease-extended"] = "lease-extended"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    lease_until: Seconds
    share: Micros | None


class VolumeMade(_Event):
    """A volume of the run was seen for the first time."""

    type: Literal["volume-made"] = "volume-made"
    v: Literal[1] = 1
    run_id: str
    provider: str
    volume: Volume


class VolumePassed(_Event):
    """A volume with a name goes from a run that is over to this one, which asks for it by that name."""

    type: Literal["volume-passed"] = "volume-passed"
    v: Literal[1] = 1
    run_id: str
    from_run: str
    volume_id: str


class AttachIntended(_Event):
    """The volume shall be attached to this attempt's instance."""

    type: Literal["attach-intended"] = "attach-intended"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    volume_id: str


class DetachIntended(_Event):
    """The volume shall be taken off this attempt's instance: it was released."""

    type: Literal["detach-intended"] = "detach-intended"
    v: Literal[1] = 1
    run_id: str
    attempt: int
    volume_id: str


class VolumeGrowIntended(_Event):
    """The volume shall have as many GB as its run asks for."""

    type: Literal["volume-grow-intended"] = "volume-grow-intended"
    v: Literal[1] = 1
    run_id: str
    volume_id: str
    size_gb: int


class VolumeGrowFailed(_Event):
    """The cloud refused to enlarge the volume. It serves as it is, and is asked about again more and more seldom."""

    type: Literal["volume-grow-failed"] = "volume-grow-failed"
    v: Literal[1] = 1
    run_id: str
    volume_id: str
    error_class: ErrorClass
    code: str
    message: str


class VolumeGrown(_Event):
    """The volume was seen with more GB than before, which is paid for since: whoever enlarged it."""

    type: Literal["volume-grown"] = "volume-grown"
    v: Literal[1] = 1
    run_id: str
    volume_id: str
    size_gb: int


class VolumeDeleteIntended(_Event):
    """The volume's keep time is over, or the user said so."""

    type: Literal["volume-delete-intended"] = "volume-delete-intended"
    v: Literal[1] = 1
    run_id: str
    volume_id: str
    reason: str


class VolumeDeleted(_Event):
    """The volume is gone."""

    type: Literal["volume-deleted"] = "volume-deleted"
    v: Literal[1] = 1
    run_id: str
    volume_id: str


class OrphanIntended(_Event):
    """An instance with this fleet's tag that no attempt owns shall end."""

    type: Literal["orphan-intended"] = "orphan-intended"
    v: Literal[1] = 1
    provider: str
    region: str
    instance_id: str
    reason: str


class StorageMeasured(_Event):
    """What lies in the fleet's bucket, counted by listing it: once a day at most, where lying there is paid for."""

    type: Literal["storage-measured"] = "storage-measured"
    v: Literal[1] = 1
    provider: str
    """Whose bucket it is: ``aws``, ``gcp``."""
    region: str
    bytes: int = Field(ge=0, le=MOST_BYTES)
    objects: int = Field(ge=0, le=MOST_BYTES)
    put: int = Field(ge=0, le=MOST_BYTES)
    """Requests in the fleet's whole life so far that are charged as writing and listing are: reckoned from what was done."""
    get: int = Field(ge=0, le=MOST_BYTES)
    """Those that are charged as reading is."""


class RunEnded(_Event):
    """The run is over."""

    type: Literal["run-ended"] = "run-ended"
    v: Literal[1] = 1
    run_id: str
    outcome: Literal["succeeded", "failed", "stopped", "over-budget"]
    reason: str


AttemptEvent = (
    LaunchIntended
    | LaunchSucceeded
    | LaunchFailed
    | CallFailed
    | AttemptBegan
    | NoticeSeen
    | AttemptResumed
    | WorkLearned
    | AttemptRelieved
    | AttemptReleased
    | AttemptFinished
    | TerminateIntended
    | BootExamined
    | AttemptGone
    | PriceChanged
    | PricesFilled
    | LeaseExtended
    | AttachIntended
    | DetachIntended
)
"""What happens to one attempt."""

Event = (
    RunCreated
    | StopRequested
    | RunResumed
    | NoteAdded
    | BudgetSet
    | BudgetWarned
    | AttemptEvent
    | VolumeMade
    | VolumePassed
    | VolumeGrowIntended
    | VolumeGrowFailed
    | VolumeGrown
    | VolumeDeleteIntended
    | VolumeDeleted
    | OrphanIntended
    | StorageMeasured
    | RunEnded
)

AnyEvent = Annotated[Event, Field(discriminator="type")]
"""For parsing: the type says which."""

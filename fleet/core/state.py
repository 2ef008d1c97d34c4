"""The present state: what the fold of the journal says. A value; snapshots are its JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar, cast

from pydantic import Field, field_validator

from fleet.core.pools import PoolRecord
from fleet.model.base import Frozen, Micros, Seconds
from fleet.model.cloud import EndedBy, ExistingVolume, Market, NewVolume, Offer, PriceSince
from fleet.model.documents import Mount, Notice, Outcome, Resumed
from fleet.model.events import BudgetScope
from fleet.model.job import Job

FOLD_VERSION = 12
"""Changes whenever the fold's result for the same journal could: snapshots of other versions are not used."""

T = TypeVar("T")

AttemptPhase = Literal["intended", "refused", "launched", "running", "draining", "released", "ending", "gone"]


class AttemptState(Frozen):
    """One machine's life within a run."""

    number: int
    phase: AttemptPhase
    try_no: int
    token: str
    offers: tuple[Offer, ...]
    volume: NewVolume | ExistingVolume = Field(discriminator="kind")
    predecessor: int | None
    besides: tuple[int, ...] = ()
    why: str
    intended_at: Seconds
    lease_until: Seconds | None = None
    share: Micros | None = None
    instance_id: str | None = None
    offer: Offer | None = None
    """What it became; None until launched."""
    launched_at: Seconds | None = None
    prices: tuple[PriceSince, ...] = ()
    priced_until: Seconds | None = None
    """Up to when ``prices`` come from the provider's own history, without a gap."""
    unpriced: bool = False
    """That history was not to be had: ``prices`` are what was seen meanwhile."""
    began_at: Seconds | None = None
    resumed: Resumed | None = None
    rebalance: Notice | None = None
    notice: Notice | None = None
    relieved_at: Seconds | None = None
    """When it was told to let go, since the machine beside it is ready."""
    released_at: Seconds | None = None
    outcome: Outcome | None = None
    finished_at: Seconds | None = None
    """When that was heard."""
    terminate_at: Seconds | None = None
    terminate_reason: str | None = None
    attach_at: Seconds | None = None
    detach_at: Seconds | None = None
    ended_at: Seconds | None = None
    ended_by: EndedBy | None = None
    end_estimated: bool = False
    gone_at: Seconds | None = None
    """When its end was learned, which may be long after it."""
    step: int | None = None
    rate: float | None = None
    """Steps per second at the end of its training; None while it lives, or if it reported none."""
    saved: Seconds | None = None
    """Seconds of training that the run's newest checkpoint held at its end, as it told."""
    saved_step: int | None = None
    """The step of that checkpoint."""
    trained: Seconds | None = None
    """Seconds of training that it had come to at its end, over all attempts on its chain; None while it lives."""
    error: str | None = None
    examined: bool = False
    """It never spoke, and what it left behind was kept."""

    @property
    def settled(self) -> bool:
        """Its prices are known up to its end, or never change."""
        if self.offer is None or self.offer.market is not Market.SPOT or self.ended_at is None:
            return True
        return self.priced_until is not None and self.priced_until >= self.ended_at

    @property
    def live(self) -> bool:
        """An instance exists, or may exist, that is charged for."""
        return self.phase not in ("refused", "gone")

    @property
    def serving(self) -> bool:
        """It carries the run on, or is about to: no replacement is wanted."""
        return self.phase in ("intended", "launched", "running")


class VolumeRecord(Frozen):
    """A persistent disk of a run."""

    volume_id: str
    provider: str
    region: str
    zone: str
    size_gb: int
    price: Micros
    """Micro-dollars per GB and month."""
    created_at: Seconds
    superseded_at: Seconds | None = None
    """The run moved on to another volume."""
    name: str | None = None
    """By which later runs may ask for it."""
    held_since: Seconds | None = None
    """When it came from another run; None: this one had it made."""
    passed_at: Seconds | None = None
    """When it went to another run, which pays for it since."""
    earlier: tuple[tuple[Seconds, Seconds], ...] = ()
    """From when until when this run had it before it came back."""
    grown: tuple[tuple[Seconds, int], ...] = ()
    """When it became larger, and how many GB it had until then."""
    grow_first_at: Seconds | None = None
    """When this run asked for more GB than it has; None: it never did, or has them."""
    grow_at: Seconds | None = None
    """When it asked for the last time."""
    grow_error: str | None = None
    delete_at: Seconds | None = None
    deleted_at: Seconds | None = None

    @property
    def since(self) -> Seconds:
        """Since when this run answers for it."""
        return self.held_since if self.held_since is not None else self.created_at

    @property
    def held(self) -> bool:
        """It exists, and this run answers for it."""
        return self.deleted_at is None and self.passed_at is None

    def near(self, offer: Offer) -> bool:
        """Whether a machine of an offer could have it: in its zone, of its own provider."""
        return (offer.provider, offer.region, offer.zone) == (self.provider, self.region, self.zone)

    @property
    def written_off(self) -> bool:
        """It was found to be gone, and nobody here had asked for that."""
        return self.deleted_at is not None and self.delete_at is None and self.passed_at is None


class Pause(Frozen):
    """Why nothing is launched for the moment, and until when (None: until the user says something)."""

    reason: str
    until: Seconds | None


class RunState(Frozen):
    """One job under a name."""

    run_id: str
    name: str
    job: Job
    workdir_key: str | None
    mounts: dict[str, Mount] = Field(default_factory=dict)
    created_at: Seconds
    want: Literal["train", "stop", "down"] = "train"
    want_at: Seconds = 0.0
    attempts: dict[int, AttemptState] = Field(default_factory=dict)
    volumes: dict[str, VolumeRecord] = Field(default_factory=dict)
    volume_id: str | None = None
    """The volume that follows the run now."""
    work: Seconds | None = None
    """All of the run's work, as training's own steps show it; None: they have not yet, and the job's estimate stands."""
    pause: Pause | None = None
    boot_failures: int = 0
    """In a row: instances that ended without ever speaking."""
    crashes: int = 0
    """In a row: machines that ended by themselves, without a reason told and without getting further."""
    best_step: int = -1
    """The furthest step that a machine was seen to reach before its end."""
    unknown_errors: int = 0
    """In a row: errors that no class is known for."""
    hindered: int = 0
    """In a row: launches that a cloud did not answer, or throttled."""
    resumed_after: int = 0
    """The newest attempt when the user last resumed the run: what its attempts came to until then counts no more."""
    breaks: tuple[tuple[Seconds, Seconds], ...] = ()
    """From when until when it had ended, before its user let it go on."""
    notes: tuple[str, ...] = ()
    """The user's own words, oldest first."""
    ended_at: Seconds | None = None
    outcome: Literal["succeeded", "failed", "stopped", "over-budget"] | None = None
    reason: str = ""

    @field_validator("attempts")
    @classmethod
    def _by_number(cls, attempts: dict[int, AttemptState]) -> dict[int, AttemptState]:
        """A snapshot's JSON sorts its keys as text: 10 before 2."""
        return dict(sorted(attempts.items()))

    @property
    def newest(self) -> AttemptState | None:
        """The attempt with the greatest number."""
        return self.attempts[max(self.attempts)] if self.attempts else None

    @property
    def carrier(self) -> AttemptState | None:
        """The attempt that carries the run: while two do, the older one, beside which the other waits; if none does, the
        newest."""
        return next((attempt for attempt in self.attempts.values() if attempt.serving), self.newest)

    @property
    def serving(self) -> list[AttemptState]:
        """Those that carry the run, oldest first: one, or two while one waits beside the other to take its place."""
        return [attempt for attempt in self.attempts.values() if attempt.serving]

    @property
    def waits_for_user(self) -> bool:
        """It is live, and launches nothing until its user says so: something was denied, or is not known."""
        return self.ended_at is None and self.pause is not None and self.pause.until is None

    @property
    def over(self) -> bool:
        """It has ended, and so have its machines."""
        return self.ended_at is not None and not self.live_attempts

    @property
    def live_attempts(self) -> list[AttemptState]:
        """Attempts that have, or may have, an instance. Not to be changed by who asks."""
        return _once(self, self.attempts, lambda: [attempt for attempt in self.attempts.values() if attempt.live])


class FleetBudget(Frozen):
    """What the whole fleet may spend, all runs and their disks together."""

    day: Micros | None
    month: Micros | None
    time_zone: str
    set_at: Seconds


class BudgetWarning(Frozen):
    """That a budget was 80 % used, or used up."""

    at: Seconds
    scope: BudgetScope
    run_id: str | None
    period_start: Seconds
    share: int
    spent: Micros
    cap: Micros
    forecast: Micros


class StorageRecord(Frozen):
    """What lay in the bucket when it was counted, and how many requests there had been until then."""

    at: Seconds
    provider: str
    region: str
    bytes: int
    objects: int
    put: int
    get: int


class FleetState(Frozen):
    """Everything that the journal says, up to and with entry ``head``."""

    fleet_id: str = ""
    head: int = 0
    at: Seconds = 0.0
    runs: dict[str, RunState] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)
    """A name means its newest run."""
    cooling: dict[str, Seconds] = Field(default_factory=dict)
    """Offers (by key), or ``provider/region/*/*/market``, that were refused and are not tried before a time."""
    resting: dict[str, Seconds] = Field(default_factory=dict)
    """Offers (by key) that were taken back: until a time any other is tried first."""
    unsettled: dict[str, tuple[str, int]] = Field(default_factory=dict)
    """Attempts that are gone, and whose last prices the provider has not told yet."""
    orphans: dict[str, Seconds] = Field(default_factory=dict)
    """Instances that no attempt owns, and since when they shall end."""
    pools: dict[str, PoolRecord] = Field(default_factory=dict)
    """What was seen of each pool of machines, by ``provider/region/zone/type``."""
    budget: FleetBudget | None = None
    """The caps of the whole fleet; None: it has none."""
    warned: dict[str, BudgetWarning] = Field(default_factory=dict)
    """The warnings of budgets: of each once for a period and a cap. Those of long ago are forgotten."""
    storage: tuple[StorageRecord, ...] = ()
    """What lay in the bucket, day by day, each later than the one before."""

    @property
    def busy_runs(self) -> list[RunState]:
        """Runs that still want something done: not ended, or with an instance that may live. Not to be changed."""
        return _once(self, self.runs, lambda: [r for r in self.runs.values() if r.ended_at is None or r.live_attempts])


def _once(of: Frozen, source: object, make: Callable[[], list[T]]) -> list[T]:
    """What every rule asks for again and again, worked out once. A copy with other fields takes it along: so it is kept with
    what it was made from, which is never changed in place."""
    known = of.__dict__.get("_once")
    if known is None or known[0] is not source:
        known = of.__dict__["_once"] = (source, make())
    return cast("list[T]", known[1])

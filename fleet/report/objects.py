"""A report as ``-o json`` prints it and the bucket keeps it. Money in dollars, times in seconds since 1970."""

from __future__ import annotations

from typing_extensions import TypedDict


class SpentObject(TypedDict):
    """What one day cost."""

    date: str
    """In the report's time zone: ``2026-11-25``."""
    paid_usd: float
    on_demand_usd: float
    """What the same would have cost on demand."""
    estimated_usd: float
    """The part that nobody measured or read from a list."""
    by_kind: dict[str, float]
    """USD by the ledger's kinds: ``instance``, ``volume``, ``root-disk``, ``address``, ``storage``, ``requests``, …"""


class MonthObject(TypedDict):
    """The calendar month that the night lies in."""

    month: str
    """``2026-11``."""
    paid_usd: float
    """Up to the night's end."""
    low_usd: float
    """At the month's end, if no machine is launched any more."""
    likely_usd: float
    """If every day costs what the last ones did on average."""
    high_usd: float
    """If every day costs what the dearest of them did."""
    budget_usd: float | None
    """The fleet's cap for the month; null: there is none."""


class NightRunObject(TypedDict):
    """One run in the night."""

    run: str
    """Its id."""
    name: str
    state: str
    """``going on``, ``waits for you``, or how it ended: ``succeeded``, ``failed``, ``stopped``, ``over-budget``."""
    ended: bool
    """In this night."""
    paid_usd: float
    on_demand_usd: float
    paid_whole_usd: float
    """Since its creation, up to the night's end."""
    budget_usd: float | None
    """For the whole run."""
    steps: int
    """That were kept."""
    usd_per_thousand_steps: float | None
    machines: list[str]
    """What it ran on: ``g4dn.xlarge spot, us-east-1a``."""
    launches: int
    interruptions: int
    seconds: dict[str, float]
    """Machine time by what it went into: ``training``, ``boot``, ``restore``, ``lost work``, ``idle``, ``leaving``."""
    waiting_seconds: float
    """Without a machine, though it wanted one."""
    reason: str
    """Why it ended or waits; secrets are taken out."""


class NightInterruptionObject(TypedDict):
    """A machine that the cloud took back."""

    run: str
    name: str
    attempt: int
    kind: str
    """``notice``, ``rebalance+notice``, or ``kill``: no warning was seen."""
    at: float
    where: str
    lost_steps: int
    lost_seconds: float
    recover_seconds: float | None
    """Until training went on; null: it has not yet."""
    moved: bool
    """To another zone."""


class WasteObject(TypedDict):
    """Money that bought no training."""

    reason: str
    paid_usd: float
    seconds: float
    why: str


class PricePointObject(TypedDict):
    """A price from a time on."""

    at: float
    usd_per_hour: float


class PriceHistoryObject(TypedDict):
    """What one type cost in one zone over the last weeks."""

    provider: str
    region: str
    zone: str
    instance_type: str
    on_demand_usd_per_hour: float
    bid_usd_per_hour: float | None
    """The least that a job is willing to pay at most; null: no job says."""
    points: list[PricePointObject]
    """Each holds until the next."""
    source: str
    """``the journal``: only while machines ran; else whose history it is."""


class LeftObject(TypedDict):
    """Something that goes on costing money and that no live run needs."""

    kind: str
    id: str
    where: str
    name: str
    """The run that it was made for; empty: none of this fleet."""
    monthly_usd: float | None
    why: str
    command: str
    """What ends it."""


class EarlierObject(TypedDict):
    """An earlier night whose report could not be sent."""

    date: str
    line: str


class NightObject(TypedDict):
    """One night of one fleet."""

    fleet: str
    """Its bucket."""
    date: str
    start: float
    end: float
    """The calendar day in ``time_zone``: 23 or 25 hours at a change of the clock."""
    time_zone: str
    made_at: float
    quiet: bool
    """Nothing ran, and nothing was paid for."""
    night: SpentObject
    week_before_usd: float
    """A day on average over the ``days_before`` days before."""
    days_before: int
    machine_seconds: float
    steps: int
    usd_per_thousand_steps: float | None
    wasted_usd: float
    day_budget_usd: float | None
    month: MonthObject
    days: list[SpentObject]
    """The last weeks, the oldest first; the night is the last."""
    runs: list[NightRunObject]
    seconds: dict[str, float]
    """All machine time by what it went into."""
    interruptions: list[NightInterruptionObject]
    waste: list[WasteObject]
    prices: list[PriceHistoryObject]
    left: list[LeftObject]
    advice: list[str]
    """At most three sentences."""
    unsent: list[EarlierObject]

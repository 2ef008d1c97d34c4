"""A report as ``-o json`` prints it and the bucket keeps it. Money in dollars, times in seconds since 1970."""

from __future__ import annotations

from typing_extensions import TypedDict


class SpentObject(TypedDict):
    """What one day cost."""

    date: str
    """In the report's time zone: ``2026-11-25``."""
    paid_usd: float
    """What was paid."""
    on_demand_usd: float
    """What the same would have cost on demand."""
    estimated_usd: float
    """The part that nobody measured or read from a list."""
    usd_by_kind: dict[str, float]
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
    """Its name."""
    state: str
    """``going on``, ``waits for you``, or how it ended: ``succeeded``, ``failed``, ``stopped``, ``over-budget``."""
    ended: bool
    """In this night."""
    paid_usd: float
    """In the night."""
    on_demand_usd: float
    """What the same would have cost on demand."""
    paid_whole_usd: float
    """Since its creation, up to the night's end."""
    budget_usd: float | None
    """For the whole run."""
    steps: int
    """That were kept."""
    usd_per_thousand_steps: float | None
    """Of all that was paid for it in the night; null: no step was kept."""
    machines: list[str]
    """What it ran on: ``g4dn.xlarge spot, us-east-1a``."""
    launches: int
    """Machines that were launched in the night."""
    interruptions: int
    """Machines that were taken back in the night."""
    seconds: dict[str, float]
    """Machine time by what it went into: ``training``, ``boot``, ``restore``, ``lost work``, ``idle``, ``leaving``."""
    waiting_seconds: float
    """Without a machine, though it wanted one."""
    reason: str
    """Why it ended or waits; secrets are taken out."""


class NightInterruptionObject(TypedDict):
    """A machine that the cloud took back."""

    run: str
    """The run's id."""
    name: str
    """The run's name."""
    attempt: int
    """Its number."""
    kind: str
    """``notice``, ``rebalance+notice``, or ``kill``: no warning was seen."""
    at: float
    """When the notice was seen, or the machine was gone."""
    where: str
    """``g4dn.xlarge spot, us-east-1a``."""
    lost_steps: int
    """That had to be trained again."""
    lost_seconds: float
    """Of training that had to be done again."""
    recover_seconds: float | None
    """Until training went on; null: it has not yet."""
    moved: bool
    """To another zone."""


class WasteObject(TypedDict):
    """Money that bought no training."""

    reason: str
    """``boot``, ``restore``, ``lost work``, ``idle``, ``leaving``, ``forgotten volumes``."""
    paid_usd: float
    """What was paid for it."""
    seconds: float
    """How long it took."""
    why: str
    """What it is, for people."""


class PricePointObject(TypedDict):
    """A price from a time on."""

    at: float
    """Since when."""
    usd_per_hour: float
    """From then on."""


class PriceHistoryObject(TypedDict):
    """What one type cost in one zone over the last weeks."""

    provider: str
    """Whose."""
    region: str
    """Where."""
    zone: str
    """In which zone."""
    instance_type: str
    """Of what."""
    on_demand_usd_per_hour: float
    """What the same costs on demand."""
    bid_usd_per_hour: float | None
    """The least that a job is willing to pay at most; null: no job says."""
    points: list[PricePointObject]
    """Each holds until the next."""
    source: str
    """``the journal``: only while machines ran; else whose history it is."""


class LeftObject(TypedDict):
    """Something that goes on costing money and that no live run needs."""

    kind: str
    """``machine``, ``volume``, ``snapshot``, …"""
    id: str
    """The cloud's name for it."""
    where: str
    """Provider and region or zone."""
    name: str
    """The run that it was made for; empty: none of this fleet."""
    monthly_usd: float | None
    """What it costs a month; null: that is not known."""
    why: str
    """Why it is there."""
    command: str
    """What ends it."""


class EarlierObject(TypedDict):
    """An earlier night whose report could not be sent."""

    date: str
    """Of the night."""
    line: str
    """What it came to."""


class NightObject(TypedDict):
    """One night of one fleet."""

    fleet: str
    """Its bucket."""
    date: str
    """Of the night: ``2026-11-25``."""
    starts_at: float
    """When it began."""
    ends_at: float
    """The calendar day in ``time_zone``: 23 or 25 hours at a change of the clock."""
    time_zone: str
    """Whose day it is: an IANA name."""
    made_at: float
    """Up to when it is known."""
    quiet: bool
    """Nothing ran, and nothing was paid for."""
    night: SpentObject
    """What it cost."""
    week_before_usd: float
    """A day on average over the ``days_before`` days before."""
    days_before: int
    """Seven, or as many as the fleet had; 0: it is its first."""
    machine_seconds: float
    """Of all machines."""
    steps: int
    """That were kept."""
    usd_per_thousand_steps: float | None
    """Of everything that was paid; null: no step was kept."""
    wasted_usd: float
    """What bought no training."""
    day_budget_usd: float | None
    """The fleet's cap for a day; null: there is none."""
    month: MonthObject
    """And what it comes to."""
    days: list[SpentObject]
    """The last weeks, the oldest first; the night is the last."""
    runs: list[NightRunObject]
    """Those that lived in the night, the dearest first."""
    seconds: dict[str, float]
    """All machine time by what it went into."""
    interruptions: list[NightInterruptionObject]
    """The earliest first."""
    waste: list[WasteObject]
    """What bought no training, the dearest first."""
    prices: list[PriceHistoryObject]
    """Of the types used."""
    left: list[LeftObject]
    """What goes on costing money although no live run needs it."""
    advice: list[str]
    """At most three sentences."""
    unsent: list[EarlierObject]
    """Earlier nights whose report could not be sent."""

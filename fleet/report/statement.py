"""One night as data: what it cost, what it bought, what was wasted, and what stands to be done. Pages are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.base import Micros, Seconds, Steps
from fleet.model.cloud import PriceSince


@dataclass(frozen=True, slots=True)
class Spent:
    """What one day cost, micro-dollars."""

    date: str
    """In the user's time zone: ``2026-11-25``."""
    paid: Micros
    on_demand: Micros
    """What the same would have cost on demand, whatever has no such twin included."""
    by_kind: tuple[tuple[str, Micros], ...]
    """``instance``, ``volume``, ``address``, …: the ledger's kinds, the greatest first; they add up to ``paid``."""
    estimated: Micros = 0
    """The part of it that nobody measured or read from a list."""


@dataclass(frozen=True, slots=True)
class Month:
    """The calendar month that the night lies in."""

    name: str
    """``2026-11``."""
    paid: Micros
    """Up to the night's end."""
    low: Micros
    """At the month's end, if no machine is launched any more: what is kept is paid for."""
    likely: Micros
    """If every day costs what the last ones did on average."""
    high: Micros
    """If every day costs what the dearest of them did."""
    budget: Micros | None
    """The fleet's cap for the month; None: there is none."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The night in sum, and what to hold it against."""

    night: Spent
    week_before: Micros
    """A day on average over the seven before; over fewer where the fleet is younger; 0 for its first day."""
    days_before: int
    """How many days that average is over."""
    machine_seconds: Seconds
    steps: Steps
    """That were kept: without what was lost and trained again."""
    per_thousand: Micros | None
    """Of everything paid for 1,000 such steps; None: there are none."""
    wasted: Micros
    budget: Micros | None
    """The fleet's cap for a day."""
    month: Month


@dataclass(frozen=True, slots=True)
class Share:
    """A part of machine time, or of money: ``training``, ``boot``, ``restore``, ``lost work``, ``idle``, ``leaving``."""

    what: str
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class RunNight:
    """One run in the night."""

    run_id: str
    name: str
    outcome: str
    """``going on``, or how it ended by the night's end: ``succeeded``, ``failed``, ``stopped``, ``over-budget``."""
    ended: bool
    """In this night."""
    paid: Micros
    on_demand: Micros
    paid_whole: Micros
    """Since its creation, up to the night's end."""
    budget: Micros | None
    """For the whole run."""
    steps: Steps
    per_thousand: Micros | None
    machines: tuple[str, ...]
    """What it ran on: ``g4dn.xlarge spot, us-east-1a``."""
    launches: int
    interruptions: int
    shares: tuple[Share, ...]
    waiting: Seconds
    """Without a machine, though it wanted one."""
    reason: str
    """Why it ended or waits, and a failed training's last lines; secrets are taken out."""
    who: str
    """What a command takes for it: its name, as long as no newer run has that."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A machine that the cloud took back in the night."""

    run_id: str
    name: str
    attempt: int
    kind: str
    """``notice``, ``rebalance+notice``, or ``kill`` (no warning was seen)."""
    at: Seconds
    where: str
    """``g4dn.xlarge spot, us-east-1a``."""
    lost_steps: Steps
    lost_seconds: Seconds
    recover_seconds: Seconds | None
    """Until training went on; None: it has not yet."""
    moved: bool
    """To another zone."""


@dataclass(frozen=True, slots=True)
class Waste:
    """Money that bought no training, for one reason."""

    reason: str
    """``boot``, ``restore``, ``lost work``, ``idle``, ``leaving``, ``forgotten volume``."""
    paid: Micros
    seconds: Seconds
    why: str
    """A sentence, for people."""


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """What one type cost in one zone over the last weeks."""

    provider: str
    region: str
    zone: str
    instance_type: str
    on_demand: Micros
    bid: Micros | None
    """The least that a job is willing to pay at most; None: no job says."""
    points: tuple[PriceSince, ...]
    """Each holds until the next, the last until ``until``."""
    until: Seconds
    used: tuple[tuple[Seconds, Seconds], ...]
    """When machines of the fleet ran on it."""
    source: str
    """``the journal``: only while machines ran; else whose history it is."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that goes on costing money and that no live run needs."""

    kind: str
    """``volume``, ``machine``, ``snapshot``, …"""
    id: str
    where: str
    """``aws/us-east-1``."""
    name: str
    """The run that it was made for; empty: none of this fleet."""
    monthly: Micros | None
    """None: its price is not known."""
    since: Seconds | None
    why: str
    command: str
    """What ends it."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier night whose report could not be sent, in one line."""

    date: str
    line: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One night of one fleet."""

    fleet: str
    """Its bucket's URL, or what else people know it by."""
    date: str
    start: Seconds
    end: Seconds
    """The user's calendar day, 23 or 25 hours at a change of the clock."""
    zone: str
    """Its IANA name."""
    made_at: Seconds
    totals: Totals
    days: tuple[Spent, ...]
    """The last weeks, the oldest first; the night is the last of them."""
    runs: tuple[RunNight, ...]
    shares: tuple[Share, ...]
    """Of all machine time of the night."""
    interruptions: tuple[Taken, ...]
    waste: tuple[Waste, ...]
    prices: tuple[PriceHistory, ...]
    left: tuple[Left, ...]
    advice: tuple[str, ...]
    """At most three sentences."""
    unsent: tuple[Earlier, ...] = ()

    @property
    def quiet(self) -> bool:
        """Nothing ran, and nothing was paid for."""
        return not self.runs and not self.totals.night.paid and not self.left and not self.interruptions

"""The objects that ``-o json`` prints of money (see objects.py)."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class CostGroupObject(TypedDict):
    """What some things cost together."""

    key: str
    """The run, day, type, zone, kind or attempt; or ``total``."""
    usd: float
    """Everything together."""
    machines_usd: float
    """Of it: machines, at the price in force in each second."""
    volumes_usd: float
    """Of it: volumes."""
    rest_usd: float
    """Root disks, public addresses, and what the bucket costs: what `fleet status` does not count."""
    on_demand_usd: float
    """What all of it would have cost with every machine on demand."""
    machine_seconds: float
    """How long machines ran, together."""
    known: Literal["measured", "listed", "estimated"]
    """As sure as the least sure part of it."""


class CostLineObject(TypedDict):
    """One thing that was paid for, over one stretch of time."""

    kind: Literal["instance", "volume", "root-disk", "address", "storage", "requests", "transfer", "snapshot"]
    """What was paid for."""
    run: str | None
    """Null: the whole fleet's."""
    attempt: int | None
    """The machine's number within its run; null: no machine's."""
    provider: str
    """Whose it is: `aws`, `local`."""
    region: str
    """Where."""
    zone: str
    """Where in it; empty: the whole region."""
    instance_type: str
    """The machine's; else empty."""
    market: Literal["spot", "on-demand"] | None
    """How the machine was bought; null: no machine's."""
    resource: str
    """The id of the instance or volume."""
    start_at: float
    """Seconds since 1970: from when."""
    end_at: float
    """Until when."""
    quantity: float
    """How much of it there was."""
    unit: str
    """What there is so many of: `instance-seconds`, `GB-months`, `address-hours`, `requests`."""
    price_usd: float
    """Per hour, GB and month, or thousand requests: the one in force at the end."""
    usd: float
    """What it cost."""
    on_demand_usd: float
    """What its twin on demand would have cost; the same where there is none."""
    known: Literal["measured", "listed", "estimated"]
    """Whether it was measured, stands in a price list, or follows from something else."""
    how: str
    """The same in words."""
    ended_by: Literal["cloud", "fleet", "itself", "unknown"] | None
    """Who ended the machine; null: it lives, or nobody is known."""


class CostObject(TypedDict):
    """What was paid."""

    since_at: float | None
    """Seconds since 1970: from when; null: from the beginning."""
    until_at: float
    """Seconds since 1970: when it was asked."""
    zone: str
    """The time zone whose days are meant."""
    by: Literal["run", "day", "type", "zone", "kind", "attempt"]
    """What the groups are."""
    total: CostGroupObject
    """Everything together."""
    groups: list[CostGroupObject]
    """The parts, the first to begin first; by type, zone and kind the dearest first."""
    lines: list[CostLineObject]
    """Empty unless asked for by --lines."""


class UnreachedObject(TypedDict):
    """A destination that was not reached."""

    to: str
    """Stars stand for what is secret in it."""
    why: str
    """What happened."""
    hint: str
    """What to do about it; empty: nothing that is known."""


class ReportSentObject(TypedDict):
    """What came of sending one night's report of one fleet."""

    bucket: str
    """The fleet's."""
    night: str
    """Its date, in the user's time zone: `2026-11-25`."""
    told: list[str]
    """Who was told just now."""
    failed: list[UnreachedObject]
    """They are told with the next one."""
    silent: bool
    """Nothing ran, and nothing is sent of such nights."""


class ReportTestObject(TypedDict):
    """What came of a test message."""

    told: list[str]
    """Who was reached."""
    failed: list[UnreachedObject]
    """Who was not."""


class ReportStepObject(TypedDict):
    """One thing that was done so that the report is sent every night, or no more."""

    action: Literal["write", "run", "line", "remove"]
    """`run`: the command was run; `line`: it was added to the crontab."""
    where: str
    """A path, the command, or what it is called in the account."""
    told: str
    """What it is for."""


class ReportInstalledObject(TypedDict):
    """The nightly report as it was installed, or taken away."""

    on: list[Literal["systemd", "launchd", "cron", "account"]]
    """Where it is called from; of `report uninstall`: was."""
    at: str
    """`02:00`; empty once it is removed."""
    time_zone: str
    """Its IANA name: the time is in it."""
    to: list[str]
    """Whom it tells; stars stand for what is secret."""
    made: bool
    """False: it was only shown (`--dry-run`)."""
    steps: list[ReportStepObject]
    """What was done, or would be, in order; empty: all was as it should be."""


class ReportNightObject(TypedDict):
    """What became of one night's report."""

    bucket: str
    """The fleet's."""
    night: str
    """Its date, in the user's time zone."""
    told: list[str]
    """Who was told of it."""
    waiting: list[str]
    """Those who are told with the next one."""
    why: str
    """Of the last that was not reached."""


class ReportStatusObject(TypedDict):
    """Whether and how the report is sent every night."""

    installed: list[ReportPlaceObject]
    """Where it is called from; empty: nowhere."""
    to: list[str]
    """Whom this computer tells; stars stand for what is secret."""
    nights: list[ReportNightObject]
    """The last ones, of every fleet that is known here."""


class ReportPlaceObject(TypedDict):
    """One place that calls it each night."""

    on: Literal["systemd", "launchd", "cron", "account"]
    """Who calls it."""
    where: str
    """A path, the line in the crontab, or what it is called in the account."""


class BudgetObject(TypedDict):
    """A budget in its present day or month, or that of a whole run."""

    scope: Literal["run", "day", "month", "fleet-day", "fleet-month"]
    """What it is for: a whole run, a run's or the whole fleet's day or month."""
    run: str | None
    """Null: the whole fleet's."""
    starts_at: float
    """When its day or month began; of a whole run: when that was created."""
    ends_at: float | None
    """When its day or month ends; null: it is a whole run's."""
    time_zone: str | None
    """Whose days and months; null: it is a whole run's."""
    cap_usd: float
    """What may be spent."""
    spent_usd: float
    """Until now."""
    leases_usd: float
    """What machines may still spend of it by the leases that they have, at the highest prices that they can come to."""
    disks_usd: float
    """What disks come to in the rest of it."""
    left_usd: float
    """What other machines could be given."""
    forecast_usd: float
    """What it comes to if all goes on as it does: more than the cap means that machines save and stop before."""
    used_percent: Literal[0, 80, 100]
    """100: it pays for no other machine; 80: four fifths are spent, or the disks'."""
    warned_percent: int
    """What its user was warned of."""


class BudgetsObject(TypedDict):
    """The budgets of a fleet and of its runs that are not over."""

    bucket: str
    """The fleet's."""
    day_usd: float | None
    """What the whole fleet may spend in a day; null: no cap."""
    month_usd: float | None
    """What it may spend in a calendar month; null: no cap."""
    time_zone: str | None
    """Whose days and months; null: nothing caps the whole fleet."""
    budgets: list[BudgetObject]
    """Of the fleet, then of each run."""


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

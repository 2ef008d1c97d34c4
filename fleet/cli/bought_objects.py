"""The objects that ``-o json`` prints of what was got for the money (see objects.py)."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class PerDayObject(TypedDict):
    """What a day costs while a machine runs."""

    machine_usd: float
    """At the price now."""
    volume_usd: float
    """The run's disk."""
    address_usd: float
    """The machine's public address."""
    root_disk_usd: float
    """The machine's own disk."""
    total_usd: float
    """All of it."""
    listed: str
    """Of when the prices of address and root disk are; empty: there is no list of them."""


class YieldObject(TypedDict):
    """What machines of one type and market came to."""

    provider: str
    """`local`, or a cloud."""
    instance_type: str
    """The provider's word for the kind of machine."""
    market: Literal["spot", "on-demand"]
    """`spot` machines may be taken back."""
    steps: int | None
    """Steps that were kept; null: training told none."""
    machine_seconds: float
    """Time that was paid for, or free."""
    training_seconds: float
    """The part of it that was kept."""
    usd: float
    """For the machines alone: boot, lost work and idling included, volumes not."""
    usd_per_1000_steps: float | None
    """Null: there are no steps."""


class WeekObject(TypedDict):
    """One week, from Monday, of this computer's calendar."""

    start_at: float
    """Of the part of it that was looked at."""
    end_at: float
    """It does not belong to the week any more."""
    types: list[YieldObject]
    """The cheapest steps first."""


class SharesObject(TypedDict):
    """What a run's machine time went into, in seconds: the parts but waiting add up to `machine_seconds`."""

    machine_seconds: float
    """All machine time."""
    training_seconds: float
    """That was kept."""
    boot_seconds: float
    """From launches to the agent's first word."""
    restore_seconds: float
    """From there to training, the job's set-up included."""
    lost_seconds: float
    """Training that had to be done again."""
    idle_seconds: float
    """Waiting beside another machine, or still there after everything was let go."""
    leaving_seconds: float
    """Saving, letting go and ending."""
    waiting_seconds: float
    """No machine's time: the run wanted one and had none."""


class PaidObject(TypedDict):
    """What was paid for each of them, in dollars; together what the run's machines cost."""

    training_usd: float
    """For training that was kept."""
    boot_usd: float
    """For boots."""
    restore_usd: float
    """For what comes between boot and training."""
    lost_usd: float
    """For training that had to be done again."""
    idle_usd: float
    """For waiting."""
    leaving_usd: float
    """For ending."""


class BoughtObject(TypedDict):
    """What a run got for its money."""

    steps: int | None
    """Steps that were kept; null: training told none."""
    time: SharesObject
    """What its time went into."""
    money: PaidObject
    """What that cost, without volumes."""
    usd_per_1000_steps: float | None
    """Of its machines; null: there are no steps."""

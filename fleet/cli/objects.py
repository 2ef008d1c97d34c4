"""The objects that ``-o json`` prints. Each field's docstring is its documentation: schemas and docs/json.md are made of it.

The unit is in the name: ``usd`` dollars, ``seconds``, ``gb`` 10^9 bytes, ``bytes``, ``steps``. ``at`` and ``…_at`` are
seconds since 1970-01-01 UTC by the bucket's clock. These are types for mypy and the schemas; at run time they are dicts.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

State = Literal[
    "waiting", "launching", "booting", "running", "waiting-volume", "waiting-predecessor", "restoring", "setup", "training",
    "draining", "released", "fenced", "stopping", "succeeded", "failed", "stopped", "over-budget",
]  # fmt: skip


class RunObject(TypedDict):
    """One run, as of now."""

    run: str
    """Its id: the name and a random suffix."""
    name: str
    """As the job file says it."""
    state: State
    """Its outcome once it has ended (`succeeded`, `failed`, `stopped`, `over-budget`), `stopping` once that was asked for,
    `waiting` (no machine), `launching`, `booting`, `running` (its machine began, and has said no more yet), else what its
    machine says that it does."""
    reason: str
    """Why it ended, or why nothing is launched for the moment; else empty."""
    attempt: int
    """The newest attempt's number; 0: none yet."""
    interruptions: int
    """Machines that the cloud took back."""
    recoveries: int
    """Interruptions after which training went on."""
    steps_lost: int
    """Steps that had to be trained again."""
    seconds_lost: float
    """Seconds of training that had to be done again."""
    recover_seconds: list[float]
    """For each recovery: seconds from the notice (or the kill) until training went on."""
    where: str | None
    """The offer that the newest attempt runs on: provider/region/zone/instance type/market."""
    instance: str | None
    """The newest attempt's machine."""
    step: int | None
    """The last step that training reported, or that the newest attempt took up at."""
    steps_per_second: float | None
    """Over the last minute of the live attempt."""
    metrics: dict[str, float | None]
    """What training reported beside the step; null: not a finite number."""
    cost_usd: float
    """Everything until now: `compute_usd` and `volumes_usd`."""
    compute_usd: float
    """Machines."""
    volumes_usd: float
    """Disks."""
    on_demand_usd: float
    """What the same machines would have cost on demand, with the same volumes."""
    usd_per_hour: float
    """What it costs now: live machines and kept volumes."""
    volume: str | None
    """The volume that follows the run."""
    created_at: float
    """When `fleet up` made it."""
    ended_at: float | None
    """null: it goes on."""
    message: str
    """What the agent waits for or complains of; else empty."""


class InterruptionObject(TypedDict):
    """A machine that the cloud took back."""

    attempt: int
    """Whose machine."""
    kind: str
    """`notice`, `rebalance+notice`, or `kill` (there was no warning)."""
    at: float
    """When the notice was seen, or the machine was gone."""
    recover_seconds: float | None
    """Until training went on; null: it has not yet."""
    lost_steps: int
    """Steps that had to be trained again."""
    lost_seconds: float
    """Seconds of training that had to be done again."""


class WatcherObject(TypedDict):
    """A program on this computer that keeps runs alive."""

    process: int
    """Its process id."""
    command: str
    """What it is there for: `controller run`, or that it `follows` or `ends` a run."""
    started_at: float
    """By this computer's clock."""


class StatusObject(RunObject):
    """One run, why it is where it is, and what comes next: the fields of `run`, and these."""

    why: str
    """Why the newest attempt's offer was chosen, in numbers."""
    next: str
    """What happens by itself, or what you may do."""
    notes: list[str]
    """Your own words, oldest first."""
    interrupted: list[InterruptionObject]
    """Oldest first."""
    watchers: list[WatcherObject]
    """Programs on this computer that keep this fleet's runs alive; those on other computers are not seen from here."""


class OfferObject(TypedDict):
    """Something that the job could run on."""

    offer: str
    """provider/region/zone/instance type/market."""
    provider: str
    """`local`, or a cloud."""
    region: str
    """Of the provider."""
    zone: str
    """A volume is bound to one."""
    instance_type: str
    """The provider's word for the kind of machine."""
    market: Literal["spot", "on-demand"]
    """`spot` machines may be taken back."""
    accelerators: list[str]
    """One entry for each."""
    usd_per_hour: float
    """The machine's price now."""
    on_demand_usd_per_hour: float
    """The same type's price on demand."""
    with_volume_usd_per_hour: float
    """Machine and volume together."""
    with_volume_usd_per_day: float
    """Machine and volume together, for 24 hours."""
    steps_per_second: float | None
    """The median that ended attempts of this job's name reached on this type; null: none has yet."""
    with_volume_usd_per_1000_steps: float | None
    """At that rate; null: it is not known."""
    chosen: bool
    """`fleet up` would try this one first."""
    cooling: bool
    """It was refused or taken back a moment ago, and is left alone for a while."""


class MadeObject(TypedDict):
    """What `fleet up` would make beside the machine."""

    volume_gb: int
    """The new volume's size."""
    volume_usd_per_month: float
    """What it costs until it is deleted."""
    bucket: str
    """The URL that state goes to."""


class PlanObject(TypedDict):
    """What a job could run on, and what would be chosen."""

    offers: list[OfferObject]
    """The cheapest first."""
    why: str
    """Why the chosen one, in numbers; or why none."""
    notes: list[str]
    """What of the job's wishes is nowhere on offer and what serves instead, and which prices could not be had."""
    makes: MadeObject
    """What comes with the machine."""


class PricePointObject(TypedDict):
    """A price in force from a time on, until the next."""

    at: float
    """Since when, by the cloud's clock."""
    usd_per_hour: float
    """The spot price."""


class PriceObject(TypedDict):
    """What one type of machine costs in one zone."""

    region: str
    """EC2's."""
    zone: str
    """A volume is bound to one."""
    instance_type: str
    """EC2's word for the kind of machine."""
    accelerators: list[str]
    """One entry for each."""
    arch: Literal["x86_64", "aarch64"] | None
    """What programs and images must be built for; null: not known."""
    vcpus: int | None
    """Processors, as EC2 counts them; null: not known."""
    memory_gb: float | None
    """Main memory; null: not known."""
    driver: str | None
    """The branch of NVIDIA's driver that runs its accelerators; null: none is needed."""
    cuda: str | None
    """The highest CUDA that runs on them; null: none does."""
    stack: str
    """What that means for frameworks; may be empty."""
    spot_usd_per_hour: float | None
    """The spot price now; null: there is none in this zone."""
    on_demand_usd_per_hour: float | None
    """The price on demand; null: not known."""
    on_demand_from: Literal["price-list", "bundled", "estimate"] | None
    """`price-list`: AWS's; `bundled`: fleet's own dated table; `estimate`: worked out from that table."""
    saving_percent: int | None
    """How much less spot costs than on demand; null: one of them is not known."""
    interruption: str | None
    """Share of the type's machines in the region that were taken back within a month, `<5%` for example; null: not known."""
    placement_score: int | None
    """With `--scores`: from 1 to 10, how likely one of the types that were asked for is had in this zone now."""
    history: list[PricePointObject]
    """The spot price over the days that were asked for, oldest first."""


class InsteadObject(TypedDict):
    """A type that serves in place of one that is not offered."""

    instance_type: str
    """EC2's word for the kind of machine."""
    offer: str | None
    """The cheapest: provider/region/zone/instance type/market; null: it is not offered either."""
    usd_per_hour: float | None
    """That offer's price."""


class MissingObject(TypedDict):
    """Something that was asked for and that nothing on offer has."""

    what: str
    """A type, or an accelerator."""
    why: str
    """Retired, mistyped, or not offered in these regions."""
    instead: list[InsteadObject]
    """What serves in its place, the nearest first."""


class PriceSourceObject(TypedDict):
    """Where a kind of figure comes from, and of when it is."""

    what: Literal["spot", "history", "on-demand", "bands"]
    """`bands`: how often machines are taken back."""
    region: str
    """Empty: of all."""
    origin: str
    """Who says so."""
    at: float | None
    """Of when the figures are; null: there are none."""
    problem: str
    """Why there are none, or none that are newer; else empty."""


class PricesObject(TypedDict):
    """What machines cost."""

    at: float
    """When this was put together, by this computer's clock."""
    prices: list[PriceObject]
    """The cheapest first."""
    missing: list[MissingObject]
    """What was asked for and is not offered."""
    sources: list[PriceSourceObject]
    """How old each kind of figure is."""
    notes: list[str]
    """What could not be asked, and what is used instead."""


class LogLineObject(TypedDict):
    """A line that training printed."""

    attempt: int
    """The attempt whose training printed it."""
    line: str
    """Without its end; bytes that are not UTF-8 are replaced."""


class NoteObject(TypedDict):
    """A note that was kept."""

    run: str
    """The run's id."""
    note: str
    """Your words."""


class CheckpointObject(TypedDict):
    """A committed checkpoint."""

    checkpoint: str
    """attempt/number, as the commands take it."""
    status: Literal["newest", "trusted", "late", "broken"]
    """`late`: written by an attempt that had been overtaken, never restored; `broken`: its manifest cannot be read."""
    step: int | None
    """The last step that training had reported when it was made."""
    at: float | None
    """When it was committed."""
    files: int
    """How many."""
    bytes: int
    """Of all its files, those shared with other checkpoints too."""
    problem: str
    """What is wrong with it; else empty."""


class CheckObject(TypedDict):
    """Whether a checkpoint is what was committed."""

    checkpoint: str
    """attempt/number."""
    whole: bool
    """Every byte is as it was committed."""
    problem: str
    """What is wrong with it; else empty."""


class PulledObject(TypedDict):
    """A checkpoint that was fetched and verified."""

    run: str
    """The run's id."""
    checkpoint: str
    """attempt/number."""
    step: int | None
    """The last step that training had reported when it was made."""
    files: int
    """How many."""
    bytes: int
    """Of all its files."""
    folder: str
    """Where it lies now."""


class PrunedObject(TypedDict):
    """What was removed."""

    run: str
    """The run's id."""
    removed: list[str]
    """Checkpoints: attempt/number."""


class VolumeObject(TypedDict):
    """A disk."""

    volume: str
    """Its id."""
    provider: str
    """`local`, or a cloud."""
    zone: str
    """Where it is bound to."""
    size_gb: int
    """Its size."""
    state: str
    """The cloud's word: `creating`, `available`, `in-use`, …"""
    attached_to: str | None
    """A machine's id."""
    run: str | None
    """The run that it belongs to; null: none of this fleet."""
    live: bool
    """Its run goes on, and uses it."""
    usd_per_month: float
    """What it costs until it is deleted."""


class DeletedVolumeObject(TypedDict):
    """A disk that is gone."""

    volume: str
    """Its id."""
    run: str | None
    """The run that it belonged to; null: none of this fleet."""
    size_gb: int
    """Its size."""
    usd_per_month: float
    """What it cost."""


class UnownedObject(TypedDict):
    """Something that lies about, and that no run owns."""

    kind: Literal["machine", "volume", "snapshot", "spot-request", "ingress-rule", "template-version", "upload"]
    """What it is. `ingress-rule`: a port that was opened for a while; `upload`: begun, and never finished."""
    id: str
    """The cloud's."""
    provider: str
    """`local`, or a cloud."""
    region: str
    """Where it is."""
    why: str
    """Why it is nobody's."""
    usd_per_month: float
    """What it costs if it is left alone."""
    deleted: bool
    """It was ended or deleted by this very command (`--delete`)."""


class ControllerObject(TypedDict):
    """The controller as a service of this computer's session manager."""

    installed: bool
    """The service's file is there."""
    running: bool
    """The session manager says that it runs."""
    file: str
    """The unit or agent file."""


class DeployedStepObject(TypedDict):
    """One thing that was done so that a controller runs, or runs no more."""

    action: Literal["put", "try", "write", "switch", "run", "line", "remove"]
    """`try`: one round was made over the bucket; `run`: the command was run; `line`: it was added to the crontab."""
    where: str
    """A path, a bucket, or the command."""
    told: str
    """What it is for."""


class DeployedObject(TypedDict):
    """A controller that was put somewhere, or taken away."""

    host: str
    """As it is logged in to; empty: this computer."""
    how: Literal["service", "cron"]
    """systemd runs the loop, or cron makes a round each minute."""
    version: str
    """Of fleet, as it is called there; empty: there was none."""
    buckets: list[str]
    """What it looks after; empty once it is removed."""
    steps: list[DeployedStepObject]
    """What was done, in order; empty: all was as it should be."""


class RepairObject(TypedDict):
    """What was done to a journal."""

    bucket: str
    """Its URL."""
    repaired: bool
    """A torn last entry was set aside."""
    set_aside: str | None
    """Where it lies now."""


class InitObject(TypedDict):
    """A job file that was written."""

    kind: str
    """`command`, `racer` or `stack`."""
    file: str
    """The job file."""


class AwsStepObject(TypedDict):
    """One thing of a set-up in an AWS account."""

    action: Literal["make", "mend", "leave", "remove"]
    """`leave`: it is as it should be, or is not to be removed."""
    kind: str
    """`bucket`, `fleet`, `service role`, `role`, `profile`, `security group`, `key`, `launch template`, `record`; of what
    is removed also `volume` and `snapshot`."""
    name: str
    """The cloud's name or id for it."""
    region: str
    """Where it is; empty: it belongs to the whole account."""
    told: str
    """What it is for, what is amended, or why it stays."""
    usd_per_month: float
    """What it costs by itself, as long as it is there."""
    done: bool
    """It was done by this very command."""


class AwsQuotaObject(TypedDict):
    """How many vCPUs of spot machines the account may have at once."""

    region: str
    """In this region."""
    code: str
    """Service Quotas' code."""
    what: str
    """The kinds of machines that it is about."""
    vcpus: int | None
    """null: it could not be looked at."""
    told: str
    """What that allows, or why it is not known."""
    request: str
    """The command that asks for more; empty if there is enough for a machine."""


class AwsSetupObject(TypedDict):
    """What `fleet init aws` made, or found as it should be."""

    account: str
    """AWS's number."""
    fleet: str
    """The fleet's id: the value of the tag `fleet` on everything."""
    bucket: str
    """Its URL."""
    regions: list[str]
    """Where machines can be launched."""
    steps: list[AwsStepObject]
    """In the order in which they were done."""
    quotas: list[AwsQuotaObject]
    """Of all regions."""
    warnings: list[str]
    """What will not work as it is."""


class AwsDestroyedObject(TypedDict):
    """What `fleet destroy aws` removed, and what it left."""

    account: str
    """AWS's number."""
    fleet: str
    """The fleet's id."""
    bucket: str
    """Its URL."""
    steps: list[AwsStepObject]
    """In the order in which they were done."""


class PolicyObject(TypedDict):
    """An IAM policy."""

    name: str
    """What to call it."""
    policy: dict[str, object]
    """The document, as IAM takes it."""
    command: str
    """What makes it a managed policy of the account, once the document is in the file that is named there."""


class FindingObject(TypedDict):
    """One thing that `fleet doctor` looked at."""

    what: str
    """What was looked at: `python`, `home`, `bucket`, …"""
    state: Literal["good", "note", "bad"]
    """`bad`: fleet does not work so; `note`: it works, but."""
    told: str
    """What was found."""
    remedy: str
    """What to do about it; else empty."""


class DemoObject(TypedDict):
    """What the demo came to. Its prices are those of a simulated market."""

    attempts: int
    """Machines."""
    interruptions: int
    """Machines that were taken back."""
    kinds: list[str]
    """Of each interruption: `notice`, `rebalance+notice`, `kill`."""
    zone_changes: int
    """Recoveries in another zone."""
    steps_lost: int
    """Steps that had to be trained again."""
    seconds_lost: float
    """Seconds of training that had to be done again."""
    recover_seconds: list[float]
    """For each interruption: seconds until training went on."""
    cost_usd: float
    """Of the interrupted training."""
    on_demand_usd: float
    """What the same machines would have cost on demand."""
    uninterrupted_cost_usd: float
    """Of the same training, left alone."""
    seconds: float
    """From the run's creation to its end."""
    uninterrupted_seconds: float
    """Of the same training, left alone."""
    model_sha256: str
    """Of the interrupted training's model."""
    uninterrupted_sha256: str
    """Of the other's."""
    identical: bool
    """Both trainings made the same model, byte for byte."""


class ProblemObject(TypedDict):
    """Why a command could not do what was asked."""

    kind: str
    """`job` (the job file is wrong), `store` (the bucket), `journal`, `newer-version`, `checkpoint`, `provider` (a cloud
    refused), `fleet` (everything else), or `fault` (of fleet's own)."""
    message: str
    """What happened and why, as standard error says it."""
    hint: str
    """What to do next; may be empty."""
    exit_code: int
    """The command's."""


class ErrorObject(TypedDict):
    """Printed instead of a command's own object if the command failed (exit codes 1 and 3)."""

    error: ProblemObject
    """What went wrong."""

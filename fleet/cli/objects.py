"""The objects that ``-o json`` prints. Each field's docstring is its documentation: schemas and docs/json.md are made of it.

The unit is in the name: ``usd`` dollars, ``seconds``, ``gb`` 10^9 bytes, ``bytes``, ``steps``. ``at`` and ``…_at`` are
seconds since 1970-01-01 UTC by the bucket's clock. These are types for mypy and the schemas; at run time they are dicts.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from fleet.cli.bought_objects import BoughtObject, PerDayObject, WeekObject, YieldObject

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
    deadline_at: float | None
    """By when it is to have ended; null: its job has no deadline."""
    work_left_seconds: float | None
    """Training that is still to be done; null: it is not known, or there is no deadline."""
    finish_at: float | None
    """When it will have ended if nothing interrupts it from now on, or did; null: as above."""
    late: bool
    """`finish_at` is after `deadline_at`."""
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


class OtherChoiceObject(TypedDict):
    """What could be done instead, and would keep the deadline too."""

    choice: Literal["none", "spot", "on-demand", "both"]
    """`none`: wait."""
    expected_usd: float
    """From now to the end."""


class DeadlineObject(TypedDict):
    """What keeps the deadline, at the prices of the last launch."""

    choice: Literal["none", "spot", "on-demand", "both"]
    """`none`: nothing runs until spot is there; `both`: on-demand trains, and a spot machine boots beside it."""
    why: str
    """In one sentence."""
    expected_usd: float | None
    """From now to the end; null: nothing else keeps the deadline, or it is not known."""
    others: list[OtherChoiceObject]
    """What else would keep it."""
    slack_seconds: float | None
    """Until on-demand must run; negative: part of the margin is used up; null: it is not known, or too late."""
    margin_seconds: float
    """Kept back, since on-demand may be refused for a while, and training may be slower than it was."""
    on_demand_at_latest: float | None
    """When on-demand must begin at the latest, unless what runs until then is on-demand already."""


class StatusObject(RunObject):
    """One run, why it is where it is, and what comes next: the fields of `run`, and these."""

    why: str
    """Why the newest attempt's offer was chosen, in numbers."""
    deadline: DeadlineObject | None
    """What keeps the deadline now; null: there is none, or nothing to decide."""
    next: str
    """What happens by itself, or what you may do."""
    notes: list[str]
    """Your own words, oldest first."""
    interrupted: list[InterruptionObject]
    """Oldest first."""
    bought: BoughtObject
    """What its time and money went into, and what they got."""
    watchers: list[WatcherObject]
    """Programs on this computer that keep this fleet's runs alive. `fleet controller list` tells of all, everywhere."""


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


class LaterObject(TypedDict):
    """A deadline, and what the machines are expected to cost under it."""

    deadline_seconds: float
    """From the start."""
    machines_usd: float
    """Expected, on average; without the volume."""


class ElsewhereObject(TypedDict):
    """A region that the job rules out, where training would cost less."""

    provider: str
    """Whose region it is: one that the job allows elsewhere."""
    region: str
    """As the provider calls it."""
    usd_per_training_hour: float
    """On its best offer."""
    saves_percent: int
    """Against the best offer that the job allows."""


class ForecastObject(TypedDict):
    """What the whole training is expected to come to. Of ten tries one is below the low figure, one above the high one."""

    work_seconds: float
    """The job's `estimate`; without one what the run took that `like` names."""
    like: str | None
    """The newest run of the job's name that got to its end, whose training is reckoned with; null: the job's `estimate`."""
    total_usd: list[float]
    """Low, middle, high; with the volume, the machine's public address and its root disk."""
    mean_usd: float
    """On average."""
    seconds: list[float]
    """From the start to the end: low, middle, high."""
    interruptions_count: float
    """On average."""
    on_demand_usd: float
    """The whole on demand."""
    on_demand_percent: int
    """Of the tries, those that used on-demand."""
    deadline_seconds: float | None
    """The job's deadline; null: it has none."""
    earliest_deadline_seconds: float | None
    """The earliest one that can be kept; null: the job has none."""
    late_percent: float | None
    """Of the tries, those that missed the deadline; null: there is none."""
    later: list[LaterObject]
    """The deadline first, then later ones; without those that cannot be kept."""
    elsewhere: list[ElsewhereObject]
    """The cheapest first."""


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
    per_day: PerDayObject
    """What a day of the chosen offer (of the cheapest, if none is chosen) costs, item by item."""
    forecast: ForecastObject | None
    """What the whole comes to; null: the job has no `estimate`, and no run of its name has got to its end."""
    bought: list[YieldObject]
    """What machines of earlier runs of the job's name came to over the last six weeks, the cheapest steps first."""
    weeks: list[WeekObject]
    """The same by week, oldest first; without weeks in which none ran."""


class RankedObject(TypedDict):
    """An offer, and what training on it is expected to cost."""

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
    usd_per_training_hour: float
    """Expected for an hour of training that is kept, at the speed of the types that are known: by this they are ranked."""
    usd_per_hour: float
    """The machine's price now."""
    on_demand_usd_per_hour: float
    """The same type's price on demand."""
    with_all_usd_per_hour: float
    """Machine, volume, and what moving there comes to, spread over a day."""
    expected_life_seconds: float | None
    """Of a machine that is launched now, up to 30 days; null: on demand, nobody takes it."""
    chance_taken_1h: float
    """The chance, 0 to 1."""
    chance_taken_6h: float
    """The chance, 0 to 1."""
    overhead_share: float
    """Of paid time, what does not train: boot, restore, and what is repeated after interruptions."""
    speed_ratio: float | None
    """Against the other types that the job ran on; null: not known, taken for 1."""
    chance: float
    """That a machine can be had now, 0 to 1."""
    launched_count: float
    """Spot machines that this fleet got there; each counts half after a week."""
    refused_count: float
    """Times that there were none."""
    taken_count: float
    """Machines that were taken back."""
    interruption: str | None
    """The cloud's own word on how many are interrupted in a month; null: it says nothing."""
    placement_score: int | None
    """The cloud's own, 1 to 10, as `fleet prices --scores` was told; null: not asked in the last day."""
    chosen: bool
    """`fleet up` would try this one first."""
    cooling: bool
    """It was refused or taken back a moment ago, and is left alone for a while."""


class RankingObject(TypedDict):
    """Offers by what training on them is expected to cost."""

    offers: list[RankedObject]
    """The best first."""
    why: str
    """Why the chosen one, in numbers; or why none."""
    notes: list[str]
    """What is nowhere on offer and what serves instead, and which prices could not be had."""


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


class PresenceObject(TypedDict):
    """A controller that told of itself within the last day, as it last spoke."""

    bucket: str
    """The URL of the fleet that it looks after."""
    key: str
    """Its document there; empty: it wrote none, and only its process on this computer is known."""
    name: str
    """As in the journal's entries (`by`)."""
    kind: Literal["terminal", "service", "cron", "function"]
    """What keeps it alive: somebody's terminal, a service manager, a crontab, a schedule in the cloud."""
    host: str
    """The computer that it runs on."""
    process: int | None
    """Its process there; null: its processes come and go."""
    command: str
    """What it is there for: `controller run`, or that it `follows` or `ends` a run."""
    version: str
    """Of its fleet."""
    lives: bool
    """It is not overdue; on this computer: its process is there."""
    outlives_terminal: bool
    """It goes on when the terminal is closed."""
    started_at: float
    """When it began."""
    seen_at: float
    """When it last spoke: each ten minutes (a function: each hour), and where something changes."""
    again_at: float
    """By when it speaks again, if it lives."""
    acted_at: float | None
    """When it last recorded something in the journal, as of `seen_at`; null: it did not yet."""
    read_only: str
    """Why it may not act; else empty."""
    blind: str
    """What it cannot see, and why; else empty."""
    problem: str
    """What of its word this fleet does not understand; else empty."""


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


class ModelProblemObject(TypedDict):
    """Something that is wrong with a model, or could be better."""

    code: str
    """Short words with hyphens that stay what they are, such as `reward-exception`."""
    severity: Literal["error", "warning"]
    """Only errors keep a model from being ready."""
    file: str | None
    """A file of the model's folder; null: it stands in none."""
    line: int | None
    """Counted from 1; null: the file as a whole."""
    message: str
    """What is so."""
    remedy: str
    """What to do about it."""


class RewardObject(TypedDict):
    """What calling the reward function measured."""

    calls: int
    """Calls that returned a number."""
    seconds_per_call: float | None
    """On this computer; null: no call did."""
    min: float | None
    """The least finite reward that was returned; null: there was none."""
    max: float | None
    """The greatest finite reward; null: there was none."""


class DeepRacerCheckObject(TypedDict):
    """Whether a model is ready to be trained. On a resume the diff of what changes goes to standard error."""

    ok: bool
    """There is no error; the exit code is 0."""
    problems: list[ModelProblemObject]
    """Errors first."""
    reward: RewardObject
    """How the reward function did."""


class DeepRacerRepairObject(TypedDict):
    """What a model needs, or needed, to load again. Names are relative to its prefix; without `--apply` nothing was done."""

    committed: str | None
    """The set that training goes on from, `N_Step-Y.ckpt`; null: there is no whole one."""
    was: str | None
    """What the pointer named before; null: there was none, or it named no set."""
    removed: list[str]
    """Signals of the dead trainer."""
    set_aside: list[str]
    """Files of partial and of newer sets, by their names from before; they lie below `set-aside/` in the prefix."""
    written: list[str]
    """Pointers that name the committed set now."""


class DeepRacerIterationObject(TypedDict):
    """One iteration of a training: the means over its episodes."""

    set: int
    """The N of the set that is made of it."""
    episodes: int
    """Training episodes."""
    reward: float
    """The mean of their rewards, as the reward function gives them."""
    progress_percent: float
    """The mean of how far they came, of the lap."""
    laps: int
    """Episodes that went all the way round."""


class DeepRacerBestObject(TypedDict):
    """The set whose evaluation was best; of equals the newest."""

    set: int
    """Its N."""
    trials: int
    """Episodes of its evaluation."""
    reward: float
    """The mean of their rewards."""
    progress_percent: float
    """The mean of how far they came, of the lap."""
    laps: int
    """How many went all the way round."""


class DeepRacerKeptObject(TypedDict):
    """The newest checkpoint."""

    set: int
    """The N of the set that it holds."""
    at: float
    """When it was made."""
    age_seconds: float
    """How long ago that is."""


class DeepRacerLostObject(TypedDict):
    """Work that the model does not hold, since training went on from before it."""

    prefix: str | None
    """What was written by the stack that ended; null: it left nothing, and this is what fleet measured."""
    attempt: int | None
    """Its machine."""
    resumed_from: int | None
    """The N of the set that training went on from; null: from nothing, or it is not known."""
    iterations_count: float
    """Iterations; one that was not finished counts as the share of its episodes."""
    episodes: int | None
    """Training episodes; null: not known."""
    seconds: float
    """By the simulator's clock."""


class DeepRacerDiskObject(TypedDict):
    """The disk that the volume is on."""

    used_bytes: int
    """In use."""
    total_bytes: int
    """In all."""
    bytes_per_day: int
    """What training writes in a day."""
    full_at: float | None
    """When nothing is left, if it goes on so; null: not within ten years."""
    measured: bool
    """By notes of what was in use; false: only by the times of the files that are there."""


class DeepRacerStatusObject(TypedDict):
    """A training over all its machines, as one run."""

    run: str
    """The run's id."""
    state: State
    """As `fleet status` tells it."""
    stack: str | None
    """The signal that is waited for while the stack starts, or `training`; null: not to be seen from here, or it is over."""
    faults: list[str]
    """What the containers' logs complain of."""
    attempt: int
    """The newest attempt's number; 0: none yet."""
    prefixes: list[str]
    """What the starts of the stack wrote, the earliest first."""
    newest_set: int
    """The N of the newest set that is known of."""
    iterations: int
    """Iterations that the model holds, without those of the model that the run began from."""
    episodes: int
    """Training episodes that the model holds, as far as metrics are to be seen."""
    laps: int
    """Of those, how many went all the way round."""
    trend: list[DeepRacerIterationObject]
    """The iterations, the newest last, 500 at most; the last may be under way."""
    best: DeepRacerBestObject | None
    """The set whose evaluation was best; null: none was evaluated."""
    checkpoint: DeepRacerKeptObject | None
    """The newest checkpoint; null: none yet."""
    lost: list[DeepRacerLostObject]
    """For each time that training went on from an earlier set."""
    disk: DeepRacerDiskObject | None
    """null: it is not this computer's."""
    nan_retries: int
    """So often a loss was no number, and training went on from before it."""
    unseen: list[str]
    """What cannot be told from here."""


class DeepRacerLineObject(TypedDict):
    """One thing that was looked at."""

    check: str
    """What it is."""
    state: Literal["ok", "not ok", "cannot tell"]
    """What it came to."""
    found: str
    """What was found."""
    remedy: str
    """What to do about it; may be empty."""


class DeepRacerDoctorObject(TypedDict):
    """A machine that trains or is to, looked at."""

    where: str
    """`this computer`, the machine's id, or `no machine`."""
    checks: list[DeepRacerLineObject]
    """In an order in which what fails first explains what fails after."""
    paste: str | None
    """With `--paste`: the block of text, without secrets."""


class DeepRacerCleanActionObject(TypedDict):
    """Something that may go, as a whole."""

    kind: Literal["container-log", "temporary", "frozen-graph", "trace", "set", "prefix", "image"]
    """What it is."""
    prefix: str | None
    """Where it lies; null: on this computer, beside all prefixes."""
    names: list[str]
    """Files within the prefix, paths on this computer, or an image."""
    bytes: int
    """What is gained."""
    why: str
    """What it is, and why nobody needs it."""
    done: bool
    """It is gone."""


class DeepRacerCleanedObject(TypedDict):
    """What may go of a model's files, or went."""

    applied: bool
    """With `--apply`; else nothing was removed."""
    actions: list[DeepRacerCleanActionObject]
    """The least missed first."""
    bytes: int
    """All together."""


class InitObject(TypedDict):
    """A job file that was written."""

    kind: str
    """`command`, `racer`, `stack` or `deepracer`."""
    file: str
    """The job file."""


class StepObject(TypedDict):
    """One thing of a set-up in an AWS account or a Google Cloud project."""

    action: Literal["make", "mend", "leave", "remove"]
    """`leave`: it is as it should be, or is not to be removed."""
    kind: str
    """`bucket`, `fleet`, `service role`, `role`, `profile`, `security group`, `key`, `launch template`, `record`; of a
    controller `agent`, `code`, `log group`, `function`, `concurrency`, `invocations`, `rule`, `permission`, `schedule`,
    `topic`, `alarm`; of Google Cloud `apis`, `bucket`, `fleet`, `service account`, `rights`, `secrets`, `aws role`,
    `network`, `rule`, `subnet`, `router`, `record`; of what is removed also `volume`, `snapshot` and `image`."""
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
    steps: list[StepObject]
    """In the order in which they were done."""
    quotas: list[AwsQuotaObject]
    """Of all regions."""
    warnings: list[str]
    """What will not work as it is."""


class AwsDestroyedObject(TypedDict):
    """What `fleet destroy aws` or `fleet controller remove aws` removed, and what it left."""

    account: str
    """AWS's number."""
    fleet: str
    """The fleet's id."""
    bucket: str
    """Its URL."""
    steps: list[StepObject]
    """In the order in which they were done."""


class GcpQuotaObject(TypedDict):
    """How many of something a project may have at once."""

    region: str
    """In this region; empty: everywhere together."""
    metric: str
    """Compute Engine's name for it."""
    what: str
    """What it is about."""
    limit_count: float | None
    """How many there may be at once; null: it could not be looked at."""
    used_count: float | None
    """How many of it there are already."""
    told: str
    """What that allows, or why it is not known."""
    request: str
    """Where to ask for more; empty if there is enough for a machine."""


class GcpSetupObject(TypedDict):
    """What `fleet init gcp` made, or found as it should be."""

    project: str
    """Its id."""
    fleet: str
    """The fleet's id: the value of the label `fleet` on everything that takes labels."""
    bucket: str
    """Its URL."""
    regions: list[str]
    """Where machines can be launched."""
    steps: list[StepObject]
    """In the order in which they were done."""
    quotas: list[GcpQuotaObject]
    """Of the project as a whole, and of all regions."""
    warnings: list[str]
    """What will not work as it is."""


class GcpDestroyedObject(TypedDict):
    """What `fleet destroy gcp` removed, and what it left."""

    project: str
    """Its id."""
    fleet: str
    """The fleet's id."""
    bucket: str
    """Its URL."""
    steps: list[StepObject]
    """In the order in which they were done."""


class AwsControllerObject(TypedDict):
    """The controller that runs as a function in an AWS account: what `fleet controller deploy aws` made, or found right."""

    account: str
    """AWS's number."""
    fleet: str
    """The fleet's id."""
    bucket: str
    """Its URL."""
    region: str
    """Where the function is: the bucket's region."""
    function: str
    """Its name."""
    version: str
    """Of the fleet that it runs."""
    usd_per_month_idle: float
    """What it costs while nothing lives."""
    usd_per_month_run: float
    """What it costs while one run lives."""
    steps: list[StepObject]
    """In the order in which they were done."""
    warnings: list[str]
    """What will not work as well as it could."""


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


class ImageObject(TypedDict):
    """An image that fleet made."""

    image: str
    """Its id."""
    region: str
    """Images belong to one."""
    name: str
    """As EC2 shows it."""
    base: str
    """What it was made from."""
    variant: str
    """`cpu`, or `gpu`: with NVIDIA's driver."""
    driver: str
    """NVIDIA's branch; empty: none."""
    arch: Literal["x86_64", "aarch64"]
    """The processor."""
    recipe: str
    """The version of what is put into an image."""
    version: str
    """Of the fleet that made it."""
    source: str
    """The image that it was made from."""
    made_at: float
    """When."""
    state: str
    """EC2's word: `available`, `pending`, `failed` …"""
    size_gb: int
    """Of its disks: what its snapshots hold at most."""
    usd_per_month: float
    """Of its snapshots, at most."""
    encrypted: bool
    """With the account's own key: then it cannot be shared."""
    public: bool
    """Everybody may launch it."""
    fit: bool
    """Machines of some kind can boot from it."""
    taken: bool
    """Launches take it: the newest of its kind."""
    old: bool
    """Older than 60 days: its kernel and packages lack what was mended since."""
    told: str
    """What a launch makes of it, and why."""
    facts: dict[str, object] | None
    """What it is made of, as `/etc/fleet-image.json` says in it; null: the bucket has no record of it."""


class BuiltImageObject(TypedDict):
    """An image that was built, or with `--dry-run` would be."""

    built: bool
    """false: `--dry-run`."""
    image: str | None
    """Its id; null: not built."""
    name: str | None
    """As EC2 shows it; null: not built."""
    region: str
    """Where."""
    base: str
    """What it is made from."""
    variant: Literal["cpu", "gpu"]
    """`gpu`: with NVIDIA's driver."""
    driver: str
    """NVIDIA's branch; empty: none."""
    arch: Literal["x86_64", "aarch64"]
    """The processor."""
    source: str | None
    """The image that it was made from; null: not built."""
    pulls: list[str]
    """Docker images that are pulled ahead."""
    instance_type: str
    """That it is built on."""
    disk_gb: int
    """Of its root disk."""
    packer: str
    """Which Packer builds it."""
    least_usd: float | None
    """What the building machine costs, if it is quick; null: its price is not known."""
    most_usd: float | None
    """The same if it is slow."""
    usd_per_month: float
    """Of its snapshot, at most."""
    taken_by: str
    """Which launches take it."""
    facts: dict[str, object] | None
    """What it is made of, as it says itself; null: not built."""


class SharedImageObject(TypedDict):
    """Who may launch an image, beside its own account."""

    image: str
    """Its id."""
    region: str
    """Where it is."""
    accounts: list[str]
    """Other AWS accounts."""
    public: bool
    """Everybody."""


class PrunedImageObject(TypedDict):
    """An image, a snapshot whose image is gone, the record of an image that is gone, or what a build left behind."""

    action: Literal["keep", "remove"]
    """What was done with it."""
    kind: Literal["image", "snapshot", "record", "machine"]
    """What it is."""
    id: str
    """EC2's; of a record the image's."""
    region: str
    """Where it is; empty for a record."""
    why: str
    """Why it was removed, or kept."""
    usd_per_month: float
    """What it costs, at most."""


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


class TickWindowObject(TypedDict):
    """One window of a trace under one policy."""

    file: str
    """The trace; with `--zones` the folder."""
    cost_od_hours: float
    """What was billed, as hours of on-demand's price."""
    finish_tick: int
    """The tick at whose beginning no work was left."""
    late: bool
    """That is past the deadline."""
    launches: int
    """Machines that were started."""


class TicksObject(TypedDict):
    """What a policy came to in the tick model (`--model tick`)."""

    policy: str
    """Its name."""
    windows: list[TickWindowObject]
    """Each file of the folder, by name."""
    mean_cost_ratio: float
    """The mean over windows of the cost, with that of the work alone on on-demand as 1."""
    late: int
    """Windows that were late."""


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


class SimulatedObject(TypedDict):
    """What became of a job under one policy, over all runs."""

    policy: str
    """`fleet` (the job as it stands), `on-demand`, `spot-first` or `spot`."""
    runs: int
    """So often it was tried."""
    late_runs: int
    """Runs that did not finish by the deadline."""
    unfinished_runs: int
    """Runs that did not finish while they were watched (40 times the work, two weeks at least)."""
    cost_low_usd: float
    """One run of twenty was cheaper."""
    cost_usd: float
    """The middle."""
    cost_high_usd: float
    """One run of twenty was dearer."""
    mean_cost_usd: float
    """The mean: machines and disks until the run ended."""
    finish_low_seconds: float | None
    """From the beginning to the end, of runs that finished: one of twenty was faster. null: none finished."""
    finish_seconds: float | None
    """The middle."""
    finish_high_seconds: float | None
    """One of twenty took longer."""
    interruptions: int
    """Machines that the cloud took back, in all runs together."""
    launches: int
    """Machines, in all runs together."""
    refusals: int
    """Launches that were refused for want of capacity."""
    lost_seconds: float
    """Work that was done more than once, in all runs together."""
    spot_seconds: float
    """Machine time on spot, in all runs together."""
    on_demand_seconds: float
    """Machine time on demand."""


class SimulatedEventObject(TypedDict):
    """Something that happened in the one run that is told."""

    after_seconds: float
    """Since its beginning."""
    attempt: int | None
    """Whose machine; null: the run's own."""
    type: str
    """The event's, as in the journal."""
    told: str
    """In words."""


class SimulationObject(TypedDict):
    """A job tried on a market."""

    name: str
    """The job's."""
    market: str
    """Its name, or its file."""
    work_seconds: float
    """Training without interruption, as the job estimates it."""
    deadline_seconds: float | None
    """null: there is none."""
    seed: int
    """Of the first run; each has the next."""
    notes: list[str]
    """What was assumed."""
    policies: list[SimulatedObject]
    """One for each policy, on the same courses of the market."""
    simulated_seconds: float
    """The time of all runs together."""
    timeline: list[SimulatedEventObject]
    """With `--timeline`: the run of the first policy whose cost is in the middle; else empty."""


class HistoryRecordObject(TypedDict):
    """One thing that was learned of a pool."""

    at: float
    """When."""
    what: str
    """`launched`; `refused` for want of capacity; `rebalance` and `notice`, the cloud's warnings; `taken` back by the cloud;
    `ended` otherwise."""
    provider: str
    """As in the offer."""
    region: str
    """As in the offer."""
    zone: str
    """As in the offer."""
    instance_type: str
    """As in the offer."""
    market: str
    """`spot` or `on-demand`."""
    usd_per_hour: float | None
    """The price, of `launched` and `refused`."""
    ran_seconds: float | None
    """How long the machine had run, of `taken` and `ended`."""
    run: str | None
    """With `--with-runs`: whose machine it was."""


class HistoryExportObject(TypedDict):
    """A fleet's history, as `fleet simulate --market` takes it."""

    v: int
    """The form's version. A field never changes its meaning."""
    kind: str
    """`fleet-history`."""
    exported_at: float
    """When it was written."""
    records: list[HistoryRecordObject]
    """The earliest first."""


class PoolHistoryObject(TypedDict):
    """What was learned of a pool, in sum."""

    pool: str
    """Provider/region/zone/instance type."""
    market: str
    """`spot` or `on-demand`."""
    launches: int
    """Machines."""
    refusals: int
    """Launches that were refused for want of capacity."""
    interruptions: int
    """Machines that the cloud took back."""
    ran_seconds: float
    """Machine time, of live machines up to now."""
    mean_life_seconds: float | None
    """Machine time for each interruption; null: there was none."""
    last_at: float
    """When something was learned of it last."""

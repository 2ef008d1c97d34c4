"""What ``fleet deepracer stats -o json`` prints. Each field's docstring is its documentation, as in ``objects.py``."""

from __future__ import annotations

from typing_extensions import NotRequired, TypedDict


class DeepRacerStatsIterationObject(TypedDict):
    """One iteration: the episodes of all workers that the policy was next trained on."""

    iteration: int
    """From 0, over all attempts; what an interruption lost is not among them."""
    episodes: int
    """Training episodes."""
    mean_reward: float | None
    """Of the episodes' sums; null: only a trainer's log is there, which does not know it."""
    mean_completion_percent: float | None
    """How far its episodes came, of the lap; null: as above."""
    laps: int
    """Episodes that went all the way round."""
    best_lap_seconds: float | None
    """null: no lap."""


class DeepRacerFindingObject(TypedDict):
    """Something to act on."""

    code: str
    """`nan`, `endless-evaluation`, `stuck-car`, `falling-reward`, `zigzag`, `entropy-collapse`, `flat-reward`,
    `reward-without-progress`, `one-track`, `slow-real-time-factor`, `hard-corner`, `action-never-used`; in this order, after
    what the logs themselves call an error (`reward-error`, `out-of-memory`, `disk-full`, `simapp-N`)."""
    message: str
    """One sentence, with the number behind it and what to do."""
    value: float
    """The number; docs/deepracer.md says of what."""


class DeepRacerIterationDetailsObject(TypedDict):
    """More of one iteration. null: nobody told."""

    iteration: int
    """As above."""
    mean_lap_seconds: float | None
    """Of its whole laps."""
    lap_spread_seconds: float | None
    """The standard deviation of its lap times."""
    off_track: int
    """Episodes that ended beside the track."""
    steps: int | None
    """Of all its episodes."""
    steps_per_second: float | None
    """Of the simulator's clock."""
    real_time_factor: float | None
    """Simulated seconds by real seconds."""
    entropy: float | None
    """Of the policy, in nats, the mean over the iteration's epochs."""
    surrogate_loss: float | None
    """The mean over the iteration's epochs."""
    kl_divergence: float | None
    """From the policy before, the mean over the iteration's epochs."""
    learning_rate: float | None
    """The last one in force."""
    evaluated_percent: float | None
    """Mean completion of the evaluation after it."""
    evaluated_laps: int | None
    """Whole laps in the evaluation after it."""
    evaluated_best_lap_seconds: float | None
    """The best of these."""


class DeepRacerPlaceObject(TypedDict):
    """Where cars leave the track."""

    waypoint: int
    """The nearest one."""
    episodes: int
    """Training episodes that ended there, beside the track."""
    x: float
    """Mean place, in metres."""
    y: float
    """Mean place, in metres."""


class DeepRacerActionObject(TypedDict):
    """One action of a discrete space."""

    action: int
    """Its number, from 0."""
    steps: int
    """Training steps that took it."""
    share: float
    """Of all training steps."""
    steering_degrees: float | None
    """To the left is positive."""
    speed: float | None
    """Metres per second."""


class DeepRacerStatsDetailsObject(TypedDict):
    """What `--details` adds."""

    source: str
    """The run, or the paths."""
    parts: list[str]
    """Prefixes or files that were read as one, in order."""
    tracks: list[str]
    """Worlds, as far as they are named."""
    unfinished_episodes: int
    """Episodes that had not ended where the records end; they count nowhere."""
    problems: list[str]
    """What could not be read, or does not fit together."""
    cost_usd: float | None
    """Of the run up to now; null: it is no run of fleet's."""
    cost_per_iteration_usd: float | None
    """The same by the number of iterations that the model holds; null: as above."""
    trained_seconds: float | None
    """Real seconds that its machines trained; null: as above."""
    evaluation_episodes: int
    """Trials of all evaluations."""
    evaluation_laps: int
    """Those of them that went all the way round."""
    evaluation_best_lap_seconds: float | None
    """null: none did."""
    per_iteration: list[DeepRacerIterationDetailsObject]
    """In the same order as the shorter ones."""
    off_track: list[DeepRacerPlaceObject]
    """Where most training episodes ended beside the track, the worst first; empty: no traces are there."""
    actions: list[DeepRacerActionObject]
    """Empty: continuous, or no trace is there that tells."""


class DeepRacerStatsObject(TypedDict):
    """What a training came to: of a run, a model's folder or prefix, or of logs, metrics and traces."""

    episodes: int
    """Training episodes that had ended, of all workers and attempts; where nothing was trained, those of the evaluation."""
    iterations: int
    """Of which there are episodes, or the trainer's word."""
    workers: int
    """Simulators that drove at the same time, by the files and by what they say."""
    laps_completed: int
    """Training episodes that went all the way round; where nothing was trained, those of the evaluation."""
    best_lap_seconds: float | None
    """The shortest of these; null: none."""
    mean_completion_percent: float | None
    """Over these episodes, of the lap; null: nobody told."""
    per_iteration: list[DeepRacerStatsIterationObject]
    """All iterations, in order."""
    findings: list[DeepRacerFindingObject]
    """The gravest first; empty: nothing is to be done."""
    details: NotRequired[DeepRacerStatsDetailsObject]
    """Only with `--details`."""

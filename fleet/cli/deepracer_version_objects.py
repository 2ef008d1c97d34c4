"""What ``fleet deepracer clone``, ``tree``, ``diff`` and ``note`` print with ``-o json``."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict


class DeepRacerChangeObject(TypedDict):
    """One value that is another one."""

    kind: Literal["hyperparameter", "track", "race", "actions", "sensors", "image", "job"]
    """Where it stands: `hyperparameters.json`, the action space or the rest of `model_metadata.json`, or the job."""
    name: str
    """Of the hyperparameter, of the job's field (`tracks`, `until.iterations`), of the action (`action_space[2]`)."""
    before: Any
    """null: it is not there."""
    after: Any
    """null: it is not there."""


class DeepRacerCloneObject(TypedDict):
    """A new version that was made."""

    version: str
    """As `STREAM-MAJOR` or `STREAM-MAJOR.MINOR`."""
    job: str
    """Its job's name, and so its runs': the version's, with a hyphen for the dot."""
    folder: str
    """Where it was made."""
    parent: str
    """The version that it was cloned from."""
    source: str
    """A run, a folder or a prefix: where that was found."""
    checkpoint: str | None
    """The set that it goes on from, `N_Step-Y.ckpt`; null: it begins from nothing."""
    why: str
    """Why this set; empty if none."""
    changes: list[DeepRacerChangeObject]
    """What the clone changed."""
    warnings: list[str]
    """What should be known before it is trained."""


class DeepRacerResultObject(TypedDict):
    """How far a version's training came, as far as it can be seen from here."""

    run: str | None
    """Its newest run's id; null: it lies in the folder itself."""
    newest_set: int
    """Its number: iterations of training before it."""
    best_lap_seconds: float | None
    """Of all whole laps, training and evaluation; null: none yet."""
    mean_completion_percent: float | None
    """Of the lap; null: nothing was driven yet."""
    judged_by: Literal["evaluation", "training"] | None
    """What the percentage is the mean of: its best set's evaluation, or else its newest iteration."""


class DeepRacerEvaluatedObject(TypedDict):
    """What a version came to when it was evaluated (`fleet deepracer evaluate`): on each track the newest evaluation."""

    run: str
    """The run that drove."""
    set: int | None
    """The number of the set that drove; null: that is not known."""
    track: str
    """The world's name."""
    trials: int
    """Laps that were begun and ended."""
    laps_completed: int
    """Of them, those that were driven to their end."""
    mean_completion_percent: float | None
    """Over all trials."""
    best_lap_seconds: float | None
    """The fastest whole lap; null: there is none."""


class DeepRacerNoteTextObject(TypedDict):
    """A note that was written down with a version."""

    at: float
    """When, by the clock of the computer that it was typed on."""
    text: str
    """As it was typed."""


class DeepRacerVersionObject(TypedDict):
    """A version, as it lies below a folder."""

    version: str
    """Its name."""
    stream: str
    """The first part of its name."""
    job: str
    """Its job's name."""
    folder: str
    """Relative to where was looked."""
    parent: str | None
    """The version that it was cloned from; null: none is known."""
    checkpoint: str | None
    """The set that it began from; null: from nothing, or it is not known."""
    created_at: float | None
    """When it was cloned; null: it was not."""
    changes: list[DeepRacerChangeObject]
    """What is otherwise than in its parent, as that was when it was cloned."""
    reward_function_changed: bool
    """Its reward function is another than its parent's was."""
    notes: list[DeepRacerNoteTextObject]
    """In the order in which they were written."""
    result: DeepRacerResultObject | None
    """null: no training of it is known here."""
    evaluated: list[DeepRacerEvaluatedObject]
    """A track each."""
    problem: str
    """What of it cannot be read; empty if all can."""


class DeepRacerDiffObject(TypedDict):
    """What two models differ in."""

    a: str
    """The first one's version."""
    b: str
    """The second one's version."""
    same: bool
    """Nothing that can be compared differs."""
    reward_function: str
    """A unified diff; empty: it is the same, or one of the two is not known."""
    changes: list[DeepRacerChangeObject]
    """From the first to the second."""
    unknown: list[str]
    """What cannot be compared, and why."""


class DeepRacerNoteObject(TypedDict):
    """A note that was kept with a version."""

    version: str
    """Its name."""
    folder: str
    """Where its `lineage.json` lies."""
    at: float
    """When, by this computer's clock."""
    note: str
    """The note."""

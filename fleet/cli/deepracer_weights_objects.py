"""What ``fleet deepracer weights -o json`` prints. The texts below fields are what ``docs/json.md`` says of them."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class TensorObject(TypedDict):
    """One tensor of a set, or one slice of it."""

    name: str
    """As TensorFlow calls it."""
    dtype: str
    """`float32`, `int64`, `string`, …"""
    shape: list[int]
    """Empty: one number."""
    bytes: int
    """In the data file."""
    kind: Literal["weight", "optimiser", "other"]
    """What is learned; what the optimiser remembers of it; counters, statistics and texts."""
    nan: int
    """Numbers of it that are NaN."""
    infinite: int
    """Numbers of it that are infinite."""
    largest: float | None
    """The largest magnitude of its finite numbers; null: it has none with fractions."""
    norm: float | None
    """The root of the sum of the squares of its finite numbers; null: as above, or too large to be told."""


class WeightsFindingObject(TypedDict):
    """Something that is wrong with a set's weights."""

    code: str
    """`weights-not-finite`, `weights-exploding` or `weights-growing`."""
    severity: Literal["error", "warning"]
    """Nothing can go on from a set with an error."""
    message: str
    """What is so, with its numbers."""
    remedy: str
    """What to do about it."""


class DeepRacerWeightsObject(TypedDict):
    """What the weights of one set of a model are."""

    model: str
    """The run's name, or the folder's."""
    checkpoint: str
    """The set, `N_Step-Y.ckpt`."""
    compared_with: str | None
    """The set before it, by which growth is told; null: there is none that can be read."""
    finite: bool
    """No number is NaN or infinite; the exit code is 0."""
    tensors: list[TensorObject]
    """All of them, by name."""
    findings: list[WeightsFindingObject]
    """Errors first; empty if nothing is wrong."""

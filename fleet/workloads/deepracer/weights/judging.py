"""Whether a set's weights are worth going on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fleet.workloads.deepracer.findings import Finding
from fleet.workloads.deepracer.prefix import Prefix
from fleet.workloads.deepracer.sets import ModelSet
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, NotFiniteError, UnreadableWeightsError
from fleet.workloads.deepracer.weights.inspecting import Tensor, Weights, inspect, inspect_files

LARGE = 1000.0
"""Magnitude of a weight that no healthy training reaches: Adam moves a weight by about the learning rate at most in a step
(Kingma and Ba 2015, section 2.1): with 0.001, the largest that is sensible, a million steps the same way."""
GROWN, FROM = 10.0, 10.0
"""Times that a tensor's norm grew since the set before; the magnitude below which that says nothing: biases begin at 0."""
MOST = 1 << 30
"""Bytes of a set that is looked at before a resume: some 8 s. A model is of about 75 MB."""
NAMED = 3
"""Tensors that a message names at most."""
SLOWER = "Lower the learning rate, and go back to a set before."
BACK = "Go back to a set before it: fleet deepracer repair PREFIX --after-nan finds the newest that is sound."


def judge(weights: Weights, earlier: Weights | None = None) -> tuple[Finding, ...]:
    """What is wrong with them; ``earlier``: a set before it, looked at closely as this one. Errors: not to be used."""
    found = []
    if weights.not_finite:
        found.append(Finding("weights-not-finite", f"set {weights.stem}: {told(weights)}", BACK))
    return (*found, *_exploding(weights), *_grown(weights, earlier))


def told(weights: Weights) -> str:
    """In words, which tensors hold NaN or infinities and how many; of finite weights, that they are."""
    bad = weights.not_finite
    if not bad:
        return f"all {len(weights.tensors)} tensors are finite"
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    named = ", ".join(f"{one.name} ({_counts(one)})" for one in bad[:NAMED])
    hold = "tensor holds" if len(bad) == 1 else "tensors hold"
    return f"{len(bad)} of {len(weights.tensors)} {hold} what is no number: {named}{more}"


def must_be_finite(
    prefix: Prefix, found: ModelSet, tell: Callable[[str], None], *, where: str | None = None
) -> Weights | None:
    """A set before it is handed on. ``tell`` hears of weights that explode, and why nothing can be said of them: the answer
    is None then. ``where``: what messages name; None: the prefix.

    Raises NotFiniteError, BrokenWeightsError, NotFoundError, StoreError.
    """
    return _sound(found.stem, f"{where or prefix.where}: ", lambda: inspect(prefix, found), tell)


def files_must_be_finite(base: Path, tell: Callable[[str], None], *, closely: bool = False) -> Weights | None:
    """The same of files of this computer (``base``: without ``.index``), in bounded time. ``closely``: their magnitudes,
    too, which takes twice as long: before a resume, not beside a training. Raises as it."""
    if sum(path.stat().st_size for path in base.parent.glob(f"{base.name}.data-*")) > MOST:
        tell(f"set {base.name} is too large to be looked at before it is used")
        return None
    return _sound(base.name, "", lambda: inspect_files(base, closely=closely), tell)


def _sound(stem: str, where: str, look: Callable[[], Weights], tell: Callable[[str], None]) -> Weights | None:
    try:
        weights = look()
    except BrokenWeightsError as error:
        raise BrokenWeightsError(f"{where}set {stem}: {error.message}", BACK) from None
    except UnreadableWeightsError as error:
        tell(f"the weights of set {stem} could not be looked at: {error.message}")
        return None
    if weights.not_finite:
        raise NotFiniteError(f"{where}set {stem}: {told(weights)}", BACK)
    for one in _exploding(weights):
        tell(f"{one.message}. {one.remedy}")
    return weights


def _counts(one: Tensor) -> str:
    parts = [f"{one.nan} NaN"] if one.nan else []
    return " and ".join([*parts, f"{one.infinite} infinite"] if one.infinite else parts)


def _exploding(weights: Weights) -> list[Finding]:
    top = weights.largest
    if top is None or top.largest is None or top.largest <= LARGE:
        return []
    message = f"set {weights.stem}: a weight of {top.name} is {top.largest:.3g} large; healthy ones stay below {LARGE:g}"
    return [Finding("weights-exploding", message, SLOWER, severity="warning")]


def _grown(weights: Weights, earlier: Weights | None) -> list[Finding]:
    before = {one.name: one.norm for one in earlier.learned} if earlier is not None else {}
    times: list[tuple[float, Tensor]] = []
    for one in weights.learned:
        norm = before.get(one.name)
        if one.norm is not None and norm and (one.largest or 0.0) > FROM and one.norm > GROWN * norm:
            times.append((one.norm / norm, one))
    if not times or earlier is None:
        return []
    most, one = max(times, key=lambda pair: pair[0])
    message = f"set {weights.stem}: the weights of {one.name} grew {most:.3g} times since {earlier.stem}"
    return [Finding("weights-growing", message, SLOWER, severity="warning")]

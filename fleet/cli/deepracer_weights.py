"""``fleet deepracer weights``: what one set of a model holds, and whether anything can go on from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleet.cli.deepracer_models import Model, open_model
from fleet.cli.deepracer_sound import look_at
from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.model.errors import StoreError
from fleet.workloads.deepracer.chosen import Chosen, parse_wanted
from fleet.workloads.deepracer.findings import refuses
from fleet.workloads.deepracer.sets import whole_sets
from fleet.workloads.deepracer.weights.errors import UnreadableWeightsError
from fleet.workloads.deepracer.weights.inspecting import Kind, Tensor, Weights
from fleet.workloads.deepracer.weights.judging import told

if TYPE_CHECKING:
    from fleet.cli.deepracer_weights_objects import DeepRacerWeightsObject
    from fleet.workloads.deepracer.findings import Finding

_KINDS: dict[Kind, str] = {"weight": "learned", "optimiser": "of the optimiser", "other": "of other kinds"}


def show(text: str, wanted: str, bucket: str | None, *, everything: bool, as_json: bool) -> int:
    """Look at a set, and say what was found; 1 if it is not finite."""
    choice = parse_wanted(wanted)
    model = open_model(text, bucket)
    chosen = model.choose(choice)
    say(plain(f"{model.name}: {chosen.words}"))
    earlier = _before(chosen)
    looked = look_at(chosen.prefix, chosen.set, earlier)
    if looked.weights is None:
        why = looked.unread or looked.findings[0].message
        raise UnreadableWeightsError(f"{chosen.set.stem} cannot be read: {why}", "Take another: --checkpoint N.")
    _say(looked.weights, everything=everything)
    for finding in looked.findings:
        say(plain(finding.told()))
    if as_json:
        emit(_object(model, looked.weights, earlier, looked.findings))
    return 1 if refuses(looked.findings) else 0


def _before(chosen: Chosen) -> Weights | None:
    """The newest set before it, if there is one and it can be read: growth is told by it."""
    older = [one for one in whole_sets(chosen.listing) if one.n < chosen.set.n]
    if not older:
        return None
    try:
        return look_at(chosen.prefix, older[-1]).weights
    except StoreError:
        return None  # the trainer has just deleted it


def _say(weights: Weights, *, everything: bool) -> None:
    shown = [one for one in weights.tensors if everything or one.kind == "weight" or one.not_finite]
    if shown:
        rows = [("tensor", "type", "shape", "largest", "norm", "not finite"), *map(_row, shown)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            say(plain("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()))
    kinds = [one.kind for one in weights.tensors]
    counts = ", ".join(f"{kinds.count(kind)} {words}" for kind, words in _KINDS.items() if kind in kinds)
    say(plain(f"{weights.size / 1e6:.1f} MB ({counts}): {told(weights)}."))


def _row(one: Tensor) -> tuple[str, ...]:
    bad = f"{one.nan} NaN, {one.infinite} infinite" if one.not_finite else ""
    return one.name, one.dtype, _shape(one.shape), _number(one.largest), _number(one.norm), bad


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "1"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _object(model: Model, weights: Weights, earlier: Weights | None, findings: Sequence[Finding]) -> DeepRacerWeightsObject:
    return {
        "model": model.name,
        "checkpoint": weights.stem,
        "compared_with": earlier.stem if earlier is not None else None,
        "finite": not weights.not_finite,
        "tensors": [
            {
                "name": one.name,
                "dtype": one.dtype,
                "shape": list(one.shape),
                "bytes": one.size,
                "kind": one.kind,
                "nan": one.nan,
                "infinite": one.infinite,
                "largest": one.largest,
                "norm": one.norm if one.norm is not None and math.isfinite(one.norm) else None,
            }
            for one in weights.tensors
        ],
        "findings": [
            {"code": one.code, "severity": one.severity, "message": one.message, "remedy": one.remedy} for one in findings
        ],
    }

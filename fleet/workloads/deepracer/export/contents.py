"""What an export holds, by who takes it. Pure, but for reading the model's small files.

- ``folder``, today's format: a prefix of one set, whose last and best is that set: it trains on, evaluates and imports.
- ``folder``, 2019's: the five files, with the two-line ``checkpoint``.
- ``console``: today's folder, whose training_params.yaml names the bucket that it lies in.
- ``droa`` (DeepRacer on AWS): the same, with what its import looks for by other names.
- ``car``: ``agent/model.pb`` and ``model_metadata.json``, as the car unpacks them (``archive``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fleet.model.errors import FleetError
from fleet.workloads.deepracer.chosen import Chosen
from fleet.workloads.deepracer.export.params import Bound, bound_params, made_params
from fleet.workloads.deepracer.mirror import pointers_alone
from fleet.workloads.deepracer.params import PARAMS
from fleet.workloads.deepracer.pointers import COACH, JSON, TEXT
from fleet.workloads.deepracer.sets import MODEL, SUFFIXES, frozen_graphs
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer

Taker = Literal["console", "droa", "car", "folder"]
Form = Literal["2019", "today"]
CARFILE = "carfile.tar.gz"
"""What everybody calls the car's archive."""
GRAPH = "agent/model.pb"
"""In it. The car's model loader takes it from there."""
POINTERS = (COACH, JSON, TEXT)
"""They are sent last: what is broken off before loads nowhere."""
MOST_DROA = 1 << 30
"""Bytes. DeepRacer on AWS takes no more in one import (its docs/import/README.md)."""
MOST_NAME = 64
"""Characters of a model's name, in the console and in DeepRacer on AWS: letters, digits, hyphens."""
_METRICS = re.compile(r"metrics/[^/]+\.json")
_FIRST_WORKERS = "metrics/TrainingMetrics.json"


@dataclass(frozen=True)
class Source:
    """A model with its chosen set."""

    name: str
    chosen: Chosen
    files: Mapping[str, bytes]
    """``reward_function.py``, ``model_metadata.json``, ``hyperparameters.json``, as far as there are."""
    spec: DeepRacer | None = None
    """What its job says of the stack, if there is one."""

    @property
    def stem(self) -> str:
        """``N_Step-Y.ckpt``."""
        return self.chosen.set.stem

    @property
    def weights(self) -> tuple[str, ...]:
        """The set's three files, by their names in the prefix."""
        return tuple(f"{MODEL}{self.stem}{suffix}" for suffix in SUFFIXES)


@dataclass(frozen=True)
class Contents:
    """Names at the target, relative to it."""

    copies: Mapping[str, str]
    """→ the file of the source's prefix."""
    texts: Mapping[str, bytes]
    """→ its bytes."""
    notes: tuple[str, ...] = field(default=())
    """For people: what the source does not have."""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted({*self.copies, *self.texts}))


def contents_of(source: Source, taker: Taker, form: Form = "today", bound: Bound | None = None) -> Contents:
    """What goes there; ``bound``: the bucket and prefix, if it is one. Raises FleetError if something needed is missing."""
    if taker == "car":
        return car(source)
    if taker == "folder":
        return five_files(source) if form == "2019" else today(source, bound)
    found = today(source, bound, typed=taker == "droa")
    _must_have(found, taker)
    return for_droa(source, found) if taker == "droa" else found


def today(source: Source, bound: Bound | None = None, *, typed: bool = False) -> Contents:
    """Last and best is the set; what trained it lies where loaders look for it. ``typed``: parameters not all as texts."""
    chosen, listing = source.chosen, source.chosen.listing
    copies = {name: name for name in source.weights}
    if chosen.graph is not None:
        copies[chosen.graph] = chosen.graph
    copies |= {name: name for name in listing if _METRICS.fullmatch(name)}
    pointers = pointers_alone(listing, chosen.set, chosen.pointers, "today")
    texts = {name: pointers[name] for name in (COACH, JSON)}
    metadata = _metadata(source)
    texts |= {METADATA: metadata, f"{MODEL}{METADATA}": metadata}
    for name, place in ((REWARD, REWARD), (HYPERPARAMETERS, f"ip/{HYPERPARAMETERS}")):
        if name in source.files:
            texts[place] = source.files[name]
    params = _params(source, bound, typed=typed)
    if params is not None:
        texts[PARAMS] = params
    lacks = [name for name in (REWARD, f"ip/{HYPERPARAMETERS}", PARAMS) if name not in texts]
    if chosen.graph is None:
        lacks.append(f"{MODEL}model_{chosen.set.n}.pb")
    return Contents(
        copies, texts, (f"The model has no {', no '.join(lacks)}: the export has none either.",) if lacks else ()
    )


def five_files(source: Source) -> Contents:
    """As 2019's stack and its console take a model: the three files, ``checkpoint`` with both lines, the metadata."""
    chosen = source.chosen
    pointers = pointers_alone(chosen.listing, chosen.set, chosen.pointers, "2019")
    texts = {TEXT: pointers[TEXT], f"{MODEL}{METADATA}": _metadata(source)}
    return Contents({name: name for name in source.weights}, texts)


def for_droa(source: Source, found: Contents) -> Contents:
    """Its page wants hyperparameters.json at the root too, and metrics by a name of its own."""
    texts = {**found.texts, HYPERPARAMETERS: found.texts[f"ip/{HYPERPARAMETERS}"]}
    copies = dict(found.copies)
    if _FIRST_WORKERS in copies:
        copies[f"metrics/training/training-{import_name(source.name)}.json"] = _FIRST_WORKERS
    size = sum(source.chosen.listing[name].size for name in copies.values()) + sum(map(len, texts.values()))
    if size > MOST_DROA:
        raise FleetError(
            f"the model comes to {size / 1e9:.2f} GB, and DeepRacer on AWS imports no more than {MOST_DROA / 1e9:.2f}",
            "Take metrics of it away, or train with a smaller network.",
        )
    return Contents(copies, texts, found.notes)


def car(source: Source) -> Contents:
    """The frozen graph under the name that the car knows, with the metadata beside it."""
    if source.chosen.graph is None:
        graphs = sorted(frozen_graphs(source.chosen.listing))
        there = f"There are graphs of the sets {', '.join(map(str, graphs[-5:]))}: --checkpoint N." if graphs else ""
        n = source.chosen.set.n
        raise FleetError(
            f"set {n} has no frozen graph model_{n}.pb, which is what the car drives with",
            there or "Train on from it for an iteration: the trainer writes one with every set.",
        )
    return Contents({GRAPH: source.chosen.graph}, {METADATA: _metadata(source)})


def import_name(name: str) -> str:
    """A name that the console and DeepRacer on AWS take."""
    return re.sub(r"[^0-9A-Za-z-]+", "-", name).strip("-")[:MOST_NAME].rstrip("-") or "model"


def _metadata(source: Source) -> bytes:
    found = source.files.get(METADATA)
    if found is None:
        raise FleetError(
            f"{source.chosen.prefix.where} has no {METADATA}, without which nobody can tell what its outputs mean",
            f"Put it there, at model/{METADATA}: actions in the order in which the model was trained.",
        )
    return found


def _params(source: Source, bound: Bound | None, *, typed: bool) -> bytes | None:
    """As they are, unless they go to a bucket: then they say which."""
    data = source.chosen.prefix.read(PARAMS) if PARAMS in source.chosen.listing else None
    if data is not None:
        return bound_params(data, bound, typed=typed) if bound is not None or typed else data
    return made_params(source.spec, bound, typed=typed) if source.spec is not None and (bound or typed) else None


def _must_have(found: Contents, taker: Taker) -> None:
    wanted = (REWARD, f"ip/{HYPERPARAMETERS}", PARAMS)
    lacks = [name for name in wanted if name not in found.texts]
    if lacks:
        whose = "DeepRacer on AWS" if taker == "droa" else "the console"
        raise FleetError(
            f"{whose} imports no model without {' and '.join(lacks)}",
            "Put it beside the model, as it was trained with; `--to folder` does without.",
        )

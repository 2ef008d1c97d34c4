"""``hyperparameters.json``: types, ranges, and whether the batch fits what is driven between two trainings.

What is senseless or stops the trainer is an error. What only lies outside AWS's documented ranges, which the local stack
does not hold anybody to, is a warning.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.workloads.deepracer.checking.reading import Document, number, said
from fleet.workloads.deepracer.checking.words import nearest
from fleet.workloads.deepracer.findings import Finding

EARLY_STEPS = 15
"""An untrained car leaves the track after so few steps (of a real training's first hundred episodes: 14 to 64)."""
LONG_STEPS = 100
"""Episodes that bring more steps than this are had once the car can drive."""


@dataclass(frozen=True, slots=True)
class Number:
    """A hyperparameter that is a number."""

    low: float
    high: float
    """What AWS documents."""
    least: float
    most: float
    """What has any sense."""
    whole: bool = False
    default: float = 0.0
    above: bool = False
    """The least itself has no sense either."""


NUMBERS = {
    "batch_size": Number(32, 512, 2, 8192, whole=True, default=64),
    "num_epochs": Number(3, 10, 1, 100, whole=True, default=10),
    "lr": Number(1e-8, 1e-3, 0, 0.1, default=0.0003, above=True),
    "beta_entropy": Number(0, 1, 0, 1, default=0.01),
    "discount_factor": Number(0, 1, 0, 1, default=0.999),
    "num_episodes_between_training": Number(5, 100, 1, 1000, whole=True, default=20),
    "e_greedy_value": Number(0, 1, 0, 1, default=0.05),
    "epsilon_steps": Number(1, 1e9, 1, 1e12, whole=True, default=10000),
    "stack_size": Number(1, 1, 1, 16, whole=True, default=1),
    "term_cond_max_episodes": Number(1, 1e9, 1, 1e12, whole=True, default=100000),
    "term_cond_avg_score": Number(0, 1e9, -1e12, 1e12, default=100000),
    "sac_alpha": Number(0, 1, 0, 1, default=0.2),
}
BATCHES = (32, 64, 128, 256, 512)
WORDS = {"loss_type": ("huber", "mean squared error"), "exploration_type": ("categorical", "e-greedy")}
KEYS = (*NUMBERS, *WORDS)
OTHER_NAMES = {
    "learning_rate": "lr",
    "entropy": "beta_entropy",
    "epochs": "num_epochs",
    "discount": "discount_factor",
    "gamma": "discount_factor",
    "episodes": "num_episodes_between_training",
}
"""What a key may have been meant for."""


def check(document: Document, workers: int = 1, algorithm: str = "clipped_ppo") -> list[Finding]:
    """What is wrong with them."""
    found = [*_keys(document), *_words(document)]
    for key in NUMBERS:
        if key in document.value:
            found += _number(document, key, NUMBERS[key])
    batch, episodes = (_read(document, key) for key in ("batch_size", "num_episodes_between_training"))
    if batch is not None and batch > 0 and episodes is not None and episodes > 0:
        found += [
            *_batch(document, batch),
            *_buffer(document, batch, episodes, algorithm),
            *_workers(document, episodes, workers),
        ]
    if _read(document, "discount_factor") == 1:
        told = "discount_factor 1: rewards of the far future count in full, and the values learned grow without end"
        found.append(
            document.finding("hyperparameters-discount", told, "0.99 to 0.999 is usual.", "discount_factor").warned()
        )
    return found


def _keys(document: Document) -> Iterator[Finding]:
    for key in document.value:
        if key not in KEYS:
            near = OTHER_NAMES.get(key) or next(iter(difflib.get_close_matches(key, KEYS, n=1)), None)
            told = f"nothing reads {said(key)}" + (f"; did you mean {near!r}? Its default is used instead" if near else "")
            found = document.finding("hyperparameters-unknown-key", told, "Correct its name, or remove it.", key)
            yield found if near and near not in document.value else found.warned()
    for key, line in document.twice:
        told = f"{said(key)} stands here a second time; only the last one counts"
        yield Finding("hyperparameters-key-twice", told, "Remove one of them.", document.file, line)


def _words(document: Document) -> Iterator[Finding]:
    for key, known in WORDS.items():
        given = document.value.get(key, known[0])
        if not isinstance(given, str) or given.strip().lower() not in known:
            # The trainer takes any other loss for the mean squared error, and says nothing.
            if key == "exploration_type" and given == "additive_noise":
                continue  # what sac's examples carry; sac does not read it
            told = f"{key} {said(given)} is not known; {nearest(str(given), known)}"
            yield document.finding(f"hyperparameters-{key.split('_')[0]}", told, f"Use one of {', '.join(known)}.", key)


def _read(document: Document, key: str) -> float | None:
    """The value that the trainer would take; None if there is none to speak of."""
    return number(_plain(document.value.get(key, NUMBERS[key].default)))


def _plain(value: object) -> object:
    """A number in quotes as a number: the trainer reads it, AWS's console once wrote it."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _number(document: Document, key: str, known: Number) -> Iterator[Finding]:
    given = document.value[key]
    value = number(_plain(given))
    kind = "a whole number" if known.whole else "a number"
    usual = f"AWS documents {known.low:g} to {known.high:g}; the default is {known.default:g}."
    if value is None:
        told = f"{key} is {said(given)}; {kind} is expected"
        yield document.finding("hyperparameters-type", told, usual, key)
        return
    if isinstance(given, str):
        yield document.finding("hyperparameters-type", f"{key} is a number in quotes", "Remove the quotes.", key).warned()
    if known.whole and value != int(value):
        told = f"{key} is {value:g}, and the trainer drops what is behind the point"
        yield document.finding("hyperparameters-type", told, f"Write a whole number. {usual}", key)
    elif not known.least <= value <= known.most or (known.above and value <= known.least):
        least = f"above {known.least:g}" if known.above else f"from {known.least:g}"
        told = f"{key} is {value:g}, which has no sense: {least} to {known.most:g}"
        yield document.finding("hyperparameters-range", told, usual, key)
    elif not known.low <= value <= known.high:
        told = f"{key} is {value:g}, outside {known.low:g} to {known.high:g}, as AWS documents it"
        yield document.finding("hyperparameters-range", told, f"The default is {known.default:g}.", key).warned()


def _batch(document: Document, batch: float) -> Iterator[Finding]:
    if 32 <= batch <= 512 and batch not in BATCHES:
        told = f"batch_size is {batch:g}; AWS documents {', '.join(map(str, BATCHES))}"
        yield document.finding("hyperparameters-batch", told, "Take one of them.", "batch_size").warned()


def _buffer(document: Document, batch: float, episodes: float, algorithm: str) -> Iterator[Finding]:
    """Clipped PPO learns from what was driven since the last training; where that is less than a batch, it shrinks."""
    if algorithm != "clipped_ppo":
        return
    remedy = f"Lower batch_size, or raise num_episodes_between_training to {-(-batch // EARLY_STEPS):g} or more."
    if batch > episodes * LONG_STEPS:
        told = f"batch_size {batch:g} is more than {episodes:g} episodes bring (at {LONG_STEPS} steps each, which is long): "
        told += "it is never filled, and the trainer shrinks it each time"
        yield document.finding("hyperparameters-buffer", told, remedy, "batch_size")
    elif batch > episodes * EARLY_STEPS:
        told = f"batch_size {batch:g} is more than {episodes:g} early episodes bring (at {EARLY_STEPS} steps each): "
        told += "the trainer shrinks it until the car drives further"
        yield document.finding("hyperparameters-buffer", told, remedy, "batch_size").warned()


def _workers(document: Document, episodes: float, workers: int) -> Iterator[Finding]:
    if workers > episodes:
        told = (
            f"{workers} simulator workers share {episodes:g} episodes between two trainings: those without one stop at once"
        )
        remedy = f"Use `workers: {episodes:g}` at most, or more episodes."
        yield document.finding("hyperparameters-workers", told, remedy, "num_episodes_between_training")

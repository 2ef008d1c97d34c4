"""The laws judged: the code is broken on purpose, in named ways, and the suite must notice each, by the law that is meant.

    python -m tests.simulation.chaos mutants [NAME]

breaks.py says what a break is; breaks_of_*.py hold them, with the scenes in which they show. Without its break each scene
must pass: the control.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import pytest

from tests.simulation.chaos import (
    breaks_of_checkpoints,
    breaks_of_journals,
    breaks_of_machines,
    breaks_of_money,
    breaks_of_volumes,
)
from tests.simulation.chaos.breaks import Mutant
from tests.simulation.chaos.scenes import Scene

MUTANTS: tuple[Mutant, ...] = (
    *breaks_of_journals.MUTANTS,
    *breaks_of_machines.MUTANTS,
    *breaks_of_volumes.MUTANTS,
    *breaks_of_checkpoints.MUTANTS,
    *breaks_of_money.MUTANTS,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    caught: bool
    seed: int
    """The one that caught it, or the last that did not."""
    control: bool
    """The same check passes without the break."""
    seconds: float
    told: str
    """The violation, or what happened instead."""

    @property
    def good(self) -> bool:
        """Caught by the law that is meant, and by nothing without the break."""
        return self.caught and self.control


def named(name: str) -> Mutant:
    """A mutant by its name. Raises KeyError."""
    return {mutant.name: mutant for mutant in MUTANTS}[name]


def judge(mutant: Mutant) -> Verdict:
    """Break the code, see whether the law notices, mend it, and see that it does not notice then."""
    begun = time.perf_counter()
    caught, seed, told = False, 0, ""
    for seed in range(mutant.seeds):
        caught, told = _broken(mutant, seed)
        if caught:
            break
    problem = _whole(mutant, seed)
    return Verdict(
        mutant, caught, seed, not problem, time.perf_counter() - begun, f"control: {problem}" if problem else told
    )


def _broken(mutant: Mutant, seed: int) -> tuple[bool, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scene, "awaits", mutant.law)
        mutant.apply(patch)
        try:
            found = mutant.play(seed)
        except Exception as error:  # a crash is no law: the break is told, and not caught
            return False, f"{type(error).__name__}: {error}"
    meant = [one for one in found if f"] {mutant.law}" in one]
    return bool(meant), (meant or found or ["nothing was noticed"])[0]


def _whole(mutant: Mutant, seed: int) -> str:
    """What is wrong without the break; empty if nothing is."""
    return "; ".join(mutant.play(seed))


def show(verdicts: list[Verdict]) -> str:
    """A table for people."""
    rows = [("mutant", "caught by", "seed", "s", "promise")]
    for one in verdicts:
        by = one.mutant.law if one.good else f"NOT CAUGHT ({one.told})"
        rows.append((one.mutant.name, by, str(one.seed), f"{one.seconds:.1f}", one.mutant.promise))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    told = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
    good = sum(one.good for one in verdicts)
    return "\n".join([*told, f"{good} of {len(verdicts)} breaks were caught in {sum(v.seconds for v in verdicts):.0f} s"])


def mutants(name: str = "") -> int:
    """All of them, or one; 1 if any is not caught."""
    chosen = [named(name)] if name else list(MUTANTS)
    verdicts = []
    for mutant in chosen:
        verdicts.append(judge(mutant))
        print(
            f"{'caught' if verdicts[-1].good else 'MISSED'}  {mutant.name}: {verdicts[-1].told}", file=sys.stderr, flush=True
        )
    print(show(verdicts))
    return 0 if all(one.good for one in verdicts) else 1

"""What a deliberate break of the code is: its promise, the scene in which it shows, and the law that must notice."""

from __future__ import annotations

import contextlib
import importlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.model.errors import FleetError

Apply = Callable[[pytest.MonkeyPatch], None]
Play = Callable[[int], list[str]]
"""A scene: a seed in, violations out."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break."""

    name: str
    promise: str
    """What it breaks, in a sentence."""
    apply: Apply
    law: str
    """How the violation begins; a test that must fail is a law by its own name."""
    play: Play
    seeds: int = 5
    """So many are tried: a scene leaves some times to chance."""


def suite(test: str, *needs: Callable[[Path], object], **more: object) -> Play:
    """A test of the suite as a scene: what no simulation can see. ``needs`` make its arguments from an empty folder."""
    module, _, name = test.partition("::")

    def play(_seed: int) -> list[str]:
        found = getattr(importlib.import_module(module.removesuffix(".py").replace("/", ".")), name)
        found = getattr(found, "hypothesis", found)
        with tempfile.TemporaryDirectory(prefix="fleet-mutants-") as folder, contextlib.ExitStack() as after:
            given = [make(Path(folder)) for make in needs]
            for one in given:
                after.callback(getattr(one, "close", lambda: None))
            try:
                getattr(found, "inner_test", found)(*given, **more)
            except (AssertionError, FleetError, pytest.fail.Exception) as error:
                return [f"[test] {test}: {error}".splitlines()[0]]
        return []

    return play

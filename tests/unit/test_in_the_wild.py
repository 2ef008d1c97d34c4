"""docs/in-the-wild.md names tests, cases and laws: each exists, so that the page cannot outlive what it promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "in-the-wild.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| failure"))
]
HELD = sorted({name for row in ROWS for name in re.findall(r"`([^`]+)`", row[3])})


def laws() -> set[str]:
    """The first argument of every ``broken(…)``: what a law is called."""
    found = set()
    for path in (ROOT / "tests" / "simulation" / "chaos").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "attr", None) if isinstance(node, ast.Call) else None
            if isinstance(node, ast.Call) and name == "broken" and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
    return found


def cases() -> set[str]:
    """Every small world of the core, by its file and what it is about."""
    files = (ROOT / "tests" / "unit" / "core" / "cases").glob("*.yaml")
    return {f"{path.stem}: {case['about']}" for path in files for case in yaml.safe_load(path.read_text())}


def exists(name: str) -> bool:
    if name.startswith("law: "):
        return name.removeprefix("law: ") in laws()
    if name.startswith("case: "):
        return name.removeprefix("case: ") in cases()
    file, _, test = name.partition("::")
    path = ROOT / file
    return path.is_file() and any(
        isinstance(node, ast.FunctionDef) and node.name == test for node in ast.parse(path.read_text()).body
    )


@pytest.mark.parametrize("name", HELD)
def test_what_the_page_names_exists(name: str) -> None:
    assert exists(name)


def test_what_does_not_exist_would_be_noticed() -> None:
    for name in (
        "law: no such law",
        "case: ending: no such case",
        "tests/simulation/test_loop.py::test_no_such",
        "no.py::test_it",
    ):
        assert not exists(name)
    assert len(HELD) > 50


def test_every_failure_is_held_by_something_or_says_what_it_waits_for() -> None:
    assert len(ROWS) >= 29
    for failure, _seen, does, held in ROWS:
        assert does
        assert "`" in held or "waits for" in held, failure


def test_every_test_of_the_wild_is_named_in_the_page() -> None:
    for path in (ROOT / "tests" / "simulation" / "wild").glob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert f"{path.relative_to(ROOT)}::{node.name}" in HELD

"""What the documentation promises is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from fleet.cli.main import app
from fleet.control.runs import RunView
from fleet.model.job import Job
from fleet.model.jobfile import NOT_YET, SECTIONS, parse_job

ROOT = Path(__file__).parents[3]


def commands(group: Any = None, path: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in (group or typer.main.get_group(app)).commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, (*path, name))
        else:
            found[" ".join((*path, name))] = command
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_is_documented_and_has_help_with_an_example(name: str) -> None:
    command = commands()[name]
    assert f"`fleet {name}" in (ROOT / "docs" / "commands.md").read_text()
    assert f"Example: fleet {name}" in (command.help or "")
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.help, parameter.name


def test_every_command_in_the_documentation_exists() -> None:
    known = commands()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for line in re.findall(r"^fleet ((?:[a-z]+ ?){1,2})", "\n".join(re.findall(r"`([^`\n]+)`", page.read_text())), re.M):
            words = line.split()
            assert words[0] in known or " ".join(words[:2]) in known, f"{page.name}: fleet {line}"


def test_every_field_of_a_job_is_documented_or_named_as_not_yet() -> None:
    text = (ROOT / "docs" / "job-file.md").read_text()
    names = set()
    for name in Job.model_fields:
        section = SECTIONS.get(name)
        names |= {f"{name}.{inner}" for inner in section.model_fields} if section else {name}
    for name in names:
        last = name.split(".")[-1]
        assert f"`{name}`" in text or (name in NOT_YET and f"`{last}`" in text), name


def test_the_readmes_job_is_a_job() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert yaml.safe_load(block)["name"] == parse_job(block, "README.md").name


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *ROOT.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_documented_object_of_a_run_is_the_one_that_is_printed() -> None:
    from fleet.cli.views import run_object
    from fleet.core.costs import RunCost
    from fleet.core.state import RunState

    run = RunState(run_id="a-1", name="a", job=Job(name="a", run="x"), workdir_key=None, created_at=0.0)
    printed = run_object(RunView(run, None, None, RunCost(compute=0, volumes=0, on_demand=0, rate=0)))
    text = (ROOT / "docs" / "commands.md").read_text()
    listed = re.search(r"The object of a run[^:]*: `(.*?)`\.", text, re.DOTALL)
    assert listed is not None
    assert [name.strip() for name in listed[1].replace("\n", " ").split(",")] == list(printed)


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:3]) for page in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers

"""What the documentation promises is what there is."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from fleet.cli.app import EXIT_CODES
from fleet.cli.main import app
from fleet.model.job import Job
from fleet.model.jobfile import NOT_YET, SECTIONS, parse_job

ROOT = Path(__file__).parents[3]


def commands(group: Any = None, path: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in (group or typer.main.get_group(app)).commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, (*path, name))
        if not hasattr(command, "commands") or command.params:  # a group with options of its own is a command too
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
        for line in re.findall(r"^fleet ((?:[a-z]+ ?){1,3})", "\n".join(re.findall(r"`([^`\n]+)`", page.read_text())), re.M):
            words = line.split()
            assert any(" ".join(words[:count]) in known for count in (1, 2, 3)), f"{page.name}: fleet {line}"


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


def test_the_page_on_json_is_made_of_the_types_that_are_printed() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "json_page.py"))
    page = (ROOT / "docs" / "json.md").read_text()
    assert page == made["whole"](page), "run: python scripts/json_page.py"


def test_every_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    assert dict(re.findall(r"^\| (\d+) \| (.*) \|$", text, re.M)) == {str(code): told for code, told in EXIT_CODES.items()}
    assert set(re.findall(r"\b(\d+) ", app.info.help or "")) == set(map(str, EXIT_CODES))


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:3]) for page in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers

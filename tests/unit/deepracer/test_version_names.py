"""Names of versions: two levels, sorted by number, each with a name that a run may bear."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.errors import FleetError
from fleet.model.job import NAME_PATTERN
from fleet.workloads.deepracer.versions.names import Version, next_version, parse_version, version_of


@pytest.mark.parametrize(
    ("text", "version", "job"),
    [
        ("shanghai-1", Version("shanghai", 1), "shanghai-1"),
        ("shanghai-1.3", Version("shanghai", 1, 3), "shanghai-1-3"),
        ("shanghai-1-3", Version("shanghai-1", 3), "shanghai-1-3"),
        ("a-b-10.0", Version("a-b", 10, 0), "a-b-10-0"),
        ("shanghai", Version("shanghai"), "shanghai"),
        ("2019-1", Version("2019", 1), "2019-1"),
    ],
)
def test_a_name_tells_stream_and_numbers(text: str, version: Version, job: str) -> None:
    assert parse_version(text) == version
    assert (str(version), version.job) == (text, job)


@pytest.mark.parametrize("text", ["", "Shanghai-1", "shanghai-1.3.2", "shanghai.3", "-1", "a/b-1", "x" * 39 + "-1", "a-1."])
def test_what_is_no_version_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(FleetError, match=r"cannot be a version's name\n.*shanghai-1\.3"):
        parse_version(text)


def test_versions_sort_by_number_and_not_by_letter() -> None:
    names = ["a-1", "a-1.1", "a-1.2", "a-1.10", "a-2", "a-10", "b-1"]
    shuffled = random.Random(1).sample(names, len(names))
    assert [str(one) for one in sorted(map(parse_version, shuffled), key=lambda one: one.key)] == names


@pytest.mark.parametrize(
    ("of", "taken", "then"),
    [
        ("shanghai-1", [], "shanghai-2"),
        ("shanghai-1.3", [], "shanghai-1.4"),
        ("shanghai-1.3", ["shanghai-1.4", "shanghai-1-5"], "shanghai-1.6"),
        ("shanghai-1", ["shanghai-2", "shanghai-3.1"], "shanghai-3"),
        ("shanghai", [], "shanghai-1"),
    ],
)
def test_the_next_version_is_the_next_that_is_free(of: str, taken: list[str], then: str) -> None:
    assert str(next_version(parse_version(of), taken)) == then


def test_a_name_that_grows_too_long_is_refused() -> None:
    with pytest.raises(FleetError):
        next_version(parse_version("x" * 38 + "-9"), [])


@given(st.text(max_size=60))
def test_whatever_a_folder_is_called_it_can_be_a_version(text: str) -> None:
    found = version_of(text)
    assert re.fullmatch(NAME_PATTERN, found.job)
    assert parse_version(str(found)) == found

"""Which service of a compose file is the training."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.model.errors import JobError
from fleet.model.stackfile import main_service, project_name


def problem(text: str) -> JobError:
    with pytest.raises(JobError) as told:
        main_service(text, "compose.yaml")
    return told.value


@pytest.mark.parametrize(
    ("text", "main"),
    [
        ("services: {anything: {image: x}}", "anything"),
        ("services: {db: {image: x}, training: {image: x}}", "training"),
        ("services: {db: {image: x}, main: {image: x}}", "main"),
        ("services: {db: {image: x}, training: {}, coach: {labels: {fleet.main: 'true'}}}", "coach"),
        ("services: {db: {}, coach: {labels: {fleet.main: true}}}", "coach"),
        ("services: {db: {}, coach: {labels: [a=b, fleet.main=true]}}", "coach"),
        ("services: {db: {labels: {fleet.main: 'false'}}, training: {}}", "training"),
        ("services: {shell: {profiles: [debug]}, only: {image: x}}", "only"),
        ("x-l: &l {labels: {fleet.main: 'true'}}\nservices: {a: {}, b: {<<: *l}}", "b"),
        ("x-l: &l {labels: {fleet.main: 'true'}}\nservices: {a: {}, b: {<<: [*l], image: !reset x}}", "b"),
    ],
)
def test_the_training_is_the_labelled_service_or_the_only_one_or_the_one_of_that_name(text: str, main: str) -> None:
    assert main_service(text, "compose.yaml") == main


def test_an_open_choice_is_refused_with_what_to_type() -> None:
    told = problem("services:\n  a: {image: x}\n  b: {image: x}\n")
    assert told.message.startswith("compose.yaml:2: the end of which service")
    assert told.message.endswith("It starts a, b")
    assert 'labels: {fleet.main: "true"}' in told.hint
    both = "services:\n  a: {labels: {fleet.main: 'true'}}\n  b: {labels: {fleet.main: 'true'}}\n"
    assert "a and b cannot both be" in problem(both).message
    assert "cannot both" in problem("services: {main: {}, training: {}}").message


@pytest.mark.parametrize("text", ["", "a", "- b", "services:", "services: []", "services: {}", "db: {image: x}"])
def test_what_holds_no_services_is_no_compose_file(text: str) -> None:
    assert "no services" in problem(text).message


@pytest.mark.parametrize("text", ["services: [", "a: b: c", "\0", "x" * 1_000_001, "a: *b"])
def test_what_cannot_be_read_says_so(text: str) -> None:
    assert "compose.yaml" in problem(text).message


def test_a_mapping_that_is_merged_into_itself_ends() -> None:
    assert main_service("services: {a: &a {<<: *a, image: x}}", "compose.yaml") == "a"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_no_text_is_ever_more_than_a_job_error(text: str) -> None:
    with contextlib.suppress(JobError):
        main_service(text, "compose.yaml")


def test_projects_differ_by_run_and_attempt() -> None:
    assert project_name("racer-1a2b", 3) == "fleet-racer-1a2b-3"

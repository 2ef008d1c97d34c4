"""What an event hints at, and that nothing strange is more than no hint."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.providers.aws.events import DETAIL_TYPES, ENDING, Hint, hint_of
from tests.aws.ec2_events import INTERRUPTION, REBALANCE, SCHEDULE, SCHEDULED, STATE, about


def test_what_the_documentation_shows_is_understood() -> None:
    id_, at = "i-1234567890abcdef0", 1_795_662_000.0
    assert hint_of(INTERRUPTION) == Hint("interruption", "us-east-2", id_, "terminate", at)
    assert hint_of(REBALANCE) == Hint("rebalance", "us-east-2", id_, "", at - 300)
    assert hint_of(STATE) == Hint("state", "us-east-1", "i-abcd1111", "shutting-down", 1_636_666_194.0)
    assert {hint.state for state in ENDING if (hint := hint_of(about(STATE, id_, state=state))) is not None} == set(ENDING)


@pytest.mark.parametrize("event", [SCHEDULED, SCHEDULE, {}, None, [], "x", 7, {"source": "aws.ec2"}])
def test_a_schedule_and_what_is_no_event_hint_at_nothing(event: object) -> None:
    assert hint_of(event) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("source",), "aws.autoscaling"),
        (("source",), ["aws.ec2"]),
        (("detail-type",), "EC2 Spot Instance Request Fulfillment"),
        (("detail-type",), ["EC2 Instance State-change Notification"]),
        (("region",), None),
        (("region",), "us-east-1/../x"),
        (("detail",), "{}"),
        (("detail", "instance-id"), None),
        (("detail", "instance-id"), "i-1234567890abcdef0\n"),
        (("detail", "instance-id"), "vol-1234567890abcdef0"),
    ],
)
def test_an_event_that_says_not_where_is_no_hint(path: tuple[str, ...], value: object) -> None:
    event: dict[str, Any] = copy.deepcopy(INTERRUPTION)
    place = event
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert hint_of(event) is None


def test_a_time_or_a_state_that_is_none_costs_the_hint_nothing() -> None:
    event = {**about(INTERRUPTION, "i-1234567890abcdef0"), "time": "yesterday"}
    event["detail"]["instance-action"] = {"what": "?"}
    assert hint_of(event) == Hint("interruption", "us-east-1", "i-1234567890abcdef0", "", 0.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
STRANGE = st.fixed_dictionaries(
    {},
    optional={
        "source": st.just("aws.ec2") | JSON,
        "detail-type": st.sampled_from(sorted(DETAIL_TYPES)) | JSON,
        "region": st.just("eu-west-1") | JSON,
        "time": st.datetimes().map(str) | JSON,
        "detail": JSON
        | st.fixed_dictionaries(
            {}, optional={"instance-id": st.from_regex(r"i-[0-9a-f]{8,17}", fullmatch=True) | JSON, "state": JSON}
        ),
    },
)


@given(JSON | STRANGE)
def test_no_input_is_more_than_no_hint(event: object) -> None:
    hint = hint_of(event)
    assert hint is None or (hint.kind in DETAIL_TYPES.values() and hint.instance_id.startswith("i-"))

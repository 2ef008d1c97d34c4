"""How set-up waits: what passes by itself is waited out, within bounds; what does not is said at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import Mock

import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.errors import class_of
from fleet.providers.aws.quotas import Quota, spot_quotas
from fleet.providers.aws.setup_role import BLIND_WAIT, wait_until_seen
from fleet.providers.patience import LOOKS, TRIES

HOME = "us-east-1"


def refusal(code: str, message: str = "no") -> ProviderError:
    return ProviderError(class_of(code), code, message)


class Scripted(Calls):
    """Answers in order; the last one again and again."""

    def __init__(self, *answers: dict[str, Any] | ProviderError) -> None:
        self.slept: list[float] = []
        super().__init__(sleep=self.slept.append)
        self._answers: Iterator[dict[str, Any] | ProviderError] = iter(answers)
        self._last: dict[str, Any] | ProviderError = {}
        self.made: list[str] = []

    def once(self, service: str, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.made.append(operation)
        self._last = next(self._answers, self._last)
        if isinstance(self._last, ProviderError):
            raise self._last
        return self._last


def test_what_was_throttled_or_lost_is_called_again_after_longer_and_longer_pauses() -> None:
    calls = Scripted(refusal("Throttling"), refusal("InternalError"), {"a": 1})
    assert calls("ec2", HOME, "describe_vpcs") == {"a": 1}
    assert calls.slept == [0.5, 1.0]


def test_it_is_not_called_for_ever() -> None:
    calls = Scripted(refusal("RequestLimitExceeded"))
    with pytest.raises(ProviderError, match="no"):
        calls("ec2", HOME, "describe_vpcs")
    assert len(calls.made) == TRIES
    assert sum(calls.slept) < 10


@pytest.mark.parametrize("code", ["AccessDenied", "UnauthorizedOperation", "MalformedPolicyDocument", "ExpiredToken"])
def test_what_no_waiting_mends_is_said_at_once(code: str) -> None:
    calls = Scripted(refusal(code))
    with pytest.raises(ProviderError, match="no"):
        calls("iam", HOME, "create_role")
    assert (len(calls.made), calls.slept) == (1, [])


def test_what_was_just_made_and_is_not_seen_yet_is_waited_for_a_minute_at_most() -> None:
    calls = Scripted(refusal("NoSuchEntity"), refusal("NoSuchEntity"), {})
    calls("iam", HOME, "put_role_policy", unseen=("NoSuchEntity",))
    assert calls.slept == [3.0, 3.0]
    calls = Scripted(refusal("NoSuchEntity"))
    with pytest.raises(ProviderError):
        calls("iam", HOME, "put_role_policy", unseen=("NoSuchEntity",))
    assert (len(calls.made), sum(calls.slept)) == (LOOKS, 57)


@pytest.mark.parametrize("code", ["NoCredentialsError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"])
def test_without_credentials_the_way_to_log_in_is_told(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    calls = Calls(sleep=lambda _: pytest.fail("waited for credentials"))

    client = Mock()
    client.meta.method_to_api_mapping = {"get_caller_identity": "GetCallerIdentity"}
    client.get_caller_identity.side_effect = ProviderError(ErrorClass.TRANSIENT, code, "none")
    monkeypatch.setattr("fleet.providers.aws.calling.aws_client", lambda *_args, **_more: client)
    with pytest.raises(ProviderError) as told:
        calls("sts", HOME, "get_caller_identity")
    assert told.value.error_class is ErrorClass.CREDENTIALS
    assert "aws sso login" in told.value.hint


# --- the new profile

IMAGE = {"Parameter": {"Value": "ami-1"}}
NAME = "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
UNKNOWN = refusal("InvalidParameterValue", NAME)
WOULD = refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def test_a_new_profile_is_asked_for_until_ec2_knows_it() -> None:
    calls = Scripted(IMAGE, UNKNOWN, UNKNOWN, WOULD)
    assert wait_until_seen(calls, HOME, "fleet-x")
    assert calls.slept == [3.0, 3.0]
    assert calls.made == ["get_parameter", *["run_instances"] * 3]


def test_a_profile_that_ec2_does_not_come_to_know_is_told_after_a_minute() -> None:
    calls = Scripted(IMAGE, UNKNOWN)
    assert not wait_until_seen(calls, HOME, "fleet-x")
    assert sum(calls.slept) == 60


@pytest.mark.parametrize(
    "answers",
    [
        (IMAGE, refusal("UnauthorizedOperation")),
        (refusal("AccessDeniedException"),),
        (IMAGE, refusal("VcpuLimitExceeded")),
    ],
)
def test_where_nobody_may_ask_a_while_is_waited(answers: Sequence[Any]) -> None:
    calls = Scripted(*answers)
    assert wait_until_seen(calls, HOME, "fleet-x")
    assert calls.slept == [BLIND_WAIT]


# --- quotas


def quota(vcpus: float) -> dict[str, Any]:
    return {"Quota": {"Value": vcpus}}


def told_of(*answers: dict[str, Any] | ProviderError) -> Quota:
    return spot_quotas(Scripted(*answers), HOME)[0]


def test_a_quota_of_nothing_comes_with_the_command_that_asks_for_more() -> None:
    found = told_of(quota(0.0))
    assert found.vcpus == 0
    assert "none can be launched" in found.told
    assert found.request == (
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-3819A6DF "
        "--desired-value 8 --region us-east-1"
    )


def test_a_quota_that_does_for_a_machine_says_for_how_many() -> None:
    found = told_of(quota(16.0))
    assert (found.vcpus, found.request) == (16, "")
    assert "up to 4" in found.told


def test_an_account_without_a_value_of_its_own_has_everybodys() -> None:
    assert told_of(refusal("NoSuchResourceException"), quota(5.0)).vcpus == 5


@pytest.mark.parametrize("code", ["AccessDeniedException", "500", "EndpointConnectionError"])
def test_quotas_that_cannot_be_looked_at_end_nothing(code: str) -> None:
    found = spot_quotas(Scripted(refusal(code)), HOME)
    assert [one.vcpus for one in found] == [None] * 3
    assert all(code in one.told and "https://us-east-1.console.aws.amazon.com" in one.told for one in found)

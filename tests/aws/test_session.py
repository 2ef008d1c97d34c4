"""The standard AWS configuration leads to the cloud that is meant."""

from __future__ import annotations

import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.errors import translated
from fleet.providers.aws.session import aws_client, aws_session
from tests.aws.moto import Moto


def test_an_endpoint_from_the_environment_is_where_calls_go(moto: Moto) -> None:
    assert aws_client("ec2", "us-east-1").meta.endpoint_url == moto.url
    assert aws_client("ec2", "us-east-1").describe_instances()["Reservations"] == []


def test_a_client_is_made_once(moto: Moto) -> None:
    assert aws_client("ec2", "us-east-1") is aws_client("ec2", "us-east-1")
    assert aws_client("ec2", "us-east-1") is not aws_client("ec2", "eu-west-1")


def test_a_profile_that_does_not_exist_is_a_matter_of_credentials(moto: Moto) -> None:
    with pytest.raises(ProviderError, match="nobody") as told:
        aws_session("nobody")
    assert told.value.error_class is ErrorClass.CREDENTIALS


def test_a_refusal_carries_the_clouds_own_code(moto: Moto) -> None:
    with pytest.raises(ProviderError, match="DescribeVolumes") as told, translated("DescribeVolumes"):
        aws_client("ec2", "us-east-1").describe_volumes(VolumeIds=["vol-00000000000000000"])
    assert told.value.code == "InvalidVolume.NotFound"

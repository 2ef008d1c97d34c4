"""The standard AWS configuration leads to the cloud that is meant."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.errors import translated
from fleet.providers.aws.session import aws_client, aws_session, forget_clients
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


@pytest.mark.parametrize(
    "process",
    ["/bin/false", """echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"2020-01-01T00:00:00Z"}'"""],
)
def test_credentials_that_cannot_be_had_are_no_passing_trouble(
    moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    (tmp_path / "config").write_text(f"[profile work]\ncredential_process = sh -c {shlex.quote(process)}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ProviderError) as told, translated("DescribeVolumes"):
        aws_client("ec2", "us-east-1", profile="work").describe_volumes()
    assert told.value.error_class is ErrorClass.CREDENTIALS
    assert "aws sso login" in told.value.hint
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    forget_clients()
    with pytest.raises(ProviderError) as told, translated("DescribeVolumes"):
        aws_client("ec2", "us-east-1").describe_volumes()
    assert told.value.error_class is ErrorClass.CREDENTIALS

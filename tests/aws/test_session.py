"""The standard AWS configuration leads to the cloud that is meant."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import cast

import pytest

from fleet.control.home import Home
from fleet.model.cloud import Listing
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws import session
from fleet.providers.aws.errors import translated
from fleet.providers.aws.profiled import Profiled
from fleet.providers.aws.provider import CAPABILITIES
from fleet.providers.aws.session import aws_client, aws_session, by_default, forget_clients
from fleet.providers.base import Provider
from tests.aws.moto import CREDENTIALS, STRANGE, Moto


def test_an_endpoint_from_the_environment_is_where_calls_go(moto: Moto) -> None:
    assert aws_client("ec2", "us-east-1").meta.endpoint_url == moto.url
    assert aws_client("ec2", "us-east-1").describe_instances()["Reservations"] == []


def test_a_client_is_made_once(moto: Moto) -> None:
    assert aws_client("ec2", "us-east-1") is aws_client("ec2", "us-east-1")
    assert aws_client("ec2", "us-east-1") is not aws_client("ec2", "eu-west-1")


def test_who_is_in_a_hurry_waits_less_for_an_answer(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits() -> tuple[float, float]:
        config = aws_client("ec2", "us-east-1").meta.config
        return config.connect_timeout, config.read_timeout

    assert waits() == (session.CONNECT_SECONDS, session.READ_SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(session, "_WAITS", session._WAITS.copy())
        session.hurry()
        assert waits() == (3, 12)
    forget_clients()
    assert waits() == (session.CONNECT_SECONDS, session.READ_SECONDS)


def test_a_profile_that_does_not_exist_is_a_matter_of_credentials(moto: Moto) -> None:
    with pytest.raises(ProviderError, match="nobody") as told:
        aws_session("nobody")
    assert told.value.error_class is ErrorClass.CREDENTIALS


TWO = """[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = a
[work]
aws_access_key_id = AKIAWORK
aws_secret_access_key = b
"""


def test_each_fleet_of_a_process_is_asked_with_its_own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another account's credentials its machines would look as if they were gone."""
    for name in (*STRANGE, *CREDENTIALS):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text(TWO)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    home = Home(tmp_path)
    home.remember_aws("s3://first", None, ["us-east-1"])
    home.remember_aws("s3://second", "work", ["us-east-1"])
    asked: list[str] = []

    class Asked:
        name, capabilities = "aws", CAPABILITIES

        def list(self, region: str) -> Listing:
            asked.append(aws_session().get_credentials().access_key)
            return Listing(region=region, at=0.0)

    both = [Profiled(cast("Provider", Asked()), home.aws_profile(f"s3://{name}")) for name in ("first", "second")]
    try:
        for _ in range(2):
            for one in both:
                one.list("us-east-1")
    finally:
        by_default(None)
    assert asked == ["AKIADEFAULT", "AKIAWORK"] * 2


def test_a_login_is_noticed_after_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*STRANGE, *CREDENTIALS):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text(TWO)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    forget_clients()
    monkeypatch.setattr(session, "_RENEWED", [float("-inf")])
    assert aws_session().get_credentials().access_key == "AKIADEFAULT"
    (tmp_path / "credentials").write_text(TWO.replace("AKIADEFAULT", "AKIANEW"))
    assert aws_session().get_credentials().access_key == "AKIADEFAULT"
    session.renew_clients()
    assert aws_session().get_credentials().access_key == "AKIANEW"
    (tmp_path / "credentials").write_text(TWO)
    session.renew_clients()  # not at every refusal
    assert aws_session().get_credentials().access_key == "AKIANEW"
    forget_clients()


def test_a_refusal_carries_the_clouds_own_code(moto: Moto) -> None:
    with pytest.raises(ProviderError, match="DescribeVolumes") as told, translated("DescribeVolumes"):
        aws_client("ec2", "us-east-1").describe_volumes(VolumeIds=["vol-00000000000000000"])
    assert told.value.code == "InvalidVolume.NotFound"


def test_a_page_where_an_answer_should_be_is_a_passing_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b"<!doctype html><h1>Service Unavailable</h1>")

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    forget_clients()
    try:
        with pytest.raises(ProviderError, match="DescribeVolumes") as told, translated("DescribeVolumes"):
            aws_client("ec2", "us-east-1").describe_volumes()
    finally:
        server.shutdown()
        server.server_close()
        forget_clients()
    assert told.value.error_class is ErrorClass.TRANSIENT

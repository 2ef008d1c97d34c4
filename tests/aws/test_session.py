"""The standard AWS configuration leads to the cloud that is meant."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.errors import translated
from fleet.providers.aws.session import aws_client, aws_session, forget_clients
from tests.aws.moto import CREDENTIALS, Moto


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

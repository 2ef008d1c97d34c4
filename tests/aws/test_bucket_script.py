"""userdata/bucket.py: against moto, and against a server that knows the signature that must come."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fleet.providers.aws.session import aws_client
from tests.aws.moto import STRANGE, Moto

SCRIPT = Path(__file__).parents[2] / "userdata" / "bucket.py"
KEYS = {"AccessKeyId": "ASIAFAKE", "SecretAccessKey": "wJalr/fake+", "Token": "session==", "Code": "Success"}


class Server(ThreadingHTTPServer):
    """The metadata service, and a bucket that answers what it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        """What came to the bucket."""
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.tokens = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None: ...

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        place = "/latest/meta-data/iam/security-credentials/"
        if not self.path.startswith("/latest/"):
            return self._bucket()
        if self.headers["X-aws-ec2-metadata-token"] != f"token-{self.server.tokens}":
            return self._say(401)
        return self._say(200, {place: b"fleet-role\n", f"{place}fleet-role": json.dumps(KEYS).encode()}[self.path])

    def do_PUT(self) -> None:
        if self.path != "/latest/api/token":
            return self._bucket()
        assert int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) > 0
        self.server.tokens += 1
        return self._say(200, f"token-{self.server.tokens}".encode())

    def _bucket(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, headers, data = self.server.answers.pop(0)
        self._say(status, data, headers)


@pytest.fixture
def fake() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


class Machine:
    """What the script finds on the machine."""

    def __init__(self, folder: Path, metadata: str, endpoint: str, root: str = "s3://bucket/some/where") -> None:
        self.folder = folder
        self.environment = folder / "etc/fleet/environment"
        self.environment.parent.mkdir(parents=True)
        (folder / "etc/fleet/boot.json").write_text(json.dumps({"root": root}))
        self.environment.write_text(f"AWS_REGION=eu-west-1\nAWS_ENDPOINT_URL={endpoint}\nFLEET_METADATA_URL={metadata}\n")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_") and key not in STRANGE}
        env = {**kept, "FLEET_ROOT": str(self.folder), "FLEET_PACE": "0.001"}
        words = (sys.executable, "-I", str(SCRIPT), *words)
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False, cwd=self.folder)


@pytest.fixture
def machine(tmp_path: Path, fake: Server) -> Machine:
    return Machine(tmp_path, fake.url, fake.url)


def _signature(fake: Server, region: str) -> str:
    """What botocore would have sent for the last request."""
    method, path, headers, body = fake.asked[-1]
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest(method, fake.url + path, {name: headers[name] for name in signed}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = S3SigV4Auth(Credentials(KEYS["AccessKeyId"], KEYS["SecretAccessKey"], KEYS["Token"]), "s3", region)
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))


def test_a_file_goes_into_the_bucket_and_comes_back(moto: Moto, fake: Server, tmp_path: Path) -> None:
    aws_client("s3", "us-east-1").create_bucket(Bucket="bucket")
    machine = Machine(tmp_path, fake.url, moto.url)
    (tmp_path / "boot.log").write_bytes(b"\x00\xffwhat happened\n")
    assert machine.run("put", "boot.log", "runs/r/attempts/1/boot.log").returncode == 0
    listed = aws_client("s3", "us-east-1").list_objects_v2(Bucket="bucket")["Contents"]
    assert [entry["Key"] for entry in listed] == ["some/where/runs/r/attempts/1/boot.log"]
    digest = hashlib.sha256(b"\x00\xffwhat happened\n").hexdigest()
    assert machine.run("get", "runs/r/attempts/1/boot.log", "back", "--sha256", digest).returncode == 0
    assert (tmp_path / "back").read_bytes() == b"\x00\xffwhat happened\n"
    assert machine.run("get", "no/such/key", "other").returncode == 1
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("key", ["agent/1/x.tar.gz", "a b/ü+~%2F&=.log"])
def test_requests_are_signed_as_amazon_wants_it(machine: Machine, fake: Server, key: str) -> None:
    fake.answers = [(200, {}, b"data"), (200, {}, b"")]
    assert machine.run("get", key, "file").returncode == 0
    assert fake.asked[-1][1].startswith("/bucket/some/where/")
    assert f"Signature={_signature(fake, 'eu-west-1')}" in fake.asked[-1][2]["authorization"]
    assert machine.run("put", "file", key).returncode == 0
    assert f"Signature={_signature(fake, 'eu-west-1')}" in fake.asked[-1][2]["authorization"]
    assert fake.asked[-1][3] == b"data"


def test_wrong_bytes_never_get_the_files_name(machine: Machine, fake: Server, tmp_path: Path) -> None:
    fake.answers = [(200, {}, b"wrong")] * 6
    done = machine.run("get", "key", "file", "--sha256", hashlib.sha256(b"right").hexdigest())
    assert done.returncode == 1
    assert not (tmp_path / "file").exists()
    assert "not " + hashlib.sha256(b"right").hexdigest() in done.stderr


def test_errors_that_pass_are_waited_out(machine: Machine, fake: Server, tmp_path: Path) -> None:
    fake.answers = [(503, {}, b"SlowDown"), (403, {}, b"AccessDenied, the role is new"), (200, {}, b"right")]
    digest = hashlib.sha256(b"right").hexdigest()
    assert machine.run("get", "key", "file", "--sha256", digest).returncode == 0
    assert (tmp_path / "file").read_bytes() == b"right"


def test_it_gives_up_in_the_end_and_at_once_on_what_is_not_there(machine: Machine, fake: Server) -> None:
    fake.answers = [(500, {}, b"oh")] * 20
    assert machine.run("get", "key", "file").returncode == 1
    assert len(fake.asked) == 6
    fake.answers = [(404, {}, b"NoSuchKey")]
    done = machine.run("get", "key", "file")
    assert "404 NoSuchKey" in done.stderr
    assert len(fake.asked) == 7


def test_a_bucket_in_another_region_is_asked_there(machine: Machine, fake: Server) -> None:
    fake.answers = [(301, {"x-amz-bucket-region": "ap-south-1"}, b""), (200, {}, b"data")]
    assert machine.run("get", "key", "file").returncode == 0
    assert f"Signature={_signature(fake, 'ap-south-1')}" in fake.asked[-1][2]["authorization"]


def test_a_region_that_is_told_for_the_bucket_is_asked_first(machine: Machine, fake: Server) -> None:
    machine.environment.write_text(machine.environment.read_text() + "FLEET_BUCKET_REGION=sa-east-1\n")
    fake.answers = [(200, {}, b"data")]
    assert machine.run("get", "key", "file").returncode == 0
    assert f"Signature={_signature(fake, 'sa-east-1')}" in fake.asked[-1][2]["authorization"]


def test_no_secret_is_said(machine: Machine, fake: Server) -> None:
    fake.answers = [(500, {}, b"oh")] * 6
    done = machine.run("get", "key", "file")
    for secret in (KEYS["SecretAccessKey"], KEYS["Token"], "token-1"):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("root", "url"),
    [
        ("s3://plain/pre", "https://plain.s3.eu-west-1.amazonaws.com/pre/key"),
        ("s3://with.dots", "https://s3.eu-west-1.amazonaws.com/with.dots/key"),
    ],
)
def test_without_an_endpoint_the_buckets_own_host_is_asked(tmp_path: Path, fake: Server, root: str, url: str) -> None:
    machine = Machine(tmp_path, fake.url, "", root)
    code = (
        f"import runpy, sys; s = runpy.run_path({str(SCRIPT)!r}); env = s['environment']();"
        "print(s['Bucket'](env).request('GET', 'key').full_url)"
    )
    env = {"FLEET_ROOT": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == url
    assert machine.environment.exists()

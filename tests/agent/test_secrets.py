"""A job's secrets on EC2: from Parameter Store or Secrets Manager, by the role's credentials, into memory alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Botos

from fleet.agent.aws_secrets import AT_ONCE, AwsSecrets
from fleet.agent.logic import REFUSALS
from fleet.agent.metadata import Metadata as Client
from fleet.agent.role import EARLY, Role
from fleet.agent.sigv4 import Credentials, signed
from fleet.agent.vault import PATIENCE, MissingSecretError
from fleet.model.errors import StoreError
from tests.agent.ec2 import ROLE, FakeEc2
from tests.agent.fakes import Life, World
from tests.aws.moto import Moto

CANARY = "canary-5f2e-value"


@pytest.fixture
def ec2(tmp_path: Path) -> Iterator[FakeEc2]:
    made = FakeEc2(tmp_path / "root")
    yield made
    made.close()


@pytest.fixture
def role(ec2: FakeEc2) -> Role:
    return Role(Client(ec2.url, 1.0))


def amazon(cloud: Moto, service: str, region: str = "us-east-1") -> Any:
    return boto3.client(
        service, region_name=region, endpoint_url=cloud.url, aws_access_key_id="a", aws_secret_access_key="b"
    )


@pytest.fixture
def empty(cloud: Moto) -> Moto:
    cloud.forget()
    return cloud


def secrets(role: Role, cloud: Moto, *regions: str, **more: Callable[[], float]) -> AwsSecrets:
    return AwsSecrets(role, regions or ("us-east-1",), {"AWS_ENDPOINT_URL": cloud.url}, **more)


# --- where they come from


def test_a_parameter_is_decrypted(role: Role, empty: Moto) -> None:
    amazon(empty, "ssm").put_parameter(Name="/fleet/HF_TOKEN", Value=CANARY, Type="SecureString")
    assert secrets(role, empty).find(["HF_TOKEN"]) == {"HF_TOKEN": CANARY}


def test_what_parameter_store_has_not_comes_from_secrets_manager(role: Role, empty: Moto) -> None:
    amazon(empty, "ssm").put_parameter(Name="/fleet/A", Value="from ssm", Type="SecureString")
    for name in ("A", "B"):
        amazon(empty, "secretsmanager").create_secret(Name=f"fleet/{name}", SecretString="from the manager")
    assert secrets(role, empty).find(["B", "A"]) == {"A": "from ssm", "B": "from the manager"}


def test_more_names_than_one_call_takes_are_asked_for_in_several(role: Role, empty: Moto) -> None:
    names = [f"S{number}" for number in range(AT_ONCE + 2)]
    for name in names:
        amazon(empty, "ssm").put_parameter(Name=f"/fleet/{name}", Value=f"value of {name}", Type="SecureString")
    assert secrets(role, empty).find(names) == {name: f"value of {name}" for name in names}


def test_the_buckets_region_serves_machines_of_every_other(role: Role, empty: Moto) -> None:
    amazon(empty, "ssm", "eu-west-1").put_parameter(Name="/fleet/A", Value="home", Type="SecureString")
    amazon(empty, "ssm", "us-east-1").put_parameter(Name="/fleet/B", Value="here", Type="SecureString")
    amazon(empty, "ssm", "eu-west-1").put_parameter(Name="/fleet/B", Value="not this", Type="SecureString")
    assert secrets(role, empty, "us-east-1", "eu-west-1").find(["A", "B"]) == {"A": "home", "B": "here"}


def test_a_secret_that_nobody_made_is_told_with_the_command_that_makes_it(role: Role, empty: Moto) -> None:
    amazon(empty, "ssm").put_parameter(Name="/fleet/A", Value=CANARY, Type="SecureString")
    with pytest.raises(MissingSecretError) as told:
        secrets(role, empty).find(["A", "HF_TOKEN"])
    assert told.value.message == (
        "no secret HF_TOKEN: neither Parameter Store has /fleet/HF_TOKEN nor Secrets Manager fleet/HF_TOKEN in us-east-1"
    )
    make = "aws ssm put-parameter --region us-east-1 --type SecureString --name /fleet/HF_TOKEN --value"
    assert make in told.value.hint
    assert CANARY not in str(told.value)


# --- services that refuse


class Refusing:
    """A service that answers as it is told to."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, object]] = []
        self.seen: list[Mapping[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append(dict(self.headers))
                status, said = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def refusing() -> Iterator[Refusing]:
    made = Refusing()
    yield made
    made.close()


FOUND = {"Parameters": [{"Name": "/fleet/A", "Value": "x"}], "InvalidParameters": []}
LATER = [
    (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}),
    (400, {"__type": "com.amazonaws#ExpiredTokenException", "message": "expired"}),
    (503, b"<html>"),
    (500, {"__type": "InternalServerError"}),
    (200, b"not json"),
]


@pytest.mark.parametrize("answer", LATER)
def test_a_refusal_of_the_moment_passes(role: Role, refusing: Refusing, answer: tuple[int, object]) -> None:
    found = AwsSecrets(role, ["us-east-1"], {"AWS_ENDPOINT_URL_SSM": refusing.url})
    refusing.answers = [answer, (200, FOUND)]
    with pytest.raises(StoreError):
        found.find(["A"])
    assert found.find(["A"]) == {"A": "x"}


def test_a_permission_that_lacks_is_named(role: Role, refusing: Refusing) -> None:
    refusing.answers = [
        (400, {"__type": "AccessDeniedException", "message": "not authorized to perform: ssm:GetParameters"})
    ]
    with pytest.raises(MissingSecretError, match="not authorized") as told:
        AwsSecrets(role, ["us-east-1"], {"AWS_ENDPOINT_URL": refusing.url}).find(["A"])
    assert "role needs ssm:GetParameters" in told.value.hint


def test_a_service_that_cannot_be_reached_is_not_waited_for_for_ever(role: Role) -> None:
    now = [0.0]
    found = AwsSecrets(role, ["us-east-1"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, monotonic=lambda: now[0])
    with pytest.raises(StoreError, match="does not answer"):
        found.find(["A"])
    now[0] = PATIENCE - 1
    with pytest.raises(StoreError):
        found.find(["A"])
    now[0] = PATIENCE
    with pytest.raises(MissingSecretError, match=r"for 30 minutes http://127\.0\.0\.1:1 does not answer"):
        found.find(["A"])


def test_calls_are_dated_by_the_clock_that_is_given(role: Role, refusing: Refusing) -> None:
    refusing.answers = [(200, FOUND)]
    AwsSecrets(role, ["us-east-1"], {"AWS_ENDPOINT_URL": refusing.url}, wall=lambda: 1_700_000_000.0).find(["A"])
    sent = refusing.seen[0]
    assert sent["X-Amz-Date"] == "20231114T221320Z"
    assert sent["X-Amz-Security-Token"] == "session"
    assert "Credential=ASIAROLE/20231114/us-east-1/ssm/aws4_request" in sent["Authorization"]


# --- the role


def test_the_roles_credentials_are_held_and_renewed_before_they_expire(ec2: FakeEc2) -> None:
    now = [1000.0]
    ec2.service.good_for = 3600.0
    ec2.service.clock = lambda: now[0]
    role = Role(Client(ec2.url, 1.0), lambda: now[0])
    first = role.credentials()
    assert (first.access_key, first.secret_key, first.token, first.until) == ("ASIAROLE", "hush", "session", 4600.0)
    now[0] = 4600 - EARLY - 1
    assert role.credentials() is first
    now[0] = 4600 - EARLY
    renewed = role.credentials()
    assert renewed.until > first.until
    assert "hush" not in repr(renewed)


def test_a_machine_without_a_role_is_told_so(ec2: FakeEc2, role: Role) -> None:
    ec2.service.keys = None
    with pytest.raises(OSError, match="without an instance profile"):
        role.credentials()
    ec2.service.keys = {"Code": "AssumeRoleUnauthorizedAccess"}
    with pytest.raises(OSError, match="no credentials of the role fleet-role"):
        role.credentials()
    assert ec2.service.asked.count(ROLE) == 2


@pytest.mark.parametrize(
    "url", ["https://ssm.us-east-1.amazonaws.com/", "http://127.0.0.1:5000", "https://h/a%20b/c?list-type=2&prefix=x%2Fy"]
)
@pytest.mark.parametrize("token", ["", "session/+=="])
def test_the_signature_is_the_one_that_amazons_own_library_makes(url: str, token: str) -> None:
    body, headers = b'{"Names": ["/fleet/A"]}', {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "a.B"}
    ours = signed(
        "POST", url, headers, body, Credentials("AKID", "key/+", token), region="us-east-1", service="ssm", at=1_700_000_000
    )  # fmt: skip
    request = AWSRequest("POST", url, headers={**headers, "Host": ours["Host"]}, data=body)
    theirs = SigV4Auth(Botos("AKID", "key/+", token or None), "ssm", "us-east-1")
    request.context["timestamp"] = "20231114T221320Z"
    request.headers["X-Amz-Date"] = "20231114T221320Z"
    if token:
        request.headers["X-Amz-Security-Token"] = token
    made = theirs.signature(theirs.string_to_sign(request, theirs.canonical_request(request)), request)
    assert ours["Authorization"].endswith(f"Signature={made}")


# --- in the agent


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, {"secrets": ["A", "B"], "setup": "prepare", "retries": {"training": 0}})
    yield made
    made.close()


def with_secrets(world: World, find: Callable[[], Mapping[str, str]]) -> Life:
    life = world.attempt(disk=world.disk())
    life.agent._find_secrets, life.agent._secrets = find, None
    return life


def everything_stored(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())


def test_setup_and_training_have_them_in_their_environment_and_no_file_has_them(world: World) -> None:
    life = with_secrets(world, lambda: {"A": CANARY, "B": f"first line {CANARY}\nsecond-{CANARY}"})
    life.until("setup")
    assert life.training.env["A"] == CANARY
    life.training.code = 0
    life.until("training")
    assert life.training.env["B"].splitlines()[1] == f"second-{CANARY}"
    life.training.say(f"the token is {CANARY}")
    life.training.say(f"second-{CANARY}")
    life.training.code = 3
    life.live(20)
    assert life.machine.off
    assert b"the token is ***" in everything_stored(world)
    assert CANARY.encode() not in everything_stored(world)


def test_a_missing_secret_fails_the_run_with_the_way_out_and_nothing_is_started(world: World) -> None:
    tries: list[int] = []

    def find() -> dict[str, str]:
        tries.append(1)
        raise MissingSecretError("no secret A", "Make it: aws ssm put-parameter --name /fleet/A")

    life = with_secrets(world, find)
    life.live(60)
    assert len(tries) == REFUSALS
    assert not life.started
    assert life.beat.phase == "released"
    assert life.beat.outcome is not None
    assert life.beat.outcome.kind == "failed"
    assert "aws ssm put-parameter --name /fleet/A" in life.beat.outcome.message
    assert life.machine.off


def test_a_service_that_is_away_is_waited_for_and_told(world: World) -> None:
    away = [True]

    def find() -> dict[str, str]:
        if away[0]:
            raise StoreError("ssm does not answer")
        return {"A": CANARY, "B": "b"}

    life = with_secrets(world, find)
    life.live(60)
    assert life.beat.phase == "restoring"
    assert life.beat.message == "secrets: ssm does not answer"
    away[0] = False
    life.until("setup")
    life.live(1)
    assert life.beat.message == ""


def test_a_notice_while_secrets_are_sought_is_obeyed(world: World) -> None:
    def find() -> dict[str, str]:
        raise StoreError("ssm does not answer")

    life = with_secrets(world, find)
    life.live(20)
    life.machine.notice_until = world.clock() + 120
    life.live(5)
    assert life.beat.phase == "released"

"""All four ways to a bucket: the agent's and the boot's own, without any secret on the machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.agent.main import bucket_credentials
from fleet.agent.vouched import GOOD_FOR, Vouched
from fleet.model.errors import AlreadyExistsError, StoreError
from fleet.providers.gcp import trust
from fleet.store.amazon import forget_buckets
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from fleet.store.probe import check_exclusive_creation
from tests.agent.across import AWS, FLEET, FORGOTTEN, HOLDER, KEYS, NUMBER, ROLE, Ground, on_amazon, on_google, tell
from tests.aws.moto import Moto
from tests.gce.amazon import AmazonSts, serving
from tests.gce.inthread import in_thread
from tests.gce.metadata import Service, metadata_server

SERVICE_ACCOUNT = "109876543210987654321"
WAYS = [("gce", "gs"), ("gce", "s3"), ("ec2", "gs"), ("ec2", "s3")]
ACROSS = [("gce", "s3"), ("ec2", "gs")]


@pytest.fixture(scope="module")
def metadata() -> Iterator[Service]:
    with metadata_server("127.0.0.1", 0) as service:
        yield service


@pytest.fixture(scope="module")
def sts(metadata: Service) -> Iterator[AmazonSts]:
    arn = trust.role_arn(FLEET, AWS)
    with serving(AmazonSts(arn, trust.role_trust(arn, SERVICE_ACCOUNT), metadata.key.public_key())) as made:
        yield made


@pytest.fixture
def ground(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    cloud: Moto,
    metadata: Service,
    sts: AmazonSts,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Ground]:
    machine, scheme = request.param
    forget_buckets()
    made = on_google(scheme, tmp_path, metadata, cloud, sts) if machine == "gce" else on_amazon(scheme, tmp_path, cloud)
    for name in FORGOTTEN:
        monkeypatch.delenv(name, raising=False)
    for name, value in made.env().items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    yield made
    with contextlib.suppress(AttributeError):
        made.machine.close()  # type: ignore[union-attr]
    forget_buckets()


def _opened(ground: Ground) -> Objects:
    """As the agent does."""
    objects: Objects
    credentials = bucket_credentials(ground.root, lambda: objects.now())
    objects = open_objects(ground.root, credentials=credentials)
    return objects


@pytest.mark.parametrize("ground", WAYS, indirect=True, ids="-".join)
def test_the_agent_opens_its_bucket_and_creates_once(ground: Ground) -> None:
    objects = _opened(ground)
    objects.create("runs/r/attempts/1/began.json", b"{}")
    with pytest.raises(AlreadyExistsError):
        objects.create("runs/r/attempts/1/began.json", b"[]")
    assert [one.key for one in objects.list("runs/")] == ["runs/r/attempts/1/began.json"]
    check_exclusive_creation(objects)


@pytest.mark.parametrize("ground", WAYS, indirect=True, ids="-".join)
def test_the_boot_fetches_and_puts_by_itself(ground: Ground) -> None:
    data = b"\x00what happened\n" * 1000
    _opened(ground).put("agent/1/a b+ü.tar.gz", data)
    got = ground.script("get", "agent/1/a b+ü.tar.gz", "file", "--sha256", hashlib.sha256(data).hexdigest())
    assert got.returncode == 0, got.stderr
    assert (ground.machine.root / "file").read_bytes() == data
    put = ground.script("put", "file", "runs/r/attempts/1/boot.log")
    assert put.returncode == 0, put.stderr
    assert _opened(ground).get("runs/r/attempts/1/boot.log") == data
    missing = ground.script("get", "no/such/key", "other")
    assert missing.returncode == 1
    assert missing.stderr.count("bucket.py:") == 1  # at once, without another try
    assert not in_thread().router.cloud.faults


@pytest.mark.parametrize("ground", [("gce", "s3")], indirect=True, ids="-".join)
def test_the_role_takes_no_other_account_and_no_token_for_others(ground: Ground, sts: AmazonSts, metadata: Service) -> None:
    told = metadata.told["127.0.0.1"]
    told.service_account_id = "1"
    with pytest.raises(StoreError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
        _opened(ground).get("runs/a")
    assert "Not authorized" in ground.script("get", "runs/a", "file").stderr
    told.service_account_id = SERVICE_ACCOUNT
    claims = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": sts.arn, "RoleSessionName": "x"}
    for_others = metadata.identity(told, "https://somebody.example", full=True)
    assert sts.answer({**claims, "WebIdentityToken": for_others})[0] == 403
    assert sts.answer({**claims, "WebIdentityToken": metadata.identity(told, sts.arn, full=True)})[0] == 200


@pytest.mark.parametrize("ground", [("ec2", "gs")], indirect=True, ids="-".join)
@pytest.mark.parametrize(
    ("arn", "account"),
    [(f"arn:aws:sts::{AWS}:assumed-role/another/i-0abc", AWS), (f"{trust.session_role(AWS, ROLE)}/i-0abc", "999999999999")],
)
def test_google_takes_no_other_role_and_no_other_account(ground: Ground, arn: str, account: str) -> None:
    session = {"access_key": KEYS["AccessKeyId"], "secret_key": KEYS["SecretAccessKey"], "token": KEYS["Token"]}
    tell(in_thread(), "sts", "session", **session, account=account, arn=arn)
    with pytest.raises(StoreError, match="Google does not know this machine's role") as refused:
        _opened(ground).get("runs/a")
    assert "doctor" in refused.value.hint
    assert ground.script("get", "runs/a", "file").returncode == 1


@pytest.mark.parametrize("ground", [("ec2", "gs")], indirect=True, ids="-".join)
def test_a_role_that_may_not_act_as_the_account_is_told_so(ground: Ground) -> None:
    member = trust.member(NUMBER, FLEET, AWS, ROLE)
    policy = trust.without_user(trust.with_user({}, member), member)
    tell(in_thread(), "iamcredentials", "policy", account=HOLDER, policy=policy)
    with pytest.raises(StoreError, match=f"may not act as {HOLDER}"):
        _opened(ground).get("runs/a")


@pytest.mark.parametrize("ground", ACROSS, indirect=True, ids="-".join)
def test_nothing_secret_is_told_to_the_machine_nor_left_on_it(ground: Ground) -> None:
    objects = _opened(ground)
    objects.put("runs/a", b"x")
    assert ground.script("get", "runs/a", "file").returncode == 0
    written = [path.read_bytes() for path in ground.machine.root.rglob("*") if path.is_file()]
    for secret in (*KEYS.values(), "hush", "ya29."):
        assert not any(secret.encode() in data for data in written)


@pytest.mark.parametrize("ground", ACROSS, indirect=True, ids="-".join)
def test_a_machine_that_was_not_told_the_way_says_what_is_missing(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in ground.told if name in ("FLEET_AWS_ROLE", "FLEET_GOOGLE_PROVIDER")]:
        monkeypatch.delenv(name)
        del ground.told[name]
    with pytest.raises(StoreError, match="is not set"):
        _opened(ground).get("runs/a")
    assert ground.script("get", "runs/a", "file").returncode == 1


# --- renewal


class Source:
    """Gives credentials as long as it is not out of order."""

    def __init__(self) -> None:
        self.now, self.asked, self.broken = 0.0, 0, False

    def fetch(self) -> tuple[dict[str, object], float]:
        self.asked += 1
        if self.broken:
            raise StoreError("out of order")
        return {"token": f"t{self.asked}"}, GOOD_FOR


def test_they_are_renewed_before_they_are_over_and_not_before_that() -> None:
    source = Source()
    held = Vouched(source.fetch, lambda: source.now)
    assert held()["token"] == held()["token"] == "t1"
    source.now = GOOD_FOR - 301
    assert held()["token"] == "t1"
    source.now = GOOD_FOR - 300
    assert held()["token"] == "t2"


def test_a_renewal_that_fails_is_no_harm_until_the_old_ones_are_over_and_is_not_tried_all_the_time() -> None:
    source = Source()
    held = Vouched(source.fetch, lambda: source.now)
    held()
    source.now, source.broken = GOOD_FOR - 200, True
    assert [held()["token"] for _ in range(5)] == ["t1"] * 5
    assert source.asked == 2
    source.now += 10
    assert held()["token"] == "t1"
    assert source.asked == 3
    source.now = GOOD_FOR
    with pytest.raises(StoreError, match="out of order"):
        held()
    source.broken = False
    assert held()["token"] == "t5"


@pytest.mark.parametrize("ground", [("gce", "gs"), ("gce", "s3")], indirect=True, ids="-".join)
def test_a_metadata_server_that_is_gone_for_a_while_is_told_and_asked_again(ground: Ground, metadata: Service) -> None:
    objects = _opened(ground)
    metadata.broken = 503
    with pytest.raises(StoreError, match="503"):
        objects.put("runs/a", b"x")
    metadata.broken = None
    objects.put("runs/a", b"x")
    assert objects.get("runs/a") == b"x"


def test_documents_of_trust_keep_what_else_a_policy_says() -> None:
    policy = json.loads('{"etag": "x", "bindings": [{"role": "roles/viewer", "members": ["user:a@b"]}]}')
    member = trust.member(NUMBER, FLEET, AWS, ROLE)
    made = trust.with_user(policy, member)
    assert trust.with_user(made, member) == made
    assert trust.without_user(made, member) == policy
    assert made["etag"] == "x"
    assert 4 <= len(trust.pool_id(FLEET)) <= 32

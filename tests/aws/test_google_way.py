"""EC2 for a fleet whose bucket is on Cloud Storage: set up, used, mended and removed, against moto and Google's stand-in."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.cli.doctor_aws import trusted
from fleet.control.aws_function import prepare_deployment
from fleet.control.fleets import open_bucket
from fleet.control.setups import aws_setup as read_setup
from fleet.model import layout
from fleet.model.across import told_on_amazon
from fleet.model.base import document_bytes
from fleet.model.cloud import Offer
from fleet.model.errors import FleetError
from fleet.model.setup import AwsSetup, GcpSetup
from fleet.providers.aws.names import POLICY
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.session import aws_client
from fleet.providers.gcp import session, trust
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.policies import setup_role
from fleet.providers.wanted import nothing_to_do
from fleet.store.fleetfile import ensure_fleet
from tests.aws.account import ACCOUNT, HOME, Account, actions, changed
from tests.gce.federation import AwsSession, Federation, federation
from tests.gce.inthread import in_thread
from tests.gce.pools_api import Pools
from tests.gce.project_ground import ground
from tests.gce.standing import PROJECT, STRANGE, environment

pytestmark = pytest.mark.system  # boto3, moto and the stand-in in one process: seconds for each
NUMBER = "123456789012"


@pytest.fixture
def url(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on Cloud Storage that a fleet was set up in."""
    for name in STRANGE:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(in_thread().url, tmp_path).items():
        monkeypatch.setenv(name, value)
    session.forget()
    given = Calls.__init__.__kwdefaults__
    assert given is not None
    monkeypatch.setitem(given, "sleep", lambda _: None)
    bucket = f"bucket-{secrets.token_hex(6)}"
    in_thread().router.control("objects", "make", {"name": bucket})
    person = ground(in_thread().router.cloud).add_account(bucket[:30], {}).email
    objects = open_bucket(account.home, f"gs://{bucket}")
    info = ensure_fleet(objects)
    setup = GcpSetup(
        fleet_id=info.fleet_id, project=PROJECT, number=NUMBER, bucket=f"gs://{bucket}", network="fleet",
        service_account=person, made_at=0,
    )  # fmt: skip
    objects.put(layout.GCP_SETUP, document_bytes(setup))
    yield f"gs://{bucket}"
    session.forget()


def known() -> Federation:
    return federation(in_thread().router.cloud)


def found(account: Account, url: str) -> AwsSetup:
    setup = read_setup(open_bucket(account.home, url))
    assert setup is not None
    return setup


def may_act(setup: AwsSetup, arn: str) -> bool:
    """Whether a session of that ARN gets a token, and then the service account's."""
    at = AwsSession("k", "s", "t", ACCOUNT, arn)
    who = known().principal(f"//iam.googleapis.com/{setup.google_provider}", at)
    return known().may_act_as(who, setup.google_account)


def test_everything_is_made_and_a_second_time_nothing_is_changed(account: Account, url: str) -> None:
    prepared = account.init(bucket=url)
    setup, name = found(account, url), prepared.blueprint.name
    assert (setup.bucket, setup.bucket_region) == (url, HOME)
    assert may_act(setup, f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/i-0abc")
    policy = aws_client("iam", HOME).get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"]
    assert {one["Sid"] for one in policy["Statement"]} == {"Secrets", "Decrypt"}
    assert aws_client("s3", HOME).list_buckets()["Buckets"] == []
    assert not any(kind.startswith("bucket") for kind in actions(prepared))
    assert nothing_to_do(account.init().steps)
    remembered = account.home.aws()
    assert remembered is not None
    assert remembered.bucket == url
    assert not in_thread().router.cloud.faults


def test_machines_are_told_the_way_in_the_frozen_request(account: Account, url: str, tmp_path: Path) -> None:
    account.init(bucket=url)
    setup = found(account, url)
    told = told_on_amazon(setup)
    assert told == {"FLEET_GOOGLE_PROVIDER": setup.google_provider, "FLEET_GOOGLE_ACCOUNT": setup.google_account}
    provider = AwsProvider(setup.fleet_id, setup, tmp_path / "cache")
    target = provider.boot_target([_offer()], "ubuntu-24.04")
    assert target is not None
    assert target.environment.items() >= told.items()
    assert target.environment["GOOGLE_BASE_URL"] == f"{in_thread().url}/objects"
    assert not any("private" in value or "ya29" in value for value in target.environment.values())


def _offer() -> Offer:
    made = {"provider": "aws", "region": HOME, "zone": f"{HOME}a", "instance_type": "m5.large", "market": "spot"}
    return Offer.model_validate({**made, "price": 1, "on_demand_price": 2})


def _way(setup: AwsSetup) -> tuple[str, str]:
    """The pool's name, and the provider's."""
    return setup.google_provider.rpartition("/providers/")[0], setup.google_provider


def test_whatever_is_missing_of_the_trust_is_mended(account: Account, url: str) -> None:
    prepared = account.init(bucket=url)
    setup = found(account, url)
    pool, provider = _way(setup)
    iam = in_thread().router["iam"]
    assert isinstance(iam, Pools)
    breaks: dict[str, list[Callable[[], object]]] = {
        "google pool": [
            lambda: iam.pools[pool].update(state="DELETED"),
            lambda: iam.pools[pool].update(disabled=True),
            lambda: iam.providers[provider].update(attributeCondition="true"),
            lambda: iam.providers[provider].update(state="DELETED"),
        ],
        "google trust": [lambda: ground(iam.cloud).account(setup.google_account).policy.clear()],
    }
    for kind, ways in breaks.items():
        for break_it in ways:
            assert [one.state for one in trusted(account.home, url)] == ["good"]
            break_it()
            (told,) = trusted(account.home, url)
            assert (told.state, told.remedy) == ("bad", "fleet init aws")
            assert set(changed(account.init())) == {kind}
            assert may_act(setup, f"arn:aws:sts::{ACCOUNT}:assumed-role/{prepared.blueprint.name}/i-0abc")
    assert nothing_to_do(account.prepare().steps)


def test_what_is_asked_of_the_project_is_within_what_the_policy_prints(account: Account, url: str) -> None:
    since = len(in_thread().router.cloud.calls)
    account.init(bucket=url)
    account.destroy()
    account.init(bucket=url)
    asked = {_permission(one.method) for one in in_thread().router.cloud.calls[since:] if one.method.startswith("iam.")}
    assert asked - {""} == set(trust.PERMISSIONS) - UNTRIED
    assert set(trust.PERMISSIONS) <= set(setup_role()["includedPermissions"])


UNTRIED = {
    "iam.workloadIdentityPools.update",
    *(f"iam.workloadIdentityPoolProviders.{verb}" for verb in ("delete", "undelete", "update")),
}
"""What only half-made states take: a provider goes and comes back with its pool."""


def _permission(method: str) -> str:
    """What a method takes; an operation is looked at by whoever began it."""
    words = method.split(".")
    if "operations" in words:
        return ""
    verb = {"patch": "update"}.get(words[-1], words[-1])
    if "workloadIdentityPools" in words:
        return f"iam.workloadIdentityPool{'Providers' if 'providers' in words else 's'}.{verb}"
    return f"iam.serviceAccounts.{verb}"


def test_a_bucket_without_a_fleet_is_refused_with_what_makes_one(account: Account, url: str) -> None:
    in_thread().router.control("objects", "make", {"name": "empty-bucket"})
    with pytest.raises(FleetError, match="no fleet was set up in gs://empty-bucket") as refused:
        account.prepare(bucket="gs://empty-bucket")
    assert "fleet init gcp" in refused.value.hint


def test_a_teardown_takes_the_trust_back_and_leaves_the_bucket(account: Account, url: str) -> None:
    account.init(bucket=url)
    setup = found(account, url)
    pool, _ = _way(setup)
    removed = {step.kind for step in account.destroy().steps if step.action == "remove"}
    assert removed >= {"google trust", "google pool", "role", "profile", "record"}
    assert "bucket" not in removed
    iam = in_thread().router["iam"]
    assert isinstance(iam, Pools)
    assert iam.pools[pool]["state"] == "DELETED"
    assert trust.users_of(known().policies[setup.google_account]) == set()
    assert setup.google_provider not in known().providers
    assert read_setup(open_bucket(account.home, url)) is None
    assert account.home.aws() is None
    account.init(bucket=url)  # the pool's name is still taken: it comes back
    assert iam.pools[pool]["state"] == "ACTIVE"


def test_a_controller_in_the_account_keeps_to_s3_and_says_so(account: Account, url: str) -> None:
    with pytest.raises(FleetError, match="keeps to a bucket on S3"):
        prepare_deployment(account.home, account.calls, url, None)

"""EC2 for a fleet whose bucket is on Cloud Storage: set up, used, mended and removed, against moto and Google's stand-in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.control.aws_function import prepare_deployment
from fleet.control.fleets import open_bucket
from fleet.control.setups import aws_setup as read_setup
from fleet.model import layout
from fleet.model.across import told_on_amazon
from fleet.model.base import document_bytes
from fleet.model.cloud import Market, Offer
from fleet.model.errors import FleetError
from fleet.model.setup import AwsSetup, GcpSetup
from fleet.providers.aws.names import POLICY
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.session import aws_client
from fleet.providers.gcp import session, trust
from fleet.providers.wanted import nothing_to_do
from fleet.store.fleetfile import ensure_fleet
from tests.aws.account import ACCOUNT, HOME, Account, actions, changed
from tests.gce.federation import AwsSession, Federation, federation
from tests.gce.inthread import in_thread
from tests.gce.standing import PROJECT, STRANGE, environment

NUMBER, PERSON = "123456789012", f"fleet-machines@{PROJECT}.iam.gserviceaccount.com"


@pytest.fixture
def url(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on Cloud Storage that a fleet was set up in."""
    for name in STRANGE:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(in_thread().url, tmp_path).items():
        monkeypatch.setenv(name, value)
    session.forget()
    monkeypatch.setattr("fleet.providers.gcp.calling.time.sleep", lambda _: None)
    bucket = f"bucket-{secrets.token_hex(6)}"
    in_thread().router.control("objects", "make", {"name": bucket})
    objects = open_bucket(account.home, f"gs://{bucket}")
    info = ensure_fleet(objects)
    setup = GcpSetup(
        fleet_id=info.fleet_id, project=PROJECT, number=NUMBER, bucket=f"gs://{bucket}", network="fleet",
        service_account=PERSON, made_at=0,
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
    assert (setup.bucket, setup.bucket_region, setup.google_account) == (url, HOME, PERSON)
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
    assert told == {"FLEET_GOOGLE_PROVIDER": setup.google_provider, "FLEET_GOOGLE_ACCOUNT": PERSON}
    provider = AwsProvider(setup.fleet_id, setup, tmp_path / "cache")
    target = provider.boot_target([_offer()], "ubuntu-24.04")
    assert target is not None
    assert target.environment.items() >= told.items()
    assert target.environment["GOOGLE_BASE_URL"] == f"{in_thread().url}/objects"
    assert not any("private" in value or "ya29" in value for value in target.environment.values())


def _offer() -> Offer:
    return Offer(
        provider="aws", region=HOME, zone=f"{HOME}a", instance_type="m5.large", market=Market.SPOT, price=1, on_demand_price=2
    )  # fmt: skip


def _way(account: Account, url: str) -> tuple[str, str]:
    setup = found(account, url)
    return setup.google_provider.rpartition("/providers/")[0], setup.google_provider


@pytest.mark.parametrize("broken", ["deleted", "off", "another", "none"])
def test_whatever_is_missing_of_the_trust_is_mended(account: Account, url: str, broken: str) -> None:
    prepared = account.init(bucket=url)
    setup = found(account, url)
    pool, provider = _way(account, url)
    iam = in_thread().router["iam"]
    if broken == "deleted":
        iam.pools[pool]["state"] = "DELETED"  # type: ignore[attr-defined]
    elif broken == "off":
        iam.pools[pool]["disabled"] = True  # type: ignore[attr-defined]
    elif broken == "another":
        iam.providers[provider]["attributeCondition"] = "true"  # type: ignore[attr-defined]
    else:
        known().policies.clear()
    again = account.init()
    assert set(changed(again)) == ({"google trust"} if broken == "none" else {"google pool"})
    assert may_act(setup, f"arn:aws:sts::{ACCOUNT}:assumed-role/{prepared.blueprint.name}/i-0abc")
    assert nothing_to_do(account.init().steps)


def test_a_bucket_without_a_fleet_is_refused_with_what_makes_one(account: Account, url: str) -> None:
    in_thread().router.control("objects", "make", {"name": "empty-bucket"})
    with pytest.raises(FleetError, match="no fleet was set up in gs://empty-bucket") as refused:
        account.prepare(bucket="gs://empty-bucket")
    assert "fleet init gcp" in refused.value.hint


def test_a_teardown_takes_the_trust_back_and_leaves_the_bucket(account: Account, url: str) -> None:
    account.init(bucket=url)
    setup = found(account, url)
    pool, _ = _way(account, url)
    removed = {step.kind for step in account.destroy().steps if step.action == "remove"}
    assert removed >= {"google trust", "google pool", "role", "profile", "record"}
    assert "bucket" not in removed
    assert in_thread().router["iam"].pools[pool]["state"] == "DELETED"  # type: ignore[attr-defined]
    assert trust.users_of(known().policies[PERSON]) == set()
    assert setup.google_provider not in known().providers
    assert read_setup(open_bucket(account.home, url)) is None
    assert account.home.aws() is None
    account.init(bucket=url)  # the pool's name is still taken: it comes back
    assert in_thread().router["iam"].pools[pool]["state"] == "ACTIVE"  # type: ignore[attr-defined]


def test_a_controller_in_the_account_keeps_to_s3_and_says_so(account: Account, url: str) -> None:
    account.init(bucket=url)
    with pytest.raises(FleetError, match="keeps to a bucket on S3"):
        prepare_deployment(account.home, account.calls, None, None)

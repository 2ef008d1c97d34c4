"""``fleet prices`` and what a plan says of prices, in both clouds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fleet.cli.main import app
from fleet.control import prices
from fleet.control.home import Home, open_home
from fleet.control.price_looking import is_googles, look, regions_of
from fleet.control.prices import missing_types, refresh_old_prices, refresh_prices, wanted_regions
from fleet.model.errors import FleetError
from fleet.model.job import Job
from fleet.model.setup import AwsRegion, AwsSetup, GcpRegion, GcpSetup
from fleet.providers.gcp import catalog
from fleet.providers.priced import Overview, Row, TypeFacts, Wish
from tests.gce.standing import PROJECT, Standing, standing_google

REGION = "us-central1"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Standing:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    return standing_google(monkeypatch)


@pytest.fixture
def home(google: Standing, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A fleet of Google Cloud alone: of its bucket nothing but the set-up is looked at."""
    place = GcpRegion(region=REGION, subnetwork="fleet")
    made = GcpSetup(
        fleet_id="f1", project=PROJECT, number="1", bucket="gs://b", network="fleet", service_account="m", made_at=0.0,
        regions={REGION: place},
    )  # fmt: skip
    monkeypatch.setattr(prices, "gcp_setup", lambda _objects: made)
    return open_home()


BUCKET: Any = type("Bucket", (), {"url": "gs://b"})()


def job(**resources: Any) -> Job:
    return Job.model_validate({"name": "a", "run": "true", "resources": {"infra": "gcp", **resources}})


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["prices", *words])


def told(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "-o", "json").stdout)
    return found


def test_prices_of_a_region_of_googles_are_shown_with_what_the_machine_has(google: Standing) -> None:
    found = told("n1-standard-4", "--region", REGION)
    assert {one["instance_type"] for one in found["prices"]} >= {
        "n1-standard-4",
        "n1-standard-4+1xT4",
        "n1-standard-4+8xV100",
    }
    t4 = next(one for one in found["prices"] if one["instance_type"] == "n1-standard-4+1xT4")
    assert (t4["zone"], t4["accelerators"], t4["vcpus"], t4["driver"]) == (f"{REGION}-a", ["T4"], 4, "580-server")
    assert (t4["spot_usd_per_hour"], t4["on_demand_usd_per_hour"], t4["saving_percent"]) == (0.26415, 0.539999, 51)
    assert {one["origin"] for one in found["sources"]} == {"Google's price list"}
    text = run("--region", REGION).stdout
    assert "g2-standard-4" in text
    assert "Google's price list, just now" in text
    assert google.faults() == []


def test_a_pattern_and_a_device_reach_beyond_the_usual_types(google: Standing) -> None:
    assert {one["instance_type"] for one in told("n4-*", "--region", REGION)["prices"]} == {"n4-standard-4"}
    found = told("--gpu", "p100", "--region", REGION)["prices"]
    assert {one["accelerators"][0] for one in found} == {"P100"}


def test_without_the_list_the_tables_dates_are_shown(google: Standing) -> None:
    google.control(
        "cloudbilling", "refuse", status=403, reason="SERVICE_DISABLED", message="cloudbilling.googleapis.com is off"
    )
    answer = run("g2-standard-4", "--region", REGION)
    assert "fleet's own table, of 2026-08-20; the price list could not be asked: SERVICE_DISABLED" in answer.stdout
    assert "gcloud services enable cloudbilling.googleapis.com" in answer.stderr


def test_what_is_not_offered_is_told_with_what_serves_instead(google: Standing) -> None:
    answer = run("n1-standard-32", "--region", REGION)
    assert answer.exit_code == 1
    assert "n1-standard-32: it is not offered in us-central1. Instead: n2-standard-4 from $0.0736/h" in answer.stdout
    assert (
        "K80: Google retired it (2024-05). Instead: n1-standard-4+1xT4 (T4)"
        in run("--gpu", "K80", "--region", REGION).stdout
    )
    assert "did you mean 'g2-standard-4'?" in run("g3-standard-4", "--region", REGION).stdout


def test_a_region_belongs_to_one_cloud_by_its_name() -> None:
    assert [is_googles(one) for one in ("us-central1", "europe-west4", "us-east-1", "us-gov-west-1")] == [
        True,
        True,
        False,
        False,
    ]


def test_without_a_region_those_that_were_set_up_are_looked_at_in_the_clouds_that_have_such_types(google: Standing) -> None:
    home = open_home()
    with pytest.raises(FleetError, match="no region is named") as none:
        regions_of(home, Wish((), ("g2-standard-4",)))
    assert "--region us-central1" in none.value.hint
    with pytest.raises(FleetError, match="the AWS configuration names none"):
        regions_of(home, Wish(()))
    home.remember_aws("s3://b", None, ["us-east-1"])
    home.remember_gcp("gs://b", PROJECT, [REGION])
    both = {"aws": ("us-east-1",), "gcp": (REGION,)}
    assert regions_of(home, Wish(())) == regions_of(home, Wish((), ("g*",))) == both
    assert regions_of(home, Wish((), ("g2-standard-4",))) == {"aws": (), "gcp": (REGION,)}
    assert regions_of(home, Wish((), ("g4dn.xlarge",))) == {"aws": ("us-east-1",), "gcp": ()}
    assert regions_of(home, Wish((REGION, "us-west-2"))) == {"aws": ("us-west-2",), "gcp": (REGION,)}


def test_both_clouds_stand_in_one_table_and_what_one_has_is_missing_nowhere(
    google: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = TypeFacts("g4dn.xlarge", "x86_64", 4, 16, "T4", 1)
    row = Row("us-east-1", "us-east-1a", "g4dn.xlarge", facts, 300_000, None, None, [])
    monkeypatch.setattr("fleet.providers.aws.overview.look", lambda *_, **__: Overview(0.0, 0.0, [row]))
    wish = Wish((REGION, "us-east-1"), gpu="T4")
    found = look(open_home(), wish)
    names = [one.instance_type for one in found.rows]
    assert names.index("n1-standard-4+1xT4") < names.index("g4dn.xlarge") < names.index("n1-standard-8+1xT4")
    only = look(open_home(), Wish((REGION, "us-east-1"), ("g4dn.xlarge", "n1-standard-4+1xT4")))
    assert only.missing == ()

    def silent(*_: Any, **__: Any) -> Overview:
        raise FleetError("EC2 does not answer")

    monkeypatch.setattr("fleet.providers.aws.overview.look", silent)
    assert look(open_home(), wish).notes == ["EC2 does not answer"]
    with pytest.raises(FleetError, match="EC2 does not answer"):
        look(open_home(), Wish(("us-east-1",)))


def test_before_a_plan_the_prices_of_the_clouds_that_a_job_may_go_to_are_fetched(home: Home, google: Standing) -> None:
    assert refresh_prices(home, BUCKET, job(instance_type="n1-highmem-8")) == ()
    sold = catalog.offers(None, REGION, home.cache / "gcp")
    assert "n1-highmem-8+1xT4" in {one.instance_type for one in sold}
    calls = len(google.calls())
    assert refresh_old_prices(home, BUCKET, job(instance_type="n1-highmem-8")) == ()
    assert len(google.calls()) == calls
    refresh_old_prices(home, BUCKET, job(instance_type="c3-standard-4"))
    assert "c3-standard-4" in {one.instance_type for one in catalog.offers(None, REGION, home.cache / "gcp")}
    assert refresh_prices(home, BUCKET, job(infra="local")) == ()


WISHES: list[tuple[dict[str, Any], str | None]] = [
    ({"accelerators": "T4:1"}, None),
    ({"instance_type": "n1-standard-4", "accelerators": "T4:1"}, None),
    ({"accelerators": "T4:8"}, "T4:8: one machine in us-central1 has 4 at most"),
    ({"accelerators": "H200"}, "H200: no type that Compute Engine offers in us-central1 has it"),
    ({"accelerators": "P4"}, "P4: no zone of us-central1 has it"),
    ({"instance_type": "n2-standard-8", "accelerators": "T4"},
     "T4: n2-standard-8 cannot have it in us-central1. Instead: n1-standard-4+1xT4 (T4) from $0.26/h (spot"),
    ({"instance_type": "g2-standrd-4"}, "not offered in us-central1. Instead: g2-standard-4 (L4) from $0.42/h"),
    ({"max_price": "$0.05", "instance_type": "n2-standard-4"}, None),  # Compute Engine knows no bids
]  # fmt: skip


def test_what_of_a_jobs_wishes_is_nowhere_on_offer_is_told(home: Home) -> None:
    refresh_prices(home, BUCKET, job())
    for wish, what in WISHES:
        found = missing_types(home, BUCKET, job(**wish))
        assert (found == ()) if what is None else (what in found[0]), wish


def test_each_clouds_regions_are_wanted_by_the_alternatives_that_name_it(home: Home) -> None:
    both = job(any_of=[
        {"infra": "aws/us-east-1", "instance_type": "g4dn.xlarge"},
        {"infra": "gcp", "instance_type": "n1-standard-4", "accelerators": "T4"},
        {"infra": "gcp/europe-west4", "instance_type": "g2-standard-4"},
    ])  # fmt: skip
    place = AwsRegion(region="us-east-1", security_group="s", launch_template="l", template_version="1")
    amazon = AwsSetup(
        fleet_id="f", account="1", bucket="b", bucket_region="us-east-1", instance_profile="p", made_at=0,
        regions={"us-east-1": place},
    )  # fmt: skip
    assert wanted_regions(both, amazon) == {"us-east-1": ["g4dn.xlarge"]}
    (google,) = prices.shops_of(home, BUCKET, job())
    assert wanted_regions(both, google) == {REGION: ["n1-standard-4"]}

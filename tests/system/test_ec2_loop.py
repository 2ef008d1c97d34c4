"""The whole loop on EC2's API: set-up, launch, notice, crash, relaunch, resume, and nothing left; moto behind a recorder."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.aws.moto import moto_server
from tests.aws.proxy import Proxy, proxy_before
from tests.aws.yard import MotoYard
from tests.system.laptop import CHAIN, Laptop, twin

pytestmark = pytest.mark.system

LOGIN = {
    "AWS_ACCESS_KEY_ID": "laptop",
    "AWS_SECRET_ACCESS_KEY": "laptop",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
CANARY = "canary-5f1b-value"
STEPS = 900
JOB: dict[str, Any] = {
    "name": "chain",
    "workdir": ".",
    "resources": {"infra": "aws/us-east-1", "instance_type": ["g4dn.xlarge", "c5.2xlarge"], "market": "spot"},
    "volume": {"size": "500GB"},
    "outputs": ["output/model.txt"],
    "envs": {"SEED": "chain", "STEPS": str(STEPS), "PACE": "0.04"},
    "secrets": ["API_TOKEN"],
    "run": 'test -n "$API_TOKEN" && exec python3 -S -E chain.py',
    "budget": {"run": "$5"},
}


class Account(Laptop):
    """A laptop whose cloud is moto, and the machines behind it."""

    def __init__(self, folder: Path, cloud: str, proxy: Proxy) -> None:
        super().__init__(folder, {**LOGIN, "AWS_ENDPOINT_URL": proxy.url})
        self.proxy = proxy
        (folder / "job").mkdir()
        shutil.copy(CHAIN, folder / "job" / "chain.py")
        (folder / "job" / "fleet.yaml").write_text(yaml.safe_dump(JOB))
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        self.client: Callable[[str], Any] = lambda name: boto3.client(name, endpoint_url=cloud, **keys)
        self.yard = MotoYard(folder / "yard", cloud, "us-east-1")

    def story(self) -> str:
        return f"{super().story()}\n{self.yard.console()}\n{self.yard.troubles}"

    def close(self) -> None:
        super().close()
        self.yard.close()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with moto_server() as moto, proxy_before(moto.url, keeps_tokens=True) as proxy:
        made = Account(tmp_path, moto.url, proxy)
        yield made
        made.close()


@pytest.mark.timeout(600)
def test_a_training_on_ec2_survives_a_notice_and_a_crash_and_leaves_nothing(account: Account, tmp_path: Path) -> None:
    account.client("ssm").put_parameter(Name="/fleet/API_TOKEN", Value=CANARY, Type="SecureString")
    ami = account.client("ec2").describe_images(Owners=["099720109477"])["Images"][0]["ImageId"]
    job = {**JOB, "resources": {**JOB["resources"], "image_id": ami}}
    (account.folder / "job" / "fleet.yaml").write_text(yaml.safe_dump(job))
    account.fleet("init", "aws", "--region", "us-east-1", "--yes")
    account.fleet("plan", "job")
    account.proxy.forget()
    account.follow()
    account.fleet("up", "job", "--yes", "--detach")

    first = account.until(lambda run: (run["step"] or 0) > 60)
    (one,) = account.yard.machines
    account.yard.notice(one, 8)
    second = account.until(lambda run: run["attempt"] == 2 and (run["step"] or 0) > first["step"])
    assert second["steps_lost"] == 0
    two = next(name for name in account.yard.machines if name != one)
    account.yard.crash(two)
    account.until(lambda run: run["attempt"] == 3 and (run["step"] or 0) > second["step"])
    over = account.until(lambda run: run["ended_at"] and run["usd_per_hour"] < 0.06)
    assert (over["state"], over["attempt"], over["recoveries"]) == ("succeeded", 3, 2)

    bucket = json.loads((account.folder / "home" / "aws.json").read_text())["bucket"].removeprefix("s3://")
    s3 = account.client("s3")
    model = s3.get_object(Bucket=bucket, Key="models/chain/output/model.txt")["Body"].read()
    assert model == twin(tmp_path / "twin", JOB["envs"])
    keeps_its_secret(account, s3, bucket)
    asks_little(account)

    ec2 = account.client("ec2")
    states = [i["State"]["Name"] for page in ec2.describe_instances()["Reservations"] for i in page["Instances"]]
    assert states == ["terminated"] * 3
    kept = [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"] if v["Size"] == 500]
    assert len(kept) == 1  # one disk followed the run
    assert json.loads(account.fleet("gc", "-o", "json")) == []
    account.fleet("volumes", "delete", kept[0], "--yes")
    account.fleet("destroy", "aws", "--yes")


def keeps_its_secret(account: Account, s3: Any, bucket: str) -> None:
    """It is in the training's memory, and nowhere else."""
    places = [one.user_data.encode() for one in account.yard.machines.values()]
    places += [seen.body for seen in account.proxy.seen] + [str(seen.parameters).encode() for seen in account.proxy.seen]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    places += [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed if one["Size"] < 1_000_000]
    places += [path.read_bytes() for path in (account.folder / "yard").rglob("*") if path.is_file()]
    assert not [place for place in places if CANARY.encode() in place]


def asks_little(account: Account) -> None:
    """Two calls of EC2's for each look, whatever happens; the launches, and what was to be ended, beside them."""
    ec2 = Counter(seen.action for seen in account.proxy.seen if seen.service == "ec2")
    looks = ec2["DescribeVolumes"]
    assert looks > 5
    assert ec2["CreateFleet"] + ec2["RunInstances"] <= 6
    assert sum(ec2.values()) <= 2 * looks + 60, ec2

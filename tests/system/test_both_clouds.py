"""One run over both clouds: taken on the one, resumed on the other, with the model that it would have had.

moto stands for EC2 and S3, the stand-in for Google Cloud; the machines are real agents behind their APIs. Nobody carries a
key from one cloud into the other: a machine of Compute Engine takes on a role of AWS, one of EC2 acts as a service account.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
import yaml

from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from tests.aws.moto import CREDENTIALS, moto_server
from tests.aws.proxy import Proxy, proxy_before
from tests.aws.yard import MotoYard
from tests.gce.standing import PROJECT, Standing, standing_google
from tests.gce.yard import GceYard
from tests.system.laptop import CHAIN, Laptop, twin

pytestmark = pytest.mark.system

REGION, GOOGLE_REGION = "us-east-1", "us-central1"
JOB: dict[str, Any] = {
    "name": "chain",
    "workdir": ".",
    "resources": {
        "market": "spot",
        "any_of": [
            {"infra": f"aws/{REGION}", "instance_type": ["c5.2xlarge"]},
            {"infra": f"gcp/{GOOGLE_REGION}", "instance_type": ["e2-standard-4"]},
        ],
    },
    "volume": {"size": "100GB"},
    "outputs": ["output/model.txt"],
    "envs": {"SEED": "both", "STEPS": "700", "PACE": "0.04"},
    "run": "exec python3 -S -E chain.py",
    "budget": {"run": "$5"},
}
PACE = 0.3
"""What Google takes a second for; but for the half minute of its notice, which agents count on."""


class Both(Laptop):
    """A laptop with an account in each cloud, and the machines behind both."""

    def __init__(self, folder: Path, cloud: str, proxy: Proxy, google: Standing, patch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, {**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url, **google.env})
        self.cloud, self.proxy, self.google, self._patch = cloud, proxy, google, patch
        (folder / "job").mkdir()
        shutil.copy(CHAIN, folder / "job" / "chain.py")
        (folder / "job" / "fleet.yaml").write_text(yaml.safe_dump(JOB))
        self.amazon = MotoYard(folder / "amazon", cloud, REGION)
        self.googles = GceYard(folder / "google", google)

    def story(self) -> str:
        troubles = [*self.amazon.troubles, *self.googles.troubles, *self.google.faults()]
        return f"{super().story()}\n{self.amazon.console()}\n{self.googles.console()}\n{troubles}"

    def client(self, name: str) -> Any:
        """The account's, past the recorder."""
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": REGION}
        return boto3.client(name, endpoint_url=self.cloud, **keys)

    def set_up(self, kept: Literal["s3", "gs"]) -> str:
        """Both clouds by their commands, the bucket in one of them; its address."""
        first = ["gcp", "--project", PROJECT, "--region", GOOGLE_REGION]
        second = ["aws", "--region", REGION]
        if kept == "s3":
            first, second = second, first
        self.fleet("init", *first, "--yes")
        (record,) = (self.folder / "home").glob(f"{first[0]}.json")
        bucket = str(json.loads(record.read_text())["bucket"])
        self.fleet("init", *second, "--bucket", bucket, "--yes")
        self.known_to_google()
        return bucket

    def known_to_google(self) -> None:
        """What AWS would tell Google of the keys that its machines get from their metadata service."""
        roles = [one["RoleName"] for one in self.client("iam").list_roles()["Roles"] if one["RoleName"].startswith("fleet")]
        account = self.client("sts").get_caller_identity()["Account"]
        arn = f"arn:aws:sts::{account}:assumed-role/{roles[0]}/i-0123456789abcdef0"
        words = {"access_key": "ASIAROLE", "secret_key": "hush", "token": "session"}  # tests/agent/ec2.py
        self.google.control("sts", "session", **words, account=account, arn=arn)

    def objects(self, bucket: str) -> Objects:
        """The bucket, as the laptop reaches it."""
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": self.cloud}.items():
            self._patch.setenv(name, value)
        return open_objects(bucket)

    def only(self, word: Literal["aws", "gcp"]) -> None:
        """Nothing is to be had in the other cloud from now on."""
        self.proxy.troubles.clear()
        if word == "gcp":
            for action in ("CreateFleet", "RunInstances"):
                self.proxy.error(action, "InsufficientInstanceCapacity", status=500, times=10_000)
        left = None if word == "gcp" else 0
        for letter in "abcf":
            self.google.control("compute", "capacity", zone=f"{GOOGLE_REGION}-{letter}", what="*", left=left)

    def takes(self, word: Literal["aws", "gcp"]) -> None:
        """The cloud takes the run's only machine there, with its usual notice."""
        if word == "aws":
            (one,) = [machine for machine in self.amazon.machines.values() if machine.agent.poll() is None]
            self.amazon.notice(one.instance_id, 8)
        else:
            (other,) = [machine for machine in self.googles.machines.values() if machine.agent.poll() is None]
            self.googles.preempt(other.instance_id)

    def close(self) -> None:
        super().close()
        self.amazon.close()
        self.googles.close()


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    with ExitStack() as stack:
        google = standing_google(monkeypatch)
        google.control("compute", "bare")
        google.control("serviceusage", "new_project")
        google.control("cloud", "pace", pace=PACE)
        google.control("compute", "timing", preempt=30 / PACE)
        stack.callback(google.control, "cloud", "reset")
        moto = stack.enter_context(moto_server())
        proxy = stack.enter_context(proxy_before(moto.url, keeps_tokens=True))
        made = Both(tmp_path, moto.url, proxy, google, monkeypatch)
        stack.callback(made.close)
        yield made
        assert google.faults() == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kept", "first", "second"), [("s3", "aws", "gcp"), ("gs", "gcp", "aws")])
def test_a_run_that_is_taken_on_one_cloud_goes_on_in_the_other_with_the_same_model(
    both: Both,
    tmp_path: Path,
    kept: Literal["s3", "gs"],
    first: Literal["aws", "gcp"],
    second: Literal["aws", "gcp"],
) -> None:
    bucket = both.set_up(kept)
    assert bucket.startswith(f"{kept}://")
    both.only(first)
    both.follow()
    both.fleet("up", "job", "--yes", "--detach")
    begun = both.until(lambda run: (run["step"] or 0) > 60, 180)
    assert place(begun) == first

    both.only(second)
    both.takes(first)
    later = both.until(lambda run: run["attempt"] > begun["attempt"] and (run["step"] or 0) > begun["step"], 180)
    assert (place(later), later["steps_lost"]) == (second, 0)
    over = both.until(lambda run: run["ended_at"] and run["usd_per_hour"] < 0.06, 180)
    assert (over["state"], over["recoveries"]) == ("succeeded", 1), f"{both.fleet('events', 'chain')}\n{both.story()}"

    model = both.objects(bucket).get("models/chain/output/model.txt")
    assert model == twin(tmp_path / "twin", JOB["envs"])
    machines = [machine for yard in (both.amazon, both.googles) for machine in yard.machines.values()]
    assert [machine.agent.poll() is not None for machine in machines] == [True, True]
    assert json.loads(both.fleet("gc", "-o", "json")) == []


def place(run: dict[str, Any]) -> str:
    """The cloud of a run's newest machine."""
    return str(run["where"]).partition("/")[0]

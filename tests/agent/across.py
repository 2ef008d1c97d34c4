"""Machines of either cloud before buckets of either: what each is told, and who vouches for it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from fleet.model.across import told_on_amazon, told_on_google
from fleet.model.setup import AwsSetup, GcpSetup
from fleet.providers.gcp import trust
from tests.agent.ec2 import FakeEc2
from tests.agent.gce import ACCOUNT, FakeGce
from tests.aws.moto import STRANGE, Moto
from tests.gce.amazon import AmazonSts
from tests.gce.inthread import in_thread
from tests.gce.metadata import Service

USERDATA = Path(__file__).parents[2] / "userdata"
FLEET, AWS, NUMBER = "0123456789abcdef", "123456789012", "210987654321"
ROLE = f"fleet-{FLEET}"
"""Of machines of EC2."""
HOLDER = "fleet-bucket@p.iam.gserviceaccount.com"
"""Whom machines of EC2 act as."""
KEYS = {"AccessKeyId": "ASIAROLE", "SecretAccessKey": "hush/+", "Token": "session=="}


@dataclass
class Ground:
    """One machine, and what is below its root. ``told`` is what its user-data say of the way to its bucket."""

    machine: FakeEc2 | FakeGce
    bucket: str
    root: str
    told: dict[str, str]

    def env(self) -> dict[str, str]:
        """Of the agent's service."""
        return {**self.machine.env(), **self.told}

    def script(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The boot's own program, as it lies on the machine."""
        folder = self.machine.root / "etc/fleet"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "boot.json").write_text(json.dumps({"root": self.root}))
        lines = {**self.told, "FLEET_METADATA_URL": self.machine.url, "FLEET_MACHINE": self.env()["FLEET_MACHINE"]}
        lines["AWS_REGION"] = "eu-west-1"
        (folder / "environment").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        kept = {key: value for key, value in os.environ.items() if key.startswith(("PATH", "LANG"))}
        env = {**kept, "FLEET_ROOT": str(self.machine.root), "FLEET_PACE": "0.001"}
        program = [sys.executable, "-I", str(USERDATA / "bucket.py"), *words]
        return subprocess.run(program, env=env, capture_output=True, text=True, check=False, cwd=self.machine.root)


def new_bucket(scheme: str, aws: Moto) -> str:
    """An empty one."""
    name = f"bucket-{secrets.token_hex(6)}"
    if scheme == "gs":
        in_thread().router.control("objects", "make", {"name": name})
    else:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        boto3.client("s3", endpoint_url=aws.url, region_name="us-east-1", **keys).create_bucket(Bucket=name)
    return name


def on_google(scheme: str, folder: Path, metadata: Service, aws: Moto, sts: AmazonSts) -> Ground:
    """A machine of Compute Engine."""
    bucket = new_bucket(scheme, aws)
    setup = GcpSetup(
        fleet_id=FLEET, project="p", number=NUMBER, bucket=f"{scheme}://{bucket}", network="fleet", service_account=ACCOUNT,
        aws_role=sts.arn if scheme == "s3" else "", aws_region="us-east-1" if scheme == "s3" else "", made_at=0,
    )  # fmt: skip
    ends = {"AWS_ENDPOINT_URL_STS": sts.url, "AWS_ENDPOINT_URL_S3": aws.url, "GOOGLE_BASE_URL": f"{in_thread().url}/objects"}
    return Ground(FakeGce(folder, metadata), bucket, f"{scheme}://{bucket}/there", {**told_on_google(setup), **ends})


def on_amazon(scheme: str, folder: Path, aws: Moto) -> Ground:
    """A machine of EC2."""
    bucket, machine = new_bucket(scheme, aws), FakeEc2(folder)
    google = in_thread()
    session = {"access_key": KEYS["AccessKeyId"], "secret_key": KEYS["SecretAccessKey"], "token": KEYS["Token"]}
    machine.service.keys = dict(KEYS)
    tell(google, "sts", "session", **session, account=AWS, arn=f"{trust.session_role(AWS, ROLE)}/i-0abc")
    provider = trust.provider_name(NUMBER, FLEET)
    tell(google, "sts", "provider", name=provider, body=trust.provider_body(AWS, ROLE))
    policy = trust.with_user({}, trust.member(NUMBER, FLEET, AWS, ROLE))
    tell(google, "iamcredentials", "policy", account=HOLDER, policy=policy)
    there = {"bucket_region": "us-east-1"}
    if scheme == "gs":
        there = {"bucket_region": "", "google_provider": provider, "google_account": HOLDER}
    setup = AwsSetup(fleet_id=FLEET, account=AWS, bucket=bucket, instance_profile=ROLE, made_at=0, **there)
    ends = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}": f"{google.url}/{api.lower()}" for api in ("STS", "IAMCREDENTIALS")}
    ends |= {"GOOGLE_BASE_URL": f"{google.url}/objects", "AWS_ENDPOINT_URL": aws.url}
    return Ground(machine, bucket, f"{scheme}://{bucket}/there", {**told_on_amazon(setup), **ends})


def tell(google: Any, name: str, verb: str, /, **words: Any) -> Any:
    """A word to the stand-in."""
    return google.router.control(name, verb, words)


FORGOTTEN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", *STRANGE)
"""What must not be in a machine's environment."""

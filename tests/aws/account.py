"""Setting an account up and tearing it down in this process, as the commands do, without waiting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleet.control.aws_setup import Prepared, Wish, carry_out, prepare
from fleet.control.aws_teardown import Doomed, carry_out_removal, check_removal, prepare_removal
from fleet.control.home import Home
from fleet.model.setup import AwsSetup
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.session import aws_client

ACCOUNT = "123456789012"
"""moto's."""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKcPIx2RxEMf9Nn1Bq0XlJ2O1oV0JZrFf4r2o5L5cJ1m"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBD2nDkEqfRdt2CaybLB8xNnCu8eEkQhXGQGlT1n8J7W"

HOME = "us-east-1"
BUCKET = f"fleet-{ACCOUNT}-{HOME}"


class Account:
    """One user's computer before one (moto) account."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.path.mkdir()
        self.ssh = folder / "ssh"
        self.ssh.mkdir()
        (self.ssh / "id_ed25519.pub").write_text(f"{KEY} me@here\n")
        self.slept: list[float] = []
        self.calls = Calls(sleep=self.slept.append)

    def prepare(self, *regions: str, **wish: Any) -> Prepared:
        return prepare(self.home, Wish(regions=tuple(regions), ssh=self.ssh, **wish), self.calls)

    def init(self, *regions: str, **wish: Any) -> Prepared:
        prepared = self.prepare(*regions, **wish)
        assert carry_out(self.home, prepared, lambda _: None)
        return prepared

    def doomed(self, *, delete_volumes: bool = False, delete_bucket: bool = False) -> Doomed:
        return prepare_removal(self.home, self.calls, None, delete_volumes=delete_volumes, delete_bucket=delete_bucket)

    def destroy(self, *, delete_volumes: bool = False, delete_bucket: bool = False) -> Doomed:
        doomed = self.doomed(delete_volumes=delete_volumes, delete_bucket=delete_bucket)
        check_removal(doomed, delete_bucket=delete_bucket)
        carry_out_removal(self.home, doomed, lambda _: None)
        return doomed

    @property
    def setup(self) -> AwsSetup:
        known = self.home.aws()
        assert known is not None
        bucket = known.bucket.removeprefix("s3://")
        body = aws_client("s3", "us-east-1").get_object(Bucket=bucket, Key="setup/aws.json")["Body"].read()
        return AwsSetup.model_validate_json(body)


def actions(prepared: Prepared) -> dict[str, str]:
    """What is done with each kind of thing."""
    return {f"{step.kind} {step.region}".strip(): step.action for step in prepared.steps}


def changed(prepared: Prepared) -> dict[str, Sequence[str]]:
    """The fields that are set of each kind of thing that is not left."""
    return {step.kind: step.differs for step in prepared.steps if step.action != "leave"}


def group_of(name: str, region: str = HOME) -> dict[str, Any]:
    filters = [{"Name": "group-name", "Values": [name]}]
    (found,) = aws_client("ec2", region).describe_security_groups(Filters=filters)["SecurityGroups"]
    return dict(found)


def template_of(setup: AwsSetup, region: str = HOME, version: str = "$Default") -> dict[str, Any]:
    identity = setup.regions[region].launch_template
    answer = aws_client("ec2", region).describe_launch_template_versions(LaunchTemplateId=identity, Versions=[version])
    return dict(answer["LaunchTemplateVersions"][0])

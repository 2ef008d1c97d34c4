"""What ``fleet init aws`` wants in an account, and what follows from what is there: a pure function.

``making.py`` does the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers.aws.google_way import GoogleWay, Trusted
from fleet.providers.aws.names import TAG, own_name
from fleet.providers.aws.network import Network
from fleet.providers.aws.policies import instance_policy, trust_policy
from fleet.providers.keys import PublicKey
from fleet.providers.wanted import Found, Place, Step, Thing, step_of

UNFINISHED_DAYS = 1
"""Uploads that nobody finished are charged for until they are aborted."""
LIFECYCLE_RULE = "fleet-unfinished-uploads"
SERVICES = ("spot.amazonaws.com", "ec2fleet.amazonaws.com")
"""Each needs a role of its own in the account. One that never used spot lacks them, and its first request is refused."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What the user asked for, and what follows from the account."""

    account: str
    partition: str
    fleet_id: str
    bucket: str
    bucket_region: str
    networks: Mapping[str, Network]
    """By region."""
    keys: Mapping[str, PublicKey | None]
    """By region: None means that nobody logs in there."""
    public_ip: bool = True
    google: GoogleWay | None = None
    """The bucket is on Cloud Storage: its way there; then ``bucket`` is its URL."""

    @property
    def name(self) -> str:
        """Of role, profile, groups, keys and templates."""
        return own_name(self.fleet_id)

    @property
    def url(self) -> str:
        """The bucket's."""
        return self.bucket if self.google is not None else f"s3://{self.bucket}"

    @property
    def policy(self) -> dict[str, Any]:
        """What machines may do in the account: to a bucket elsewhere Google lets them."""
        bucket = None if self.google is not None else self.bucket
        return instance_policy(bucket, account=self.account, partition=self.partition)

    @property
    def trusted(self) -> Trusted | None:
        """The machines' role, as Google is to trust it; None: the bucket is on S3."""
        if self.google is None:
            return None
        return Trusted(self.google, self.fleet_id, self.account, self.name, self.partition)

    def template_data(self, region: str, group: str) -> dict[str, Any]:
        """What every machine of a region is launched with. The root disk is not in it: its device is the image's to name,
        and a name that is not the image's would make a second, blank disk."""
        network = self.networks[region]
        data: dict[str, Any] = {
            "IamInstanceProfile": {"Name": self.name},
            "InstanceInitiatedShutdownBehavior": "terminate",
            # One hop: what runs in a container on the machine has no way to the machine's credentials.
            "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": [{"Key": TAG, "Value": self.fleet_id}]} for kind in ("instance", "volume")
            ],
        }
        if self.keys[region] is not None:
            data["KeyName"] = self.name
        if network.subnets:
            data["NetworkInterfaces"] = [
                {
                    "DeviceIndex": 0,
                    "AssociatePublicIpAddress": self.public_ip,
                    "Groups": [group],
                    "DeleteOnTermination": True,
                }
            ]
        else:
            data["SecurityGroupIds"] = [group]
        return data

    def wanted(self, groups: Mapping[str, str]) -> list[Thing]:
        """Everything, in the order of making. ``groups``: the ids of the security groups that are there, by region."""
        tag, name = {"tag": self.fleet_id}, self.name
        trusted, told = self.trusted, "journal, checkpoints, logs and models"
        things = [
            *([Thing("bucket", self.bucket_region, self.bucket, told, {**BUCKET, **tag})] if trusted is None else []),
            Thing("fleet", "", self.fleet_id, "the fleet in it: fleet.json", {}),
            *(Thing("service role", "", one, "AWS's own: without it EC2 refuses spot", {}) for one in SERVICES),
            Thing(
                "role",
                "",
                name,
                "what machines may do in the bucket" if trusted is None else "who machines are, and their secrets",
                {"trust": trust_policy(), "policy": self.policy, **tag},
            ),
            Thing("profile", "", name, "hands the role to machines", {"role": name, **tag}),
            *(trusted.wanted() if trusted is not None else []),
        ]
        for region, network in self.networks.items():
            group, key = groups.get(region, ""), self.keys[region]
            things.append(Thing("security group", region, name, f"no inbound port, in {network.vpc}", {**GROUP, **tag}))
            if key is not None:
                things.append(Thing("key", region, name, f"you log in with {key.told}", {"key": key.text, **tag}))
            data = self.template_data(region, group)
            things.append(Thing("launch template", region, name, "what every machine has", {"data": data, **tag}))
        things.append(Thing("record", "", "setup/aws.json", "all of this, for every controller", self.record(groups, {})))
        return things

    def record(self, groups: Mapping[str, str], templates: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
        """The document of the set-up, as far as it is known before it is written; ``templates``: id and version."""
        regions = {
            region: AwsRegion(
                region=region,
                security_group=groups.get(region, ""),
                subnets=dict(network.subnets),
                launch_template=templates.get(region, ("", ""))[0],
                template_version=templates.get(region, ("", ""))[1],
                key_name=self.name if self.keys[region] is not None else None,
            ).model_dump(mode="json")
            for region, network in self.networks.items()
        }
        return {
            "fleet_id": self.fleet_id,
            "account": self.account,
            "partition": self.partition,
            "bucket": self.bucket,
            "bucket_region": self.bucket_region,
            "instance_profile": self.name,
            "google_provider": self.google.provider(self.fleet_id) if self.google is not None else "",
            "google_account": self.google.service_account if self.google is not None else "",
            "regions": regions,
            "public_ip": self.public_ip,
        }


BUCKET: Mapping[str, Any] = {
    "public access": "blocked",
    "encryption": "on",
    "unfinished uploads": f"aborted after {UNFINISHED_DAYS} day",
}
GROUP: Mapping[str, Any] = {"inbound": "none", "outbound": "open"}


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found."""

    things: Mapping[Place, Found] = field(default_factory=dict)
    setup: AwsSetup | None = None

    def ids(self, kind: str) -> dict[str, str]:
        """Of one kind, by region."""
        return {region: found.id for (one, region, _), found in self.things.items() if one == kind}


def plan(blueprint: Blueprint, survey: Survey) -> list[Step]:
    """Every thing with what is to be done about it, in the order of doing. All ``leave``: there is nothing to do."""
    groups = survey.ids("security group")
    steps: list[Step] = []
    for thing in blueprint.wanted(groups):
        if thing.kind == "record":
            steps.append(_record(thing, steps, blueprint, survey))
        else:
            steps.append(step_of(thing, survey.things.get((thing.kind, thing.region, thing.name))))
    return steps


def _record(thing: Thing, before: Sequence[Step], blueprint: Blueprint, survey: Survey) -> Step:
    """Written last: with it the set-up is whole. It holds ids: written again whenever one of them will be another."""
    if survey.setup is None:
        return Step("make", thing.kind, "", thing.name, thing.why, tuple(thing.fields))
    now = survey.setup.model_dump(mode="json")
    templates = {
        region: (found.id, str(found.fields.get("version", "")))
        for (kind, region, _), found in survey.things.items()
        if kind == "launch template"
    }
    should = blueprint.record(survey.ids("security group"), templates)
    differs = tuple(name for name, value in should.items() if now.get(name) != value)
    changes = {"security group", "key", "launch template"}
    if any(step.kind in changes and step.action != "leave" for step in before) and "regions" not in differs:
        differs = (*differs, "regions")
    told = f"{', '.join(differs).replace('_', ' ')}: is another" if differs else thing.why
    return Step("mend" if differs else "leave", thing.kind, "", thing.name, told, differs)

"""What ``fleet init gcp`` wants in a project, and what follows from what is there: a pure function.

``making.py`` does the steps. Compute Engine's networks, subnets, rules and routers take no labels: they are known by their
names, which say the fleet's id.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.model.layout import GCP_SETUP
from fleet.model.setup import GcpRegion, GcpSetup
from fleet.providers.gcp.policies import SECRETS, Binding, machine_bindings, secret_binding
from fleet.providers.gcp.trust import role_arn, role_name
from fleet.providers.keys import PublicKey
from fleet.providers.wanted import Found, Place, Step, Thing, step_of

APIS = ("compute", "iam", "cloudresourcemanager", "cloudbilling", "storage", "secretmanager")
"""Interfaces that fleet asks; ``.googleapis.com`` follows."""
IAP_API = "iap"

UNFINISHED_DAYS = 1
"""Uploads that nobody finished are charged for until they are aborted."""
BUCKET: Mapping[str, Any] = {
    "access": "uniform",
    "public access": "prevented",
    "unfinished uploads": f"aborted after {UNFINISHED_DAYS} day",
    "deleted objects": "not kept",
}
"""Cloud Storage keeps what was deleted or replaced for seven days by default, and charges for it: a heartbeat is replaced
every few seconds (https://cloud.google.com/storage/docs/soft-delete)."""
SECRET_NAMES = f"{SECRETS}…"
AWS_ROLE: Mapping[str, Any] = {"trust": "the service account alone", "policy": "what machines may do", "tag": "this fleet"}
NETWORK: Mapping[str, Any] = {"subnets": "made one by one", "inbound": "none"}
SUBNET: Mapping[str, Any] = {"google": "reached without a public address"}
ROUTER: Mapping[str, Any] = {"nat": "all subnets"}
IAP_RANGE = "35.235.240.0/20"
"""Where Identity-Aware Proxy's TCP forwarding comes from (https://cloud.google.com/iap/docs/using-tcp-forwarding)."""
SUBNETS = ipaddress.ip_network("10.0.0.0/8")
SUBNET_BITS = 20
"""4,092 machines in a region, and room for 4,096 regions."""


def own_name(fleet_id: str) -> str:
    """Of the network, its subnets, the service account, routers and rules."""
    return f"fleet-{fleet_id[:8]}"


def bucket_name(project: str, region: str) -> str:
    """The bucket that is made if none is named: the same each time, so that a set-up that broke off finds it again."""
    return f"fleet-{project.replace(':', '-').replace('.', '-')}-{region}"


@dataclass(frozen=True, slots=True)
class AwsTrust:
    """Where the fleet's bucket is on S3: the account in which machines of this project take on a role, to reach it."""

    account: str
    partition: str
    bucket: str
    """Its name."""
    region: str
    profile: str | None = None
    """The AWS profile that the account is reached by."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What the user asked for, and what follows from the project."""

    project: str
    number: str
    fleet_id: str
    bucket: str
    """Its URL."""
    bucket_region: str
    regions: tuple[str, ...]
    key: PublicKey | None
    """None: nobody logs in."""
    public_ip: bool = True
    iap: bool = False
    trust: AwsTrust | None = None

    @property
    def name(self) -> str:
        """Of everything that is made."""
        return own_name(self.fleet_id)

    @property
    def service_account(self) -> str:
        """The address that machines act as. Old projects have a domain before their id, which comes after it here."""
        domain, _, project = self.project.rpartition(":")
        return f"{self.name}@{project}{f'.{domain}' if domain else ''}.iam.gserviceaccount.com"

    @property
    def bucket_name(self) -> str:
        """Without the scheme; empty: it is not on Cloud Storage."""
        return self.bucket.removeprefix("gs://") if self.bucket.startswith("gs://") else ""

    @property
    def apis(self) -> tuple[str, ...]:
        """The interfaces that are used."""
        return (*APIS, *((IAP_API,) if self.iap else ()))

    def bindings(self) -> list[Binding]:
        """What machines may do in the bucket."""
        return machine_bindings(self.bucket_name, self.service_account)

    def wanted(self) -> list[Thing]:
        """Everything, in the order of making."""
        name = self.name
        things = [
            Thing("apis", "", self.project, "interfaces that fleet asks", dict.fromkeys(self.apis, "on")),
            *self._of_bucket(),
            Thing("fleet", "", self.fleet_id, "the fleet in it: fleet.json", {}),
            Thing("service account", "", name, "who machines are", {"state": "on"}),
        ]
        if self.bucket_name:
            rights = {"machines": self.bindings()}
            things.append(Thing("rights", "", self.bucket_name, "what machines may do in the bucket", rights))
        secret = secret_binding(self.number, self.service_account)
        things.append(Thing("secrets", "", SECRET_NAMES, "which secrets machines read", {"machines": [secret]}))
        if self.trust is not None:
            told = f"in AWS: machines reach {self.bucket} by it, without any secret"
            things.append(Thing("aws role", "", role_name(self.fleet_id), told, AWS_ROLE))
        things.append(Thing("network", "", name, "its own, no port is open", NETWORK))
        if self.iap:
            things.append(Thing("rule", "", f"{name}-iap", "port 22, from Google's own proxy", {"from": IAP_RANGE}))
        for region in self.regions:
            things.append(Thing("subnet", region, name, "where machines are", SUBNET))
            if not self.public_ip:
                told = "machines' way out: $0.0014 an hour for each, $0.045 for each GB"
                things.append(Thing("router", region, name, told, ROUTER))
        return [*things, Thing("record", "", GCP_SETUP, "all of this, for every controller", {})]

    def _of_bucket(self) -> list[Thing]:
        if not self.bucket_name:
            return []
        fields = {**BUCKET, "label": self.fleet_id}
        return [Thing("bucket", self.bucket_region, self.bucket_name, "journal, checkpoints, logs and models", fields)]

    @property
    def aws_role(self) -> str:
        """The ARN of the role that machines take on; empty: the bucket is on Cloud Storage."""
        return role_arn(self.fleet_id, self.trust.account, self.trust.partition) if self.trust is not None else ""

    def record(self, zones: Mapping[str, Sequence[str]], unique_id: str) -> dict[str, Any]:
        """The document of the set-up; ``zones``: those that are up, by region; ``unique_id``: the service account's."""
        made = [GcpRegion(region=one, subnetwork=self.name, zones=tuple(zones.get(one, ()))) for one in self.regions]
        regions = {one.region: one.model_dump(mode="json") for one in made}
        return {
            "fleet_id": self.fleet_id,
            "project": self.project,
            "number": self.number,
            "bucket": self.bucket,
            "bucket_region": self.bucket_region.lower() if self.bucket_name else "",
            "network": self.name,
            "service_account": self.service_account,
            "service_account_id": unique_id,
            "aws_role": self.aws_role,
            "aws_region": self.trust.region if self.trust is not None else "",
            "regions": regions,
            "ssh_key": self.key.text if self.key is not None else None,
            "public_ip": self.public_ip,
            "iap": self.iap,
        }


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found."""

    things: Mapping[Place, Found] = field(default_factory=dict)
    zones: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Those that are up, by region; nothing as long as Compute Engine is not enabled."""
    setup: GcpSetup | None = None

    def id_of(self, kind: str) -> str:
        """Of the one thing of a kind; empty: it is not there."""
        return next((found.id for (one, _, _), found in self.things.items() if one == kind), "")


def plan(blueprint: Blueprint, survey: Survey) -> list[Step]:
    """Every thing with what is to be done about it, in the order of doing. All ``leave``: there is nothing to do."""
    steps: list[Step] = []
    for thing in blueprint.wanted():
        if thing.kind == "record":
            steps.append(_record(thing, steps, blueprint, survey))
        else:
            steps.append(step_of(thing, survey.things.get((thing.kind, thing.region, thing.name))))
    return steps


def _record(thing: Thing, before: Sequence[Step], blueprint: Blueprint, survey: Survey) -> Step:
    """Written last: with it the set-up is whole."""
    if survey.setup is None:
        return Step("make", thing.kind, "", thing.name, thing.why, ())
    now = survey.setup.model_dump(mode="json")
    should = blueprint.record(survey.zones, survey.id_of("service account"))
    differs = tuple(name for name, value in should.items() if now.get(name) != value)
    if any(step.kind == "service account" and step.action == "make" for step in before):
        differs = tuple(dict.fromkeys((*differs, "service_account_id")))
    told = f"{', '.join(differs).replace('_', ' ')}: is another" if differs else thing.why
    return Step("mend" if differs else "leave", thing.kind, "", thing.name, told, differs)


def free_range(taken: Iterable[str]) -> str:
    """The first range of addresses that no subnet of the network has."""
    used = [ipaddress.ip_network(one) for one in taken]
    for one in SUBNETS.subnets(new_prefix=SUBNET_BITS):
        if not any(one.overlaps(other) for other in used):
            return str(one)
    raise ValueError("the network has no room for another subnet")

"""The effects of a set-up: looking at everything, and doing one step after the other.

What is to be done is decided in ``setup.py``. Every effect here may be done again, and one that broke off anywhere is
completed by the next run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.model.setup import GcpSetup
from fleet.providers.gcp import setup_network as network
from fleet.providers.gcp import setup_rights as rights
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.names import last
from fleet.providers.gcp.policies import secret_binding
from fleet.providers.gcp.setup import SECRET_NAMES, Blueprint, Survey
from fleet.providers.gcp.setup_bucket import create_bucket, look_at_bucket, mend_bucket
from fleet.providers.gcp.trust import role_name
from fleet.providers.wanted import Found, Place, Step

AT_ONCE = 20
"""Interfaces that are enabled in one call."""


def look_at_apis(calls: Calls, names: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Which interfaces are enabled (``{"compute": "on"}``), and the project's number, which the answer tells too."""
    query = {"names": [f"projects/{calls.project}/services/{service_of(one)}" for one in names]}
    found = calls("serviceusage", "GET", f"/v1/projects/{calls.project}/services:batchGet", query=query).get("services", ())
    states = {last(str(one["name"])).partition(".")[0]: "on" if one.get("state") == "ENABLED" else "off" for one in found}
    return states, next((last(str(one["parent"])) for one in found if one.get("parent")), "")


def service_of(api: str) -> str:
    """As Service Usage calls an interface."""
    return f"{api}.googleapis.com"


def survey(calls: Calls, plan: Blueprint, apis: Mapping[str, Any], *, fleet: bool, setup: GcpSetup | None) -> Survey:
    """Everything that is there. ``fleet``: whether fleet.json is in the bucket; ``setup``: the document that was found."""
    name, email = plan.name, plan.service_account
    things: dict[Place, Found | None] = {("apis", "", plan.project): Found(plan.project, apis)}
    things["fleet", "", plan.fleet_id] = Found(plan.fleet_id, {}) if fleet else None
    things["service account", "", name] = rights.look_at_account(calls, email)
    if plan.bucket_name:
        bucket = look_at_bucket(calls, plan.bucket_name, plan.number)
        things["bucket", plan.bucket_region, plan.bucket_name] = bucket[0] if bucket else None
        policy = rights.bucket_policy(calls, plan.bucket_name) if bucket else None
        things["rights", "", plan.bucket_name] = rights.look_at_bindings(policy, email)
    things["secrets", "", SECRET_NAMES] = rights.look_at_bindings(rights.project_policy(calls), email)
    zones: dict[str, tuple[str, ...]] = {}
    if apis.get("compute") == "on":
        things["network", "", name] = network.look_at_network(calls, name)
        things["rule", "", f"{name}-iap"] = network.look_at_rule(calls, f"{name}-iap") if plan.iap else None
        for region in plan.regions:
            subnet = network.look_at_subnet(calls, region, name)
            things["subnet", region, name] = subnet[0] if subnet else None
            things["router", region, name] = None if plan.public_ip else network.look_at_router(calls, region, name)
            zones[region] = network.zones_of(calls, region)
    if plan.trust is not None:
        from fleet.providers.gcp.setup_aws import look_at_trust

        account = things["service account", "", name]
        things["aws role", "", role_name(plan.fleet_id)] = look_at_trust(plan, account.id if account else "")
    return Survey({place: found for place, found in things.items() if found is not None}, zones, setup)


@dataclass
class Maker:
    """Does the steps of a plan that are about the project; those about what lies in the bucket are the caller's."""

    calls: Calls
    plan: Blueprint
    unique_id: str = ""
    """The service account's, once it is known."""
    zones: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, calls: Calls, plan: Blueprint, survey: Survey) -> Maker:
        """With what was found."""
        zones = {region: tuple(found) for region, found in survey.zones.items()}
        return cls(calls, plan, survey.id_of("service account"), zones)

    def do(self, step: Step) -> None:
        """Make or mend one thing. Raises ProviderError, FleetError."""
        plan, calls, new = self.plan, self.calls, step.action == "make"
        match step.kind:
            case "apis":
                enable(calls, step.differs)
            case "bucket":
                if new:
                    create_bucket(calls, plan.bucket_name, plan.bucket_region, plan.fleet_id)
                else:
                    mend_bucket(calls, plan.bucket_name, plan.fleet_id, step.differs)
            case "service account":
                if new:
                    self.unique_id = rights.create_account(calls, plan)
                else:
                    rights.enable_account(calls, plan.service_account)
            case "rights":
                rights.set_in_bucket(calls, plan.bucket_name, plan.service_account, plan.bindings())
            case "secrets":
                binding = secret_binding(plan.number, plan.service_account)
                rights.set_in_project(calls, plan.service_account, [binding])
            case "aws role":
                from fleet.providers.gcp.setup_aws import make_trust

                make_trust(plan, self.unique_id, step.differs)
            case _:
                self._in_network(step)

    def _in_network(self, step: Step) -> None:
        plan, calls, region, new = self.plan, self.calls, step.region, step.action == "make"
        match step.kind:
            case "network":
                network.create_network(calls, plan) if new else network.mend_network(calls, plan, step.differs)
            case "rule":
                network.create_rule(calls, plan) if new else network.mend_rule(calls, plan)
            case "subnet":
                network.create_subnet(calls, plan, region) if new else network.mend_subnet(calls, plan, region)
            case "router":
                network.create_router(calls, plan, region) if new else network.mend_router(calls, plan, region)

    def record(self) -> dict[str, Any]:
        """What the set-up is, now that everything is there."""
        for region in self.plan.regions:
            if not self.zones.get(region):
                self.zones[region] = network.zones_of(self.calls, region)
        return self.plan.record(self.zones, self.unique_id)


def enable(calls: Calls, names: tuple[str, ...]) -> None:
    """Enable interfaces, and wait until they are."""
    path = f"/v1/projects/{calls.project}/services:batchEnable"
    for start in range(0, len(names), AT_ONCE):
        operation = calls(
            "serviceusage", "POST", path, {"serviceIds": [service_of(one) for one in names[start : start + AT_ONCE]]}
        )
        calls.finish("serviceusage", operation)

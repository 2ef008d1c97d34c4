"""The effects of a set-up: looking at everything, and doing one step after the other.

What is to be done is decided in ``setup.py``. Every effect here may be done again, and one that broke off anywhere is
completed by the next run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.model.setup import AwsSetup
from fleet.providers.aws import google_way
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.setup import SERVICES, Blueprint, Survey
from fleet.providers.aws.setup_bucket import create_bucket, look_at_bucket, mend_bucket
from fleet.providers.aws.setup_region import (
    create_group,
    ensure_template,
    import_key,
    look_at_group,
    look_at_key,
    look_at_template,
    mend_group,
)
from fleet.providers.aws.setup_role import (
    create_profile,
    create_role,
    look_at_profile,
    look_at_role,
    look_at_service_role,
    make_service_role,
    mend_profile,
    mend_role,
    wait_until_seen,
)
from fleet.providers.wanted import Found, Place, Step


def survey(calls: Calls, plan: Blueprint, *, fleet: bool, setup: AwsSetup | None) -> Survey:
    """Everything that is there. ``fleet``: whether fleet.json is in the bucket; ``setup``: the document that was found."""
    home, name = plan.bucket_region, plan.name
    things: dict[Place, Found | None] = {}
    if plan.trusted is None:
        bucket = look_at_bucket(calls, plan.bucket, plan.account, home)
        things["bucket", home, plan.bucket] = bucket[0] if bucket else None
    else:
        seen = google_way.look(plan.trusted)
        things |= {(one.kind, "", one.name): seen[one.kind] for one in plan.trusted.wanted()}
    things["fleet", "", plan.fleet_id] = Found(plan.fleet_id, {}) if fleet else None
    for one in SERVICES:
        things["service role", "", one] = look_at_service_role(calls, home, one)
    things["role", "", name] = look_at_role(calls, home, name)
    things["profile", "", name] = look_at_profile(calls, home, name)
    for region, network in plan.networks.items():
        things["security group", region, name] = look_at_group(calls, region, name, network.vpc)
        things["key", region, name] = look_at_key(calls, region, name)
        things["launch template", region, name] = look_at_template(calls, region, name)
    return Survey({place: found for place, found in things.items() if found is not None}, setup)


@dataclass
class Maker:
    """Does the steps of a plan that are about the account; those about what lies in the bucket are the caller's."""

    calls: Calls
    plan: Blueprint
    groups: dict[str, str]
    """Ids by region: those that were found, and those that are made."""
    templates: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id and default version by region."""

    @classmethod
    def of(cls, calls: Calls, plan: Blueprint, survey: Survey) -> Maker:
        """With what was found."""
        versions: Mapping[Place, Found] = {p: f for p, f in survey.things.items() if p[0] == "launch template"}
        templates = {region: (found.id, str(found.fields["version"])) for (_, region, _), found in versions.items()}
        return cls(calls, plan, survey.ids("security group"), templates)

    def do(self, step: Step) -> None:
        """Make or mend one thing. Raises ProviderError, FleetError."""
        plan, calls, home, new = self.plan, self.calls, self.plan.bucket_region, step.action == "make"
        match step.kind:
            case "bucket":
                if new:
                    create_bucket(calls, plan.bucket, home)
                mend_bucket(calls, plan.bucket, plan.account, home, plan.fleet_id, step.differs)
            case "service role":
                make_service_role(calls, home, step.name)
            case "role":
                if new:
                    create_role(calls, home, plan)
                mend_role(calls, home, plan, _rest(step), plan.policy)
            case "profile":
                if new:
                    create_profile(calls, home, plan)
                mend_profile(calls, home, plan, _rest(step))
            case kind if kind in google_way.KINDS:
                assert plan.trusted is not None
                google_way.make(plan.trusted, kind, step.differs)
            case _:
                self._in_region(step)

    def _in_region(self, step: Step) -> None:
        plan, calls, region = self.plan, self.calls, step.region
        match step.kind:
            case "security group":
                if step.action == "make":
                    self.groups[region] = create_group(calls, region, plan)
                mend_group(calls, region, plan, self.groups[region], _rest(step))
            case "key":
                key = plan.keys[region]
                assert key is not None
                import_key(calls, region, plan, key, replace=step.action == "mend")
            case "launch template":
                data = plan.template_data(region, self.groups[region])
                self.templates[region] = ensure_template(calls, region, plan, data)

    def settle(self, steps: list[Step]) -> bool:
        """Wait until EC2 knows the profile, unless it was whole before. False: a minute was not enough."""
        if not any(step.kind in ("profile", "record") and step.action == "make" for step in steps):
            return True
        return wait_until_seen(self.calls, next(iter(self.plan.networks)), self.plan.name)


def _rest(step: Step) -> tuple[str, ...]:
    """The fields that are still to be set: what is made has its tag, and a role its trust, from the call that makes it."""
    return tuple(name for name in step.differs if step.action == "mend" or name not in ("tag", "trust"))

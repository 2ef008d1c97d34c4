"""What a project must allow and hold before a run is trusted to it, looked at one by one: ``fleet doctor gcp``.

Whether it may have a GPU at all comes first, since nothing else helps where it may not. Nothing is changed, nothing
launched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from fleet.core.allowed import alternatives
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.job import Job, Resources
from fleet.model.setup import GcpSetup
from fleet.providers.gcp import session
from fleet.providers.gcp.billing_info import billing_of
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.making import look_at_apis, service_of
from fleet.providers.gcp.policies import CONTROLLER
from fleet.providers.gcp.setup import APIS, IAP_API, AwsTrust
from fleet.providers.looked import SECONDS, Check, Checked, State, asked, judge_clock

AGAIN = "fleet init gcp"
POLICY = "`fleet policy gcp` prints what the controller must be allowed to do."
AT_ONCE = 100
"""Permissions that may be asked about in one call."""


@dataclass
class Look:
    """What is looked at: a project, as a fleet is set up in it, for a job."""

    calls: Calls
    setup: GcpSetup | None
    job: Job | None = None
    trust: AwsTrust | None = None
    """Whose bucket it is, if it is on S3."""
    unread: str = ""
    """Why the set-up is not known, if it could not be read."""
    apis: dict[str, object] = field(default_factory=dict)
    """Which interfaces are enabled, once that was asked."""

    @property
    def wishes(self) -> list[Resources]:
        """The job's alternatives that Google Cloud may serve."""
        ways = alternatives(self.job.resources) if self.job is not None else ()
        return [one for one in ways if one.infra.partition("/")[0] == "gcp"]

    @property
    def regions(self) -> list[str]:
        """Those that the job names, else those of the set-up."""
        known = sorted(self.setup.regions) if self.setup is not None else []
        named = {one.infra.split("/")[1] for one in self.wishes if "/" in one.infra}
        everywhere = not self.wishes or any("/" not in one.infra for one in self.wishes)
        return sorted(named | (set(known) if everywhere else set()))

    @property
    def needs_gpu(self) -> bool:
        """Whether one of the job's alternatives has a GPU; True if there is no job."""
        from fleet.providers.gcp.checks_machines import gpu_in

        asked = [one.accelerators is not None or any(map(gpu_in, one.instance_type)) for one in self.wishes]
        return self.job is None or any(asked)


def look_at(look: Look, more: Sequence[tuple[str, Check]] = (), seconds: float | None = None) -> Iterator[Checked]:
    """Everything, then ``more``: who is asking first, since nothing else can be asked without an answer to that."""
    from fleet.providers.gcp import checks_bucket, checks_machines, checks_network

    seconds = seconds or SECONDS
    first = list(asked([("login", lambda: login(look))], seconds))
    yield from first
    if not look.apis:
        yield Checked("others", "note", "nothing else can be looked at without a login that may look at the project")
        return
    yield from asked([("gpus", lambda: checks_machines.gpus_everywhere(look))], seconds)
    yield set_up(look)
    checks: list[tuple[str, Check]] = [
        ("billing", lambda: [billing(look)]),
        ("interfaces", lambda: [interfaces(look)]),
        ("permission", lambda: permissions(look)),
    ]
    checks += checks_machines.of(look)
    checks += checks_network.of(look)
    checks += checks_bucket.of(look)
    yield from asked(checks, seconds)
    yield from asked(more, seconds)


def login(look: Look) -> list[Checked]:
    """Who asks, which project, and what time it is there."""
    who = str(getattr(session.credentials(), "service_account_email", "") or "you")
    names = (*APIS, IAP_API)
    try:
        states, number = look_at_apis(look.calls, names)
    except ProviderError as error:
        if error.error_class is ErrorClass.CREDENTIALS:
            return [Checked("login", "bad", error.message, error.hint or f"Log in: {session.LOGIN}")]
        raise
    look.apis.update(states)
    found = [Checked("login", "good", f"project {look.calls.project} ({number}) as {who}")]
    headers = look.calls.once("serviceusage", "GET", f"/v1/projects/{look.calls.project}/services/{service_of(APIS[0])}")[1]
    return [*found, *clock(headers)]


def clock(headers: Mapping[str, str]) -> list[Checked]:
    """By the Date of an answer; none: nothing can be said."""
    date = headers.get("date")
    return [judge_clock(time.time() - parsedate_to_datetime(date).timestamp(), "Google's")] if date else []


def set_up(look: Look) -> Checked:
    """Whether this project is the one that the fleet was set up in, and the job's regions are among its own."""
    setup = look.setup
    if setup is None and look.unread:
        return Checked("set-up", "note", f"cannot be told: {look.unread}")
    if setup is None:
        return Checked("set-up", "bad", "there is none in a bucket that is known here", AGAIN)
    missing = [region for region in look.regions if region not in setup.regions]
    if missing:
        told = f"nothing was made in {', '.join(missing)}, which the job names"
        return Checked("set-up", "bad", told, f"{AGAIN} {' '.join(f'--region {one}' for one in missing)}")
    return Checked("set-up", "good", f"fleet {setup.fleet_id} in {', '.join(sorted(setup.regions))}, bucket {setup.bucket}")


def billing(look: Look) -> Checked:
    """Whether it is paid for."""
    found = billing_of(look.calls)
    state: State = "note" if found.enabled is None else "good" if found.enabled else "bad"
    return Checked("billing", state, found.told, found.remedy)


def interfaces(look: Look) -> Checked:
    """Whether everything that fleet asks is enabled."""
    wanted = [*APIS, *([IAP_API] if look.setup is not None and look.setup.iap else [])]
    off = [one for one in wanted if look.apis.get(one) != "on"]
    if off:
        remedy = f"{AGAIN}, or: gcloud services enable {' '.join(map(service_of, off))}"
        return Checked("interfaces", "bad", f"not enabled: {', '.join(off)}", remedy)
    return Checked("interfaces", "good", f"enabled: {', '.join(wanted)}")


NEEDLESS = ("iap.tunnelInstances.accessViaIAP", "resourcemanager.projects.get", "compute.addresses.list")
"""Without these fleet works, and something less well."""


def permissions(look: Look) -> list[Checked]:
    """What the login may do in the project, asked of IAM itself; and whether it may let machines act as what they are."""
    wanted = [one for one in CONTROLLER if look.setup is None or look.setup.iap or not one.startswith("iap.")]
    path = f"/v3/projects/{look.calls.project}:testIamPermissions"
    has: set[str] = set()
    for start in range(0, len(wanted), AT_ONCE):
        body = {"permissions": wanted[start : start + AT_ONCE]}
        has.update(look.calls("cloudresourcemanager", "POST", path, body).get("permissions", ()))
    found = judge_permissions(wanted, has)
    if look.setup is not None:
        found.append(_acting(look, look.setup.service_account))
    return found


def judge_permissions(wanted: Sequence[str], has: set[str]) -> list[Checked]:
    """Those that are there in one line, each that is not in one of its own.

    A right that holds only for what is called ``fleet-…`` is not told of the project: where the policy that fleet prints is
    what somebody has, all of ``compute.instances``, ``disks`` and ``firewalls`` that changes something may be missing here.
    """
    missing = [one for one in wanted if one not in has]
    conditional = [one for one in missing if _changes_own(one)]
    found = []
    if len(missing) < len(wanted):
        found.append(Checked("permission", "good", f"{len(wanted) - len(missing)} of {len(wanted)} that fleet uses"))
    for one in (each for each in missing if each not in conditional):
        state: State = "note" if one in NEEDLESS else "bad"
        found.append(Checked("permission", state, f"{one} is denied", POLICY))
    if conditional:
        told = f"cannot be told of {', '.join(conditional)}: given only for what is called fleet-…, or not at all"
        found.append(Checked("permission", "note", told, POLICY))
    return found


def _changes_own(permission: str) -> bool:
    """Whether it is about single machines, disks or rules, for which the role has a condition."""
    kind, verb = permission.split(".")[1:3]
    return kind in ("instances", "disks", "firewalls") and verb != "list"


def _acting(look: Look, account: str) -> Checked:
    """A machine acts as the service account only if whoever launches it may."""
    path = f"/v1/projects/{look.calls.project}/serviceAccounts/{account}:testIamPermissions"
    right = "iam.serviceAccounts.actAs"
    has = look.calls("iam", "POST", path, {"permissions": [right]}).get("permissions", ())
    if right in has:
        return Checked("permission", "good", f"machines may be launched as {account}")
    return Checked("permission", "bad", f"{right} is denied on {account}: no machine can be launched", POLICY)

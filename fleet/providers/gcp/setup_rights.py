"""Whom machines are, and what they may do: the service account, and its bindings in the bucket's and the project's policy.

A policy is read, changed and written whole, with the etag that it was read with: who writes in between wins, and this is
done again. Bindings of others stay as they are; those of fleet's own member are all fleet's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fleet.model.errors import FleetError, ProviderError
from fleet.providers.gcp.calling import OFF, Calls, Json
from fleet.providers.gcp.errors import EXISTS
from fleet.providers.gcp.policies import Binding, member_of, order_of
from fleet.providers.gcp.setup import Blueprint
from fleet.providers.gcp.setup_bucket import BUCKETS
from fleet.providers.wanted import Found

CHANGED = ("conditionNotMet", "ABORTED", "aborted", "conflict")
"""Somebody else wrote the policy since it was read."""
TIMES = 8
UNKNOWN_MEMBER = ("INVALID_ARGUMENT", "invalid", "badRequest", "FAILED_PRECONDITION")
"""What a policy says of a service account that was made a moment ago, and is not known everywhere yet."""
WAIT = 3.0


def accounts(calls: Calls) -> str:
    """The path of the project's service accounts."""
    return f"/v1/projects/{calls.project}/serviceAccounts"


def look_at_account(calls: Calls, email: str) -> Found | None:
    """The machines' service account, under its unique number; None if there is none."""
    found = calls.look("iam", f"{accounts(calls)}/{email}")
    if found is None:
        return None
    return Found(str(found.get("uniqueId", "")), {"state": "off" if found.get("disabled") else "on"})


def create_account(calls: Calls, plan: Blueprint) -> str:
    """Make it, where it is not there: its unique number."""
    account = {"displayName": f"Machines of the fleet {plan.fleet_id}", "description": "Made by fleet init gcp"}
    body = {"accountId": plan.name, "serviceAccount": account}
    calls.unless(EXISTS, "iam", "POST", accounts(calls), body, unseen=OFF)
    found = calls("iam", "GET", f"{accounts(calls)}/{plan.service_account}", unseen=("notFound", "NOT_FOUND"))
    return str(found.get("uniqueId", ""))


def enable_account(calls: Calls, email: str) -> None:
    """Let machines be it again."""
    calls("iam", "POST", f"{accounts(calls)}/{email}:enable", {})


def bucket_policy(calls: Calls, bucket: str) -> Json | None:
    """Who may do what in the bucket; None: there is no bucket."""
    return calls.look("storage", f"{BUCKETS}/{bucket}/iam", query={"optionsRequestedPolicyVersion": 3})


def project_policy(calls: Calls) -> Json | None:
    """Who may do what in the project; None: its interface is not enabled."""
    body = {"options": {"requestedPolicyVersion": 3}}
    return calls.unless(OFF, "cloudresourcemanager", "POST", f"/v3/projects/{calls.project}:getIamPolicy", body)


def look_at_bindings(policy: Json | None, email: str) -> Found | None:
    """What a policy gives to the machines; None: nothing, or there is none."""
    found = bindings_of(policy or {}, email)
    return Found(email, {"machines": found}) if found else None


def bindings_of(policy: Json, email: str) -> list[Binding]:
    """Those of one member, as fleet writes them, in their order."""
    member, found = member_of(email), []
    for one in policy.get("bindings", ()):
        if member in one.get("members", ()):
            binding: dict[str, Any] = {"role": one["role"], "members": [member]}
            if one.get("condition"):
                binding["condition"] = {key: one["condition"].get(key, "") for key in ("title", "expression")}
            found.append(binding)
    return sorted(found, key=order_of)


def with_bindings(policy: Json, email: str, wanted: Iterable[Binding]) -> Json:
    """The policy, in which the member has these bindings and no others."""
    member, kept = member_of(email), []
    for one in policy.get("bindings", ()):
        members = [other for other in one.get("members", ()) if not _is(other, member)]
        if members:
            kept.append({**one, "members": members})
    return {**policy, "version": 3, "bindings": [*kept, *wanted]}


def _is(other: str, member: str) -> bool:
    """Also a member of the same name that was deleted: ``deleted:serviceAccount:…?uid=…``."""
    return other == member or other.startswith(f"deleted:{member}?uid=")


def set_in_bucket(calls: Calls, bucket: str, email: str, wanted: Sequence[Binding]) -> None:
    """Give the machines these rights in the bucket, and no others."""

    def write(policy: Json) -> None:
        calls("storage", "PUT", f"{BUCKETS}/{bucket}/iam", policy)

    _replace(calls, lambda: bucket_policy(calls, bucket), write, email, wanted)


def set_in_project(calls: Calls, email: str, wanted: Sequence[Binding]) -> None:
    """Give the machines these rights in the project, and no others."""

    def write(policy: Json) -> None:
        calls("cloudresourcemanager", "POST", f"/v3/projects/{calls.project}:setIamPolicy", {"policy": policy})

    _replace(calls, lambda: project_policy(calls), write, email, wanted)


def _replace(
    calls: Calls, read: Callable[[], Json | None], write: Callable[[Json], None], email: str, wanted: Sequence[Binding]
) -> None:
    for _ in range(TIMES):
        policy = read()
        if policy is None:
            if not wanted:
                return None
            raise FleetError("the policy cannot be read yet: its interface was enabled a moment ago", "Run it again.")
        if bindings_of(policy, email) == sorted(wanted, key=order_of):
            return None
        try:
            return write(with_bindings(policy, email, wanted))
        except ProviderError as error:
            unknown = bool(wanted) and error.code in UNKNOWN_MEMBER and "exist" in error.message
            if error.code not in CHANGED and not unknown:
                raise
            if unknown:
                calls.sleep(WAIT)
    raise FleetError("somebody else changes the same policy all the time", "Run it again.")

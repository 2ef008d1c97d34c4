"""The way of EC2's machines into a bucket on Cloud Storage: what Google is told of their role. No key is made anywhere.

The documents are those of ``fleet/providers/gcp/trust.py``; here they are compared with what is there, made and removed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from fleet.providers.gcp import trust
from fleet.providers.gcp.calling import OFF, Calls, Json
from fleet.providers.gcp.errors import EXISTS, NOT_FOUND
from fleet.providers.gcp.making import enable, look_at_apis
from fleet.providers.looked import Checked
from fleet.providers.wanted import Found, Thing, step_of

POOL = {"state": "on", "provider": "right"}
TRUST = {"member": "there"}
KINDS = ("google interfaces", "google pool", "google trust")
"""What is made in the project, in this order."""
REMOVED = KINDS[1:]
"""What a teardown takes back: interfaces stay enabled, since others may use them."""
UNSEEN = (*OFF, *NOT_FOUND)
"""What a pool that was made a moment ago may be said to be."""
BODY = ("aws", "attributeMapping", "attributeCondition")
"""What of a provider must be right."""


@dataclass(frozen=True, slots=True)
class GoogleWay:
    """Where a fleet's bucket is on Cloud Storage, and whom its machines are there."""

    project: str
    number: str
    service_account: str

    def provider(self, fleet_id: str) -> str:
        """What ``AwsSetup.google_provider`` holds."""
        return trust.provider_name(self.number, fleet_id)


@dataclass(frozen=True, slots=True)
class Trusted:
    """One role, and the project that is to trust it."""

    way: GoogleWay
    fleet_id: str
    account: str
    role: str
    partition: str = "aws"

    @property
    def pool(self) -> str:
        """Its path."""
        return f"/v1/{trust.pool_name(self.way.number, self.fleet_id)}"

    @property
    def provider(self) -> str:
        """Its path."""
        return f"/v1/{self.way.provider(self.fleet_id)}"

    @property
    def body(self) -> dict[str, Any]:
        """What the provider must be."""
        return trust.provider_body(self.account, self.role, self.partition)

    @property
    def member(self) -> str:
        """As a policy names the role."""
        return trust.member(self.way.number, self.fleet_id, self.account, self.role, self.partition)

    @property
    def person(self) -> str:
        """The service account's path."""
        return f"/v1/projects/{self.way.project}/serviceAccounts/{self.way.service_account}"

    def wanted(self) -> list[Thing]:
        """In the order of making."""
        told = f"in the project {self.way.project}: machines of EC2 reach the bucket by it, without any secret"
        return [
            Thing(KINDS[0], "", self.way.project, "that this trust needs", dict.fromkeys(trust.APIS, "on")),
            Thing(KINDS[1], "", trust.pool_id(self.fleet_id), told, POOL),
            Thing(KINDS[2], "", self.way.service_account, "who machines of EC2 are there", TRUST),
        ]


def look(of: Trusted, calls: Calls | None = None) -> dict[str, Found | None]:
    """What is there, by kind."""
    calls = calls or Calls(of.way.project)
    states, _ = look_at_apis(calls, trust.APIS)
    pool, provider = calls.look("iam", of.pool), calls.look("iam", of.provider)
    policy = _policy(calls, of)
    there = of.member in trust.users_of(policy)
    return {
        KINDS[0]: Found(of.way.project, states),
        KINDS[1]: None if pool is None else Found(pool["name"], {"state": _state(pool), "provider": _judged(of, provider)}),
        KINDS[2]: Found(of.way.service_account, TRUST) if there else None,
    }


def _state(pool: Json) -> str:
    return "on" if pool.get("state", "ACTIVE") == "ACTIVE" and not pool.get("disabled") else "off"


def _judged(of: Trusted, provider: Json | None) -> str:
    if provider is None or _state(provider) == "off":
        return "none"
    return "right" if all(provider.get(name) == of.body[name] for name in BODY) else "another"


def judge(of: Trusted, calls: Calls | None = None) -> Checked:
    """Whether machines of EC2 get into the bucket, as far as Google's trust is concerned."""
    found = look(of, calls)
    wrong = [one.name for one in of.wanted() if step_of(one, found[one.kind]).action != "leave"]
    if wrong:
        told = f"machines of EC2 cannot reach the bucket: {', '.join(wrong)} in {of.way.project} is not as it should be"
        return Checked("trust", "bad", told, "fleet init aws")
    return Checked("trust", "good", f"Google takes the role {of.role} for {of.way.service_account}")


def make(of: Trusted, kind: str, fields: Collection[str], calls: Calls | None = None) -> None:
    """Make or mend one kind. Raises ProviderError."""
    calls = calls or Calls(of.way.project)
    if kind == KINDS[0]:
        enable(calls, tuple(fields))
    elif kind == KINDS[1]:
        _make_pool(calls, of)
    else:
        policy = _policy(calls, of)
        if of.member not in trust.users_of(policy):
            calls("iam", "POST", f"{of.person}:setIamPolicy", {"policy": trust.with_user(policy, of.member)})


def _make_pool(calls: Calls, of: Trusted) -> None:
    """Whatever of it is there: made, taken back from deletion, switched on, or set right."""
    _ensure(calls, of.pool, "workloadIdentityPoolId", trust.pool_body(of.fleet_id), ("disabled",))
    _ensure(calls, of.provider, "workloadIdentityPoolProviderId", of.body, (*BODY, "disabled"))


def _ensure(calls: Calls, path: str, name: str, body: Json, fields: tuple[str, ...]) -> None:
    parent, _, identifier = path.rpartition("/")
    there = calls.look("iam", path)
    if there is None:
        done = calls.unless(EXISTS, "iam", "POST", parent, body, query={name: identifier}, unseen=UNSEEN)
        if done is not None:
            calls.finish("iam", done)
        return
    if there.get("state") == "DELETED":
        calls.finish("iam", calls("iam", "POST", f"{path}:undelete", {}))
    wanted = {field: body[field] for field in fields if field in body} | {"disabled": False}
    if any(there.get(field, False) != value for field, value in wanted.items()):
        calls.finish("iam", calls("iam", "PATCH", path, wanted, query={"updateMask": ",".join(fields)}, unseen=UNSEEN))


def remove(of: Trusted, kind: str, calls: Calls | None = None) -> None:
    """Remove one kind; what is gone already is success."""
    calls = calls or Calls(of.way.project)
    gone = (*NOT_FOUND, *OFF)
    if kind == KINDS[2]:
        policy = _policy(calls, of)
        if of.member in trust.users_of(policy):
            calls("iam", "POST", f"{of.person}:setIamPolicy", {"policy": trust.without_user(policy, of.member)})
    elif kind == KINDS[1]:
        done = calls.unless(gone, "iam", "DELETE", of.pool)
        if done is not None:
            calls.finish("iam", done)


def _policy(calls: Calls, of: Trusted) -> Json:
    """The service account's; empty if there is none."""
    return calls.unless((*NOT_FOUND, *OFF), "iam", "POST", f"{of.person}:getIamPolicy", {}) or {}

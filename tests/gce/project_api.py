"""The interfaces around a project: which others are enabled, its policy, its service accounts, who pays for it."""

from __future__ import annotations

from typing import Any

from tests.gce.jsonapi import Call, Cloud, Handler, JsonApi
from tests.gce.project_ground import ALL, FIRST, Account, Ground, ground
from tests.gce.wire import Json, Refused

ENABLING = 8.0
"""Google's seconds."""


def handlers(cloud: Cloud) -> dict[str, Handler]:
    """What answers below each name."""
    cloud.__dict__.pop("ground", None)
    cloud.disabled.clear()
    return {
        "serviceusage": ServiceUsage(cloud),
        "cloudresourcemanager": Projects(cloud),
        "iam": Iam(cloud),
        "cloudbilling": Billing(cloud),
    }


class OfProject(JsonApi):
    """Knows one project, by its id or number."""

    @property
    def ground(self) -> Ground:
        return ground(self.cloud)

    def known(self, name: str) -> None:
        """Raises Refused for a project that is not this one."""
        if name.removeprefix("projects/") not in (self.cloud.project, self.cloud.number):
            told = f"Permission denied on resource project {name.removeprefix('projects/')}."
            raise Refused(403, "", told, "PERMISSION_DENIED")


class ServiceUsage(OfProject):
    """Which interfaces are enabled."""

    name = "serviceusage"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.operations: dict[str, tuple[float, list[str]]] = {}
        self.methods = {
            "services.get": lambda call: self._service(call.params["name"].rpartition("/")[2]),
            "services.batchGet": self._batch,
            "services.batchEnable": self._enable,
            "operations.get": lambda call: self._operation(call.params["name"]),
        }
        self.verbs = {"disable": lambda told: cloud.disabled.update(told["names"]), "new_project": self._new}

    def _new(self, _told: Json) -> None:
        self.cloud.disabled.update(name for name in ALL if name not in FIRST)

    def _service(self, service: str) -> Json:
        self._settle()
        number = f"projects/{self.cloud.number}"
        state = "DISABLED" if service.partition(".")[0] in self.cloud.disabled else "ENABLED"
        return {"name": f"{number}/services/{service}", "parent": number, "state": state, "config": {"name": service}}

    def _batch(self, call: Call) -> Json:
        self.known(call.params["parent"])
        names = [one.rpartition("/")[2] for one in call.asked.query.get("names", [])]
        if len(names) > 30:
            raise Refused(400, "", "At most 30 services can be looked at at once.", "INVALID_ARGUMENT")
        return {"services": [self._service(one) for one in names]}

    def _enable(self, call: Call) -> Json:
        self.known(call.params["parent"])
        names = [one.partition(".")[0] for one in call.body["serviceIds"]]
        if len(names) > 20:
            raise Refused(400, "", "At most 20 services can be enabled at once.", "INVALID_ARGUMENT")
        if not self.ground.billing and "compute" in names:
            told = f"Billing account for project '{self.cloud.number}' is not found. Billing must be enabled."
            raise Refused(400, "", told, "FAILED_PRECONDITION")
        if not self.cloud.disabled & set(names):
            return {"name": "operations/noop.DONE_OPERATION"}
        name = f"operations/acf.p2-{self.cloud.number}-{len(self.operations):08x}"
        self.operations[name] = (self.cloud.clock() + ENABLING * self.cloud.pace, names)
        return self._operation(name)

    def _operation(self, name: str) -> Json:
        if name not in self.operations:
            raise Refused(404, "", f"Operation {name} was not found", "NOT_FOUND")
        self._settle()
        if self.operations[name][0] > self.cloud.clock():
            return {"name": name}
        return {"name": name, "done": True, "response": {}}

    def _settle(self) -> None:
        for name, (at, names) in self.operations.items():
            if names and at <= self.cloud.clock():
                self.cloud.disabled.difference_update(names)
                self.operations[name] = (at, [])  # once


class Projects(OfProject):
    """The project itself, and its policy."""

    name = "cloudresourcemanager"
    version = "v3"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.methods = {
            "projects.get": self._get,
            "projects.getIamPolicy": self._policy,
            "projects.setIamPolicy": self._set,
            "projects.testIamPermissions": self._test,
        }
        self.verbs = {"deny": lambda told: self.ground.denied.update(told["permissions"]), "policy": self._told}

    def _told(self, _telling: Json) -> Json:
        return self.ground.policies.get("project")

    def _get(self, call: Call) -> Json:
        self.known(call.params["name"])
        number = f"projects/{self.cloud.number}"
        return {"name": number, "projectId": self.cloud.project, "state": "ACTIVE", "displayName": "A fleet's"}

    def _policy(self, call: Call) -> Json:
        self.known(call.params["resource"])
        found = self.ground.policies.get("project")
        wants = (call.body or {}).get("options", {}).get("requestedPolicyVersion", 1)
        if wants < 3 and any(one.get("condition") for one in found["bindings"]):
            for one in found["bindings"]:
                one.pop("condition", None)
        return found

    def _set(self, call: Call) -> Json:
        self.known(call.params["resource"])
        told = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
        return self.ground.policies.set("project", call.body["policy"], Refused(409, "", told, "ABORTED"))

    def _test(self, call: Call) -> Json:
        self.known(call.params["resource"])
        if len(call.body["permissions"]) > 100:
            raise Refused(400, "", "At most 100 permissions can be tested at once.", "INVALID_ARGUMENT")
        return self.ground.allowed(call.body["permissions"])


class Iam(OfProject):
    """Service accounts."""

    name = "iam"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        accounts = {
            "create": self._create,
            "get": lambda call: self._shown(self._find(call)),
            "delete": self._delete,
            "enable": lambda call: self._switched(call, disabled=False),
            "disable": lambda call: self._switched(call, disabled=True),
            "getIamPolicy": lambda call: self._find(call).policy,
            "setIamPolicy": self._set_policy,
            "testIamPermissions": lambda call: self.ground.allowed(call.body["permissions"]),
        }
        self.methods = {f"projects.serviceAccounts.{name}": answer for name, answer in accounts.items()}
        self.verbs = {"slow": self._slow, "accounts": lambda _told: sorted(self.ground.accounts)}

    def _slow(self, told: Json) -> None:
        self.ground.slow_accounts = int(told["times"])

    def _find(self, call: Call) -> Account:
        name = call.params.get("name") or call.params["resource"]
        _, project, _, email = name.split("/")
        self.known(project)
        return self.ground.account(email)

    def _shown(self, account: Account) -> Json:
        name = f"projects/{self.cloud.project}/serviceAccounts/{account.email}"
        known = {"email": account.email, "uniqueId": account.unique_id, "projectId": self.cloud.project}
        return {"name": name, **account.body, **known, **({"disabled": True} if account.disabled else {})}

    def _create(self, call: Call) -> Json:
        self.known(call.params["name"])
        name = call.body["accountId"]
        if not 6 <= len(name) <= 30:
            raise Refused(400, "", f"The account ID {name!r} does not have a length between 6 and 30.", "INVALID_ARGUMENT")
        return self._shown(self.ground.add_account(name, dict(call.body.get("serviceAccount", {}))))

    def _delete(self, call: Call) -> Json:
        account = self._find(call)
        del self.ground.accounts[account.email]
        self.ground.policies.forget(account)
        return {}

    def _switched(self, call: Call, *, disabled: bool) -> Json:
        self._find(call).disabled = disabled
        return {}

    def _set_policy(self, call: Call) -> Json:
        account = self._find(call)
        account.policy = {key: value for key, value in call.body["policy"].items() if key != "etag"}
        federation: Any = self.cloud.__dict__.get("federation")
        if federation is not None:
            federation.policies[account.email] = account.policy
        return account.policy


class Billing(OfProject):
    """Who pays for it."""

    name = "cloudbilling"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.methods = {"projects.getBillingInfo": self._info}
        self.verbs = {"unpaid": self._unpaid}

    def _unpaid(self, _told: Json) -> None:
        self.ground.billing = False

    def _info(self, call: Call) -> Json:
        self.known(call.params["name"])
        found: Json = {"name": f"projects/{self.cloud.project}/billingInfo", "projectId": self.cloud.project}
        paid = {"billingAccountName": "billingAccounts/012345-6789AB-CDEF01", "billingEnabled": True}
        return {**found, **(paid if self.ground.billing else {"billingAccountName": "", "billingEnabled": False})}

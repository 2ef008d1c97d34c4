"""A project as a whole: which interfaces are enabled, who is who, who may do what, and whether it is paid for."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.gce.jsonapi import Cloud
from tests.gce.wire import Json, Refused

FIRST = ("serviceusage", "storage")
"""What a new project has of what fleet asks."""
ALL = (
    "cloudbilling", "cloudresourcemanager", "compute", "iam", "iamcredentials", "iap", "secretmanager", "serviceusage",
    "storage", "sts",
)  # fmt: skip


@dataclass
class Account:
    """A service account."""

    email: str
    unique_id: str
    body: Json
    disabled: bool = False
    policy: Json = field(default_factory=lambda: {"bindings": []})
    unknown: int = 0
    """So many policies that name it are refused yet: it is not known everywhere."""


class Policies:
    """Who may do what, of the project and of each bucket: read and written whole, by an etag."""

    def __init__(self, known: Callable[[str], Account | None]) -> None:
        self.known = known
        self.found: dict[str, Json] = {}
        self._numbers = itertools.count(1)

    def get(self, what: str) -> Json:
        """With its etag."""
        policy = self.found.setdefault(what, {"version": 1, "bindings": []})
        policy["etag"] = hashlib.sha256(json.dumps(policy.get("bindings")).encode()).hexdigest()[:11] + "="
        return copy.deepcopy(policy)

    def set(self, what: str, wanted: Json, stale: Refused) -> Json:
        """Raises Refused: ``stale`` if somebody else wrote it since, or if a binding makes no sense."""
        if wanted.get("etag") != self.get(what)["etag"]:
            raise stale
        conditions = any(one.get("condition") for one in wanted.get("bindings", ()))
        if conditions and wanted.get("version") != 3:
            raise Refused(400, "", "Policies with conditions must have version 3.", "INVALID_ARGUMENT")
        for member in _members(wanted):
            self._check(member)
        self.found[what] = {key: copy.deepcopy(wanted[key]) for key in ("version", "bindings") if key in wanted}
        return self.get(what)

    def _check(self, member: str) -> None:
        kind, _, email = member.partition(":")
        if kind != "serviceAccount":
            return
        account = self.known(email)
        if account is None or account.unknown > 0:
            if account is not None:
                account.unknown -= 1
            raise Refused(400, "", f"Service account {email} does not exist.", "INVALID_ARGUMENT")

    def forget(self, account: Account) -> None:
        """As a policy names an account that was deleted."""
        for policy in self.found.values():
            for one in policy.get("bindings", ()):
                gone = f"deleted:serviceAccount:{account.email}?uid={account.unique_id}"
                one["members"] = [
                    gone if member == f"serviceAccount:{account.email}" else member for member in one["members"]
                ]


def _members(policy: Json) -> Iterator[str]:
    for one in policy.get("bindings", ()):
        yield from one["members"]


class Ground:
    """What every interface of one project looks at."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.accounts: dict[str, Account] = {}
        self.policies = Policies(self.accounts.get)
        self.billing = True
        self.denied: set[str] = set()
        """Permissions that the login lacks."""
        self.slow_accounts = 0
        """How often a new service account is unknown."""
        self.numbers = itertools.count(100_000_000_000_000_000_001)

    def add_account(self, name: str, body: Json) -> Account:
        """Raises Refused if it is there."""
        email = f"{name}@{self.cloud.project}.iam.gserviceaccount.com"
        if email in self.accounts:
            told = f"Service account {name} already exists within project projects/{self.cloud.project}."
            raise Refused(409, "", told, "ALREADY_EXISTS")
        self.accounts[email] = Account(email, str(next(self.numbers)), body, unknown=self.slow_accounts)
        return self.accounts[email]

    def account(self, email: str) -> Account:
        """Raises Refused if there is none."""
        if email not in self.accounts:
            raise Refused(404, "", "Unknown service account", "NOT_FOUND")
        return self.accounts[email]

    def allowed(self, permissions: list[str]) -> Json:
        """The answer to a question about permissions."""
        found = [one for one in permissions if one not in self.denied]
        return {"permissions": found} if found else {}


def ground(cloud: Cloud) -> Ground:
    """The project's; a new one after a reset."""
    found: Ground = cloud.__dict__.setdefault("ground", Ground(cloud))
    return found

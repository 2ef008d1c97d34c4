"""What lets the controller in the account tell people of its fleet: an inline policy of its own on the function's role."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fleet.model.errors import FleetError
from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.policies import policy_of
from fleet.providers.aws.report_schedule import Mailing, may_tell
from fleet.providers.aws.setup_role import GONE

POLICY = "notify"


def wanted_policy(function: AwsFunction, mails: Sequence[Mailing], topics: Sequence[str]) -> dict[str, Any] | None:
    """To whom the function may write. None: to nobody."""
    statements = may_tell(function, mails, topics)
    return policy_of(*statements) if statements else None


def allowed(calls: Calls, function: AwsFunction) -> dict[str, Any] | None:
    """The policy that is there. Raises ProviderError."""
    found = calls.unless(GONE, "iam", function.region, "get_role_policy", RoleName=function.function, PolicyName=POLICY)
    return found["PolicyDocument"] if found else None


def allow(calls: Calls, function: AwsFunction, wanted: dict[str, Any] | None) -> bool:
    """Put it there, or take it away: whether that changed anything. Raises ProviderError, FleetError if the role is gone."""
    if allowed(calls, function) == wanted:
        return False
    who = {"RoleName": function.function, "PolicyName": POLICY}
    if wanted is None:
        calls.unless(GONE, "iam", function.region, "delete_role_policy", **who)
        return True
    put = calls.unless(GONE, "iam", function.region, "put_role_policy", PolicyDocument=json.dumps(wanted), **who)
    if put is None:
        told = f"the role {function.function} is gone"
        raise FleetError(told, "`fleet controller deploy aws` makes it again; then the same command.")
    return True

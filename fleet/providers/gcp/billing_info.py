"""Whether a project is paid for: without a billing account nothing in it can run."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.gcp.calling import Calls
from fleet.providers.gcp.errors import NOT_FOUND


@dataclass(frozen=True, slots=True)
class Billing:
    """What is known of it."""

    account: str
    told: str
    remedy: str = ""
    enabled: bool | None = None
    """None: it could not be looked at."""


def billing_of(calls: Calls) -> Billing:
    """The project's billing account. Whoever may not look at it may still launch."""
    remedy = f"https://console.cloud.google.com/billing/linkedaccount?project={calls.project}"
    try:
        found = calls("cloudbilling", "GET", f"/v1/projects/{calls.project}/billingInfo")
    except ProviderError as error:
        if error.error_class is not ErrorClass.DENIED and error.code not in NOT_FOUND:
            raise
        told = f"whether the project {calls.project} has a billing account cannot be told ({error.code})"
        return Billing("", told, f"Look: {remedy}")
    account = str(found.get("billingAccountName", "")).rpartition("/")[2]
    if found.get("billingEnabled"):
        return Billing(account, f"paid for by the billing account {account}", enabled=True)
    told = f"the project {calls.project} has no billing account: nothing can run in it"
    return Billing(account, told, f"Connect it: {remedy}", enabled=False)

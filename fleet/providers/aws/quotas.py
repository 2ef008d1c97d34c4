"""How many vCPUs of spot machines an account may have at once, and how to ask for more.

A new account may have none with a GPU: said at set-up, it is a form to fill in; said by the first launch, a lost evening.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet.model.errors import FleetError
from fleet.providers.aws.calling import Calls

ASKED = {"L-3819A6DF": 4, "L-7212CCBC": 4, "L-34B43A08": 8}
"""The smallest machine of each kind: g4dn.xlarge, p2.xlarge, c5.2xlarge."""
KINDS = {
    "L-3819A6DF": "GPU machines of the kinds g and vt (T4, A10G, L4)",
    "L-7212CCBC": "GPU machines of the kind p (K80, V100, A100)",
    "L-34B43A08": "machines without a GPU (c, m, r, t …)",
}
"""By Service Quotas' code: all are quotas of spot vCPUs."""


@dataclass(frozen=True, slots=True)
class Quota:
    """One of them in one region."""

    region: str
    code: str
    what: str
    vcpus: int | None
    """None: it could not be looked at."""
    told: str
    request: str
    """The command that asks for more; empty if what there is will do for a machine."""


def spot_quotas(calls: Calls, region: str) -> list[Quota]:
    """All three. Never fails: whoever may not look at quotas may still launch."""
    return [_quota(calls, region, code) for code in KINDS]


def _quota(calls: Calls, region: str, code: str) -> Quota:
    least, what = ASKED[code], KINDS[code]
    try:
        vcpus = _vcpus(calls, region, code)
    except FleetError as error:
        reason = getattr(error, "code", type(error).__name__)
        return Quota(region, code, what, None, f"cannot be looked at ({reason}); see {page(region, code)}", "")
    if vcpus < least:
        told = f"{vcpus} vCPUs: the smallest such machine has {least}, none can be launched on spot"
        return Quota(region, code, what, vcpus, told, request(region, code, 2 * least))
    return Quota(
        region, code, what, vcpus, f"{vcpus} vCPUs on spot: up to {vcpus // least} of the smallest such machine", ""
    )


def _vcpus(calls: Calls, region: str, code: str) -> int:
    """The account's own value; where it has none, everybody's."""
    words = {"ServiceCode": "ec2", "QuotaCode": code}
    answer = calls.unless(("NoSuchResourceException",), "service-quotas", region, "get_service_quota", **words)
    if answer is None:
        answer = calls("service-quotas", region, "get_aws_default_service_quota", **words)
    return int(answer["Quota"]["Value"])


def page(region: str, code: str) -> str:
    """Where it can be looked at and asked for in a browser."""
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{code}"


def request(region: str, code: str, vcpus: int) -> str:
    """The command that asks for so many."""
    return (
        f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} "
        f"--desired-value {vcpus} --region {region}"
    )

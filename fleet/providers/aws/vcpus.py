"""Which quota a refusal speaks of: they are counted in vCPUs, per family and market, and raised one by one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.model.cloud import Market


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of EC2's as the Service Quotas console has it."""

    code: str
    name: str


_QUOTAS = {
    ("G", Market.SPOT): Quota("L-3819A6DF", "All G and VT Spot Instance Requests"),
    ("G", Market.ON_DEMAND): Quota("L-DB2E81BA", "Running On-Demand G and VT instances"),
    ("P", Market.SPOT): Quota("L-7212CCBC", "All P Spot Instance Requests"),
    ("P", Market.ON_DEMAND): Quota("L-417A185B", "Running On-Demand P instances"),
    ("standard", Market.SPOT): Quota("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
    ("standard", Market.ON_DEMAND): Quota("L-1216C47A", "Running On-Demand Standard instances"),
}


def quota_of(instance_type: str, market: Market) -> Quota | None:
    """The quota that counts a type; None for families that fleet does not know."""
    letters = re.match(r"[a-z]+", instance_type)
    family = letters[0] if letters else ""
    if family in ("g", "gr", "vt"):
        return _QUOTAS["G", market]
    if family == "p":
        return _QUOTAS["P", market]
    # The kind is the first letter (c5, c7i, m6g, im4gn, is4gen …); other accelerators have quotas of their own.
    own = family.startswith(("inf", "trn", "dl", "hpc", "mac"))
    return _QUOTAS["standard", market] if family[:1] in tuple("acdhimrtz") and not own else None


def what_to_ask_for(region: str, instance_type: str, market: Market) -> str:
    """What the user does about it."""
    quota = quota_of(instance_type, market)
    if quota is None:
        return f"ask for more vCPUs of {instance_type.partition('.')[0]} in {region}, in the Service Quotas console"
    return (
        f"ask for more of {quota.code} ({quota.name}), counted in vCPUs: "
        f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {quota.code} "
        f"--region {region} --desired-value N"
    )

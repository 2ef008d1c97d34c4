"""Whether the job's types are offered in a region, and whether the account's quotas let one be launched."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.model.errors import ProviderError
from fleet.providers.aws.checks import Checked, Look, briefly

SPOT = {"G": "L-3819A6DF", "VT": "L-3819A6DF", "P": "L-7212CCBC"}
ON_DEMAND = {"G": "L-DB2E81BA", "VT": "L-DB2E81BA", "P": "L-417A185B"}
"""Service Quotas' codes by the letters that a type begins with; all count vCPUs."""
STANDARD = frozenset("ACDHIMRTZ")
STANDARD_SPOT, STANDARD_ON_DEMAND = "L-34B43A08", "L-1216C47A"


def wanted_types(look: Look) -> dict[str, set[str]]:
    """Type → markets, as the job names them, or as its accelerators lead to. ``spot-first`` may come to both."""
    catalog = _catalog()
    found: dict[str, set[str]] = {}
    for wish in look.wishes:
        names = list(wish.instance_type)
        if not names and wish.accelerators is not None and catalog is not None:
            gpu, _, count = wish.accelerators.partition(":")
            facts = {one: catalog.type_of(one) for one in catalog.with_gpu(gpu)}
            names = [one for one, of in facts.items() if of.gpus >= int(count or 1) and not of.on_request]
        markets = {"spot": {"spot"}, "on-demand": {"on-demand"}}.get(wish.market, {"spot", "on-demand"})
        for name in names:
            found.setdefault(name, set()).update(markets)
    return found


def _catalog() -> Any:
    try:
        return importlib.import_module("fleet.providers.aws.catalog")
    except ImportError:
        return None


def types(look: Look, region: str) -> list[Checked]:
    """Where each type is offered, and whether the quotas let one be launched."""
    wanted = wanted_types(look)
    if not wanted:
        return [Checked("types", "note", f"{region}: the job names neither a type nor an accelerator that is known")]
    only = [{"Name": "instance-type", "Values": sorted(wanted)}]
    offered = look.call("ec2", region, "describe_instance_type_offerings", LocationType="availability-zone", Filters=only)[
        "InstanceTypeOfferings"
    ]
    zones: dict[str, list[str]] = {name: [] for name in wanted}
    for one in offered:
        zones[one["InstanceType"]].append(one["Location"])
    described = look.call("ec2", region, "describe_instance_types", Filters=only)["InstanceTypes"]
    vcpus = {one["InstanceType"]: int(one["VCpuInfo"]["DefaultVCpus"]) for one in described}
    return [*judge_offerings(region, zones, _catalog()), *_quotas(look, region, wanted, zones, vcpus)]


def judge_offerings(region: str, zones: Mapping[str, Sequence[str]], catalog: Any = None) -> list[Checked]:
    """One line for each type; one that is offered nowhere is only bad if no other is."""
    found = []
    some = any(zones.values())
    for name, where in sorted(zones.items()):
        if where:
            found.append(Checked("offered", "good", f"{region}: {name} in {', '.join(sorted(where))}"))
            continue
        instead = catalog.successors_of(name) if catalog is not None else ()
        remedy = f"{', '.join(instead)} serve instead; `fleet prices` tells what they cost." if instead else ""
        told = f"{region}: {name} is offered in no zone"
        found.append(Checked("offered", "note" if some else "bad", told, remedy or "Name another type, or another region."))
    return found


def quota_code(instance_type: str, market: str) -> str | None:
    """Which quota a type counts against; None: one that fleet does not know."""
    letters = re.match(r"[a-z]+", instance_type)
    family = (letters[0] if letters else "").upper()
    codes, standard = (SPOT, STANDARD_SPOT) if market == "spot" else (ON_DEMAND, STANDARD_ON_DEMAND)
    if family in codes:
        return codes[family]
    # The kind is the first letter (c5, c7i, m6g, im4gn, is4gen …); other accelerators have quotas of their own.
    own = family.startswith(("INF", "TRN", "DL", "HPC", "X", "U", "F", "MAC"))
    return standard if family[:1] in STANDARD and not own else None


def _quotas(
    look: Look, region: str, wanted: Mapping[str, set[str]], zones: Mapping[str, Sequence[str]], vcpus: Mapping[str, int]
) -> list[Checked]:
    asked: dict[tuple[str, str], dict[str, int]] = {}
    found = []
    for name, markets in sorted(wanted.items()):
        for market in sorted(markets):
            code = quota_code(name, market)
            if code is None:
                found.append(
                    Checked("quota", "note", f"{region}: which quota {name} ({market}) counts against is not known")
                )
            elif zones[name] and name in vcpus:
                asked.setdefault((market, code), {})[name] = vcpus[name]
    for (market, code), needs in sorted(asked.items()):
        try:
            found.append(judge_quota(region, market, code, _quota(look, region, code), needs))
        except ProviderError as error:
            told = f"{region}: cannot be told of {', '.join(needs)} ({market}): {briefly(error.message)}"
            found.append(Checked("quota", "note", told, _page(region, code)))
    return found


def _quota(look: Look, region: str, code: str) -> float:
    """The account's own value; where it has none, everybody's."""
    try:
        answer = look.call("service-quotas", region, "get_service_quota", ServiceCode="ec2", QuotaCode=code)
    except ProviderError as error:
        if error.code != "NoSuchResourceException":
            raise
        answer = look.call("service-quotas", region, "get_aws_default_service_quota", ServiceCode="ec2", QuotaCode=code)
    return float(answer["Quota"]["Value"])


def judge_quota(region: str, market: str, code: str, limit: float, needs: Mapping[str, int]) -> Checked:
    """``limit`` and ``needs`` in vCPUs: what may run at once, and what one machine of each type has."""
    least = min(needs.values())
    told = f"{region}: {limit:g} vCPUs {market} ({code}); " + ", ".join(f"{one} has {n}" for one, n in sorted(needs.items()))
    ask = (
        f"Ask for more: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} "
        f"--desired-value {max(needs.values())} --region {region}"
    )
    if limit < least:
        # Spot first, on demand where there is none: without the quota for the latter a run waits, and goes on.
        return Checked("quota", "bad" if market == "spot" else "note", f"{told}: none can be launched", ask)
    if limit < max(needs.values()):
        return Checked("quota", "note", f"{told}: not all of them can be launched", ask)
    return Checked("quota", "good", f"{told}: {int(limit // least)} of the smallest at once")


def _page(region: str, code: str) -> str:
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{code}"

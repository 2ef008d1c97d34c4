"""Whether the job's types are offered in a region, and whether the account's quotas let one be launched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.model.cloud import Market
from fleet.model.errors import ProviderError
from fleet.providers.aws import catalog
from fleet.providers.aws.checks import Look
from fleet.providers.aws.quotas import page, request
from fleet.providers.aws.vcpus import quota_of
from fleet.providers.looked import Checked, briefly


def wanted_types(look: Look) -> dict[str, set[str]]:
    """Type → markets, as the job names them, or as its accelerators lead to. ``spot-first`` may come to both."""
    found: dict[str, set[str]] = {}
    for wish in look.wishes:
        names = list(wish.instance_type)
        if not names and wish.accelerators is not None:
            gpu, _, count = wish.accelerators.partition(":")
            facts = {one: catalog.type_of(one) for one in catalog.with_gpu(gpu)}
            names = [one for one, of in facts.items() if of is not None and of.gpus >= int(count or 1) and not of.on_request]
        markets = {"spot": {"spot"}, "on-demand": {"on-demand"}}.get(wish.market, {"spot", "on-demand"})
        for name in names:
            found.setdefault(name, set()).update(markets)
    return found


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
    return [*judge_offerings(region, zones, catalog), *_quotas(look, region, wanted, zones, vcpus)]


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


def _quotas(
    look: Look, region: str, wanted: Mapping[str, set[str]], zones: Mapping[str, Sequence[str]], vcpus: Mapping[str, int]
) -> list[Checked]:
    asked: dict[tuple[str, str], dict[str, int]] = {}
    found = []
    for name, markets in sorted(wanted.items()):
        for market in sorted(markets):
            quota = quota_of(name, Market(market))
            if quota is None:
                found.append(
                    Checked("quota", "note", f"{region}: which quota {name} ({market}) counts against is not known")
                )
            elif zones[name] and name in vcpus:
                asked.setdefault((market, quota.code), {})[name] = vcpus[name]
    for (market, code), needs in sorted(asked.items()):
        try:
            found.append(judge_quota(region, market, code, _quota(look, region, code), needs))
        except ProviderError as error:
            told = f"{region}: cannot be told of {', '.join(needs)} ({market}): {briefly(error.message)}"
            found.append(Checked("quota", "note", told, page(region, code)))
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
    ask = f"Ask for more: {request(region, code, max(needs.values()))}"
    if limit < least:
        # Spot first, on demand where there is none: without the quota for the latter a run waits, and goes on.
        return Checked("quota", "bad" if market == "spot" else "note", f"{told}: none can be launched", ask)
    if limit < max(needs.values()):
        return Checked("quota", "note", f"{told}: not all of them can be launched", ask)
    return Checked("quota", "good", f"{told}: {int(limit // least)} of the smallest at once")

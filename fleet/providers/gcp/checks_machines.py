"""Whether the project may have GPUs, whether the job's types are sold in a region, and whether its quotas allow one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleet.model.errors import ProviderError
from fleet.model.job import Resources
from fleet.providers.gcp.allowances import Allowance, allowances, in_region
from fleet.providers.gcp.checks import Look
from fleet.providers.gcp.errors import NOT_FOUND
from fleet.providers.gcp.machines import DEVICES, series_of
from fleet.providers.gcp.shapes import parts
from fleet.providers.looked import Check, Checked


def of(look: Look) -> list[tuple[str, Check]]:
    """Every check of every region."""
    checks: list[tuple[str, Check]] = []
    for region in look.regions:
        checks.append(("quota", lambda region=region: quotas(look, region)))  # type: ignore[misc]
        if look.wishes:
            checks.append(("types", lambda region=region: types(look, region)))  # type: ignore[misc]
    return checks


def gpus_everywhere(look: Look) -> list[Checked]:
    """Of the whole project: a free trial has none, and a new project neither."""
    return [judge(one, needed=look.needs_gpu) for one in allowances(look.calls, ())]


def quotas(look: Look, region: str) -> list[Checked]:
    """Of one region: what the job needs, or everything if there is no job."""
    if look.job is None:
        return [judge(one, needed=not one.what.endswith(" GPUs")) for one in in_region(look.calls, region)]
    gpus = {one.accelerators.partition(":")[0] for one in look.wishes if one.accelerators is not None}
    types = {gpu for one in look.wishes for name in one.instance_type if (gpu := gpu_in(name)) is not None}
    return [judge(one, needed=True) for one in in_region(look.calls, region, sorted(gpus | types))]


def gpu_in(instance_type: str) -> str | None:
    """The GPU that a type has, by its name alone; None: it has none."""
    put_in = instance_type.partition("+")[2].partition("x")[2]
    series = series_of(instance_type)
    return put_in or (series.gpu if series is not None else None)


def judge(one: Allowance, *, needed: bool) -> Checked:
    """What is too little is bad only where it is needed."""
    what = "gpus" if not one.region else "quota"
    told = f"{one.region}: {one.told}" if one.region else one.told
    if one.limit is None:
        return Checked(what, "note", told)
    if one.enough:
        return Checked(what, "good", told)
    return Checked(what, "bad" if needed else "note", told, f"Ask for more: {one.request}")


def types(look: Look, region: str) -> list[Checked]:
    """In which zones each is sold."""
    zones = list(look.setup.regions[region].zones) if look.setup is not None and region in look.setup.regions else []
    if not zones:
        return [Checked("types", "note", f"{region}: without a set-up there its zones are not known")]
    found: dict[str, list[str]] = {}
    for wish in look.wishes:
        for name, kind, path in _asked(wish):
            found.setdefault(name, []).extend(zone for zone in zones if _sold(look, zone, kind, path))
    if not found:
        return [Checked("types", "note", f"{region}: the job names neither a type nor an accelerator that is known")]
    return judge_offerings(region, found)


def _asked(wish: Resources) -> list[tuple[str, str, str]]:
    """What is looked for: how it is called here, and its kind and name in Compute Engine."""
    asked = []
    for name in wish.instance_type:
        try:
            machine, accelerator, _ = parts(name)
        except ValueError:
            continue
        asked.append((name, "machineTypes", machine))
        if accelerator:
            asked.append((name.partition("+")[2], "acceleratorTypes", accelerator))
    if wish.accelerators is not None:
        gpu = wish.accelerators.partition(":")[0]
        if gpu in DEVICES:
            asked.append((gpu, "acceleratorTypes", DEVICES[gpu].accelerator_type))
    return asked


def _sold(look: Look, zone: str, kind: str, name: str) -> bool:
    try:
        look.calls.compute("GET", f"/zones/{zone}/{kind}/{name}")
    except ProviderError as error:
        if error.code not in NOT_FOUND:
            raise
        return False
    return True


def judge_offerings(region: str, zones: Mapping[str, Sequence[str]]) -> list[Checked]:
    """One line for each; what is sold nowhere is only bad if nothing else is."""
    some, found = any(zones.values()), []
    for name, where in sorted(zones.items()):
        if where:
            found.append(Checked("offered", "good", f"{region}: {name} in {', '.join(sorted(set(where)))}"))
        else:
            told = f"{region}: {name} is sold in no zone"
            found.append(Checked("offered", "note" if some else "bad", told, "Name another type, or another region."))
    return found

"""Values that are well written and cannot be meant: amounts out of all proportion, and fields that cancel each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fleet.model.errors import FleetError
from fleet.model.units import format_duration, parse_duration, parse_money, parse_size_gb

MOST_SIZE_GB = 64_000
"""64 TB, the largest EBS volume; a balanced disk of Google Cloud's may have as much."""
MOST_SECONDS = 10 * 366 * 86_400
MOST_HOURLY = 1_000_000_000
"""Micro-dollars: the dearest machine of EC2 costs about $400 an hour."""
MOST_BUDGET = 10_000_000_000_000
_PLACES = {
    "aws": (re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]"), re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]([a-z]|-[a-z0-9-]+)"), "AWS"),
    "gcp": (re.compile(r"[a-z]+-[a-z]+[0-9]+"), re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z]"), "Google Cloud"),
}
"""By provider: how regions and zones are written, and whose they are."""
_EXAMPLES = {"aws": ("us-east-1", "{}a"), "gcp": ("us-central1", "{}-a")}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Told = tuple[tuple[str | int, ...], str]
"""The path of a value, and what is wrong with it."""


def absurd(name: str, value: Any) -> str | None:
    """What is wrong with the amount in a field (``volume.size``); None if nothing is, or if it is no amount at all."""
    if not isinstance(value, str) or name not in _AMOUNTS:
        return None
    try:
        return _AMOUNTS[name](value)
    except (ValueError, OverflowError):
        return None  # said elsewhere: it cannot be read


def _size(value: str) -> str | None:
    return f"{value} is more than any cloud offers ({MOST_SIZE_GB:,} GB)" if parse_size_gb(value) > MOST_SIZE_GB else None


def _duration(value: str) -> str | None:
    return f"{value} is more than ten years" if parse_duration(value) > MOST_SECONDS else None


def _money(most: int, nothing: str) -> Callable[[str], str | None]:
    def told(value: str) -> str | None:
        amount = parse_money(value)
        if amount < 0:
            return f"{value} is less than nothing"
        if amount == 0:
            return f"{value} {nothing}"
        return f"{value} is more than can be meant (at most ${most // 1_000_000:,})" if amount > most else None

    return told


_AMOUNTS: Mapping[str, Callable[[str], str | None]] = {
    **dict.fromkeys(("volume.size", "resources.disk_size"), _size),
    **dict.fromkeys(("volume.keep", "checkpoint.every", "deadline", "max_duration", "estimate", "keep_failed"), _duration),
    **dict.fromkeys(("budget.run", "budget.day", "budget.month"), _money(MOST_BUDGET, "lets nothing run")),
    "resources.max_price": _money(MOST_HOURLY, "buys no machine"),
}


def contradictions(job: Mapping[str, Any]) -> Iterator[Told]:
    """Fields of a job file's plain values that cancel each other, or that fleet would have to ignore."""
    yield from _checkpoints(job)
    yield from _deadline(job)
    yield from _budget(job)
    yield from _names(job)
    yield from _places(job)
    for field in ("run", "setup"):
        if isinstance(job.get(field), str) and not job[field].strip():
            yield (field,), f"{field} is empty"
    mount = _section(job, "volume").get("mount")
    if isinstance(mount, str) and (not mount.startswith("/") or mount.strip("/") == "" or ".." in mount.split("/")):
        yield ("volume", "mount"), f"volume.mount: {mount!r} must be an absolute path, and not /"


def _checkpoints(job: Mapping[str, Any]) -> Iterator[Told]:
    every, most = _seconds(_section(job, "checkpoint").get("every")), _seconds(job.get("max_duration"))
    if every is not None and most is not None and every >= most:
        told = f"checkpoint.every: {format_duration(every)} is not less than max_duration ({format_duration(most)})"
        yield ("checkpoint", "every"), f"{told}: nothing would be saved before the end"


def _deadline(job: Mapping[str, Any]) -> Iterator[Told]:
    work, most = _seconds(job.get("estimate")), _seconds(job.get("max_duration"))
    if work is not None and most is not None and most < work:
        yield (
            ("max_duration",),
            f"max_duration: {format_duration(most)} is less than the work (estimate: {format_duration(work)})",
        )
    if job.get("deadline") is None:
        return
    resources = _section(job, "resources")
    others = resources.get("any_of")
    usual = resources.get("market")
    markets = [one.get("market", usual) for one in others if isinstance(one, dict)] if isinstance(others, list) else []
    if all(market == "spot" for market in (markets or [usual])):
        told = "spot alone cannot promise the deadline: write `market: spot-first`, or leave the deadline out"
        yield ("resources", "market"), f"resources.market: {told}"


def _budget(job: Mapping[str, Any]) -> Iterator[Told]:
    from fleet.model.calendar import zone  # most jobs name none: it brings all zones along

    budget = _section(job, "budget")
    name = budget.get("time_zone")
    if not isinstance(name, str):
        return
    try:
        zone(name)
    except FleetError as error:
        yield ("budget", "time_zone"), f"budget.time_zone: {error.message}. {error.hint}"
    if budget.get("day") is None and budget.get("month") is None:
        told = "budget.time_zone: says whose days and months are meant, and there is a budget for neither"
        yield ("budget", "time_zone"), told


def _places(job: Mapping[str, Any]) -> Iterator[Told]:
    """What a cloud's machines need, and what those of this computer have no use for."""
    resources = _section(job, "resources")
    named = [(("resources", "infra"), resources.get("infra", "local"))]
    others = resources.get("any_of")
    if isinstance(others, list):
        named += [
            (("resources", "any_of", i, "infra"), one.get("infra", named[0][1]))  # type: ignore[misc]
            for i, one in enumerate(others)
            if isinstance(one, dict)
        ]
        named = named[1:] or named
    clouds = [(path, infra) for path, infra in named if str(infra).partition("/")[0] != "local"]
    for path, infra in clouds:
        told = wrong_infra(str(infra))
        if told is not None:
            yield path, f"{'.'.join(str(p) for p in path if isinstance(p, str))}: {told}"
    bucket = job.get("bucket")
    if clouds and isinstance(bucket, str) and bucket.startswith("file://"):
        yield ("bucket",), f"bucket: {bucket} lies on this computer, where machines of {clouds[0][1]} cannot reach it"
    if not clouds:
        for field in ("disk_size", "image_id"):
            if resources.get(field) is not None:
                yield ("resources", field), f"resources.{field}: machines of local are processes, and have none"


def wrong_infra(infra: str) -> str | None:
    """What is wrong with ``provider/region/zone`` of a cloud; None if nothing is."""
    parts = infra.split("/")
    if parts[0] not in _PLACES:
        return None  # told elsewhere
    (regions, zones, whose), (region, zone) = _PLACES[parts[0]], _EXAMPLES[parts[0]]
    if len(parts) > 3:
        usual = f"{parts[0]}/{region}"
        return f"{infra!r} has too many parts: {parts[0]}, {usual} or {usual}/{zone.format(region)}"
    if len(parts) > 1 and not regions.fullmatch(parts[1]):
        return f"{parts[1]!r} is no region of {whose}; write for example {parts[0]}/{region}"
    if len(parts) > 2 and not (parts[2].startswith(parts[1]) and zones.fullmatch(parts[2])):
        return f"{parts[2]!r} is no zone of {parts[1]}; write for example {parts[0]}/{parts[1]}/{zone.format(parts[1])}"
    return None


def _names(job: Mapping[str, Any]) -> Iterator[Told]:
    envs = job.get("envs")
    for name in envs if isinstance(envs, dict) else ():
        if not _VARIABLE.fullmatch(str(name)):
            yield ("envs", name), f"envs: {name!r} is no name of a variable: letters, digits and underscores"
    secrets = job.get("secrets")
    listed = [(("secrets", i), n) for i, n in enumerate(secrets if isinstance(secrets, list) else ())]
    for path, name in [*((("envs", n), n) for n in (envs if isinstance(envs, dict) else ())), *listed]:
        if isinstance(name, str) and name.startswith("FLEET_"):
            yield path, f"{path[0]}: {name} would be overwritten: names with FLEET_ are fleet's own"


def _section(job: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = job.get(name)
    return found if isinstance(found, dict) else {}


def _seconds(value: Any) -> float | None:
    try:
        seconds = parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return seconds if seconds is not None and seconds <= MOST_SECONDS else None  # more is told as such

"""What a job is held against: itself as somebody would have written it who thinks otherwise of spot."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.model.errors import FleetError
from fleet.model.job import Job, Resources

ABOUT = {
    "fleet": "the job as it stands",
    "on-demand": "never spot",
    "spot-first": "spot, and on demand whenever none can be had; no eye on the deadline",
    "spot": "spot, or waiting; no eye on the deadline",
}


def chosen(job: Job, names: Sequence[str]) -> dict[str, Job]:
    """The job under each policy; without names under every one that differs from the job itself. Raises FleetError."""
    unknown = [name for name in names if name not in ABOUT]
    if unknown:
        raise FleetError(f"there is no policy {unknown[0]!r}", f"Known are {', '.join(ABOUT)}.")
    found = {name: under(job, name) for name in names or ABOUT}
    own = found.get("fleet")
    return {name: one for name, one in found.items() if names or name == "fleet" or one != own}


def under(job: Job, name: str) -> Job:
    """The job under one policy."""
    if name == "fleet":
        return job
    return job.model_copy(update={"resources": _only(job.resources, name), "deadline": None})


def _only(resources: Resources, market: str) -> Resources:
    update: dict[str, object] = {"market": market}
    if market == "on-demand":
        update["max_price"] = None  # a bid is one for spot machines
    ways = tuple(one.model_copy(update=update) for one in resources.any_of)
    return resources.model_copy(update={**update, "any_of": ways})

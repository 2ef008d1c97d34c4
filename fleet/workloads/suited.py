"""Which of the machines that a job allows its workload can use: the others are left out, before anything is spent.

What a machine has is known beforehand where the job names types or accelerators. Where it names neither, offers tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet.core.allowed import alternatives
from fleet.model.errors import JobError
from fleet.model.job import Job, Resources
from fleet.workloads.kinds import options_of

if TYPE_CHECKING:
    from fleet.workloads.deepracer.findings import Finding
    from fleet.workloads.deepracer.spec import DeepRacer

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Suited:
    """A job, and what of it its workload can use."""

    job: Job
    """Without the types and the alternatives that could not serve."""
    accelerators: tuple[str | None, ...] = ()
    """What the machines have that the job names; None for one without."""
    findings: tuple[Finding, ...] = ()
    """Why something is left out: warnings; errors, if nothing would be left."""


def suited(job: Job) -> Suited:
    """What a job's workload can use of what the job allows; without a workload the job as it is."""
    if job.workload is None:
        return Suited(job)
    spec = options_of(job.workload)
    left: list[Resources | None] = []
    found: dict[Finding, None] = {}
    for way in alternatives(job.resources):
        rest, wrong = _left(spec, way)
        left.append(rest)
        found |= dict.fromkeys(wrong)
    kept = [one for one in left if one is not None]
    if not kept:
        return Suited(job, (), tuple(found))
    have = dict.fromkeys(accelerator for one in kept for _, accelerator in _named(spec, one))
    warned = tuple(replace(one, message=f"{one.message}: left out", severity="warning") for one in found)
    return Suited(_with(job, left) if found else job, tuple(have), warned)


def suited_job(job: Job) -> Job:
    """The job without what its workload cannot use. Raises JobError if nothing is left."""
    found = suited(job)
    errors = [one for one in found.findings if one.severity == "error"]
    if errors:
        raise JobError("\n".join(one.message for one in errors), "\n".join(dict.fromkeys(one.remedy for one in errors)))
    return found.job


def _left(spec: DeepRacer, way: Resources) -> tuple[Resources | None, list[Finding]]:
    """An alternative without the types that cannot serve (None: nothing of it can), and why they cannot."""
    from fleet.workloads.deepracer.images import image_problems

    wrong: list[Finding] = []
    unfit = set()
    for name, accelerator in _named(spec, way):
        errors = [one for one in image_problems(spec, accelerator) if one.severity == "error"]
        if errors:
            unfit.add(name)
        wrong += [replace(one, message=f"{name}: {one.message}") if name in way.instance_type else one for one in errors]
    fit = tuple(name for name in way.instance_type if name not in unfit)
    if not unfit:
        return way, []
    return (way.model_copy(update={"instance_type": fit}) if fit and unfit & {*way.instance_type} else None), wrong


def _named(spec: DeepRacer, way: Resources) -> Iterator[tuple[str, str | None]]:
    """What an alternative names, with the accelerator of each; what is not known beforehand is not among it."""
    from fleet.workloads.deepracer.images import ANY

    cloud = way.infra.partition("/")[0]
    here = cloud == LOCAL
    if cloud == "gcp" and way.instance_type:
        yield from _on_google(way)
    elif way.instance_type and not here:
        from fleet.providers.aws.catalog import accelerators_of, type_of

        for name in way.instance_type:
            if type_of(name) is not None:
                yield name, next(iter(accelerators_of(name)), None)
    elif way.accelerators is not None:
        yield way.accelerators, way.accelerators
    elif here:
        yield LOCAL, ANY if spec.device == "gpu" else None  # what this computer has is seen once it trains
    elif spec.device == "gpu":
        yield "", None


def _on_google(way: Resources) -> Iterator[tuple[str, str | None]]:
    """A bare N1 has what is put into it: that is what the job asks for."""
    from fleet.providers.gcp.machines import accelerators_of, series_of

    for name in way.instance_type:
        has = accelerators_of(name)
        if has is not None or series_of(name) is not None:
            yield name, has[0] if has is not None else way.accelerators


def _with(job: Job, left: Sequence[Resources | None]) -> Job:
    """The job with what is left of each of its alternatives."""
    old = job.resources
    if not old.any_of:
        return job.model_copy(update={"resources": left[0]})
    kept = []
    for one, way, rest in zip(old.any_of, alternatives(old), left, strict=True):
        if rest is not None:
            kept.append(one if rest == way else one.model_copy(update={"instance_type": rest.instance_type}))
    return job.model_copy(update={"resources": old.model_copy(update={"any_of": tuple(kept)})})

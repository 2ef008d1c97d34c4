"""What is looked at before a job's workload costs anything: a training that cannot work is refused, with the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.model.errors import JobError
from fleet.model.job import Job
from fleet.workloads.deepracer.findings import refuses
from fleet.workloads.kinds import options_of
from fleet.workloads.suited import suited

if TYPE_CHECKING:
    from fleet.workloads.deepracer.findings import Finding

CALLS = 1000
"""Of the reward function: a second or so. ``fleet deepracer check`` makes five times as many."""


def findings(job: Job, folder: Path, accelerators: Iterable[str | None]) -> list[Finding]:
    """What is wrong with a job's workload; nothing without one.

    ``folder``: where the job file lies; ``accelerators``: what the offers that may serve have, None for one without. What
    the job names itself is looked at in any case.
    """
    if job.workload is None:
        return []
    from fleet.workloads.deepracer.checking.evaluation import check_evaluation
    from fleet.workloads.deepracer.checking.model import check_folder
    from fleet.workloads.deepracer.prefix import open_prefix

    spec = options_of(job.workload)
    workdir = folder / (job.workdir or ".")
    source = open_prefix(_absolute(spec.pretrained, workdir)) if spec.pretrained is not None else None
    if spec.evaluate is not None and source is not None:
        return [*check_evaluation(workdir, spec, source), *of_machines(job, accelerators)]
    return [*check_folder(workdir, spec, source=source, calls=CALLS).findings, *of_machines(job, accelerators)]


def of_machines(job: Job, offered: Iterable[str | None] = ()) -> list[Finding]:
    """What images and machines have against each other. An error only if no machine would be left that could serve."""
    from fleet.workloads.deepracer.images import image_problems

    spec = options_of(job.workload or {})
    named = suited(job)
    each = [image_problems(spec, accelerator) for accelerator in dict.fromkeys([*named.accelerators, *offered])]
    none_fits = all(refuses(found) for found in each)
    found = [one if none_fits or one.severity == "warning" else _maybe(one) for one in chain.from_iterable(each)]
    return list(dict.fromkeys([*named.findings, *found]))


def _maybe(one: Finding) -> Finding:
    """What speaks against some of the machines only."""
    told = f"{one.message}; a machine like that may be taken, and would fail"
    return replace(one, message=told, remedy=f"Name accelerators or instance_type. {one.remedy}", severity="warning")


def refuse_hopeless(
    job: Job, folder: Path, accelerators: Iterable[str | None], tell: Callable[[str], object] = lambda _: None
) -> None:
    """Raise JobError for what would fail on every machine; warnings are told, and stop nothing."""
    found = findings(job, folder, accelerators)
    for one in found:
        if one.severity == "warning":
            tell(one.told())
    errors = [one for one in found if one.severity == "error"]
    if errors:
        told = "\n".join(f"{one.place}: {one.message}" if one.place else one.message for one in errors)
        raise JobError(told, "\n".join(dict.fromkeys(one.remedy for one in errors)))


def _absolute(pretrained: str, workdir: Path) -> str:
    """As the machine finds it: a folder lies in the workdir."""
    return pretrained if "://" in pretrained else str(workdir / pretrained)

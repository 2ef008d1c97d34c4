"""``fleet deepracer check``."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.output import emit, say
from fleet.model.errors import FleetError, JobError
from fleet.model.jobfile import place
from fleet.store.workdir import JOB_FILE
from fleet.workloads.before import of_machines
from fleet.workloads.deepracer.checking.evaluation import check_evaluation
from fleet.workloads.deepracer.checking.model import NOTHING, CheckResult, check_folder
from fleet.workloads.deepracer.checking.tracks import Tracks, download, usual_cache
from fleet.workloads.deepracer.findings import Finding, refuses
from fleet.workloads.deepracer.prefix import open_prefix
from fleet.workloads.deepracer.spec import DeepRacer
from fleet.workloads.kinds import options_of, read_job

if TYPE_CHECKING:
    from fleet.cli.objects import DeepRacerCheckObject
    from fleet.model.job import Job

_OPTIONS = {
    "job": "kind",
    "image": "images",
    "track": "tracks",
    "source": "pretrained",
    "bucket": "storage",
    "direct": "launcher",
    "workers": "workers",
    "race": "race",
    "no-gpu": "device",
}
"""By how codes begin; all others are about machines."""
_PLACE = re.compile(r"^(?P<file>.+?):(?P<line>\d+):\d+: (?P<told>.*)$")


def check(folder: Path, plot: Path | None, against: str | None, *, offline: bool, as_json: bool) -> int:
    """Look at a model's folder, and say what was found; 1 if it should not be trained with."""
    folder = folder.parent if folder.name == JOB_FILE and folder.is_file() else folder
    if not folder.is_dir():
        raise FleetError(f"there is no folder {folder}", "Name the one that holds fleet.yaml and reward_function.py.")
    if plot is not None:
        from fleet.cli.deepracer_plot import must_be_drawable

        must_be_drawable(plot)
    spec, files, found = _job(folder)
    pretrained = against or (_from(files, spec.pretrained) if spec.pretrained else None)
    routes = Tracks(files, usual_cache(), None if offline else download)
    source = open_prefix(pretrained) if pretrained else None
    if spec.evaluate is not None and source is not None:
        result = CheckResult(tuple(check_evaluation(files, spec, source)), NOTHING)
    else:
        result = check_folder(files, spec, routes=routes, source=source, draw=plot is not None)
    findings = sorted(_lined(folder, [*found, *result.findings]), key=lambda finding: finding.severity != "error")
    _say(result, findings, "evaluate" if spec.evaluate is not None else "train")
    if plot is not None and result.lanes:
        from fleet.cli.deepracer_plot import draw

        draw(result.lanes, plot)
        say(f"Drew {plot}.")
    if as_json:
        emit(_object(result, findings))
    return 1 if refuses(findings) else 0


def _job(folder: Path) -> tuple[DeepRacer, Path, list[Finding]]:
    """What the job says, the folder of the model's files, and what is wrong with the job."""
    if not (folder / JOB_FILE).exists():
        told = f"there is no {JOB_FILE}: checked as for today's stack and reinvent_base"
        remedy = "`fleet init deepracer NAME` writes one."
        return DeepRacer(), folder, [Finding("job-missing", told, remedy, JOB_FILE, severity="warning")]
    try:
        job, base = read_job(folder)
        if job.workload is None:
            told = "the job is no DeepRacer training: it has no workload"
            return DeepRacer(), folder, [Finding("job-kind", told, "Write `workload: {kind: deepracer}`.", JOB_FILE)]
        spec = options_of(job.workload)
    except JobError as error:
        return DeepRacer(), folder, [_problem(line, error.hint) for line in error.message.splitlines()]
    return spec, base / (job.workdir or "."), _images(job)


def _lined(folder: Path, findings: list[Finding]) -> list[Finding]:
    """What is wrong with the job, with the line of the option that it is about."""
    try:
        text = (folder / JOB_FILE).read_text(encoding="utf-8-sig")
        lines = {option: int(place(text, JOB_FILE, *option).split(":")[1]) for option in map(_option, _codes(findings))}
    except (OSError, ValueError, JobError):
        return findings  # there is none, or it is no job file: one of them says so
    return [
        dataclasses.replace(one, line=one.line or lines[_option(one.code)]) if one.file == JOB_FILE else one
        for one in findings
    ]


def _codes(findings: list[Finding]) -> set[str]:
    return {one.code for one in findings if one.file == JOB_FILE}


def _option(code: str) -> tuple[str, ...]:
    """Where a job says what a finding is about."""
    found = next((option for begin, option in _OPTIONS.items() if code.startswith(begin)), None)
    return ("workload", found) if found is not None else ("resources",)


def _problem(told: str, hint: str) -> Finding:
    """A line of a job file's error."""
    found = _PLACE.match(told)
    remedy = hint or "Correct the job file; docs/job-file.md has every field."
    if found is None:
        return Finding("job", told, remedy, JOB_FILE)
    return Finding("job", found["told"], remedy, JOB_FILE, int(found["line"]))


def _images(job: Job) -> list[Finding]:
    """What images and the machines that the job names have against each other."""
    return [dataclasses.replace(finding, file=JOB_FILE) for finding in of_machines(job)]


def _from(files: Path, pretrained: str) -> str:
    """In a job a folder is relative to the model's own."""
    return pretrained if "://" in pretrained else str(files / Path(pretrained).expanduser())


def _say(result: CheckResult, findings: list[Finding], purpose: str) -> None:
    for finding in findings:
        say(finding.told())
    if result.changes:
        say(f"What the resume changes:\n{result.changes}")
    figures = result.reward
    if figures.seconds is not None:
        told = f"{figures.calls} calls of the reward function"
        told += f", {figures.seconds * 1e6:.0f} microseconds each"
        if figures.least is not None:
            told += f", rewards from {figures.least:g} to {figures.most:g}"
        say(f"{told}; along {', '.join(result.tracks)}.")
    if result.confined:
        say(f"How it was held: {result.confined}.")
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    if errors:
        say(f"Not ready: {errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}.")
    else:
        some = f", with {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
        say(f"Ready to {purpose}{some}.")


def _object(result: CheckResult, findings: list[Finding]) -> DeepRacerCheckObject:
    figures = result.reward
    return {
        "ok": not refuses(findings),
        "problems": [
            {
                "code": one.code,
                "severity": one.severity,
                "file": one.file,
                "line": one.line,
                "message": one.message,
                "remedy": one.remedy,
            }
            for one in findings
        ],
        "reward": {
            "calls": figures.calls,
            "seconds_per_call": figures.seconds,
            "min": figures.least,
            "max": figures.most,
        },
    }

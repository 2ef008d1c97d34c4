"""``fleet deepracer status``: how far a training is, over all its machines as one run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from fleet.cli.deepracer_sources import Known, look, options
from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.trend import trend
from fleet.control.opened import opened_run
from fleet.core.summary import interruptions
from fleet.model.errors import FleetError
from fleet.model.units import format_duration
from fleet.workloads.deepracer.growth import DAY
from fleet.workloads.deepracer.whole_run import Iteration

if TYPE_CHECKING:
    from fleet.cli.objects import DeepRacerDiskObject, DeepRacerLostObject, DeepRacerStatusObject, State

MOST_TREND = 500
"""Iterations that are told to programs: the newest."""


def show(name: str, bucket: str | None, *, as_json: bool) -> int:
    """Everything that can be seen from here."""
    controller, run = opened_run(bucket, name)
    if options(run).evaluate is not None:
        hint = f"`fleet deepracer evaluations {run.name}` shows them, `fleet status {run.name}` its machine."
        raise FleetError(f"run {run.run_id} drives laps with a model, and trains none", hint)
    known = look(controller, run)
    told = status_object(known)
    if as_json:
        emit(told)
    else:
        for line in lines(known, told):
            print(plain(line))
    return 0


def status_object(known: Known) -> DeepRacerStatusObject:
    """As ``-o json`` prints it."""
    seen, whole = known.seen, known.whole
    best = whole.best
    newest = max([whole.done, *([known.kept[0]] if known.kept else []), *([known.course.reached] if known.course else [])])
    return {
        "run": seen.run.run_id,
        "state": cast("State", seen.phase),
        "stack": known.lately.phase if known.lately is not None and seen.run.ended_at is None else None,
        "faults": list(known.lately.faults) if known.lately is not None else [],
        "attempt": seen.attempt.number if seen.attempt is not None else 0,
        "prefixes": [part.prefix for part in whole.parts],
        "newest_set": newest,
        "iterations": known.course.done if known.course is not None else sum(one.done for one in whole.iterations),
        "episodes": whole.episodes,
        "laps": sum(one.laps for one in whole.iterations),
        "trend": [
            {
                "set": one.n,
                "episodes": len(one.episodes),
                "reward": round(one.reward, 4),
                "progress_percent": round(one.progress, 2),
                "laps": one.laps,
            }
            for one in whole.iterations[-MOST_TREND:]
        ],
        "best": {
            "set": best.n,
            "trials": best.result.trials,
            "reward": round(best.result.reward, 4),
            "progress_percent": round(best.result.progress, 2),
            "laps": best.result.laps,
        }
        if best is not None
        else None,
        "checkpoint": {
            "set": known.kept[0],
            "at": known.kept[1],
            "age_seconds": round(max(0.0, seen.at - known.kept[1]), 1),
        }
        if known.kept is not None
        else None,
        "lost": _lost(known),
        "disk": _disk(known),
        "nan_retries": known.course.nan_retries if known.course is not None else 0,
        "unseen": list(known.unseen),
    }


def _lost(known: Known) -> list[DeepRacerLostObject]:
    """What each resume cost, by the metrics; or what fleet itself measured, where that is more: a machine that was taken may
    have left no metrics of its last minutes.
    """
    measured = {one.attempt: one for one in interruptions(known.seen.run) if one.recovered_by is not None}
    found: dict[int | str, DeepRacerLostObject] = {}
    for one in known.whole.lost:
        taken = measured.get(one.attempt) if one.attempt is not None and _ends_attempt(known, one.prefix) else None
        more = taken is not None and taken.lost_steps > one.iterations
        found[one.prefix] = {
            "prefix": one.prefix,
            "attempt": one.attempt,
            "resumed_from": one.resumed_from,
            "iterations_count": float(taken.lost_steps) if taken is not None and more else one.iterations,
            "episodes": None if more else one.episodes,
            "seconds": round(taken.lost_seconds, 3) if taken is not None and more else one.seconds,
        }
    told = {one["attempt"] for one in found.values()}
    for attempt, taken in measured.items():
        if attempt not in told:
            found[attempt] = {
                "prefix": None,
                "attempt": attempt,
                "resumed_from": None,
                "iterations_count": float(taken.lost_steps),
                "episodes": None,
                "seconds": round(taken.lost_seconds, 3),
            }
    return sorted(found.values(), key=lambda one: one["attempt"] or 0)


def _ends_attempt(known: Known, prefix: str) -> bool:
    """Whether it is the last that its machine wrote: within a machine only a loss that is no number ends one."""
    parts = known.whole.parts
    own = next(part for part in parts if part.prefix == prefix)
    return [part.prefix for part in parts if part.attempt == own.attempt][-1] == prefix


def _disk(known: Known) -> DeepRacerDiskObject | None:
    grown = known.growth
    if grown is not None:
        return {
            "used_bytes": grown.used,
            "total_bytes": grown.total,
            "bytes_per_day": round(grown.bytes_per_day),
            "full_at": grown.full_at,
            "measured": True,
        }
    if known.volume is None:
        return None
    import shutil

    usage = shutil.disk_usage(known.volume)
    per_day = known.bytes_per_day or 0.0
    full_in = usage.free / per_day * DAY if per_day > 0 else math.inf
    return {
        "used_bytes": usage.total - usage.free,
        "total_bytes": usage.total,
        "bytes_per_day": round(per_day),
        "full_at": known.seen.at + full_in if full_in < 3650 * DAY else None,
        "measured": False,
    }


def lines(known: Known, told: DeepRacerStatusObject) -> list[str]:
    """For people."""
    seen, whole = known.seen, known.whole
    where = seen.attempt.offer.key if seen.attempt is not None and seen.attempt.offer is not None else "no machine"
    found = [f"run         {told['run']}: {told['state']}, attempt {told['attempt']} on {where}"]
    if known.lately is not None and seen.run.ended_at is None:
        found.append(f"stack       {known.lately.told}")
    found += [f"trouble     {fault}" for fault in told["faults"]]
    if seen.beat is not None and seen.beat.message and seen.run.ended_at is None:
        found.append(f"says        {seen.beat.message}")
    begun = f", {len(told['prefixes'])} prefixes" if len(told["prefixes"]) > 1 else ""
    found.append(f"iterations  {told['iterations']}, newest set {told['newest_set']}{begun}")
    found.append(f"episodes    {told['episodes']}, {told['laps']} of them whole laps")
    if whole.iterations:
        found += _trends(whole.iterations)
    best = told["best"]
    if best is not None:
        laps = f"{best['laps']} of {best['trials']} laps"
        found.append(f"best        set {best['set']}: {best['progress_percent']:.0f} % of the lap when evaluated, {laps}")
    kept = told["checkpoint"]
    found.append(
        f"checkpoint  set {kept['set']}, {format_duration(kept['age_seconds'])} ago"
        if kept is not None
        else "checkpoint  none yet"
    )
    found += [f"lost        {_lost_in_words(one)}" for one in told["lost"]] or ["lost        nothing: no interruption yet"]
    if told["disk"] is not None:
        found.append(f"disk        {_disk_in_words(told['disk'], seen.at)}")
    found += [f"unseen      {what}" for what in told["unseen"]]
    return found


def _trends(iterations: Sequence[Iteration]) -> list[str]:
    """The course of reward and progress, an iteration's mean each."""
    last = f"in iteration {iterations[-1].n}"
    return [
        trend("reward", [one.reward for one in iterations], last),
        trend("progress", [one.progress for one in iterations], last, " %"),
    ]


def _lost_in_words(one: DeepRacerLostObject) -> str:
    after = f"attempt {one['attempt']}" if one["attempt"] is not None else f"{one['prefix']}"
    went = f"; training went on from set {one['resumed_from']}" if one["resumed_from"] is not None else ""
    if not one["iterations_count"] and not one["episodes"]:
        return f"nothing after {after}{went}"
    episodes = f" ({one['episodes']} episodes)" if one["episodes"] is not None else ""
    return f"{one['iterations_count']:g} iterations{episodes}, {one['seconds'] / 60:.1f} min after {after}{went}"


def _disk_in_words(disk: DeepRacerDiskObject, now: float) -> str:
    share = disk["used_bytes"] / disk["total_bytes"] if disk["total_bytes"] else 0.0
    grows = f"grows by {disk['bytes_per_day'] / 1e9:.1f} GB a day" + ("" if disk["measured"] else " (by the files' times)")
    full = (
        f"full in {format_duration(max(0.0, disk['full_at'] - now))}"
        if disk["full_at"] is not None
        else "not about to be full"
    )
    return f"{share:.0%} of {disk['total_bytes'] / 1e9:.0f} GB in use, {grows}, {full}"

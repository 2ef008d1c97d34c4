"""``fleet deepracer stats``: what a training came to, by iteration, and what there is to act on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fleet.cli.deepracer_recordings import open_recording
from fleet.cli.deepracer_stats_objects import (
    DeepRacerActionObject,
    DeepRacerIterationDetailsObject,
    DeepRacerStatsDetailsObject,
    DeepRacerStatsObject,
)
from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.cli.trend import trend
from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.model import Analysis, IterationRow
from fleet.workloads.deepracer.analysis.places import off_track_places
from fleet.workloads.deepracer.analysis.series import told

MOST_SOURCE = 100
"""Characters of what was named: it may be a hundred files."""
MOST_PLACES = 10
"""Of where cars leave the track."""
SPARE = ("loss", "entropy", "off track", "steps/s", "spread", "mean lap", "real time")
"""Columns that a narrow terminal is spared, the first first."""


def show(paths: Sequence[str], bucket: str | None, *, last: int | None, details: bool, as_json: bool) -> int:
    """Read, sum up, judge. ``last``: so many iterations for people; None: all."""
    analysis = analyse(open_recording(paths, bucket))
    if as_json:
        emit(stats_object(analysis, details=details))
        return 0
    for line in head(analysis):
        print(plain(line))
    if analysis.rows:
        print()
        print_table(table(analysis.rows if last is None else analysis.rows[-last:]), SPARE)
    if details:
        print("\n".join(plain(line) for line in _details(analysis)))
    for finding in analysis.findings:
        print(plain(f"\n{finding.code}: {finding.message}"))
    return 0


def stats_object(analysis: Analysis, *, details: bool = False) -> DeepRacerStatsObject:
    """As ``-o json`` prints it."""
    found: DeepRacerStatsObject = {
        "episodes": analysis.episodes or len(analysis.evaluation),
        "iterations": len(analysis.rows),
        "workers": analysis.workers or len({one.worker for one in analysis.evaluation}),
        "laps_completed": analysis.laps_completed,
        "best_lap_seconds": _number(analysis.best_lap_seconds),
        "mean_completion_percent": _number(analysis.mean_completion_percent),
        "per_iteration": [
            {
                "iteration": row.iteration,
                "episodes": row.episodes,
                "mean_reward": _number(row.mean_reward),
                "mean_completion_percent": _number(row.mean_completion_percent),
                "laps": row.laps,
                "best_lap_seconds": _number(row.best_lap_seconds),
            }
            for row in analysis.rows
        ],
        "findings": [{"code": one.code, "message": one.message, "value": one.value} for one in analysis.findings],
    }
    if details:
        found["details"] = details_object(analysis)
    return found


def details_object(analysis: Analysis) -> DeepRacerStatsDetailsObject:
    """What ``--details`` adds."""
    laps = [one.seconds for one in analysis.evaluation if one.is_lap]
    return {
        "source": analysis.source,
        "parts": list(analysis.parts),
        "tracks": list(analysis.tracks),
        "unfinished_episodes": analysis.unfinished,
        "problems": list(analysis.problems),
        "cost_usd": _number(analysis.cost),
        "cost_per_iteration_usd": _number(analysis.cost_per_iteration),
        "trained_seconds": _number(analysis.seconds),
        "evaluation_episodes": len(analysis.evaluation),
        "evaluation_laps": len(laps),
        "evaluation_best_lap_seconds": _number(min(laps, default=None)),
        "per_iteration": [_iteration(row) for row in analysis.rows],
        "off_track": [
            {"waypoint": one.waypoint, "episodes": one.episodes, "x": round(one.x, 3), "y": round(one.y, 3)}
            for one in off_track_places(analysis.training)[:MOST_PLACES]
        ],
        "actions": _actions(analysis),
    }


def _iteration(row: IterationRow) -> DeepRacerIterationDetailsObject:
    return {
        "iteration": row.iteration,
        "mean_lap_seconds": _number(row.mean_lap_seconds),
        "lap_spread_seconds": _number(row.lap_spread_seconds),
        "off_track": row.off_track,
        "steps": row.steps,
        "steps_per_second": _number(row.steps_per_second),
        "real_time_factor": _number(row.real_time_factor),
        "entropy": _number(row.entropy),
        "surrogate_loss": _number(row.surrogate_loss, 8),
        "kl_divergence": _number(row.kl_divergence, 8),
        "learning_rate": _number(row.learning_rate, 12),
        "evaluated_percent": _number(row.evaluated_percent),
        "evaluated_laps": row.evaluated_laps,
        "evaluated_best_lap_seconds": _number(row.evaluated_best_lap_seconds),
    }


def _actions(analysis: Analysis) -> list[DeepRacerActionObject]:
    total = sum(one.steps for one in analysis.actions)
    if not total:
        return []
    return [
        {
            "action": one.number,
            "steps": one.steps,
            "share": round(one.steps / total, 5),
            "steering_degrees": _number(one.steering),
            "speed": _number(one.speed),
        }
        for one in analysis.actions
    ]


def _number(value: float | None, places: int = 5) -> float | None:
    """Rounded to what anybody can mean; None for what is no number, since JSON has none of that."""
    return round(value, places) if value is not None and math.isfinite(value) else None


def head(analysis: Analysis) -> list[str]:
    """What is above the table: what it is of, totals, trends."""
    tracks = f", {', '.join(analysis.tracks)}" if analysis.tracks else ""
    source = analysis.source if len(analysis.source) <= MOST_SOURCE else f"{analysis.source[: MOST_SOURCE - 1]}…"
    found = [f"training    {source}: {_size(analysis)}{tracks}"]
    best, driven = analysis.best_lap_seconds, analysis.training or analysis.evaluation
    if best is not None:
        share = f"{analysis.laps_completed / len(driven):.1%}"
        found.append(f"laps        {analysis.laps_completed} whole ones ({share}), the best in {best:.3f} s")
    elif driven:
        found.append("laps        none yet")
    if analysis.mean_completion_percent is not None:
        found.append(f"completion  {analysis.mean_completion_percent:.1f} % of the lap on average")
    found += _trends(analysis.rows)
    if analysis.cost is not None:
        each = f", ${analysis.cost_per_iteration:.4f} an iteration" if analysis.cost_per_iteration is not None else ""
        found.append(f"cost        ${analysis.cost:.2f}{each}")
    if analysis.unfinished:
        found.append(f"under way   {_count(analysis.unfinished, 'episode')}, not counted")
    return found + [f"unseen      {what}" for what in analysis.problems]


def _size(analysis: Analysis) -> str:
    if not analysis.rows and not analysis.evaluation:
        return "nobody has driven yet"
    if not analysis.rows:
        return f"no training, {_count(len(analysis.evaluation), 'evaluation episode')}"
    rows, workers = _count(len(analysis.rows), "iteration"), _count(analysis.workers, "worker")
    return f"{_count(analysis.episodes, 'episode')} in {rows}, {workers}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _trends(rows: Sequence[IterationRow]) -> list[str]:
    found = []
    for name, values, unit, places in (
        ("reward", [row.mean_reward for row in rows], "", 1),
        ("progress", [row.mean_completion_percent for row in rows], " %", 1),
        ("entropy", [row.entropy for row in rows], "", 3),
    ):
        known = [(row.iteration, value) for row, value in zip(rows, values, strict=True) if told([value])]
        if known:
            last = f"in iteration {known[-1][0]}"
            found.append(trend(name, told(value for _, value in known), last, unit, places))
    return found


def table(rows: Sequence[IterationRow]) -> list[list[str]]:
    """The iterations, as cells; columns of which nobody told anything are left out."""
    columns = {
        "iteration": [f"{row.iteration}" for row in rows],
        "episodes": [f"{row.episodes}" for row in rows],
        "reward": [_cell(row.mean_reward, ".2f") for row in rows],
        "completion": [_cell(row.mean_completion_percent, ".1f", " %") for row in rows],
        "laps": [_driven(row, row.laps) for row in rows],
        "best lap": [_cell(row.best_lap_seconds, ".3f", " s") for row in rows],
        "mean lap": [_cell(row.mean_lap_seconds, ".3f", " s") for row in rows],
        "spread": [_cell(row.lap_spread_seconds, ".3f", " s") for row in rows],
        "off track": [_driven(row, row.off_track) for row in rows],
        "steps/s": [_cell(row.steps_per_second, ".1f") for row in rows],
        "real time": [_cell(row.real_time_factor, ".2f") for row in rows],
        "entropy": [_cell(row.entropy, ".3f") for row in rows],
        "loss": [_cell(row.surrogate_loss, ".4f") for row in rows],
        "evaluated": [_cell(row.evaluated_percent, ".1f", " %") for row in rows],
    }
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    return [list(kept), *([cells[at] for cells in kept.values()] for at in range(len(rows)))]


def _cell(value: float | None, form: str, unit: str = "") -> str:
    return f"{value:{form}}{unit}" if value is not None and math.isfinite(value) else ""


def _driven(row: IterationRow, count: int) -> str:
    """A count of episodes; of those that only the trainer names nobody knows it."""
    return f"{count}" if row.is_driven else ""


def _details(analysis: Analysis) -> list[str]:
    """What ``--details`` adds for people."""
    found = [f"\npart        {part}" for part in analysis.parts] if len(analysis.parts) > 1 else []
    for place in off_track_places(analysis.training)[:MOST_PLACES]:
        where = f"waypoint {place.waypoint} ({place.x:.1f}, {place.y:.1f} m)"
        found.append(f"off track   {_count(place.episodes, 'episode')} around {where}")
    for one in _actions(analysis):
        what = f"{one['steering_degrees']:g}° at {one['speed']:g} m/s" if one["steering_degrees"] is not None else ""
        found.append(f"action      {one['action']:>2} {one['share']:>6.1%}  {what}")
    laps = sum(one.is_lap for one in analysis.evaluation)
    if analysis.evaluation:
        found.append(f"evaluation  {laps} of {_count(len(analysis.evaluation), 'episode')} all the way round")
    return ["", *found] if found else []

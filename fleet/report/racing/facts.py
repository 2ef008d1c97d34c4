"""What a training came to in words and figures: the same on the page and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fleet.model.units import format_duration, format_money
from fleet.report.tables import Table
from fleet.report.words import NOTHING, count
from fleet.workloads.deepracer.analysis.model import Analysis, Drive, IterationRow
from fleet.workloads.deepracer.analysis.scene import Scene, cost_shares, laps, troubles

MOST_ROWS = 500
"""Iterations in a table: the newest."""
MOST_LAPS, MOST_PLACES = 12, 8


def title(scene: Scene) -> str:
    """What it is."""
    a = scene.analysis
    tracks = ", ".join(one for one in a.tracks if one)
    return f"{a.source or 'A training'}{f' on {tracks}' if tracks else ''}"


def lead(scene: Scene) -> str:
    """One sentence that says the most."""
    a = scene.analysis
    if not a.drives and not a.rows:
        return "Nobody has driven yet." if not scene.ended else "Nobody drove."
    if not a.training and not a.rows:
        done = sum(one.is_lap for one in a.evaluation)
        return f"{count(len(a.evaluation), 'episode')} of evaluation, {count(done, 'whole lap')} among them."
    workers = f" by {count(a.workers, 'worker')}" if a.workers > 1 else ""
    driven = f"{count(a.episodes, 'episode')} in {count(len(a.rows), 'iteration')}{workers}"
    if not a.training:
        return f"{driven}; the trainer's log alone does not tell how far they came."
    if a.laps_completed:
        best = f", the best of {seconds(a.best_lap_seconds)}" if a.best_lap_seconds is not None else ""
        return f"{driven}, {count(a.laps_completed, 'whole lap')} among them{best}."
    furthest = max(one.progress for one in a.training)
    return f"{driven}, no whole lap yet: {furthest:.0f} % of one at the most."


def trouble_told(scene: Scene) -> str:
    """Why it is not the newest; empty: it is."""
    return f"Nothing newer is seen: {scene.trouble}" if scene.trouble else ""


def facts(scene: Scene) -> list[tuple[str, str]]:
    """Names and values, the most important first; only what is known."""
    a = scene.analysis
    last = a.rows[-1] if a.rows else None
    evaluated = next((row for row in reversed(a.rows) if row.evaluated_percent is not None), None)
    found = [("State", "ended" if scene.ended and not scene.state else scene.state)]
    found += [("Iterations", f"{len(a.rows):,}"), ("Episodes", f"{a.episodes:,}")]
    found.append(("Whole laps", f"{a.laps_completed:,}" if a.drives or not a.rows else NOTHING))
    found.append(("Best lap", seconds(a.best_lap_seconds)))
    if last is not None:
        found.append(("Completion, newest", percent(last.mean_completion_percent, 0)))
        found.append(("Reward, newest", number(last.mean_reward)))
    if evaluated is not None:
        found.append((f"Evaluated after {evaluated.iteration}", percent(evaluated.evaluated_percent, 0)))
    found.append(("Entropy", _newest(a.rows, "entropy", 3)))
    found.append(("Real-time factor", _newest(a.rows, "real_time_factor", 2)))
    if a.seconds is not None:
        found.append(("Training time", format_duration(a.seconds)))
    found.append(("Cost", dollars(a.cost)))
    found.append(("Cost of an iteration", dollars(a.cost_per_iteration)))
    return [(name, value) for name, value in found if value and value != NOTHING]


def _newest(rows: Sequence[IterationRow], name: str, digits: int) -> str:
    """The newest value that is known."""
    known = next((value for row in reversed(rows) if (value := getattr(row, name)) is not None), None)
    return _digits(known, digits)


def _digits(value: float | None, digits: int) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Of the lap; a dash where nobody told."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f} %"


def seconds(value: float | None) -> str:
    """A lap time: ``12.345 s``; a dash where there is none."""
    return NOTHING if value is None else f"{value:.3f} s"


def number(value: float | None) -> str:
    """As many digits as say something."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def dollars(value: float | None) -> str:
    """US dollars; a dash where they are not known."""
    return NOTHING if value is None else format_money(round(value * 1e6))


def iterations_table(analysis: Analysis, most: int = MOST_ROWS) -> Table | None:
    """A row for each iteration, the newest first; columns of which nobody told anything are left out."""
    if not analysis.rows:
        return None
    costs = cost_shares(analysis)
    rows = [iteration_row(row, costs) for row in reversed(analysis.rows[-most:])]
    kept = [name for name in rows[0] if any(row[name] != NOTHING for row in rows)]
    told = f"; {most} of {len(analysis.rows):,}" if len(analysis.rows) > most else ""
    shared = "; cost is shared out by driving time" if costs else ""
    body = tuple(tuple(row[name] for name in kept) for row in rows)
    return Table(
        f"By iteration, the newest first{told}{shared}", tuple(kept), body, frozenset(range(1, len(kept))), long=True
    )


def iteration_row(row: IterationRow, costs: Mapping[int, float]) -> dict[str, str]:
    """Every figure of an iteration by its name."""
    return {
        "Iteration": str(row.iteration),
        "Episodes": f"{row.episodes:,}",
        "Reward": number(row.mean_reward),
        "Completion": percent(row.mean_completion_percent),
        "Laps": str(row.laps) if row.is_driven else NOTHING,
        "Best lap": seconds(row.best_lap_seconds),
        "Mean lap": seconds(row.mean_lap_seconds),
        "Spread": seconds(row.lap_spread_seconds),
        "Off track": str(row.off_track) if row.is_driven else NOTHING,
        "Evaluated": percent(row.evaluated_percent),
        "Entropy": _digits(row.entropy, 3),
        "Loss": _digits(row.surrogate_loss, 4),
        "KL": _digits(row.kl_divergence, 4),
        "Steps/s": _digits(row.steps_per_second, 1),
        "Real time": _digits(row.real_time_factor, 2),
        "Cost": dollars(costs.get(row.iteration)),
    }


def laps_table(analysis: Analysis, most: int = MOST_LAPS) -> Table | None:
    """The shortest laps."""
    found = laps(analysis, most)
    if not found:
        return None
    several = len({one.worker for one in found}) > 1
    head = ["Place", "Lap", "Iteration", "Phase", "Steps", "Reward", "Begun at waypoint"]
    rows = []
    for place, one in enumerate(found, 1):
        row = [str(place), seconds(one.seconds), str(one.iteration), one.phase, _whole(one.steps), number(one.reward)]
        rows.append([*row, _whole(one.start_waypoint), *([str(one.worker)] if several else [])])
    head += ["Worker"] if several else []
    kept = [index for index in range(len(head)) if any(row[index] != NOTHING for row in rows)]
    body = tuple(tuple(row[index] for index in kept) for row in rows)
    names = tuple(head[index] for index in kept)
    numbers = frozenset(place for place, name in enumerate(names) if name not in ("Place", "Phase"))
    return Table("The shortest laps", names, body, numbers)


def _whole(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def troubles_table(drives: Sequence[Drive], world: str, most: int = MOST_PLACES) -> Table | None:
    """Where cars leave a track."""
    found = troubles(drives, world, most)
    if not found:
        return None
    rows = tuple(
        (
            f"{one.place.waypoint}",
            f"{one.place.episodes:,}",
            f"{100 * one.share:.0f} %",
            f"{one.lately:,}",
            f"{one.place.x:.1f}, {one.place.y:.1f}",
        )
        for one in found
    )
    head = ("Waypoint", "Episodes", "Of all", "In the newest fifth", "At x, y (m)")
    track = f"the track {world}" if world else "the track"
    return Table(f"Where episodes of training ended beside {track}, the most first", head, rows, frozenset(range(1, 5)))

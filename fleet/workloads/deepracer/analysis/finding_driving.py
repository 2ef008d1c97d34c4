"""Findings in how the car drives and the simulator runs: stuck, waiting for ever, one track only, too slow. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from fleet.workloads.deepracer.analysis.model import Analysis, Drive, Finding
from fleet.workloads.deepracer.analysis.places import off_track_places
from fleet.workloads.deepracer.analysis.series import told
from fleet.workloads.deepracer.stack_checks import SLOW

RECENT = 100
"""Episodes that are taken together as the present: five of the usual iterations."""
STUCK_SECONDS, STUCK_STEPS = 10.0, 150
"""That long, at 15 steps a second, and hardly from the spot: the slowest usual action, half a metre a second, makes 5 m."""
STUCK_PERCENT = 2.0
"""Of the lap: 2 m of a track of 100 m."""
STUCK_SHARE, STUCK_LEAST = 0.2, 3
"""Of the episodes, and at least so many: a single one may have been pushed against a wall."""
WAITING = 40
"""Evaluations in a row that wait for the trainer: the slowest that ended well among public logs took 36."""
OVER_USUAL = 4.0
"""Times as many as the evaluations before it, where only metrics tell."""
TRACK_GAP = 40.0
"""Points of completion between the best and the worst track: more than a harder track explains."""
TRACK_KNOWN = 60.0
"""Percent on the best track: below, nothing has been learned yet that could be too narrow."""
TRACK_LEAST = 3
"""Laps on a track before they are compared."""
CORNER_SHARE, CORNER_LEAST = 0.5, 20
"""Of the cars that leave the track, and how many must: a training that is begun all round the track leaves it everywhere."""
SLOW_ROWS = 5
"""Iterations whose mean is the present factor."""


def stuck_car(analysis: Analysis) -> Finding | None:
    """It stands, or turns on the spot."""
    recent = analysis.training[-RECENT:]
    stuck = [drive for drive in recent if _is_stuck(drive)]
    if len(stuck) < STUCK_LEAST or len(stuck) < STUCK_SHARE * len(recent):
        return None
    share = len(stuck) / len(recent)
    return Finding(
        "stuck-car",
        f"The car is stuck in {share:.0%} of the last {len(recent)} episodes ({fmean(one.progress for one in stuck):.1f} % "
        "of the lap): look at the start in the video, give the slowest actions more speed, and do not pay for standing.",
        round(share * 100, 2),
    )


def _is_stuck(drive: Drive) -> bool:
    if drive.status == "Immobilized":
        return True
    long = drive.seconds >= STUCK_SECONDS or (drive.steps or 0) >= STUCK_STEPS
    return long and drive.progress < STUCK_PERCENT and not drive.is_lap


def endless_evaluation(analysis: Analysis) -> Finding | None:
    """The simulator evaluates for ever: no new set comes."""
    count = analysis.waiting if analysis.waiting >= WAITING else _trailing(analysis.drives)
    if count < WAITING:
        return None
    return Finding(
        "endless-evaluation",
        f"The simulator has driven {count} evaluations in a row and no new set came: the trainer is dead or hangs; look at "
        "its log (`fleet deepracer doctor`), and start it again from its newest whole set (`fleet deepracer repair`).",
        float(count),
    )


def _trailing(drives: Sequence[Drive]) -> int:
    """Evaluations since the last training episode of the worker that drove most of them; 0 if it usually drives as many.

    Evaluations of their own, which somebody asked for, are in other parts than training is.
    """
    most, parts = 0, {drive.part for drive in drives if drive.phase == "training"}
    for worker in {drive.worker for drive in drives}:
        stretches: list[int] = []
        length, trained = 0, False
        for drive in drives:
            if drive.worker != worker or drive.part not in parts:
                continue
            if drive.phase == "evaluation":
                length += 1
            else:
                trained = True
                stretches, length = ([*stretches, length] if length else stretches), 0
        usual = fmean(stretches) if stretches else 0.0
        if trained and length > OVER_USUAL * usual:
            most = max(most, length)
    return most


def one_track(analysis: Analysis) -> Finding | None:
    """It drives one track well, and another badly: by evaluations on several, or by training on several."""
    for drives in (analysis.evaluation, analysis.training[-max(RECENT, len(analysis.training) // 3) :]):
        by_track: dict[str, list[float]] = {}
        for drive in drives:
            if drive.track:
                by_track.setdefault(drive.track, []).append(drive.progress)
        means = {track: fmean(found[-RECENT:]) for track, found in by_track.items() if len(found) >= TRACK_LEAST}
        if len(means) < 2:
            continue
        best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        gap = means[best] - means[worst]
        if means[best] >= TRACK_KNOWN and gap >= TRACK_GAP:
            return Finding(
                "one-track",
                f"It comes {means[best]:.0f} % of the lap on {best} and {means[worst]:.0f} % on {worst}: it knows one track "
                f"by heart; train on both (workers on several tracks), or from the start on {worst}.",
                round(gap, 2),
            )
    return None


def slow_simulation(analysis: Analysis) -> Finding | None:
    """The machine is too small for its simulators: paid time is lost, and steps come late."""
    factors = told(row.real_time_factor for row in analysis.rows)[-SLOW_ROWS:]
    if not factors or fmean(factors) >= SLOW:
        return None
    factor = fmean(factors)
    return Finding(
        "slow-real-time-factor",
        f"The simulation runs at {factor:.2f} of real time (about 0.9 is usual): take fewer workers, or a machine with "
        "more cores; "
        f"{1 - factor:.0%} of the time is lost, and the car sees its pictures late.",
        round(factor, 3),
    )


def hard_corner(analysis: Analysis) -> Finding | None:
    """Most of the cars that leave the track leave it in one place."""
    places = off_track_places(analysis.training[-2 * RECENT :])
    count = sum(place.episodes for place in places)
    if count < CORNER_LEAST or places[0].episodes < CORNER_SHARE * count:
        return None
    worst, share = places[0], places[0].episodes / count
    return Finding(
        "hard-corner",
        f"{share:.0%} of the last {count} cars that left the track left it around waypoint {worst.waypoint} (at "
        f"{worst.x:.1f}, {worst.y:.1f} m): reward slower or earlier turning there, and see that the actions turn sharply "
        "enough for it.",
        round(share * 100, 2),
    )

"""``fleet deepracer evaluations``: what models came to on which tracks, beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from fleet.cli.deepracer_evaluated import Evaluated, evaluation_object, evaluations
from fleet.cli.deepracer_models import open_model
from fleet.cli.output import emit, say
from fleet.cli.plain import plain
from fleet.cli.table import print_table
from fleet.model.errors import FleetError
from fleet.model.units import format_money
from fleet.workloads.deepracer.evaluating.results import OnTrack

HEAD = ("TRACK", "MODEL", "SET", "LAPS", "DONE", "BEST", "MEAN", "OFF", "RACE", "WHEN", "COST", "RUN")
SPARE = ("RUN", "RACE", "MEAN", "COST")
UNKNOWN = "-"


def show(models: Sequence[str], bucket: str | None, *, as_json: bool) -> int:
    """Print them: by track, so that what is to be compared stands together."""
    found = evaluations(bucket)
    if models:
        names = {name for text in models for name in _names(text, found, bucket)}
        found = [one for one in found if names & {one.results.model, one.run.run_id, one.run.name}]
    if as_json:
        emit([evaluation_object(one) for one in found])
    elif not found:
        whose = f" of {', '.join(models)}" if models else ""
        say(f"There is no evaluation{whose} yet: `fleet deepracer evaluate MODEL --track reinvent_base` makes one.")
    else:
        print_table([HEAD, *rows(found)], SPARE)
        for one in found:
            if one.problem:
                say(plain(f"{one.run.run_id}: its results cannot be read: {one.problem}"))
    return 0


def _names(text: str, found: Sequence[Evaluated], bucket: str | None) -> set[str]:
    """What evaluations call a model: as it was typed, if one does; else its name, wherever it lies. Raises FleetError."""
    if any(text in (one.results.model, one.run.run_id, one.run.name) for one in found):
        return {text}
    try:
        return {open_model(text, bucket).name}
    except FleetError:
        dashed = text.replace(".", "-")
        if any(one.results.model == dashed for one in found):
            return {dashed}
        raise


def rows(found: Sequence[Evaluated]) -> list[tuple[str, ...]]:
    """A row for each track of each evaluation; within a track by model, then by time."""
    every = [(track.track, one.results.model, one.run.created_at, one, track) for one in found for track in one.tracks]
    return [_row(one, track) for *_, one, track in sorted(every, key=lambda each: each[:3])]


def _row(one: Evaluated, track: OnTrack) -> tuple[str, ...]:
    results = one.results
    share = one.seen.cost.total / len(one.wish.tracks)
    return (
        track.track,
        results.model,
        str(results.set) if results.set is not None else UNKNOWN,
        f"{len(track.laps)} of {len(track.trials)}" if track.trials else one.seen.phase,
        f"{track.progress:.0f} %" if track.progress is not None else UNKNOWN,
        _seconds(track.best),
        _seconds(track.mean),
        str(track.off_track) if track.trials else UNKNOWN,
        results.race.lower().replace("_", " ") + (", resets" if results.resets else ""),
        datetime.fromtimestamp(track.ended_at or one.run.created_at).astimezone().strftime("%Y-%m-%d %H:%M"),
        format_money(round(share)),
        one.run.run_id,
    )


def _seconds(value: float | None) -> str:
    return f"{value:.3f} s" if value is not None else UNKNOWN


def summary(one: Evaluated) -> Iterator[str]:
    """For whoever waited for it: a line for each track."""
    for track in one.tracks:
        if not track.trials:
            yield f"{track.track}: no lap was driven"
            continue
        laps = f"{len(track.laps)} of {len(track.trials)} laps, {track.progress:.1f} % on average"
        times = f", best {track.best:.3f} s, mean {track.mean:.3f} s" if track.laps else ""
        yield f"{track.track}: {laps}{times}, {track.off_track} times off the track"

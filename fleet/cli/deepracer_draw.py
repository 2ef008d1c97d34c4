"""``fleet deepracer plot``: a training as a picture or as a page of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.deepracer_recordings import open_recording
from fleet.cli.output import emit, say
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.analysis.analysing import analyse
from fleet.workloads.deepracer.analysis.light import summed
from fleet.workloads.deepracer.analysis.scene import Scene, named
from fleet.workloads.deepracer.analysis.scenery import Scenery, only
from fleet.workloads.deepracer.checking.tracks import Tracks, download, usual_cache

if TYPE_CHECKING:
    from fleet.cli.deepracer_show_objects import DeepRacerPlottedObject

ENDINGS = (".html", ".png")
_SPAN = re.compile(r"(?P<first>\d+)(?:(?P<to>-)(?P<last>\d*))?")


def draw(
    paths: Sequence[str],
    file: Path,
    what: Sequence[str],
    span: str | None,
    bucket: str | None,
    *,
    world: str,
    offline: bool,
    as_json: bool,
) -> int:
    """Read, sum up, draw. ``span``: the iterations of the maps; ``world``: the track, where the records do not name it."""
    must_be_drawable(file, what)
    first, last = span_of(span)
    recording = open_recording(paths, bucket)
    analysis = analyse(recording, summed)
    if not analysis.drives and not analysis.rows:
        raise FleetError(f"nobody has driven in {analysis.source}: there is nothing to draw", _nothing(analysis.problems))
    if span is not None:
        recording = only(recording, first, last)
    grounds = Scenery(tracks(offline=offline), world).grounds(recording)
    scene = named(Scene(analysis, grounds, time.time()), world)
    data = _drawn(scene, file, what)
    file.write_bytes(data)
    say(f"Drew {file}.")
    if as_json:
        emit(_object(scene, file, len(data)))
    return 0


def tracks(*, offline: bool) -> Tracks:
    """Where borders come from: fleet's cache, else the simulator's repository."""
    return Tracks(None, usual_cache(), None if offline else download)


def span_of(text: str | None) -> tuple[int, int]:
    """``7``, ``10-20``, ``10-``: the first and the last iteration. Raises FleetError."""
    if text is None:
        return 0, 1 << 60
    found = _SPAN.fullmatch(text.strip())
    if found is not None:
        first = int(found["first"])
        last = first if found["to"] is None else int(found["last"]) if found["last"] else 1 << 60
        if first <= last:
            return first, last
    raise FleetError(f"{text!r} are no iterations", "For example: --iterations 7, 10-20 or 10- (from there on).")


def must_be_drawable(file: Path, what: Sequence[str]) -> None:
    """Before anything is read. Raises FleetError."""
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise FleetError(f"{file}: a plot's name ends in {' or '.join(ENDINGS)}", "For example: -f shanghai-1.html")
    if not file.absolute().parent.is_dir():
        raise FleetError(f"there is no folder {file.absolute().parent}", "Make it, or name another.")
    if ending == ".html":
        if what:
            raise FleetError("a page shows everything: --what is for pictures", "Leave --what out, or let -f end in .png.")
        return
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise FleetError(
            "the picture is drawn by matplotlib, which is not installed",
            "pip install 'fleet[deepracer]'; or let -f end in .html, which needs nothing.",
        ) from None


def _drawn(scene: Scene, file: Path, what: Sequence[str]) -> bytes:
    if file.suffix.lower() == ".html":
        from fleet.report.racing.page import page

        return page(scene).encode()
    from fleet.report.racing.picture import USUAL, WHATS, picture

    made = picture(scene, [one for one in WHATS if one in what] or USUAL)
    if made is None:
        told = ", ".join(what)
        remedy = "Maps need simulator logs or simtrace files; lap times need a whole lap; curves need an iteration."
        raise FleetError(f"of what --what asks for ({told}) there is nothing in {scene.analysis.source}", remedy)
    return made


def _nothing(problems: Sequence[str]) -> str:
    return f"What could not be read: {'; '.join(problems[:3])}." if problems else "It may not have begun to drive yet."


def _object(scene: Scene, file: Path, size: int) -> DeepRacerPlottedObject:
    return {
        "file": str(file),
        "bytes": size,
        "episodes": scene.analysis.episodes,
        "iterations": len(scene.analysis.rows),
        "maps": [
            {"track": one.world or None, "steps": one.heat.steps, "borders": one.borders is not None}
            for one in scene.grounds
        ],
    }

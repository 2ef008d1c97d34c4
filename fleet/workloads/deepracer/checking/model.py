"""A model's folder as a whole, checked before any money is spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fleet.store.workdir import JOB_FILE
from fleet.workloads.deepracer.checking import hyperparameters, metadata, reward, sampling, tracks
from fleet.workloads.deepracer.checking.metadata import Metadata
from fleet.workloads.deepracer.checking.process import Limits
from fleet.workloads.deepracer.checking.reading import parse, read_text
from fleet.workloads.deepracer.checking.source import Compared, Source, compare
from fleet.workloads.deepracer.checking.track import Floats, Track
from fleet.workloads.deepracer.checking.tracks import Tracks, usual_cache
from fleet.workloads.deepracer.findings import Finding, refuses
from fleet.workloads.deepracer.images import stack_problems
from fleet.workloads.deepracer.spec import HYPERPARAMETERS, METADATA, REWARD, DeepRacer

CALLS = 5000
USUAL_ACTIONS = ((-30.0, 1.0), (-15.0, 2.0), (0.0, 3.0), (15.0, 2.0), (30.0, 1.0))
"""For a reward function beside an action space that cannot be read."""
OLD_PYTHON = (3, 5)
DRAWN_TRACKS = 4
ACROSS, ALONG = 11, 160
"""Points of a picture: from side to side, and once around."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Rewards over a track, for a picture: laps at fixed distances from the centre line."""

    track: Track
    sides: Floats
    """Metres to the left, a row each."""
    x: Floats
    y: Floats
    rewards: Floats
    """Not a number where there was none."""
    speed: float


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found. Errors refuse; warnings are said."""

    findings: tuple[Finding, ...]
    reward: reward.Figures
    changes: str = ""
    """On a resume: a diff of what may change and does."""
    confined: str = ""
    """How the reward function was held."""
    tracks: tuple[str, ...] = ()
    """Along which it was tried, and where each came from."""
    lanes: tuple[Lanes, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing speaks against training."""
        return not refuses(self.findings)


NOTHING = reward.Figures(0, None, None, None)


def check_folder(
    folder: Path,
    spec: DeepRacer,
    *,
    routes: Tracks | None = None,
    source: Source | None = None,
    calls: int | None = None,
    limits: Limits | None = None,
    draw: bool = False,
) -> CheckResult:
    """Check the files of a model's folder against what the job says. Raises nothing for what is in them.

    ``routes`` says where tracks come from (else from the folder, fleet's home or the network); ``source`` is the model to go
    on from; ``draw`` asks for the picture's rewards.
    """
    texts, findings = _read(folder)
    found, more = _metadata(texts, spec)
    findings += [*more, *_hyperparameters(texts, spec, found), *_tracks(spec)]
    findings += [replace(one, file=one.file or JOB_FILE) for one in stack_problems(spec)]
    compared = compare(source, texts, found, spec.tracks) if source is not None else Compared((), "")
    findings += compared.findings
    if REWARD not in texts:
        return CheckResult(_in_order(findings), NOTHING, compared.diff)
    along = (routes or Tracks(folder, usual_cache())).find_all(spec.tracks)
    findings += [finding for one in along for finding in one.findings if not _known(finding, findings)]
    drive = sampling.Drive(found.actions if found is not None else USUAL_ACTIONS, spec.race, spec.stack)
    samples = sampling.sample([one.track for one in along], drive, calls or CALLS)
    lanes = _lanes(samples, drive, len(along)) if draw else []
    python = OLD_PYTHON if spec.stack == "2019" else None
    drawn = [number for _, _, numbers in lanes for number in numbers]
    tried = reward.attempt(texts[REWARD], samples, limits or Limits(), drawn, python)
    findings += tried.findings
    return CheckResult(
        _in_order(findings),
        tried.figures,
        compared.diff,
        tried.confined,
        tuple(f"{one.track.name} ({one.origin})" for one in along),
        tuple(_filled(samples, lanes, tried.drawn)),
    )


def _read(folder: Path) -> tuple[dict[str, str], list[Finding]]:
    texts: dict[str, str] = {}
    findings: list[Finding] = []
    for name, kind in ((METADATA, "metadata"), (HYPERPARAMETERS, "hyperparameters"), (REWARD, "reward")):
        text = read_text(folder, name, kind)
        if isinstance(text, Finding):
            findings.append(text)
        else:
            texts[name] = text
    return texts, findings


def _metadata(texts: dict[str, str], spec: DeepRacer) -> tuple[Metadata | None, list[Finding]]:
    if METADATA not in texts:
        return None, []
    document = parse(texts[METADATA], METADATA, "metadata")
    return (None, [document]) if isinstance(document, Finding) else metadata.check(document, spec.stack)


def _hyperparameters(texts: dict[str, str], spec: DeepRacer, found: Metadata | None) -> list[Finding]:
    if HYPERPARAMETERS not in texts:
        return []
    document = parse(texts[HYPERPARAMETERS], HYPERPARAMETERS, "hyperparameters")
    if isinstance(document, Finding):
        return [document]
    return hyperparameters.check(document, spec.workers, found.algorithm if found is not None else "clipped_ppo")


def _tracks(spec: DeepRacer) -> list[Finding]:
    own = spec.images.simapp is not None or spec.images.simulator is not None
    worlds = dict.fromkeys(spec.tracks)
    return [finding for world in worlds for finding in tracks.check_name(world, stack=spec.stack, own_image=own)]


def _known(finding: Finding, findings: Iterable[Finding]) -> bool:
    """A circuit stands in for a world that there is not: said already, and better."""
    return finding.code == "track-stand-in" and any(one.code == "track-unknown" for one in findings)


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, each kind in the order of the checks."""
    return tuple(sorted(findings, key=lambda finding: finding.severity != "error"))


def _lanes(samples: sampling.Samples, drive: sampling.Drive, tracks_count: int) -> list[tuple[int, Floats, list[int]]]:
    made = []
    for number in range(0, 2 * min(tracks_count, DRAWN_TRACKS), 2):  # each track stands there in both directions
        half = float(samples.tracks[number].see(samples.tracks[number].centre.points[:1]).width[0]) / 2
        sides = np.linspace(-half * 1.1, half * 1.1, ACROSS)
        made.append((number, sides, sampling.lanes(samples, number, drive, sides, ALONG)))
    return made


def _filled(
    samples: sampling.Samples, lanes: list[tuple[int, Floats, list[int]]], drawn: tuple[float, ...]
) -> Iterable[Lanes]:
    rewards = np.array(drawn, dtype=np.float64).reshape(-1, ACROSS, ALONG)
    for place, (number, sides, episodes) in enumerate(lanes):
        rows = [samples.episodes[episode].rows for episode in episodes]
        x, y = (np.array([[row[samples.keys.index(key)] for row in lane] for lane in rows]) for key in ("x", "y"))
        speed = rows[0][0][samples.keys.index("speed")]
        yield Lanes(samples.tracks[number], sides, x, y, rewards[place], speed)

"""Which own images are removed, and which stay, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from fleet.model.base import Seconds
from fleet.model.units import format_duration
from fleet.providers.aws.own_images import UNDERSTOOD, OwnImage, why_useless


@dataclass(frozen=True, slots=True)
class Judged:
    """One image, and what becomes of it."""

    image: OwnImage
    action: Literal["keep", "remove"]
    why: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user said."""

    keep: int = 1
    """So many of each kind stay, the newest."""
    older_than: Seconds | None = None
    """What is younger stays."""
    everything: bool = False
    """Nothing stays but what is in use."""


def judge(images: Iterable[OwnImage], used: Mapping[str, str], limits: Limits, now: Seconds) -> list[Judged]:
    """The newest that a machine can boot from stays, of each kind; what is in use stays whatever is said.

    ``used``: image id, and who uses it.
    """
    found = []
    counts: dict[tuple[str, ...], int] = {}
    for one in sorted(images, key=lambda one: (min(one.made_at, now), one.image_id), reverse=True):  # as they are chosen
        useless = why_useless(one)
        before = counts.get(one.kind, 0)
        if not useless:
            counts[one.kind] = before + 1
        found.append(_judged(one, useless, before, used.get(one.image_id, ""), limits, now))
    return found


def _judged(one: OwnImage, useless: str, before: int, user: str, limits: Limits, now: Seconds) -> Judged:
    if user:
        return Judged(one, "keep", f"{user} uses it")
    if one.state == "pending":
        return Judged(one, "keep", "it is just being made")
    if limits.everything:
        return Judged(one, "remove", "all are to go")
    if one.state == "disabled":
        return Judged(one, "keep", "it was disabled on purpose: --all removes it")
    if one.recipe not in UNDERSTOOD:
        return Judged(one, "keep", f"{useless}: another version may boot from it")
    if limits.older_than is not None and now - one.made_at < limits.older_than:
        return Judged(one, "keep", f"it is younger than {format_duration(limits.older_than)}")
    if useless:
        return Judged(one, "remove", useless)
    if before < limits.keep:
        which = "the newest" if before == 0 else f"one of the {limits.keep} newest"
        return Judged(one, "keep", f"{which} of its kind")
    return Judged(one, "remove", "newer ones of its kind are there")

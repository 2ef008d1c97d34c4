"""Looks at a set's weights for commands: what is found is told, and what cannot be read hinders nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count

from fleet.cli.output import say
from fleet.cli.plain import plain
from fleet.model.errors import FleetError
from fleet.workloads.deepracer.findings import Finding, refuses
from fleet.workloads.deepracer.folder import Folder
from fleet.workloads.deepracer.pointers import Pointers
from fleet.workloads.deepracer.prefix import Prefix, Stat
from fleet.workloads.deepracer.repair import AFTER_NAN, Format, Repair, plan_repair
from fleet.workloads.deepracer.sets import ModelSet, sets_of
from fleet.workloads.deepracer.weights.errors import BrokenWeightsError, UnreadableWeightsError
from fleet.workloads.deepracer.weights.inspecting import Weights, inspect
from fleet.workloads.deepracer.weights.judging import BACK, judge, told

LONG = 8 << 20
"""Bytes that are fetched without a word."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a set's weights came to."""

    stem: str
    weights: Weights | None
    findings: tuple[Finding, ...] = ()
    unread: str = ""
    """Why nothing can be said of them."""

    @property
    def sound(self) -> bool:
        """They are known to be finite."""
        return self.weights is not None and not refuses(self.findings)

    @property
    def words(self) -> list[str]:
        """Sentences for people."""
        if self.unread:
            return [f"The weights of {self.stem} could not be looked at: {self.unread}."]
        if self.weights is not None and not self.findings:
            return [f"The weights of {self.stem} are sound: {told(self.weights)}."]
        return [f"{one.message[0].upper()}{one.message[1:]}." for one in self.findings]


def look_at(prefix: Prefix, found: ModelSet, earlier: Weights | None = None) -> Looked:
    """A set's weights, closely. What has to be fetched first, and takes a while, is said. Raises StoreError."""
    if found.size > LONG and not isinstance(prefix, Folder):
        sys.stderr.write(f"Looking at the weights of {found.stem} ({found.size / 1e6:.0f} MB) …\n")
    try:
        weights = inspect(prefix, found)
    except BrokenWeightsError as error:
        return Looked(found.stem, None, (Finding("weights-broken", f"set {found.stem}: {error.message}", BACK),))
    except UnreadableWeightsError as error:
        return Looked(found.stem, None, unread=error.message)
    return Looked(found.stem, weights, judge(weights, earlier))


def say_of_committed(prefix: Prefix, listing: Mapping[str, Stat], plan: Repair) -> None:
    """After a repair's own words: whether what training would go on from is sound."""
    if plan.committed is None:
        return
    looked = look_at(prefix, _set(listing, plan.committed))
    for sentence in looked.words:
        say(plain(f"  {sentence}"))
    if refuses(looked.findings):
        say("  Do not go on from it: the same with --after-nan finds the newest that is sound.")


def plan_after_nan(prefix: Prefix, listing: Mapping[str, Stat], pointers: Pointers, form: Format) -> Repair:
    """To the newest set that is sound; where weights cannot be looked at, as many sets back as a NaN may have reached.

    Raises FleetError if no set is sound.
    """
    before = None
    for back in count():
        plan = plan_repair(listing, _forgotten(pointers, listing), format=form, back=back)
        if plan.committed is None:
            return plan
        if plan.committed == before:
            raise FleetError(
                f"{prefix.where}: no whole set is sound", "Begin anew, or from another model; nothing was changed here."
            )
        before = plan.committed
        looked = look_at(prefix, _set(listing, plan.committed))
        for sentence in looked.words:
            say(plain(f"  {sentence}"))
        if looked.unread:
            return plan_repair(listing, pointers, format=form, back=max(back, AFTER_NAN))
        if looked.sound:
            return plan if back else plan_repair(listing, pointers, format=form)
    raise AssertionError  # count() has no end


def _forgotten(pointers: Pointers, listing: Mapping[str, Stat]) -> Pointers:
    """Without the note of an earlier repair that was carried out: the weights tell whether it went back far enough."""
    note = pointers.note
    return replace(pointers, note=None) if note is not None and not note.unfinished(listing) else pointers


def _set(listing: Mapping[str, Stat], stem: str) -> ModelSet:
    return next(one for one in sets_of(listing) if one.stem == stem)

"""Repair: after a crash of the trainer at whatever point, a prefix that loads again, from the newest whole set.

Only for a trainer that is surely dead. Nothing is deleted but signals, which mean something only while it lives; partial
sets, and sets newer than the one that is gone back to, are set aside below ``set-aside/``. The plan is pure; carrying it out
may be broken off anywhere and begun again: what comes out is the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from fleet.model.errors import AlreadyExistsError, NotFoundError
from fleet.workloads.deepracer.pointers import (
    ASIDE,
    COACH,
    JSON,
    NOTE,
    TEXT,
    Era,
    Note,
    Pointers,
    coach_bytes,
    note_bytes,
    text_bytes,
)
from fleet.workloads.deepracer.prefix import Prefix, Stat
from fleet.workloads.deepracer.repair_words import told
from fleet.workloads.deepracer.sets import MODEL, ModelSet, frozen_graphs, sets_of

LOCK, READY, FINISHED = f"{MODEL}.lock", f"{MODEL}.ready", f"{MODEL}.finished"
SIGNALS = (FINISHED, READY, "ip/ip.json", "ip/done", LOCK)
"""What may be removed, in this order: whoever waits for the lock goes on once it is gone: the rest is right by then."""
AFTER_NAN = 2
"""Sets before the newest: today's trainer may have saved weights that are no numbers before it said so."""

Format = Literal["2019", "today", "auto"]


@dataclass(frozen=True, slots=True)
class Repair:
    """What is wrong with a prefix, and what mends it. Names are relative to the prefix."""

    committed: str | None
    """The set that training can go on from, ``N_Step-Y.ckpt``. None: there is none."""
    was: str | None
    """What the pointer named before, whether it is there or not."""
    removed: tuple[str, ...] = ()
    """Signals of the dead trainer."""
    set_aside: tuple[str, ...] = ()
    """Files that are moved to the folder ``aside``."""
    written: Mapping[str, bytes] = field(default_factory=dict)
    """Pointers with their new content."""
    words: tuple[str, ...] = ()
    """What was found and what is to be done, in sentences for people."""
    note: Note | None = None
    """What is written down first, where something is set aside."""

    @property
    def aside(self) -> str | None:
        """The folder in the prefix that files are set aside in; None: none is."""
        return self.note.folder if self.note is not None else None

    @property
    def idle(self) -> bool:
        """There is nothing to do."""
        return not (self.removed or self.set_aside or self.written)


def plan_repair(
    listing: Mapping[str, Stat],
    pointers: Pointers,
    *,
    format: Format = "auto",  # noqa: A002 - as the command line calls it
    back: int = 0,
) -> Repair:
    """What is to be done. ``back`` (after a NaN): so many whole sets before the newest, else the oldest that there is.

    Going back is done once: on a prefix that a repair took back already, and where nothing was trained since, ``back``
    changes nothing (``replace(pointers, note=None)`` goes back further).
    """
    eras = eras_of(listing, format)
    found = sets_of(listing)
    doomed = _doomed(found, pointers.note, listing)
    whole = [one for one in found if one.whole and one not in doomed]
    done = back > 0 and _went_back(whole, pointers.note)
    at = len(whole) - 1 if done else max(0, len(whole) - 1 - back)
    chosen = whole[at] if whole else None
    aside = [one for one in found if one in doomed or one in whole[at + 1 :] or not one.whole]
    files = _files_of(aside, listing, chosen)
    was = pointers.coach if eras[0] == "today" else pointers.text
    was = pointers.text if was is None and "2019" in eras else was
    plan = Repair(
        committed=chosen.stem if chosen else None,
        was=was,
        removed=tuple(name for name in SIGNALS if name in listing),
        set_aside=files,
        written=_pointers_to(chosen, [one for one in found if one.whole and one not in aside], pointers, eras),
        note=_note(listing, pointers.note, files, chosen, back) if files else None,
    )
    left = len(whole) - 1 - at
    words = told(plan, found, aside, pointers, eras, back=back, went=left, done=done, doomed=bool(doomed))
    return Repair(plan.committed, plan.was, plan.removed, plan.set_aside, plan.written, words, plan.note)


def carry_out(prefix: Prefix, repair: Repair) -> None:
    """Do it: note, pointers, moves, signals. Raises StoreError; after that, or a crash, another repair goes on with it."""
    if repair.note is not None:
        prefix.write(repair.note.folder + NOTE, note_bytes(repair.note))
    for name, data in repair.written.items():
        prefix.write(name, data)
    for name in repair.set_aside:
        assert repair.note is not None
        with contextlib.suppress(NotFoundError):
            _move(prefix, name, repair.note.goes_to(name))
    for name in repair.removed:
        prefix.remove(name)


def eras_of(listing: Mapping[str, Stat], wanted: Format = "auto") -> tuple[Era, ...]:
    """Whose pointers a prefix has, today's first; today's also where there are none."""
    if wanted != "auto":
        return (wanted,)
    params = any(name.startswith("training_params") and name.endswith(".yaml") for name in listing)
    today = params or any(name in listing for name in (COACH, JSON, READY))
    if TEXT not in listing:
        return ("today",)
    return ("today", "2019") if today else ("2019",)


def _move(prefix: Prefix, name: str, to: str) -> None:
    for number in count(1):
        with contextlib.suppress(AlreadyExistsError):
            prefix.move(name, to if number == 1 else f"{to}.{number}")
            return


def _doomed(found: Sequence[ModelSet], note: Note | None, listing: Mapping[str, Stat]) -> list[ModelSet]:
    """What a repair after a NaN meant to set aside when it was broken off: whole or not, nobody goes on from it."""
    if note is None or note.back == 0:
        return []
    left = set(note.unfinished(listing))
    return [one for one in found if left.intersection(one.names)]


def _went_back(whole: Sequence[ModelSet], note: Note | None) -> bool:
    """The newest set is the one that an earlier repair went back to: nothing was trained since."""
    return bool(whole) and note is not None and note.back > 0 and note.committed == whole[-1].stem


def _files_of(aside: Sequence[ModelSet], listing: Mapping[str, Stat], chosen: ModelSet | None) -> tuple[str, ...]:
    """Their files; with newer sets go their ``model_N.pb``, which exporting a model would take else."""
    graphs = frozen_graphs(listing)
    newer = [graphs[n] for n in sorted(graphs) if chosen is not None and n > chosen.n]
    return (*(name for one in aside for name in one.names), *newer)


def _note(
    listing: Mapping[str, Stat], before: Note | None, files: tuple[str, ...], chosen: ModelSet | None, back: int
) -> Note:
    """A repair that was broken off is gone on with in its own folder, so that the files of a set stay together."""
    stem = chosen.stem if chosen else None
    if before is not None and before.committed == stem:
        back = max(back, before.back)
    if before is not None and before.unfinished(listing):
        return Note(before.number, stem, back, tuple(dict.fromkeys((*before.files, *files))))
    numbers = [name[len(ASIDE) :].partition("/")[0] for name in listing if name.startswith(ASIDE)]
    return Note(max((int(one) for one in numbers if one.isdecimal()), default=0) + 1, stem, back, files)


def _pointers_to(
    chosen: ModelSet | None, stay: Sequence[ModelSet], pointers: Pointers, eras: Sequence[Era]
) -> dict[str, bytes]:
    """The pointers that do not say it yet. Without a set there is nothing that they could name."""
    if chosen is None:
        return {}
    wanted: dict[str, bytes] = {}
    if "today" in eras:
        wanted[COACH] = coach_bytes(chosen.stem)
        if JSON in pointers.raw:
            wanted[JSON] = _document(chosen, {one.stem for one in stay}, pointers)
    if "2019" in eras:
        wanted[TEXT] = text_bytes(chosen.stem)
    return {name: data for name, data in wanted.items() if pointers.raw.get(name) != data}


def _document(chosen: ModelSet, stay: Collection[str], pointers: Pointers) -> bytes:
    """The JSON with ``chosen`` as the last one, and as the best one if that is gone; as it is if it says so."""
    right = pointers.last == chosen.stem and pointers.best in stay
    if right and not pointers.raw[JSON].startswith(b"\xef\xbb\xbf"):
        return pointers.raw[JSON]
    document = dict(pointers.document)
    if pointers.best not in stay:
        document["best_checkpoint"] = _entry(chosen, pointers)
    document["last_checkpoint"] = _entry(chosen, pointers)
    return json.dumps(document).encode()


def _entry(chosen: ModelSet, pointers: Pointers) -> Any:
    """What is known of its evaluation; no metric, as before the first, if nothing is."""
    for which, stem in (("last_checkpoint", pointers.last), ("best_checkpoint", pointers.best)):
        if stem == chosen.stem:
            return pointers.document[which]
    return {"name": chosen.stem, "avg_eval_metric": None, "time_stamp": chosen.modified}

"""The words of live attempts: what each agent wrote last, and whose words lie in the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from fleet.core.observed import AttemptKey
from fleet.core.state import FleetState, RunState
from fleet.model import layout
from fleet.model.base import Frozen, Seconds
from fleet.model.documents import Heartbeat
from fleet.model.errors import NotFoundError, StoreError
from fleet.store.objects import Objects
from fleet.store.parallel import in_shares

Document = TypeVar("Document", bound=Frozen)

FEW = 10
"""So few heartbeats are got one by one where a listing is paid for: S3's price for one is that of 12.5 gets."""


@dataclass
class Hearing:
    """Reads heartbeats, and remembers them."""

    objects: Objects
    troubles: dict[str, str]
    """What could not be read is told here."""
    beats: dict[AttemptKey, tuple[str, Heartbeat]] = field(default_factory=dict)
    """The last words, each with its version in the listing that showed it; empty: it was got without one."""
    heard: dict[AttemptKey, Seconds] = field(default_factory=dict)
    """When a word was seen to change."""
    listed: set[AttemptKey] = field(default_factory=set)
    """Whose words the listing of the last look showed."""
    _lying: set[AttemptKey] = field(default_factory=set)
    """Whose words lay in the bucket when it was last looked."""

    @property
    def dear(self) -> bool:
        """Each listing costs as much as many gets."""
        return self.objects.url.startswith(("s3:", "gs:"))

    def left(self, state: FleetState) -> bool:
        """Words of attempts that are known lie there: once those are gone, a listing must show what is to be removed.

        Where that is dear, only for what is to be removed now.
        """
        if self.dear:
            from fleet.core.plan.beats import forgettable  # those who only look do not plan

            return any(forgettable(state, *who) for who in self._lying)
        return any(run in state.runs and number in state.runs[run].attempts for run, number in self._lying)

    def listen(self, runs: Sequence[RunState], *, left: bool = False) -> dict[AttemptKey, Heartbeat]:
        """The words of live attempts; ``left``: look even if there are none, for words of the dead."""
        wanted = {(run.run_id, attempt.number) for run in runs for attempt in run.live_attempts}
        self.listed.clear()
        if self.dear and not left and len(wanted) <= FEW:
            changed = dict.fromkeys(sorted(wanted), "")
        else:
            changed = dict(self._changed(wanted)) if wanted or left else {}
        keys = [layout.heartbeat(*who) for who in changed]
        for (who, version), beat in zip(
            changed.items(), documents(self.objects, Heartbeat, keys, self.troubles), strict=True
        ):
            if beat is not None:
                before, last = self.beats.get(who, (version, beat))
                if (before and version and before != version) or last != beat:
                    self.heard[who] = self.objects.now()
                self.beats[who] = (version, beat)
                self._lying.add(who)
        self.beats = {who: beat for who, beat in self.beats.items() if who in wanted}
        self.heard = {who: at for who, at in self.heard.items() if who in wanted}
        return {who: beat for who, (_, beat) in self.beats.items()}

    def _changed(self, wanted: AbstractSet[AttemptKey]) -> Iterator[tuple[AttemptKey, str]]:
        """By a listing: the live attempts whose word is another than the last that was read, with its version."""
        try:
            listed = self.objects.list(layout.HEARTBEATS)
        except StoreError as error:
            self.troubles["heartbeats"] = error.message
            return
        speakers = {layout.beat_of(info.key): info.version for info in listed}
        self.listed.update(who for who in speakers if who is not None)
        self._lying = set(self.listed)
        for who, version in speakers.items():
            if who is not None and who in wanted and self.beats.get(who, ("",))[0] != version:
                yield who, version


def documents(
    objects: Objects, kind: type[Document], keys: Sequence[str], troubles: dict[str, str]
) -> Iterator[Document | None]:
    """The documents under some keys. None: there is none, or it cannot be read, which is a trouble."""

    def fetch(key: str) -> bytes | StoreError | None:
        try:
            return objects.get(key)
        except NotFoundError:
            return None
        except StoreError as error:
            return error

    for key, data in zip(keys, in_shares(fetch, keys), strict=True):
        document = None
        try:
            document = kind.model_validate_json(data) if isinstance(data, bytes) else None
        except ValidationError as error:
            troubles[key] = str(error)
        if isinstance(data, StoreError):
            troubles[key] = str(data)
        yield document

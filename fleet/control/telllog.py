"""What a destination was told, kept where everybody who might tell it looks: documents with numbers, created exclusively.

Whoever wants to tell something first creates the next document, which says so. Of several only one can; the others read it
and see what is left to tell. In the bucket that holds among all controllers; in the home folder, for what is told while the
bucket is out of reach, among those of one home.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from fleet.core.notify import Message
from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.errors import NotFoundError, StoreError
from fleet.model.notify import Log
from fleet.store.objects import Objects

BELIEVED: Seconds = 3600
"""What is known of the newest document is believed for so long: old ones are removed, and one that was removed could be
created again."""
KEEP: Seconds = 30 * 86_400
"""They are removed after so long, but for the newest."""
TIDY: Seconds = 86_400
"""And looked for so often."""
TURNS = 8
"""So often another one may be first; then the next look is another chance."""


def folder_of(to: str) -> str:
    """A destination's own folder: its name as far as a key can hold it, and a hash by which it differs from every other."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", to).strip("-.")[:40]
    return f"{plain}-{hashlib.sha256(to.encode()).hexdigest()[:12]}"


@dataclass
class TellLog:
    """One destination's documents."""

    objects: Objects
    to: str
    number: int = 0
    log: Log = field(default_factory=Log)
    """The newest document's, as far as is known."""
    _read_at: Seconds = float("-inf")
    _tidied_at: Seconds = float("-inf")
    _tried: tuple[str, Sequence[Message]] | None = None
    """What was to be created, and nobody knows whether it was: its nonce, and what is to be sent if so."""

    @property
    def folder(self) -> str:
        """In the bucket."""
        return folder_of(self.to)

    def refresh(self, now: Seconds) -> Sequence[Message]:
        """Read the newest. If it shows that this one created a document without learning of it: what is to be sent now.

        Raises StoreError, also for a document that cannot be understood: then it is not known what was told.
        """
        if not 0 <= now - self._read_at < BELIEVED:
            numbers = self._numbers()
            newest = max(numbers, default=0)
            if newest != self.number:
                self.number, self.log = newest, self._read(newest) if newest else Log()
            self._read_at = now
        mine: Sequence[Message] = ()
        while (found := self._found(self.number + 1)) is not None:
            self.number, self.log = self.number + 1, found
            if self._tried is not None and found.nonce == self._tried[0]:
                mine = self._tried[1]
        self._tried = None
        return mine

    def append(self, log: Log, made: Sequence[Message] = ()) -> bool:
        """Create the next, after which ``made`` is to be sent. False: another was first, and is known now.

        Raises StoreError: it may have been created, which the next ``refresh`` finds out.
        """
        log = log.model_copy(update={"nonce": secrets.token_hex(8)})
        self._tried = (log.nonce, made)
        try:
            self.objects.create(layout.notification(self.folder, self.number + 1), document_bytes(log))
            found = log
        except StoreError as error:  # also "it exists": an answer may have been lost, so ask what is there
            try:
                found = self._read(self.number + 1)
            except NotFoundError:
                raise error from None
        self.number, self.log, self._tried = self.number + 1, found, None
        return found.nonce == log.nonce

    def tidy(self, now: Seconds) -> None:
        """Remove documents that are old. Failing to is no failure."""
        if 0 <= now - self._tidied_at < TIDY:
            return
        self._tidied_at = now
        with contextlib.suppress(StoreError):
            newest = layout.notification(self.folder, self.number)
            listed = self.objects.list(layout.notifications(self.folder))
            if gone := [info.key for info in listed if info.key < newest and now - info.modified > KEEP]:
                self.objects.delete(gone)

    def _numbers(self) -> list[int]:
        names = [info.key.rpartition("/")[2] for info in self.objects.list(layout.notifications(self.folder))]
        return [int(found[1]) for found in (re.fullmatch(r"(\d{8,})\.json", name) for name in names) if found]

    def _found(self, number: int) -> Log | None:
        try:
            return self._read(number)
        except NotFoundError:
            return None

    def _read(self, number: int) -> Log:
        key = layout.notification(self.folder, number)
        try:
            return Log.model_validate_json(self.objects.get(key))
        except ValidationError:
            raise StoreError(f"{key} cannot be understood: perhaps a newer fleet wrote it") from None

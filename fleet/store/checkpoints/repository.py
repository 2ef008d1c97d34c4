"""All checkpoints of one run: which exist, which are trusted, and the four things done with them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import ValidationError

from fleet.core.chain import newest_based, predecessor_of, valid_refs
from fleet.model import layout
from fleet.model.documents import Base, CheckpointRef, Manifest, Skipped
from fleet.model.errors import CheckpointError, NotFoundError
from fleet.store.checkpoints import commit as committing
from fleet.store.checkpoints.claim import create_or_read
from fleet.store.checkpoints.restore import Restored, fetch, manifest_problem, shallow_problem
from fleet.store.checkpoints.staged import Staged, signature_of
from fleet.store.objects import Objects

_DIGITS = re.compile("[0-9]{1,12}")
LISTINGS = 5
"""So often a writer that goes on may prune everything between a listing and a look."""


def _number(text: str) -> int:
    """A number in a key; 0 for anything else that lies there."""
    return int(text) if _DIGITS.fullmatch(text) else 0


class Checkpoints:
    """The checkpoints of a run."""

    def __init__(self, objects: Objects, run_id: str, *, workers: int = 8) -> None:
        self._objects = objects
        self._run_id = run_id
        self._workers = workers

    def bases(self) -> dict[int, Base]:
        """Each attempt's base, where it has one. Raises CheckpointError for one that is torn."""
        prefix = f"{layout.run(self._run_id)}attempts/"
        found: dict[int, Base] = {}
        for info in self._objects.list(prefix):
            number = _number(info.key.removeprefix(prefix).removesuffix("/base.json"))
            if info.key == layout.base(self._run_id, number):
                try:
                    found[number] = Base.model_validate_json(self._objects.get(info.key))
                except ValidationError:
                    raise CheckpointError(f"{info.key} does not hold what a base holds") from None
        return found

    def committed(self, attempt: int) -> list[int]:
        """The sequence numbers of an attempt's checkpoints that have a manifest, ascending."""
        return self.all_committed().get(attempt, [])

    def all_committed(self) -> dict[int, list[int]]:
        """Each attempt's sequence numbers that have a manifest."""
        prefix = f"{layout.run(self._run_id)}checkpoints/"
        found: dict[int, list[int]] = {}
        for info in self._objects.list(prefix):
            parts = info.key.removeprefix(prefix).split("/")
            number, seq = (_number(part) for part in [*parts, ""][:2])
            if info.key == layout.manifest(self._run_id, number, seq):
                found.setdefault(number, []).append(seq)
        return found

    def manifest(self, ref: CheckpointRef) -> Manifest:
        """A checkpoint's manifest. Raises CheckpointError if there is none, or none that says what it should."""
        key = layout.manifest(self._run_id, ref.attempt, ref.seq)
        try:
            found = Manifest.model_validate_json(self._objects.get(key))
        except (NotFoundError, ValidationError):
            raise CheckpointError(f"checkpoint {ref} has no readable manifest") from None
        if found.ref != ref or found.run_id != self._run_id:
            raise CheckpointError(f"the manifest of checkpoint {ref} is another's ({found.run_id} {found.ref})")
        problem = manifest_problem(found)
        if problem is not None:
            raise CheckpointError(f"the manifest of checkpoint {ref} is wrong: {problem}")
        return found

    def newest_valid(self, head: int | None) -> tuple[Manifest | None, tuple[Skipped, ...]]:
        """The newest trusted checkpoint of the chain from ``head`` that verifies as far as listings tell.

        Whoever still writes may prune what was listed before it is looked at: then there are newer ones, to be listed again.
        """
        skipped: list[Skipped] = []
        looked: list[CheckpointRef] = []
        for _ in range(LISTINGS):
            refs = valid_refs(head, self.bases(), self.all_committed())
            if refs == looked:
                break
            looked, skipped = refs, []
            for ref in refs:
                try:
                    manifest = self.manifest(ref)
                    problem = shallow_problem(self._objects, manifest)
                except CheckpointError as error:
                    problem = error.message
                else:
                    if problem is None:
                        return manifest, tuple(skipped)
                skipped.append(Skipped(ref=ref, reason=problem))
        return None, tuple(skipped)

    def establish_base(self, attempt: int, at: float) -> Base:
        """Fix what the attempt resumes from, and so fence every attempt before it. The stored base if it has one.

        Raises FencedError if a later attempt has a base already.
        """
        bases = self.bases()
        self._refuse_fenced(attempt, bases)
        if attempt in bases:
            return bases[attempt]
        predecessor = predecessor_of(attempt, bases)
        manifest, skipped = self.newest_valid(predecessor)
        base = Base(predecessor=predecessor, ref=manifest.ref if manifest else None, skipped=skipped, at=at)
        return create_or_read(self._objects, layout.base(self._run_id, attempt), base)

    def commit(
        self,
        attempt: int,
        staged: Staged,
        *,
        parent: CheckpointRef | None,
        step: int | None,
        at: float,
        format: str,  # noqa: A002 - the job file's word
        previous: Manifest | None,
        trained: float | None = None,
    ) -> Manifest:
        """Make a staged set a checkpoint of ``attempt``. ``previous`` is what unchanged files are referenced from.

        Raises FencedError if a later attempt has a base, StoreError if the bucket cannot be written, CheckpointError if a
        file changed meanwhile; then nothing exists.
        """
        ref = CheckpointRef(attempt=attempt, seq=max(self.committed(attempt), default=0) + 1)
        files = committing.upload(self._objects, self._run_id, ref, staged, previous, self._workers)
        staged.check_unchanged()
        told = {"at": at, "step": step, "format": format, "trained": trained}
        manifest = Manifest(run_id=self._run_id, ref=ref, parent=parent, files=files, **told)
        return committing.seal(self._objects, manifest, lambda: self._refuse_fenced(attempt, self.bases()))

    def restore(self, attempt: int, into: Path, *, have: Path | None = None) -> Restored:
        """Bring the newest trusted checkpoint of the attempt's own chain into a folder, verified byte by byte.

        A broken one is skipped, named, and the one before it is taken. ``have`` holds files that may be the right ones
        (the volume's). Without any checkpoint the folder is left as it is.
        """
        skipped: list[Skipped] = []
        for manifest in self._trusted(attempt, skipped):
            try:
                downloaded = fetch(self._objects, manifest, into, have, self._workers)
            except CheckpointError as error:
                skipped.append(Skipped(ref=manifest.ref, reason=error.message))
                continue
            source = "bucket" if downloaded else "volume"
            return Restored(manifest, source, tuple(skipped), downloaded)  # type: ignore[arg-type]
        return Restored(None, "nothing", tuple(skipped))

    def fetch(self, manifest: Manifest, into: Path) -> int:
        """Bring one checkpoint into a folder, verified byte by byte; bytes fetched. Raises CheckpointError, StoreError."""
        return fetch(self._objects, manifest, into, None, self._workers)

    def signatures(self, head: int) -> set[str]:
        """Of every trusted checkpoint of the chain from ``head``."""
        return {signature_of(manifest.files) for manifest in self._trusted(head, [])}

    def _trusted(self, attempt: int, skipped: list[Skipped]) -> Iterator[Manifest]:
        for ref in valid_refs(attempt, self.bases(), self.all_committed()):
            try:
                yield self.manifest(ref)
            except CheckpointError as error:
                skipped.append(Skipped(ref=ref, reason=error.message))

    def prune(self, head: int, *, keep: int, protect: Collection[CheckpointRef]) -> list[CheckpointRef]:
        """Remove trusted checkpoints beyond the newest ``keep``: whole sets, the manifest first.

        Never one in ``protect``, never the base of ``head``, never a file that a remaining checkpoint references. Late ones
        are not touched: people may want to look at them.
        """
        bases = self.bases()
        if newest_based(bases) != head:
            return []  # a later attempt decides now
        refs = valid_refs(head, bases, self.all_committed())
        resumed_from = next((ref for ref in refs if ref.attempt != head), None)
        safe = {*refs[:keep], *protect, *([resumed_from] if resumed_from is not None else [])}
        doomed = [ref for ref in refs if ref not in safe]
        for ref in doomed:
            self._objects.delete([layout.manifest(self._run_id, ref.attempt, ref.seq)])
        if doomed:
            self._sweep(refs[0])
        return doomed

    def _sweep(self, newest: CheckpointRef) -> None:
        """Remove files that no manifest references any more, of checkpoints older than the newest one.

        Nothing is removed while some manifest cannot be read: it may reference anything.
        """
        prefix = f"{layout.run(self._run_id)}checkpoints/"
        remaining = self.all_committed()
        refs = [CheckpointRef(attempt=number, seq=seq) for number, seqs in remaining.items() for seq in seqs]
        try:
            referenced = {entry.key for ref in refs for entry in self.manifest(ref).files}
        except CheckpointError:
            return
        unused = []
        for info in self._objects.list(prefix):
            number, seq, kind = [*info.key.removeprefix(prefix).split("/", 2), "", ""][:3]
            whose = _number(number), _number(seq)
            older = 0 not in whose and whose < (newest.attempt, newest.seq)  # what nobody here wrote is not ours to remove
            if older and kind.startswith("files/") and info.key not in referenced:
                unused.append(info.key)
        self._objects.delete(unused)

    def _refuse_fenced(self, attempt: int, bases: dict[int, Base]) -> None:
        newest = newest_based(bases)
        if newest is not None and newest > attempt:
            raise committing.FencedError(f"attempt {newest} has taken over from attempt {attempt}")

"""Committing: files first, under their own names; the manifest last, created exclusively. Without it nothing exists."""

from __future__ import annotations

from collections.abc import Callable

from fleet.model import layout
from fleet.model.documents import CheckpointRef, FileEntry, Manifest
from fleet.model.errors import CheckpointError
from fleet.store.checkpoints.claim import create_or_read
from fleet.store.checkpoints.staged import Staged, StagedFile, changed_while_read
from fleet.store.fileio import sha256_of
from fleet.store.objects import Objects
from fleet.store.parallel import each


class FencedError(CheckpointError):
    """A later attempt has a base: this one writes nothing more."""


def upload(
    objects: Objects,
    run_id: str,
    ref: CheckpointRef,
    staged: Staged,
    previous: Manifest | None,
    workers: int,
) -> tuple[FileEntry, ...]:
    """Send the files of a set; what ``previous`` holds already, under whatever name, is referenced where it lies.

    Raises CheckpointError if the bytes that were sent are not those that were staged: then a training changes files in
    place that it should replace.
    """
    known = {(entry.size, entry.sha256): entry for entry in (previous.files if previous else ())}

    def send(file: StagedFile) -> FileEntry:
        entry = known.get((file.size, file.hashed)) if file.hashed is not None else None
        if entry is not None:
            return entry.model_copy(update={"path": file.path})
        key = layout.checkpoint_file(run_id, ref.attempt, ref.seq, file.path)
        sent = objects.upload(key, file.source) or sha256_of(file.source)
        if file.hashed not in (None, sent):
            raise changed_while_read(file.path)
        file.hashed = sent
        return FileEntry(path=file.path, size=file.size, sha256=file.sha256, key=key)

    return tuple(each(send, staged.files, workers))


def seal(objects: Objects, manifest: Manifest, refuse: Callable[[], None]) -> Manifest:
    """Create the manifest, unless ``refuse`` raises FencedError just before. What stands there is ours: keys are fenced."""
    refuse()
    key = layout.manifest(manifest.run_id, manifest.ref.attempt, manifest.ref.seq)
    return create_or_read(objects, key, manifest)

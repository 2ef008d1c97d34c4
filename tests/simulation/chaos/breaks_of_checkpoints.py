"""Breaks of checkpoints and of fencing: what is committed, what is built on, and what is said before it is true."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from fleet.agent import logic
from fleet.agent.leaving import Leaving
from fleet.agent.watch import Wishes
from fleet.core.chain import predecessor_of, valid_refs
from fleet.model import layout
from fleet.model.base import Seconds, document_bytes
from fleet.model.documents import Base, CheckpointRef, Desired, FileEntry, Manifest
from fleet.providers.sim.provider import SimProvider
from fleet.store.checkpoints import Checkpoints, Restored, Staged, claim, repository
from fleet.store.checkpoints import commit as committing
from fleet.store.objects import Objects
from tests.agent.fakes import World
from tests.simulation.chaos.breaks import Mutant, suite
from tests.simulation.chaos.breaks_of_journals import plain, taken
from tests.simulation.chaos.scenes import HERE, HOUR, MINUTE, scene
from tests.unit.store.saves import Volume

# --- scenes


def stopped(seed: int) -> list[str]:
    """The user stops a run between two checkpoints."""
    with scene(seed) as made:
        run_id = made.begin(steps=60)
        made.reaches(made.trains(run_id, step=12))
        made.says(run_id, "stop")
        made.rest()
        outcome = made.run_of(run_id).attempts[1].outcome
        if outcome is None or outcome.kind != "stopped":
            made.world.laws.broken("a stop is a checkpoint, and then the end", run_id)
        return made.violations


def many_kept(seed: int) -> list[str]:
    """A machine is taken that had committed four checkpoints."""
    with scene(seed) as made:
        run_id = made.begin(steps=50, resources=HERE)
        made.reaches(made.trains(run_id, step=30))
        made.taken(run_id)
        made.rest()
        return made.violations


def moves(seed: int) -> list[str]:
    """A machine that was warned saves for long, out of reach; the next one is up in another zone meanwhile."""
    with scene(seed) as made:
        run_id = made.begin(steps=40, envs={"STEPS": "40", "DEAF": "1"})
        made.reaches(made.trains(run_id, step=12))
        made.elsewhere(run_id)
        made.taken(run_id)
        made.reaches(lambda: made.run_of(run_id).attempts[1].notice is not None)
        made.cut_off(run_id, 1, HOUR)
        made.rest()
        return made.violations


def slips_in(seed: int) -> list[str]:
    """A manifest is on its way for 26 minutes: its machine is given up, the next one takes over, and is taken back."""
    with scene(seed) as made:
        run_id = made.begin(steps=30)
        made.reaches(made.trains(run_id, step=10))
        made.elsewhere(run_id)
        late = made.rule("create manifest", "pause", seconds=26 * MINUTE, who="agent")

        def watch() -> None:
            if made.trains(run_id, 2)():
                made.taken(run_id, 2, wait=10 * MINUTE, notice=False)
            else:
                made.world.at(30, watch)

        made.world.at(MINUTE, watch)
        made.reaches(lambda: late.times == 0 and made.attempt(run_id, 3))
        made.rest()
        return made.violations


def rots(seed: int) -> list[str]:
    """The newest checkpoint is not the bytes any more that were committed, and its disk is in another zone."""
    with scene(seed) as made:
        run_id = made.begin(steps=40)
        made.reaches(made.trains(run_id, step=20))
        made.elsewhere(run_id)
        bucket = made.world.bucket
        key = layout.checkpoint_file(run_id, 1, 2, "state.json")
        data, version, at = bucket.data[key]
        bucket.data[key] = (data[:-4] + b"00" + data[-2:], version, at)
        made.taken(run_id, wait=1, notice=False)
        made.rest()
        return made.violations


def twins(seed: int) -> list[str]:
    """A machine that nobody launched boots with the words of one that trains."""
    with scene(seed) as made:
        run_id = made.begin(steps=20)
        made.reaches(made.trains(run_id))
        machine = made.machine(run_id, 1)
        assert machine is not None
        tags = {**machine.request.tags, "run": "twin-1", "token": "twin"}
        twin = machine.request.model_copy(update={"token": "twin", "run_id": "twin-1", "tags": tags, "volume": None})
        SimProvider(made.world.cloud, made.world.fleet_id).launch(twin)
        made.rest()
        return made.violations


# --- what is broken


def manifest_first(patch: pytest.MonkeyPatch) -> None:
    def commit(self: Checkpoints, attempt: int, staged: Staged, *, previous: Any, **what: Any) -> Manifest:
        ref = CheckpointRef(attempt=attempt, seq=max(self.committed(attempt), default=0) + 1)
        run_id = self._run_id
        keys = {file.path: layout.checkpoint_file(run_id, attempt, ref.seq, file.path) for file in staged.files}
        files = tuple(
            FileEntry(path=file.path, size=file.size, sha256=file.sha256, key=keys[file.path]) for file in staged.files
        )
        manifest = Manifest(run_id=run_id, ref=ref, files=files, **what)
        sealed = committing.seal(self._objects, manifest, lambda: None)
        committing.upload(self._objects, run_id, ref, staged, None, 1)
        return sealed

    patch.setattr(Checkpoints, "commit", commit)


def manifest_put(patch: pytest.MonkeyPatch) -> None:
    def put(objects: Objects, key: str, document: Manifest) -> Manifest:
        objects.put(key, document_bytes(document))
        return document

    patch.setattr(committing, "create_or_read", put)


def no_base(patch: pytest.MonkeyPatch) -> None:
    def establish(self: Checkpoints, attempt: int, at: Seconds) -> Base:
        refs = [CheckpointRef(attempt=n, seq=seq) for n, seqs in self.all_committed().items() for seq in seqs]
        newest = max(refs, key=lambda ref: (ref.attempt, ref.seq), default=None)
        return Base(predecessor=predecessor_of(attempt, self.bases()), ref=newest, at=at)

    patch.setattr(Checkpoints, "establish_base", establish)


def base_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Wishes, "predecessor_over", lambda _self, _now: None)


def oldest_first(patch: pytest.MonkeyPatch) -> None:
    real, inside = Checkpoints.newest_valid, threading.local()
    patch.setattr(
        repository, "valid_refs", lambda *given: valid_refs(*given)[:: -1 if getattr(inside, "looks", False) else 1]
    )

    def newest(self: Checkpoints, head: int | None) -> Any:
        inside.looks = True
        try:
            return real(self, head)
        finally:
            inside.looks = False

    patch.setattr(Checkpoints, "newest_valid", newest)


def late_is_trusted(patch: pytest.MonkeyPatch) -> None:
    def refs(head: int | None, bases: Any, committed: Any) -> list[CheckpointRef]:
        """All of the attempts along the chain, whatever their bases say."""
        numbers = sorted((n for n in committed if head is not None and n <= head), reverse=True)
        return [CheckpointRef(attempt=n, seq=seq) for n in numbers for seq in sorted(committed[n], reverse=True)]

    patch.setattr(repository, "valid_refs", refs)


def restores_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Checkpoints, "restore", lambda *_, **__: Restored(None, "nothing"))


def takes_any_bytes(patch: pytest.MonkeyPatch) -> None:
    def bring(objects: Objects, entry: FileEntry, fresh: Path, _have: Path | None) -> int:
        objects.download(entry.key, fresh / entry.path)
        return entry.size

    patch.setattr("fleet.store.checkpoints.restore._bring", bring)


def anyones_attempt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logic, "claim", lambda *given: claim(*given) or True)


def released_first(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Leaving, "_committed", lambda _self, _now: True)


def hears_no_stop(patch: pytest.MonkeyPatch) -> None:
    real = Wishes._desired

    def desired(self: Wishes) -> Desired | None:
        found = real(self)
        return found.model_copy(update={"want": "train"}) if found is not None else None

    patch.setattr(Wishes, "_desired", desired)


def prunes_its_base(patch: pytest.MonkeyPatch) -> None:
    def prune(self: Checkpoints, head: int, *, keep: int, protect: Collection[CheckpointRef]) -> list[CheckpointRef]:
        refs = valid_refs(head, self.bases(), self.all_committed())
        for ref in refs[keep:]:
            self._objects.delete([layout.manifest(self._run_id, ref.attempt, ref.seq)])
        return refs[keep:]

    patch.setattr(Checkpoints, "prune", prune)


def sweeps_everything_old(patch: pytest.MonkeyPatch) -> None:
    def sweep(self: Checkpoints, newest: CheckpointRef) -> None:
        prefix = f"{layout.run(self._run_id)}checkpoints/"
        newest_key = layout.checkpoint(self._run_id, newest.attempt, newest.seq)
        remaining = {layout.checkpoint(self._run_id, n, seq) for n, seqs in self.all_committed().items() for seq in seqs}
        old = [info.key for info in self._objects.list(prefix) if info.key < newest_key and "/files/" in info.key]
        self._objects.delete([key for key in old if key.partition("files/")[0] not in remaining])

    patch.setattr(Checkpoints, "_sweep", sweep)


def commits_what_changes(patch: pytest.MonkeyPatch) -> None:
    """The hash is taken before the file is sent, and nobody looks again."""

    def upload(objects: Objects, run_id: str, ref: Any, staged: Staged, previous: Any, workers: int) -> Any:
        files = []
        for file in staged.files:
            before = file.sha256
            key = layout.checkpoint_file(run_id, ref.attempt, ref.seq, file.path)
            objects.upload(key, file.source)
            files.append(FileEntry(path=file.path, size=file.size, sha256=before, key=key))
        return tuple(files)

    patch.setattr(committing, "upload", upload)
    patch.setattr(Staged, "check_unchanged", lambda _self: None)


def writes_on_when_fenced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Checkpoints, "_refuse_fenced", lambda _self, _attempt, _bases: None)


def any_desire_is_news(patch: pytest.MonkeyPatch) -> None:
    real = Wishes.look

    def look(self: Wishes, now: Seconds, *, with_predecessor: bool) -> None:
        if self.desired is not None:
            self.desired = self.desired.model_copy(update={"journal": -1})
        real(self, now, with_predecessor=with_predecessor)

    patch.setattr(Wishes, "look", look)


def _volume(folder: Path) -> Volume:
    return Volume(folder / "volume")


STORE = "tests/unit/store"
SWEPT = f"{STORE}/test_checkpoints.py::test_whatever_was_pruned_every_checkpoint_that_is_left_is_whole"
CHANGED = f"{STORE}/test_transfer.py::test_a_file_that_is_written_in_place_while_it_is_sent_commits_nothing"
FENCED = f"{STORE}/test_fencing.py::test_an_old_attempt_that_comes_back_after_an_hour_writes_nothing"
OLDER = "tests/agent/test_life.py::test_an_older_desire_never_replaces_a_newer_one"

MUTANTS = (
    Mutant(
        "manifest-first", "files first, the manifest last", manifest_first,
        "what has a manifest is whole", plain,
    ),
    Mutant(
        "manifest-put", "a manifest is created exclusively", manifest_put,
        "what is created exclusively is never just put", plain,
    ),
    Mutant(
        "base-skipped", "an attempt fixes what it goes on from, and so fences those before it", no_base,
        "whoever trains has fixed what it goes on from", plain,
    ),
    Mutant(
        "base-too-early", "the base comes after the machine before it let go, or is gone", base_at_once,
        "a base is fixed only once the machine before it let go", moves,
    ),
    Mutant(
        "oldest-restored", "the newest checkpoint that verifies is restored", oldest_first,
        "the newest valid checkpoint never goes back", many_kept,
    ),
    Mutant(
        "nothing-restored", "an attempt goes on from its base", restores_nothing,
        "whoever resumes goes on from its base", many_kept,
    ),
    Mutant(
        "bytes-unverified", "every byte is verified before training sees it", takes_any_bytes,
        "a checkpoint is a state that training was in", rots,
    ),
    Mutant(
        "late-trusted", "what is committed beyond a base is late, and never restored", late_is_trusted,
        "at most one attempt's checkpoints are trusted from any base on", slips_in,
    ),
    Mutant(
        "began-ignored", "an attempt is the machine that began it first", anyones_attempt,
        "an attempt is one machine", twins,
    ),
    Mutant(
        "released-before-committed", "released is said once everything is committed", released_first,
        "what says released has committed what it holds", stopped,
    ),
    Mutant(
        "stop-unheard", "a stop is a checkpoint, and then the end", hears_no_stop,
        "a stop is a checkpoint, and then the end", stopped,
    ),
    Mutant(
        "base-pruned", "retention never removes the set that was resumed from", prunes_its_base,
        "retention never removes what is in use", taken,
    ),
    Mutant(
        "referenced-files-swept", "a file stays as long as any manifest references it", sweeps_everything_old,
        SWEPT, suite(SWEPT, Path, changes=["a", "state", "state", "state", "prune"], keep=2),
    ),
    Mutant(
        "changing-file-committed", "what changes while it is sent commits nothing", commits_what_changes,
        CHANGED, suite(CHANGED, _volume, Path),
    ),
    Mutant(
        "fence-unlooked-at", "an attempt that was overtaken writes nothing more", writes_on_when_fenced,
        FENCED, suite(FENCED, Path),
    ),
    Mutant(
        "any-desire-is-news", "an older wish never replaces a newer one", any_desire_is_news,
        OLDER, suite(OLDER, World),
    ),
)  # fmt: skip

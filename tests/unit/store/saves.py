"""A training's saves, without the training."""

from __future__ import annotations

from pathlib import Path

from fleet.model.documents import CheckpointRef, Manifest
from fleet.store.checkpoints import Checkpoints, Scanner, Staged


class Volume:
    """A checkpoint folder and its staging."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "checkpoints"
        self.folder.mkdir(parents=True)
        self.staging = root / ".fleet" / "staging"

    def save(self, step: int, **files: str) -> None:
        """Write a set as training does: temporary file, rename."""
        for name, text in {"state": f"state after {step}", **files}.items():
            temporary = self.folder / f"{name}.tmp"
            temporary.write_text(text)
            temporary.replace(self.folder / name)

    def staged(self) -> Staged:
        """The set that is there now."""
        found = Scanner(self.folder, self.staging, "rename").finished()
        assert found is not None
        return found

    def files(self) -> dict[str, str]:
        """Everything in the checkpoint folder."""
        return {p.relative_to(self.folder).as_posix(): p.read_text() for p in self.folder.rglob("*") if p.is_file()}


def commit(
    checkpoints: Checkpoints, volume: Volume, attempt: int, step: int, previous: Manifest | None = None, **files: str
) -> Manifest:
    """Save and commit a set."""
    volume.save(step, **files)
    with volume.staged() as staged:
        return checkpoints.commit(
            attempt,
            staged,
            parent=previous.ref if previous else None,
            step=step,
            at=float(step),
            format="rename",
            previous=previous,
        )


def ref(attempt: int, seq: int) -> CheckpointRef:
    return CheckpointRef(attempt=attempt, seq=seq)

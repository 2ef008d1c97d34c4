"""That this machine has let go, for an agent that is started again on it: by then the volume is others'."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from fleet.model.base import document_bytes
from fleet.model.documents import BootDocument, Heartbeat

NAME = "left.json"


def note_left(scratch: Path, beat: Heartbeat) -> None:
    """Before it is said to anybody. Raises OSError."""
    temporary = scratch / f".{NAME}.tmp"
    temporary.write_bytes(document_bytes(beat))
    temporary.replace(scratch / NAME)


def left_before(scratch: Path, boot: BootDocument) -> Heartbeat | None:
    """The last word of an agent before this one, if it had let go of everything in this very attempt."""
    try:
        beat = Heartbeat.model_validate_json((scratch / NAME).read_bytes())
    except (OSError, ValidationError):
        return None
    return beat if (beat.run_id, beat.attempt) == (boot.run_id, boot.attempt) else None

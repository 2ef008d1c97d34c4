"""Checkpoints: found whole on the volume, committed by a manifest, fenced by attempt numbers, restored only if verified."""

from fleet.store.checkpoints.claim import claim
from fleet.store.checkpoints.commit import FencedError
from fleet.store.checkpoints.repository import Checkpoints
from fleet.store.checkpoints.restore import Restored, clear_away
from fleet.store.checkpoints.staged import Staged, StagedFile, signature_of
from fleet.store.checkpoints.staging import Scanner

__all__ = [
    "Checkpoints",
    "FencedError",
    "Restored",
    "Scanner",
    "Staged",
    "StagedFile",
    "claim",
    "clear_away",
    "signature_of",
]

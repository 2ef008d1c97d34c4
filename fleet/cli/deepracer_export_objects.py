"""What ``fleet deepracer export -o json`` prints. See objects.py for how these are written."""

from __future__ import annotations

from typing_extensions import TypedDict


class DeepRacerExportObject(TypedDict):
    """A model that was handed on, once every byte of it was read back."""

    checkpoint: str
    """The set that was chosen, ``N_Step-Y.ckpt``."""
    files: list[str]
    """What lies there now, relative to DEST (to the folder that it is in, if DEST is an archive), sorted."""

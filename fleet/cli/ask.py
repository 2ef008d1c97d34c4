"""Asking before something costs money or is gone for good."""

from __future__ import annotations

import sys

from fleet.model.errors import FleetError


def confirm(question: str, *, yes: bool, otherwise: str) -> None:
    """Go on only if the user says so. Without a terminal ``--yes`` must have said it. Raises FleetError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise FleetError(f"{question} Nobody is there to answer.", "Add --yes to go on without being asked.")
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise FleetError(otherwise)

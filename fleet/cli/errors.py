"""Errors as objects: what a program that asked for JSON gets on standard output if a command fails."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fleet.cli.app import EXIT_FAILED
from fleet.cli.output import CHOSEN, emit_line
from fleet.model.errors import (
    CheckpointError,
    FleetError,
    JobError,
    JournalError,
    NewerVersionError,
    ProviderError,
    StoreError,
)

if TYPE_CHECKING:
    from fleet.cli.objects import ErrorObject

KINDS = {
    JobError: "job",
    StoreError: "store",
    JournalError: "journal",
    NewerVersionError: "newer-version",
    CheckpointError: "checkpoint",
    ProviderError: "provider",
    FleetError: "fleet",
}
"""What an error is called: the first class that it belongs to."""


def error_object(error: FleetError, code: int) -> ErrorObject:
    """Something that fleet says on purpose."""
    kind = next(name for known, name in KINDS.items() if isinstance(error, known))
    return {"error": {"kind": kind, "message": error.message, "hint": error.hint, "exit_code": code}}


def fault_object(error: Exception) -> ErrorObject:
    """Something that fleet did not foresee."""
    message = f"{type(error).__name__}: {error}"
    return {"error": {"kind": "fault", "message": message, "hint": "", "exit_code": EXIT_FAILED}}


def print_error(told: ErrorObject) -> None:
    """One line, if the command was asked for JSON: so it stands in a stream of lines as well as alone."""
    if CHOSEN.as_json:
        with contextlib.suppress(BrokenPipeError):
            emit_line(told)

"""Asking before something costs money or is gone for good. Every prompt of fleet's is this one."""

from __future__ import annotations

import select
import sys

from fleet.cli.app import EXIT_INTERRUPTED
from fleet.model.errors import FleetError


def confirm(question: str, *, yes: bool, otherwise: str, default: bool = False) -> None:
    """Go on only if the user says so; ``otherwise`` says what is the case if not, for example "nothing was removed".

    The question stands on standard error, since standard output may be another program's. Without a terminal ``--yes``
    must have said it. Raises FleetError for a no (also by Ctrl-D), and typer.Exit with code 130 for Ctrl-C.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise FleetError(f"{question} Nobody is there to answer.", "Add --yes to go on without being asked.")
    try:
        sys.stderr.write(f"{question} {'[Y/n]' if default else '[y/N]'} ")
        sys.stderr.flush()
        _wait_until_typed()
        answer = input().strip().lower()
    except EOFError:
        sys.stderr.write("\n")
        raise FleetError(otherwise) from None
    except KeyboardInterrupt:
        import typer

        sys.stderr.write(f"\nfleet: {otherwise}\n")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if answer not in (("", "y", "yes") if default else ("y", "yes")):
        raise FleetError(otherwise)


def _wait_until_typed() -> None:
    """A signal that comes just before a read that blocks is heard only after it: look again and again instead."""
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        pass

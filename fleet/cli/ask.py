"""Asking before something costs money or is gone for good. Every prompt of fleet's is one of these two."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import TypeVar

from fleet.cli.app import EXIT_INTERRUPTED
from fleet.model.errors import FleetError

T = TypeVar("T")


def confirm(question: str, *, yes: bool, otherwise: str, default: bool = False) -> None:
    """Go on only if the user says so; ``otherwise`` says what is the case if not, for example "nothing was removed".

    The question stands on standard error, since standard output may be another program's. Without a terminal ``--yes``
    must have said it. Raises FleetError for a no (also by Ctrl-D), and typer.Exit with code 130 for Ctrl-C.
    """
    if yes:
        return
    answer = _answer(question, "[Y/n]" if default else "[y/N]", otherwise).lower()
    if answer not in (("", "y", "yes") if default else ("y", "yes")):
        raise FleetError(otherwise)


def confirm_name(question: str, name: str, *, yes: bool, otherwise: str) -> None:
    """The same for what cannot be made again: the user types its name."""
    if not yes and _answer(question, "", otherwise) != name:
        raise FleetError(otherwise)


def _answer(question: str, choice: str, otherwise: str) -> str:
    if not sys.stdin.isatty():
        raise FleetError(f"{question} Nobody is there to answer.", "Add --yes to go on without being asked.")
    try:
        sys.stderr.write(f"{question} {choice} " if choice else f"{question} ")
        sys.stderr.flush()
        _wait_until_typed()
        return input().strip()
    except EOFError:
        sys.stderr.write("\n")
        raise FleetError(otherwise) from None
    except KeyboardInterrupt:
        import typer

        sys.stderr.write(f"\nfleet: {otherwise}\n")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _wait_until_typed() -> None:
    """A signal that comes just before a read that blocks is heard only after it: look again and again instead."""
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        pass


def unbroken(do: Callable[[], T], left: str) -> T:
    """Do something that may be broken off anywhere: after Ctrl-C ``left`` says what is the case, and the code is 130."""
    try:
        return do()
    except KeyboardInterrupt:
        import typer

        from fleet.cli.output import say

        say(left)
        raise typer.Exit(EXIT_INTERRUPTED) from None

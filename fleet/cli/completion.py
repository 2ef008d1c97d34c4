"""``fleet completion``."""

from __future__ import annotations

from fleet.control.names import nearest
from fleet.model.errors import FleetError

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> int:
    """Print the script that a shell's completion sources."""
    if shell not in SHELLS:
        told = f"there is no completion for {shell!r}; {nearest(shell, SHELLS)}"
        raise FleetError(told, f"Name one of {', '.join(SHELLS)}.")
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="fleet", complete_var="_FLEET_COMPLETE", shell=shell))
    return 0

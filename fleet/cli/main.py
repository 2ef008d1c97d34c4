"""The command line's entry: every command, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import sys
from typing import NoReturn

from fleet.cli import (
    ami_commands,
    aws_commands,
    deepracer_commands,
    deepracer_evaluate_commands,
    deepracer_export_commands,
    deepracer_show_commands,
    deepracer_stats_commands,
    deepracer_version_commands,
    deepracer_weights_commands,
    deploy_commands,
    gcp_commands,
    group_commands,
    history_commands,
    money_commands,
    price_commands,
    reach_commands,
    run_commands,
    simulate_commands,
)
from fleet.cli.app import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_JOB, app
from fleet.cli.errors import error_object, fault_object, print_error
from fleet.cli.plain import plain
from fleet.cli.streams import give_up_stdout, never_fail_to_encode, open_closed_streams
from fleet.model.errors import FleetError, JobError

__all__ = [
    "ami_commands",
    "app",
    "aws_commands",
    "deepracer_commands",
    "deepracer_evaluate_commands",
    "deepracer_export_commands",
    "deepracer_show_commands",
    "deepracer_stats_commands",
    "deepracer_version_commands",
    "deepracer_weights_commands",
    "deploy_commands",
    "gcp_commands",
    "group_commands",
    "history_commands",
    "main",
    "money_commands",
    "price_commands",
    "reach_commands",
    "run_commands",
    "simulate_commands",
]

_REMEDIES = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), "fleet must be able to write there. FLEET_HOME names another home folder."
    ),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Make room, or let FLEET_HOME name a folder on another disk."),
}


def main() -> None:
    """The console script: no traceback reaches a user unless ``--debug`` asks for it."""
    open_closed_streams()
    never_fail_to_encode()
    debug = "--debug" in sys.argv[1:]
    try:
        try:
            app(prog_name="fleet")
        finally:
            sys.stdout.flush()  # here a full disk or a closed pipe is an error like others, at the program's end a riddle
    except JobError as error:
        _fail(error, EXIT_JOB, debug)
    except FleetError as error:
        _fail(error, EXIT_FAILED, debug)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        cannot_write(error, debug=debug)
    except Exception as error:  # the last line of defence: a message, not a traceback
        if debug:
            raise
        told = plain(f"fleet: {type(error).__name__}: {error}")
        sys.stderr.write(f"{told}\nThis is a fault of fleet's; `fleet --debug …` shows where.\n")
        print_error(fault_object(error))
        sys.exit(EXIT_FAILED)


def cannot_write(error: OSError, *, debug: bool = False) -> NoReturn:
    """Exit: what was to be said cannot be written, or nobody reads it; or another file is in the way."""
    give_up_stdout()
    if isinstance(error, BrokenPipeError):
        sys.exit(EXIT_FAILED)  # whoever read has gone: nothing to say, and nobody to say it to
    where = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0, "`fleet --debug …` shows where it happened.")
    _fail(FleetError(f"{where}{error.strerror or error}", remedy), EXIT_FAILED, debug)


def _fail(error: FleetError, code: int, debug: bool) -> NoReturn:
    if debug:
        raise error
    sys.stderr.write(plain(f"fleet: {error}") + "\n")
    print_error(error_object(error, code))
    sys.exit(code)


if __name__ == "__main__":
    main()

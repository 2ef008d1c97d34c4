"""``fleet report install``, ``uninstall`` and ``status``: the report of every night, shown before it is made."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fleet.cli.app import EXIT_INTERRUPTED
from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.control.home import Home, open_home
from fleet.control.nightly import Wish, launchd, parse_at, systemd
from fleet.model.errors import FleetError
from fleet.report.send.destinations import FILE, destination, keep, labels, read

if TYPE_CHECKING:
    from fleet.cli.money_objects import ReportInstalledObject, ReportStepObject
    from fleet.control.host_plan import Step
    from fleet.control.nightly import On, Way
    from fleet.report.send.nights import QuietNights

ON = ("systemd", "launchd", "cron", "account")
NO_TO = "say whom to tell: --to URL, once or more often"
HOW_TO = (
    "mailto://user:password@mail.example.com?to=me@example.com, slack://…, tgram://…, ses:fleet@example.com>me@example.com, "
    "sns:arn:…; `--to -` reads them from standard input, so that no password stands in the shell's history."
)
SLEEPS = "A night that this computer slept through is told with the next one."
LINGER = "It goes on while nobody is logged in after: loginctl enable-linger"
UNDO = "`fleet report test` sends a test message, `fleet report uninstall` takes it away."
BROKEN_OFF = "\nfleet: left in the middle. The same command does the rest; `fleet report uninstall` takes everything away."


def install(
    at: str, to: Sequence[str], on: On | None, quiet: QuietNights, bucket: str | None, *, yes: bool, as_json: bool, dry: bool
) -> int:  # fmt: skip
    """Show what is made, ask, make it."""
    from fleet.control.zone import local_zone

    home = open_home()
    wish = Wish(*parse_at(at), local_zone(), quiet, bucket)
    urls = _destinations(home, to)
    named = labels(urls)
    way = _way(home, wish, on or _usual(), urls)
    others = _others(home, wish, way)
    steps = way.steps()
    done = [*steps, *(step for other in others for step in other.steps_away())]
    new = urls != read(home.path, "report")
    clock = _clock(way.name, wish.zone)
    say(f"Each night at {wish.at} ({clock}), by {_by(way.name)}, to:\n" + "".join(f"  {name}\n" for name in named))
    if way.name != "account":
        _doubted(named)
    if not steps and not new and not others:
        say("Nothing to do: everything is there, and as it should be.")
    else:
        _show(way, steps, home if new else None)
        for other in others:
            _list(other.steps_away())
        if dry:
            say("\nNothing was made: --dry-run.")
        else:
            confirm("Make this?", yes=yes, otherwise="nothing was made")
            with _broken_off():
                if new:
                    keep(home.path, "report", urls)
                _each(way, steps)
                for other in others:
                    _each(other, other.steps_away())
            say("\n" + "\n".join(_after(way.name)))
    if as_json:
        emit(_object([way.name], wish.at, clock, list(named), done, made=not dry))
    return 0


def _destinations(home: Home, to: Sequence[str]) -> tuple[str, ...]:
    """Those that were named, else those that are known. Raises FleetError for a wrong one."""
    if list(to) == ["-"]:
        to = [line.strip() for line in sys.stdin.read().splitlines() if line.strip() and not line.startswith("#")]
    urls = tuple(dict.fromkeys(destination(url).url for url in to)) or read(home.path, "report")
    if not urls:
        raise FleetError(NO_TO, HOW_TO)
    return urls


def _usual() -> On:
    """What this computer has."""
    if sys.platform == "darwin":
        return "launchd"
    return "systemd" if shutil.which("systemctl") is not None else "cron"


def _way(home: Home, wish: Wish, on: On, urls: Sequence[str]) -> Way:
    """Raises FleetError if it cannot be there."""
    if on == "account":
        from fleet.control.aws_report import in_account, refuse_older

        way = in_account(home, wish, urls)
        refuse_older(way.wanted.function)
        return way
    if on == "cron":
        from fleet.boot.shell import run_here
        from fleet.control.nightly_cron import nightly_cron

        return nightly_cron(run_here, home, wish)
    way_of: Callable[[Home, Wish], Way] = launchd if on == "launchd" else systemd
    program = "launchctl" if on == "launchd" else "systemctl"
    if shutil.which(program) is None:
        raise FleetError(f"{program} is not on this computer", "Let cron do it: --on cron; or the account: --on account")
    return way_of(home, wish)


def ways(home: Home, wish: Wish, troubles: list[str] | None = None) -> Iterator[Way]:
    """Everything that may be installed, here and in the account. What cannot be looked at is told in ``troubles``."""
    yield systemd(home, wish)
    yield launchd(home, wish)
    for made in (_cron, _account):
        try:
            yield from made(home, wish)
        except FleetError as error:
            if troubles is not None:
                troubles.append(error.message)


def _cron(home: Home, wish: Wish) -> Iterator[Way]:
    if shutil.which("crontab") is not None:
        yield _way(home, wish, "cron", ())


def _account(home: Home, wish: Wish) -> Iterator[Way]:
    from fleet.control.aws_report import deployed, in_account

    if deployed(home, wish.bucket)[1] is not None:
        yield in_account(home, wish, ())


def _others(home: Home, wish: Wish, chosen: Way) -> list[Way]:
    """Where else this home's report is called from: it is moved, not made twice. Only once it is known that it can be."""
    return [one for one in ways(home, wish) if one.name != chosen.name and one.steps_away()]


def _doubted(named: Mapping[str, str]) -> None:
    from fleet.report.send import doubts

    for told in doubts(named):
        say(f"Mind: {told}")


def _clock(name: On, zone: str) -> str:
    """The zone that the time of the day is in: cron and launchd know the computer's own alone, whatever TZ says."""
    from fleet.control.zone import local_zone

    return local_zone({}) if name in ("cron", "launchd") else zone


def _by(name: On) -> str:
    told = {"systemd": "a timer of your systemd", "launchd": "launchd", "cron": "cron"}
    return told.get(name, "the controller in the account")


def _show(way: Way, steps: Sequence[Step], file: Home | None) -> None:
    written = {step.where for step in steps}
    for where, text in way.shown().items():
        if where in written:
            say(f"# {where}\n{text}")
    if file is not None:
        say(f"  write   {file.path / FILE}\n          whom to tell; readable by nobody but you, and it stays here")
    _list(steps)


def _list(steps: Sequence[Step]) -> None:
    for step in steps:
        say(f"  {_word(step):<7} {step.where}\n          {step.told}")


def _word(step: Step) -> str:
    return "add" if step.kind == "line" else step.kind


def _each(way: Way, steps: Sequence[Step]) -> None:
    for step in steps:
        way.carry_out(step)
        say(f"  done: {_word(step)} {step.where}")


def _after(name: On) -> list[str]:
    told = {"systemd": [SLEEPS, LINGER], "launchd": [SLEEPS], "cron": [SLEEPS]}
    return [*told.get(name, ["It is sent with this computer on or off."]), UNDO]


def uninstall(on: On | None, bucket: str | None, *, yes: bool, as_json: bool) -> int:
    """Look, show, ask, take away."""
    home, troubles = open_home(), list[str]()
    wish = Wish(0, 0, "UTC", bucket=bucket)
    found = [(way, steps) for way in ways(home, wish, troubles) if (steps := way.steps_away())]
    there = [(way, steps) for way, steps in found if on in (None, way.name)]
    forget = there == found and bool(read(home.path, "report"))
    for trouble in troubles:
        say(f"Mind: {trouble}.")
    if not there and not forget:
        say("Nothing to remove: no nightly report is installed.")
    else:
        for _, steps in there:
            _list(steps)
        if forget:
            say(f"  remove  whom to tell, from {home.path / FILE}")
        confirm("Remove this?", yes=yes, otherwise="nothing was removed")
        with _broken_off():
            for way, steps in there:
                _each(way, steps)
            if forget:
                keep(home.path, "report", ())
        say("No report is sent any more. `fleet report --night` shows it, and earlier ones lie in the bucket.")
    if as_json:
        emit(_object([way.name for way, _ in there], "", "", (), [step for _, steps in there for step in steps], made=True))
    return 0


@contextlib.contextmanager
def _broken_off() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        import typer

        say(BROKEN_OFF)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _object(
    on: Sequence[On], at: str, zone: str, to: Sequence[str], steps: Sequence[Step], *, made: bool
) -> ReportInstalledObject:
    done: list[ReportStepObject] = []
    for step in steps:
        assert step.kind in ("write", "run", "line", "remove")
        done.append({"action": step.kind, "where": step.where, "told": step.told})
    return {"on": list(on), "at": at, "time_zone": zone, "to": list(to), "made": made, "steps": done}

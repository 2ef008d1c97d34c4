"""``fleet controller deploy ssh | cron`` and ``remove ssh | cron``: shown and asked about first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fleet import __version__
from fleet.cli.app import EXIT_INTERRUPTED
from fleet.cli.ask import confirm
from fleet.cli.output import emit, say
from fleet.control.home import Home, open_home
from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.cli.objects import DeployedObject, DeployedStepObject
    from fleet.control.host_plan import Found, Step, Wanted
    from fleet.control.own_cron import OwnCron

How = Literal["service", "cron"]
OWN = "It uses the credentials of {} that the host has by itself: fleet copies none."
CALLED = {"aws": "AWS", "gcp": "Google Cloud"}
NOBODY = "Runs go on, and nobody looks after them from there any more."
BROKEN_OFF = (
    "\nfleet: left in the middle. The same command does the rest; `fleet controller remove ssh` takes everything away."
)


def deploy_ssh(
    target: str, buckets: Sequence[str], profile: str | None, identity: Path | None, *, cron: bool, yes: bool, as_json: bool
) -> int:
    """Look at the fleets and at the host, show, ask, do."""
    from fleet.boot.host import connected, login_of
    from fleet.control.host_plan import steps_to
    from fleet.control.host_work import Work
    from fleet.control.hosts import Wish, look, wanted_on

    login, home = login_of(target), open_home()
    named = _wanted_buckets(home, buckets)
    wish = Wish(named, profile, cron, _prepare(home, named, upload=False))
    say(f"Looking at {login.name} …")
    with connected(login, identity=identity) as host:
        found = look(host.run, login.name)
        wanted = wanted_on(found, wish, home.aws(), login.name)
        steps = steps_to(found, wanted)
        say(f"{login.name}: {found.python_name} on {found.arch}; fleet {wanted.version} for {', '.join(wish.buckets)}\n")
        if not steps:
            say("Nothing to do: it runs there, as it should be.")
        else:
            _show(steps, found, wanted)
            confirm("Do this?", yes=yes, otherwise="nothing was done")
            with _broken_off():
                _prepare(home, wish.buckets, upload=True)
                Work(host.run, login.name, found, wanted).carry_out(steps, _tell)
            say(f"\nA controller runs on {login.name}{' each minute' if cron else ''}, with this laptop closed or open.")
            say(f"`fleet controller remove ssh {target}` takes it away.")
    if as_json:
        emit(_object(login.name, "cron" if cron else "service", wanted.version, wish.buckets, steps))
    return 0


def remove_ssh(target: str, identity: Path | None, *, yes: bool, as_json: bool) -> int:
    """Look, show, ask, do."""
    from fleet.boot.host import connected, login_of
    from fleet.control.host_plan import steps_away
    from fleet.control.host_work import Work
    from fleet.control.hosts import look

    login = login_of(target)
    say(f"Looking at {login.name} …")
    with connected(login, identity=identity) as host:
        found = look(host.run, login.name, fit=False)
        steps = steps_away(found)
        _take_away(steps, login.name, yes=yes)
        with _broken_off():
            Work(host.run, login.name, found).carry_out(steps, _tell)
    if steps:
        say(f"The controller is gone from {login.name}. {NOBODY}")
    if as_json:
        emit(_object(login.name, "service" if found.own_unit else "cron", found.current, (), steps))
    return 0


def deploy_cron(*, yes: bool, as_json: bool) -> int:
    """A line in this computer's crontab."""
    cron = _cron()
    steps = cron.steps()
    if not steps:
        say("Nothing to do: cron runs this very installation each minute.")
    else:
        say(f"# {cron.script}\n{cron.text}")
        _list(steps)
        say("\ncron makes no round while this computer sleeps. `fleet controller deploy ssh` and `aws` are for that.")
        confirm("Do this?", yes=yes, otherwise="nothing was done")
        _each(cron, steps)
        say(f"cron makes a round each minute; what happens is told in {cron.home.path / 'controller.log'}.")
    if as_json:
        emit(_object("", "cron", __version__, cron.home.known_buckets(), steps))
    return 0


def remove_cron(*, yes: bool, as_json: bool) -> int:
    """Without the line again, and without what its rounds said of themselves."""
    from fleet.control.presence import forget_cron

    cron = _cron()
    steps = cron.steps_away()
    _take_away(steps, "this computer's cron", yes=yes)
    _each(cron, steps)
    if steps:
        forget_cron(cron.home)
        say(f"cron makes no rounds any more. {NOBODY}")
    if as_json:
        emit(_object("", "cron", __version__, (), steps))
    return 0


def _cron() -> OwnCron:
    from fleet.boot.shell import run_here
    from fleet.control.own_cron import own_cron

    return own_cron(run_here, open_home())


def _each(cron: OwnCron, steps: Sequence[Step]) -> None:
    for step in steps:
        cron.carry_out(step)
        _tell(step)


def _wanted_buckets(home: Home, named: Sequence[str]) -> tuple[str, ...]:
    """Those that were named, else those known here that another computer can reach. Raises FleetError."""
    for url in named:
        if url.startswith(("file:", "memory:")):
            raise FleetError(
                f"{url} is on this computer: no other can look after what is in it",
                "Name a bucket in a cloud; for this one: `fleet controller install`, or `fleet controller deploy cron`.",
            )
    found = tuple(dict.fromkeys(named)) or tuple(url for url in home.known_buckets() if not url.startswith("file:"))
    if not found:
        raise FleetError(
            "no bucket in a cloud is known here, so there is nothing that a host could look after",
            "`fleet init aws` or `gcp` makes one; --bucket URL names one.",
        )
    return found


def _prepare(home: Home, buckets: Sequence[str], *, upload: bool) -> tuple[str, ...]:
    """Look into each bucket from here: a host is no place to find out that there is no fleet in it. The clouds that they are
    in, and their machines.

    The host has no pip. So what its machines unpack is put into the bucket from here (``upload``), once for these versions.
    """
    from fleet.control.fleets import open_fleet

    clouds: set[str] = set()
    for url in buckets:
        controller = open_fleet(home, url)
        there = controller.observer.providers.keys() & CALLED.keys()
        clouds |= there | ({"s3": {"aws"}, "gs": {"gcp"}}.get(url.partition(":")[0]) or set())
        if upload and there:
            from fleet.boot.wheelhouse import ensure_wheels

            ensure_wheels(controller.objects, __version__, tell=say)
    return tuple(sorted(clouds))


def _show(steps: Sequence[Step], found: Found, wanted: Wanted) -> None:
    if wanted.unit is not None and found.unit != wanted.unit:
        say(f"# {found.unit_path}\n{wanted.unit}")
    _list(steps)
    say("\n" + OWN.format(" and ".join(CALLED[name] for name in wanted.clouds)))


def _take_away(steps: Sequence[Step], where: str, *, yes: bool) -> None:
    if not steps:
        say(f"Nothing to remove: fleet put no controller into {where}.")
        return
    _list(steps)
    confirm("Remove this?", yes=yes, otherwise="nothing was removed")


def _list(steps: Sequence[Step]) -> None:
    for step in steps:
        say(f"  {_word(step):<7} {step.where}\n          {step.told}")


def _tell(step: Step) -> None:
    say(f"  done: {_word(step)} {step.where}")


def _word(step: Step) -> str:
    return "add" if step.kind == "line" else step.kind


@contextlib.contextmanager
def _broken_off() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        import typer

        say(BROKEN_OFF)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _object(host: str, how: How, version: str, buckets: Sequence[str], steps: Sequence[Step]) -> DeployedObject:
    done: list[DeployedStepObject] = [{"action": step.kind, "where": step.where, "told": step.told} for step in steps]
    return {"host": host, "how": how, "version": version, "buckets": list(buckets), "steps": done}

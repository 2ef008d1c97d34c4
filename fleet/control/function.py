"""The controller as a function in the user's account: each call is one ``controller run --once``.

It is called by two schedules (each minute while something lives, each hour always), by a third that asks for the nightly
report if that was installed so, and by EC2's events, all of them asynchronously. An event is a hint: the function looks, and
believes what it sees. What it learned by looking twice is kept for as long as its process is; after any error the next call
begins anew.

It counts as failed, and so rings the alarm, if it could not do its work: the bucket or the schedule cannot be reached, the
journal is broken, a region's machines, a cloud's prices or the agents' words cannot be seen. So it does, after all its other
work, as long as it can do nothing: it is older than the journal, or a run waits for a word of its user's, who may not know.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet import __version__
from fleet.control import presence
from fleet.control.awake import Awake, Turning
from fleet.control.clouds import cloud_providers
from fleet.control.controller import Controller, Tick
from fleet.control.home import Home
from fleet.control.notifying import ROUND, SENDING, Notifier
from fleet.control.prices import Shelf
from fleet.control.setups import BrokenSetupError, aws_function
from fleet.core.rhythm import attempt_of, lively, may_be_ours, unsettled, unspoken
from fleet.model import layout
from fleet.model.errors import FleetError, NewerVersionError, ProviderError
from fleet.providers.aws.events import Hint, hint_of
from fleet.store.fleetfile import read_fleet
from fleet.store.journal import Journal
from fleet.store.objects import Objects
from fleet.store.opening import open_objects

if TYPE_CHECKING:
    from fleet.model.events import Event
    from fleet.providers.base import Provider

BUCKET, HOME, NAME = "FLEET_BUCKET", "FLEET_HOME", "AWS_LAMBDA_FUNCTION_NAME"
"""The environment: the bucket's URL; a folder that may be written to; and, by Lambda itself, how the function is called."""
REPORT = "fleet.report"
"""The source of the event that asks for the nightly report."""
MINUTE, HOUR = 60.0, 3600.0
"""Calls are so far apart while something lives, and otherwise."""
FOLLOW_EVERY = 1.0
"""Seconds between two looks after a hint."""
FOLLOW_MOST = 20.0
"""So long a hint is followed at most: after that the minute's call does as well."""
LEAST_LEFT = 15.0
"""Seconds of this call that must be left for another look: a launch may take that."""
TRIES = 2
"""So often is a call made that is not answered: the next call of the function is another chance."""
SNAPSHOT_EVERY = 20
"""More often than a laptop, which keeps what it read: a process that begins reads each entry since the last one."""


def say(line: str) -> None:
    """A line of the function's log."""
    sys.stdout.write(f"fleet: {line}\n")
    sys.stdout.flush()


class CallFailedError(RuntimeError):
    """The call could not do its work; in one line."""


@dataclass
class Keeper:
    """One fleet, kept between calls."""

    controller: Controller
    shelf: Shelf
    awake: Awake | None
    """None: nobody deployed a schedule."""
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = say
    """Writes a line of the log."""
    present: Callable[[Controller, float], None] = lambda _controller, _every: None
    """Tells people that this controller lives, and in how many seconds it is called again. Decides nothing."""
    notify: Callable[[Callable[[], float]], None] = lambda _left: None
    """Tells them what happened, if they want that, in no more than what is left of this call."""
    told_read_only: bool = False
    """In the log: each call fails of it."""
    _told: frozenset[str] = frozenset()
    """The troubles of the call before."""
    _done: list[Event] = field(default_factory=list)
    _unturned: str = ""
    """Why the schedule is not as it should be, if that is so."""

    def call(self, hint: Hint | None, left: Callable[[], float]) -> dict[str, Any]:
        """Do what there is to do. ``left`` tells the seconds that remain. Raises CallFailedError after the work is done."""
        self._done.clear()
        self._unturned = ""
        try:
            followed, ticks, schedule = self._work(hint, left)
        except FleetError:
            self.notify(left)  # that it is blind
            raise
        controller = self.controller
        if ticks:
            self.present(controller, MINUTE if lively(controller.state) else HOUR)
            self.notify(left)
        troubles = self._troubles()
        answer = {
            "head": controller.state.head,
            "ticks": ticks,
            "events": [event.type for event in self._done],
            "hint": followed,
            "lively": lively(controller.state),
            "schedule": schedule,
            "read_only": one_line(controller.read_only),
            "troubles": troubles,
        }
        self._tell_troubles(troubles)
        failures = [one for one in (self._failure(ticks), self._unturned, self._unspoken(ticks)) if one]
        if failures:
            raise CallFailedError("; ".join(failures))
        return answer

    def _work(self, hint: Hint | None, left: Callable[[], float]) -> tuple[str, int, str]:
        ticks, followed = 0, ""
        if hint is None:
            ticks, followed = self._tick(), "none"
        else:
            ticks, followed = self._follow(hint, left)
        if self.controller.read_only or not ticks:
            return followed, ticks, ""
        schedule = self._keep_awake()
        if lively(self.controller.state) and left() > LEAST_LEFT:
            self.shelf.freshen(self.controller.objects, left)
        return followed, ticks, schedule

    def _keep_awake(self) -> str:
        try:
            return self.awake.keep(self.controller) if self.awake is not None else ""
        except ProviderError as error:
            self._unturned = f"the schedule cannot be asked or turned: {one_line(str(error))}"
            return ""

    def _follow(self, hint: Hint, left: Callable[[], float]) -> tuple[int, str]:
        """Look until the state says of the hint's machine what there is to say."""
        self.controller.catch_up()
        found = attempt_of(self.controller.state, hint.instance_id)
        if found is None:
            if may_be_ours(self.controller.state, "aws", hint.region):
                return self._tick(), "of a launch that is not recorded yet, perhaps"
            return 0, "of no live machine of this fleet"
        run_id, number = found[0].run_id, found[1].number
        had, ticks, slept = left(), self._tick(), 0.0
        while hint.kind != "rebalance" and not self.controller.read_only:
            remains = left()
            spent = max(slept, had - remains)
            if not unsettled(self.controller.state, run_id, number) or spent >= FOLLOW_MOST or remains < LEAST_LEFT:
                break
            self.sleep(FOLLOW_EVERY)
            slept += FOLLOW_EVERY
            ticks += self._tick()
        return ticks, f"{hint.kind} of attempt {number} of {run_id}"

    def _tick(self) -> int:
        tick: Tick = self.controller.tick()
        for event in tick.events:
            self._done.append(event)
            self.say(f"{self.controller.state.head} {told(event)}")
        return 1

    def _failure(self, ticks: int) -> str:
        """What keeps this controller from its work; empty: nothing."""
        if self.controller.read_only:
            why = f"does nothing: {one_line(self.controller.read_only)}"
            if not self.told_read_only:
                self.say(why)
            self.told_read_only = True
            return why
        clouds = [name for name in self.controller.observer.providers if name != "local"]
        needed = (*(f"{name}/" for name in clouds), *(f"{name} offers: " for name in clouds), layout.HEARTBEATS.rstrip("/"))
        blind = [one for one in self._troubles() if one.startswith(needed) and " access: " not in one] if ticks else []
        return f"blind: {'; '.join(blind)}" if blind else ""

    def _unspoken(self, ticks: int) -> str:
        """Whose word is waited for; empty: nobody's. It is told as what fails is, and until they act."""
        waiting = unspoken(self.controller.state) if ticks and not self.controller.read_only else []
        told = [(run.name, run.pause.reason if run.pause is not None else "") for run in waiting]
        return "; ".join(f"run {name} waits for a word of yours: {one_line(reason)}" for name, reason in told)

    def _tell_troubles(self, troubles: list[str]) -> None:
        """Each in the log when it begins; the call before knew the others."""
        for one in troubles:
            if one not in self._told:
                self.say(f"trouble: {one_line(one)}")
        self._told = frozenset(troubles)

    def _troubles(self) -> list[str]:
        """What could not be asked. That somebody's own computer cannot be is no trouble."""
        troubles = sorted(self.controller.observer.troubles.items())
        return [f"{what}: {why}" for what, why in troubles if what.replace("/", " ").split()[0] != "local"]


def handler(event: object, context: Any) -> dict[str, Any]:
    """What Lambda calls. Raises for whatever kept it from its work: the call then counts as failed."""
    ends_at = time.monotonic() + _seconds_of(context)
    anew = True
    try:
        keeper = _kept()
        if isinstance(event, Mapping) and event.get("source") == REPORT:
            from fleet.control.function_report import tell  # most calls are about machines

            anew = False
            return tell(keeper.controller, event, lambda: ends_at - time.monotonic())
        answer = keeper.call(hint_of(event), lambda: ends_at - time.monotonic())
        # It began before its deployment was recorded: whoever knows the schedule is to switch it off.
        anew = keeper.awake is None and not answer["lively"]
        return answer
    except CallFailedError:
        anew = False  # it looked, and what it remembers of that is worth keeping
        raise
    except FleetError as error:
        raise CallFailedError(one_line(str(error))) from None
    finally:
        if anew:
            _KEPT.clear()


_KEPT: list[Keeper] = []


def _kept() -> Keeper:
    if not _KEPT:
        _KEPT.append(open_keeper(os.environ))
    return _KEPT[0]


def _seconds_of(context: Any) -> float:
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return float(remaining()) / 1000 if remaining is not None else 60.0


def open_keeper(env: Mapping[str, str]) -> Keeper:
    """Open the fleet of the environment's bucket. Raises FleetError if there is none."""
    from fleet.providers.aws.session import hurry
    from fleet.providers.local.elsewhere import Elsewhere
    from fleet.providers.local.provider import LocalProvider

    url = env.get(BUCKET, "")
    if not url:
        raise FleetError(f"{BUCKET} is not set", "Deploy the function anew: fleet controller deploy aws")
    home = Home(Path(env.get(HOME, "/tmp/fleet")))  # noqa: S108 - the only folder that a function may write to, and its own
    objects = open_objects(url, region=env.get("AWS_REGION"))
    info = read_fleet(objects)
    if info is None:
        raise FleetError(f"there is no fleet in {url}", "fleet init aws makes one.")
    hurry()
    made: list[Controller] = []
    shelf = Shelf(home.cache / "aws", lambda: made[0].state, objects.now)
    clouds = cloud_providers(home, info.fleet_id, objects, shop=shelf.shop, book=shelf.book, tries=TRIES)
    # Machines of somebody's own computer: nobody here can ask about them, which is not to say that there are none.
    elsewhere = Elsewhere(LocalProvider(home.local, info.fleet_id))
    journal = Journal(objects, info.fleet_id, by=controller_name(env), version=__version__)
    controller = Controller(objects, journal, info.fleet_id, {"local": elsewhere, **asked_here(clouds)})
    made.append(controller)
    return kept_by(controller, shelf, _schedule(objects), env.get(NAME, "fleet"), home)


def asked_here(clouds: Mapping[str, Provider]) -> dict[str, Provider]:
    """A function on AWS has no login anywhere else: it sees its own cloud, and knows that there are others."""
    from fleet.providers.local.elsewhere import Elsewhere

    told = "machines of {} are looked after by controllers that are logged in there, which this function is not"
    return {name: one if name == "aws" else Elsewhere(one, told=told.format(name)) for name, one in clouds.items()}


def kept_by(
    controller: Controller, shelf: Shelf, schedule: Turning | None, name: str = "fleet", home: Home | None = None
) -> Keeper:
    """A fleet whose controller is called now and then, its state loaded. Raises StoreError.

    ``home``: where it remembers what people were told; without one it tells them nothing.
    """
    controller.observer.called, controller.observer.every = True, HOUR
    controller.snapshot_every = SNAPSHOT_EVERY
    controller.load()
    awake = Awake(schedule, controller.objects.now) if schedule is not None else None
    keeper = Keeper(controller, shelf, awake, present=partial(_present, name))
    if home is not None:
        keeper.notify = _notifying(controller, home, name)
    return keeper


def _notifying(controller: Controller, home: Home, name: str) -> Callable[[Callable[[], float]], None]:
    """Within a call, for nothing of it goes on after that."""
    trouble = partial(presence.trouble_of, elsewhere=True)
    notifier = Notifier(controller, home, f"function {name}", trouble, say=say)

    def notify(left: Callable[[], float]) -> None:
        seconds = min(ROUND, left() - LEAST_LEFT)
        if seconds > 0:
            notifier.sending = min(SENDING, seconds)
            notifier.look()
            notifier.finish(seconds)

    return notify


def controller_name(env: Mapping[str, str]) -> str:
    """Names this process in the journal."""
    return f"function-{env.get(NAME, 'fleet')}-{secrets.token_hex(4)}"


def _present(name: str, controller: Controller, every: float) -> None:
    """One word for all its processes: people know it as one."""
    presence.told(controller, kind="function", every=every, key=f"function-{name}", command=f"function {name}", host="")


def _schedule(objects: Objects) -> Turning | None:
    """What calls this function each minute, as it was deployed."""
    try:
        record = aws_function(objects)
    except (BrokenSetupError, NewerVersionError) as error:
        say(f"{one_line(str(error))}; the schedule is left as it is")
        return None
    if record is None:
        return None
    from fleet.providers.aws.calling import Calls
    from fleet.providers.aws.schedules import Schedules

    return Schedules(record, Calls())


def told(event: Event) -> str:
    """An event in a few words."""
    who = [str(getattr(event, name)) for name in ("run_id", "attempt") if hasattr(event, name)]
    more = next((str(getattr(event, name)) for name in ("reason", "message", "why", "outcome") if hasattr(event, name)), "")
    return " ".join([event.type, ".".join(who), more[:160]]).strip()


def one_line(text: str) -> str:
    """For a log."""
    return " ".join(text.split())

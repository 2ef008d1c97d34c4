"""``fleet controller list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.cli.attending import ago, remedies, state, who
from fleet.cli.output import emit
from fleet.cli.table import print_table
from fleet.control.attendance import seen
from fleet.control.fleets import hostname
from fleet.control.home import open_home
from fleet.control.opened import opened
from fleet.core.allowed import providers_of
from fleet.core.presence import Told
from fleet.model.base import Seconds

if TYPE_CHECKING:
    from fleet.cli.objects import PresenceObject

COLUMNS = ("CONTROLLER", "VERSION", "SINCE", "HEARD", "ACTED", "STATE")


def show(bucket: str | None, *, as_json: bool) -> int:
    """Print every controller that spoke within the last day, in every fleet known here."""
    home, found, live = open_home(), list[tuple[str, Told, Seconds]](), set[str]()
    for controller in opened(bucket):
        url, now = controller.objects.url, controller.objects.now()
        found += [(url, one, now) for one in seen(controller.objects, now, home)]
        live |= {name for run in controller.state.busy_runs for name in providers_of(run.job.resources)}
    if as_json:
        emit([presence_object(url, one) for url, one, _ in found])
        return 0
    several = len({url for url, _, _ in found}) > 1
    rows = [(*_row(one, now), *([url] if several else [])) for url, one, now in found]
    if rows:
        print_table([(*COLUMNS, *(["BUCKET"] if several else [])), *rows], ("SINCE", "HEARD"))
    if not any(one.acts for _, one, _ in found):
        print("No controller lives. What changes that:" if not rows else "\nNone of them acts. What changes that:")
        print("\n".join(remedies(live)))
    return 0


def _row(told: Told, now: Seconds) -> tuple[str, ...]:
    word = told.presence
    acted = ago(word.acted_at, now) if word.acted_at is not None else "-"
    heard = ago(word.seen_at, now) if told.key else "-"
    return who(word, hostname()), word.version or "-", ago(word.started_at, now), heard, acted, state(told, now) or "acts"


def presence_object(url: str, told: Told) -> PresenceObject:
    """A controller as ``-o json`` prints it."""
    word = told.presence
    return {
        "bucket": url,
        "key": told.key,
        "name": word.name,
        "kind": word.kind,
        "host": word.host,
        "process": word.process,
        "command": word.command,
        "version": word.version,
        "lives": told.lives,
        "outlives_terminal": word.outlives_terminal,
        "started_at": word.started_at,
        "seen_at": word.seen_at,
        "again_at": word.again_at,
        "acted_at": word.acted_at,
        "read_only": word.read_only,
        "blind": word.blind,
        "problem": told.problem,
    }

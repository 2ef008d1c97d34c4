"""``fleet deepracer doctor``: what is wrong with a machine that trains, or is to; here, or where a run's machine is."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import __version__
from fleet.cli.deepracer_sources import Known, log_end, look, training_here
from fleet.cli.output import emit
from fleet.cli.plain import plain
from fleet.control.controller import Controller
from fleet.control.opened import opened_run
from fleet.control.reaching import machine_of
from fleet.core.state import RunState
from fleet.model.errors import FleetError
from fleet.workloads.deepracer import diagnosis
from fleet.workloads.deepracer.doctor import PATIENCE, command, examine, look_here, understood
from fleet.workloads.deepracer.history import HISTORY
from fleet.workloads.deepracer.lately import ends_of
from fleet.workloads.deepracer.place import services, simulators
from fleet.workloads.deepracer.probed import Line, Probed, Wish
from fleet.workloads.deepracer.redact import secrets_of

if TYPE_CHECKING:
    from fleet.cli.objects import DeepRacerDoctorObject

HERE = "this computer"
CREDENTIALS = Path("~/.aws/credentials")


def check(
    name: str | None, bucket: str | None, *, paste: bool, as_json: bool, identity: Path | None, come_from: str | None
) -> int:
    """Look, and say it; 1 if something is not as it should be."""
    status: list[str] = []
    ends: Mapping[str, Sequence[str]] = {}
    if name is None:
        where, lines = HERE, examine(look_here(), Wish())
    else:
        controller, run = opened_run(bucket, name)
        known = look(controller, run)
        where, lines = _there(controller, run, known, identity, come_from)
        if paste:
            from fleet.cli.deepracer_status import lines as status_lines
            from fleet.cli.deepracer_status import status_object

            status, ends = status_lines(known, status_object(known)), _last_words(controller, run, known)
    text = diagnosis.block(_about(), {where: lines}, status, ends, _known_secrets()) if paste else None
    if as_json:
        told: DeepRacerDoctorObject = {
            "where": where,
            "checks": [{"check": one.check, "state": one.state, "found": one.found, "remedy": one.remedy} for one in lines],
            "paste": text,
        }
        emit(told)
    elif text is not None:
        print(plain(text))
    else:
        for line in diagnosis.told(lines):
            print(plain(line))
    return 1 if any(line.state == "not ok" for line in lines) else 0


def wish_of(known: Known) -> Wish:
    """What the run's machine is to do."""
    seen, spec = known.seen, known.spec
    offer = seen.attempt.offer if seen.attempt is not None else None
    gpu = bool(offer.accelerators) if offer is not None and spec.device == "auto" else spec.device == "gpu"
    training = seen.run.ended_at is None and seen.phase == "training"
    since = seen.attempt.resumed.at if seen.attempt is not None and seen.attempt.resumed is not None else seen.at
    return Wish(
        gpu=gpu,
        today=spec.stack == "today",
        workers=len(simulators(spec)),
        coach="coach" in services(spec),
        trains=spec.evaluate is None,
        storage=spec.storage == "instance",
        run=seen.run.run_id,
        training=training,
        training_seconds=max(0.0, seen.at - since),
    )


def _there(
    controller: Controller, run: RunState, known: Known, identity: Path | None, come_from: str | None
) -> tuple[str, list[Line]]:
    """Where the run's machine is, and what was found there; without one, or if it cannot be reached, what is known of it."""
    wish = wish_of(known)
    try:
        machine = machine_of(run)
    except FleetError as error:
        if known.volume is not None:
            return HERE, examine(look_here(), wish)
        return "no machine", [Line("machine", "cannot tell", error.message, error.hint), *_by_heartbeat(known, wish)]
    try:
        if machine.provider == "local":
            found = training_here(run)
            return HERE, examine(look_here(*found) if found is not None else look_here(), wish)
        return machine.instance_id, examine(_over_ssh(controller, run, identity, come_from), wish)
    except FleetError as error:
        return machine.instance_id, [Line("machine", "cannot tell", error.message, error.hint), *_by_heartbeat(known, wish)]


def _over_ssh(controller: Controller, run: RunState, identity: Path | None, come_from: str | None) -> Probed:
    from fleet.boot import session
    from fleet.boot.ssh import connect
    from fleet.cli.reaching import reaching_of

    reaching = reaching_of(controller, run, come_from)
    with reaching.reach(machine_of(run)) as reach, connect(reach, identity=identity) as connection:
        _, out, err = session.captured(connection, reach, command(), silent=PATIENCE)
    return understood(out, err)


def _by_heartbeat(known: Known, wish: Wish) -> list[Line]:
    """What the agent's last word tells."""
    beat, at = known.seen.beat, known.seen.at
    if beat is None:
        return []
    lines = [
        Line("heartbeat", "ok" if at - beat.at < 300 else "not ok", f"{at - beat.at:.0f} s old: {beat.phase} {beat.message}")
    ]
    if beat.disk_free is not None:
        told = f"{beat.disk_free / 1e9:.1f} GB free"
        remedy = "" if beat.disk_free > 5e9 else "`fleet deepracer clean` on the machine shows what may go."
        lines.append(Line("disk", "ok" if not remedy else "not ok", told, remedy))
    if wish.training and beat.step_at is not None:
        age = at - beat.step_at
        remedy = "" if age < 3600 else "`fleet logs RUN`; `fleet stop` and `fleet resume` start the stack again."
        lines.append(
            Line("progress", "ok" if not remedy else "not ok", f"set {beat.step}, {age / 60:.0f} minutes ago", remedy)
        )
    return lines


def _about() -> dict[str, str]:
    return {
        "fleet": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "command": " ".join(sys.argv[1:]),
    }


def _last_words(controller: Controller, run: RunState, known: Known) -> dict[str, Sequence[str]]:
    """The ends of the containers' logs where they are on this computer, and of the run's own."""
    ends: dict[str, Sequence[str]] = {}
    if known.volume is not None and known.course is not None and known.course.legs:
        ends |= ends_of(known.volume / HISTORY / known.course.leg.prefix / "logs", 32_000)
    ends["the run"] = log_end(controller.objects, run.run_id, run.newest)
    return ends


def _known_secrets() -> set[str]:
    """The values of this computer's own keys: they are taken out wherever they stand."""
    found = secrets_of(os.environ)
    try:
        lines = CREDENTIALS.expanduser().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    pairs = [line.partition("=") for line in lines if "=" in line]
    return found.union(*(secrets_of({name.strip(): value.strip()}) for name, _, value in pairs))

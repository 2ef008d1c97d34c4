"""Looking at a host, and what is to be there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.boot.host_package import STARTER, Target, version_of
from fleet.boot.shell import Run, Said
from fleet.control.crontab import read_crontab
from fleet.control.home import AwsHome
from fleet.control.host_plan import BELOW, Found, Wanted, check_own
from fleet.control.unit import UNIT, unit_text
from fleet.model.errors import FleetError

OLDEST = (3, 10)
ARCHES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
SETTINGS = ("aws.json", "buckets.json")
PROBE = f"""
echo "home=$HOME"; echo "user=$(id -un)"; echo "arch=$(uname -m)"; echo "system=$(uname -s)"
for one in systemctl loginctl crontab; do command -v $one >/dev/null 2>&1 && echo "program=$one"; done
for one in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    $one -I -S -c 'import sys; print("python=%d %d %s" % (*sys.version_info[:2], sys.executable))' 2>/dev/null
done
cd "$HOME/{BELOW}" 2>/dev/null || exit 0
echo "leftovers=yes"
test -e pending && echo "pending=yes"
test -L current && echo "current=$(readlink current)"
ls -1tr | grep -E '^[0-9].*-[0-9a-f]{{12}}$' | sed 's/^/version=/'
"""
USER_BUS = 'XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; export XDG_RUNTIME_DIR; '
"""Where systemd's user manager answers; a session over SSH may not have been told."""


def look(run: Run, name: str, *, fit: bool = True) -> Found:
    """What is on a host. Raises FleetError if no controller could run there (``fit``)."""
    told = _lines(run(PROBE, b""))
    home, system, machine = (told.get(what, [""])[-1] for what in ("home", "system", "arch"))
    if fit and (system != "Linux" or machine not in ARCHES):
        raise FleetError(
            f"{name} is {system or 'something unknown'} on {machine or 'something unknown'}; "
            "fleet can be put on Linux on 64-bit Intel, AMD and ARM",
            "On a Raspberry Pi: the 64-bit system. Elsewhere: `fleet controller deploy cron` there.",
        )
    python, tag = _python(told.get("python", []), name) if fit else ("", "")
    seen = Found(home, told["user"][-1], python, tag, ARCHES.get(machine, machine), frozenset(told.get("program", ())))
    unit = run(f"cat {shlex.quote(seen.unit_path)}", b"")
    files = {file: run(f"cat {shlex.quote(f'{seen.fleet_home}/{file}')}", b"") for file in SETTINGS}
    return Found(
        **{one: getattr(seen, one) for one in ("home", "user", "python", "tag", "arch", "programs")},
        current=told.get("current", [""])[-1],
        versions=tuple(told.get("version", ())),
        settings={file: said.out for file, said in files.items() if said.code == 0},
        unit=unit.out.decode("utf-8", "replace") if unit.code == 0 else None,
        runs=unit.code == 0 and run(f"{USER_BUS}systemctl --user is-active --quiet {UNIT}", b"").code == 0,
        crontab=read_crontab(run) if "crontab" in seen.programs else b"",
        leftovers="leftovers" in told,
        pending="pending" in told,
    )


def _lines(said: Said) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in said.out.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value)
    return found


def _python(lines: Sequence[str], name: str) -> tuple[str, str]:
    """The first that serves: its path and tag. Raises FleetError."""
    found = [(int(one[1]), int(one[2]), one[3]) for line in lines if (one := re.fullmatch(r"(\d+) (\d+) (.+)", line))]
    for major, minor, path in found:
        if major == OLDEST[0] and minor >= OLDEST[1]:
            return path, f"cp{major}{minor}"
    least = "fleet needs Python 3.10 or later there, and nothing else"
    if not found:
        raise FleetError(f"there is no Python on {name}; {least}", "On Debian and Ubuntu: sudo apt install python3")
    newest = max(found)
    raise FleetError(f"the Python on {name} is {newest[0]}.{newest[1]}; {least}", "A newer one may stand beside it.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants of a host."""

    buckets: tuple[str, ...]
    profile: str | None = None
    """One of the host's own AWS profiles."""
    cron: bool = False
    clouds: tuple[str, ...] = ("aws",)
    """Those that its fleets have machines or their buckets in."""


def wanted_on(found: Found, wish: Wish, known: AwsHome | None, name: str) -> Wanted:
    """What is to be there. Raises FleetError if the host has nobody who would run it, or a controller of its own."""
    check_own(found, name)
    needed = ("crontab",) if wish.cron else ("systemctl", "loginctl")
    for program in needed:
        if program not in found.programs:
            hint = "Install cron there, or leave out --cron." if wish.cron else "Let cron do it: add --cron."
            raise FleetError(f"there is no {program} on {name}", hint)
    current = f"{found.base}/current"
    environment = {"FLEET_HOME": found.fleet_home, "FLEET_CONTROLLER": "service"}
    return Wanted(
        version=version_of(target_of(found, wish.clouds)),
        buckets=wish.buckets,
        settings=settings_for(wish, known),
        unit=None if wish.cron else unit_text([f"{current}/{STARTER}", "controller", "run"], environment),
        line=found.line if wish.cron else None,
        clouds=wish.clouds,
    )


def target_of(found: Found, clouds: tuple[str, ...] = ("aws",)) -> Target:
    """What the program is built for."""
    return Target(found.python, found.tag, found.arch, found.fleet_home, clouds)


def settings_for(wish: Wish, known: AwsHome | None) -> dict[str, bytes]:
    """FLEET_HOME's files there. A profile of this computer's means nothing on another."""
    files = {"buckets.json": json.dumps(list(wish.buckets)).encode()}
    amazon = [url for url in wish.buckets if url.startswith("s3:")]
    if amazon:
        main = known.bucket if known is not None and known.bucket in amazon else amazon[0]
        regions = list(known.regions) if known is not None and known.bucket == main else []
        profiles = dict.fromkeys(amazon, wish.profile)
        told = {"bucket": main, "profile": wish.profile, "regions": regions, "profiles": profiles}
        files["aws.json"] = json.dumps(told).encode()
    return files

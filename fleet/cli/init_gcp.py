"""``fleet init gcp``: a project made ready, shown and asked about first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.ask import confirm, unbroken
from fleet.cli.init_aws import show_steps, step_object, tell_step
from fleet.cli.output import emit, say
from fleet.control.home import open_home

if TYPE_CHECKING:
    from fleet.cli.objects import GcpQuotaObject, GcpSetupObject
    from fleet.control.gcp_setup import Prepared
    from fleet.providers.gcp.allowances import Allowance

COSTS = """\
None of this costs anything by itself{router}. What will:
  bucket    about $0.020 a month for each GB, and some $0.10 a month of requests
            while a controller runs
  machines  once `fleet up` launches one, which shows the price and asks; {address}
  volumes   about $0.10 a month for each GB, until they are deleted"""
ADDRESS = "and $0.005 an\n            hour for each machine's public IPv4 address ($0.0025 on spot)"
NO_ADDRESS = "they\n            have no public address, and pay $0.0014 an hour and $0.045 a GB for the way out"
NEXT = """\

Next: `fleet doctor gcp` checks everything; in a job, `resources: {infra: gcp}`; then `fleet plan JOB`, `fleet up JOB`.
`fleet destroy gcp` removes it all again."""
BROKEN_OFF = """\

fleet: left in the middle. What was made costs nothing by itself: `fleet init gcp` with the same options completes it,
`fleet destroy gcp` removes it."""


def set_up_project(
    project: str | None, regions: Sequence[str], bucket: str | None, key: Path | None, *,
    public_ip: bool | None, iap: bool | None, yes: bool, as_json: bool,
) -> int:  # fmt: skip
    """Look, show, ask, do; and say what the project's quotas allow, first of all whether it may have a GPU."""
    from fleet.control.gcp_place import project_of
    from fleet.control.gcp_setup import Wish, carry_out, prepare
    from fleet.providers.gcp.allowances import allowances
    from fleet.providers.gcp.calling import Calls
    from fleet.providers.wanted import nothing_to_do

    home = open_home()
    calls = Calls(project_of(home, project))
    say("Looking at the project …")
    prepared = prepare(home, Wish(tuple(regions), bucket, key, public_ip, iap), calls)
    idle = nothing_to_do(prepared.steps)
    quotas = allowances(calls, prepared.blueprint.regions) if prepared.apis_on else []
    _show(prepared, quotas[:1], idle=idle)
    if not idle:
        confirm("Make this?", yes=yes, otherwise="nothing was made", default=True)
    unbroken(lambda: carry_out(home, prepared, tell_step), BROKEN_OFF)
    quotas = quotas or allowances(calls, prepared.blueprint.regions)
    _show_quotas(quotas)
    say(NEXT)
    if as_json:
        emit(_object(prepared, quotas))
    return 0


def _show(prepared: Prepared, gpus: Sequence[Allowance], *, idle: bool) -> None:
    blueprint = prepared.blueprint
    where = ", ".join(blueprint.regions)
    say(f"Google Cloud project {blueprint.project}, {where}: the fleet {blueprint.fleet_id} in {blueprint.bucket}\n")
    for one in gpus:
        if not one.enough:
            say(f"Mind: {one.told}: {one.request}\n")
    if idle:
        say("Nothing to do: everything is there, and as it should be.")
    else:
        show_steps(prepared.steps, ("NAME", "REGION"))
        router = "" if blueprint.public_ip else ", the routers as long as no machine uses them"
        say("\n" + COSTS.format(address=ADDRESS if blueprint.public_ip else NO_ADDRESS, router=router))
    for warning in prepared.warnings:
        say(f"Mind: {warning}.")


def _show_quotas(quotas: Sequence[Allowance]) -> None:
    say("\nWhat the project's quotas allow:")
    for one in quotas:
        say(f"  {one.region or 'everywhere'}: {one.told}")
        if one.request:
            say(f"    ask for more (answered within hours or days): {one.request}")


def _object(prepared: Prepared, quotas: Sequence[Allowance]) -> GcpSetupObject:
    blueprint = prepared.blueprint
    return {
        "project": blueprint.project,
        "fleet": blueprint.fleet_id,
        "bucket": blueprint.bucket,
        "regions": list(blueprint.regions),
        "steps": [step_object(step, done=step.action != "leave") for step in prepared.steps],
        "quotas": [_quota_object(one) for one in quotas],
        "warnings": prepared.warnings,
    }


def _quota_object(one: Allowance) -> GcpQuotaObject:
    return {
        "region": one.region,
        "metric": one.metric,
        "what": one.what,
        "limit_count": one.limit,
        "used_count": one.used,
        "told": one.told,
        "request": one.request,
    }

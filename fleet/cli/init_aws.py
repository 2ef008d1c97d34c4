"""``fleet init aws``: an account made ready, shown and asked about first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.ask import confirm, unbroken
from fleet.cli.output import CHOSEN, emit, say
from fleet.cli.table import print_table
from fleet.cli.views import dollars
from fleet.control.home import open_home

if TYPE_CHECKING:
    from fleet.cli.objects import AwsQuotaObject, AwsSetupObject, StepObject
    from fleet.control.aws_setup import Prepared
    from fleet.providers.aws.quotas import Quota
    from fleet.providers.remains import Removal
    from fleet.providers.wanted import Step

COSTS = """\
None of this costs anything by itself. What will:
  bucket    about $0.023 a month for each GB, and some $0.10 a month of requests
            while a controller runs
  machines  once `fleet up` launches one, which shows the price and asks; {address}
  volumes   about $0.08 a month for each GB, until they are deleted"""
ADDRESS = "and $0.005 an\n            hour for each machine's public IPv4 address"
NO_ADDRESS = "they\n            have no public address"
NEXT = """\

Next: `fleet doctor aws` checks everything; in a job, `resources: {infra: aws}`; then `fleet plan JOB`, `fleet up JOB`.
`fleet destroy aws` removes it all again."""
BROKEN_OFF = """\

fleet: left in the middle. What was made costs nothing by itself: `fleet init aws` with the same options completes it,
`fleet destroy aws` removes it."""


def set_up(
    regions: Sequence[str], bucket: str | None, vpcs: Sequence[str], key: Path | None, *,
    public_ip: bool | None, yes: bool, as_json: bool,
) -> int:  # fmt: skip
    """Look, show, ask, do; then say what the account's quotas allow."""
    from fleet.control.aws_place import profile_of
    from fleet.control.aws_setup import Wish, carry_out, prepare
    from fleet.providers.aws.calling import Calls
    from fleet.providers.aws.quotas import spot_quotas
    from fleet.providers.wanted import nothing_to_do

    home = open_home()
    calls = Calls(profile_of(home))
    wish = Wish(tuple(regions), bucket, tuple(vpcs), key, public_ip)
    say("Looking at the account …")
    prepared = prepare(home, wish, calls)
    idle = nothing_to_do(prepared.steps)
    _show(prepared, idle=idle)
    if not idle:
        confirm("Make this?", yes=yes, otherwise="nothing was made", default=True)
    settled = unbroken(lambda: carry_out(home, prepared, tell_step), BROKEN_OFF)
    if not settled:
        say("EC2 does not know the new role yet: a first launch may be refused for some minutes, and is tried again.")
    quotas = [quota for region in prepared.blueprint.networks for quota in spot_quotas(calls, region)]
    _show_quotas(quotas)
    say(NEXT)
    if as_json:
        emit(_object(prepared, quotas))
    return 0


def _show(prepared: Prepared, *, idle: bool) -> None:
    blueprint = prepared.blueprint
    where = ", ".join(blueprint.networks)
    say(f"AWS account {blueprint.account}, {where}: the fleet {blueprint.fleet_id} in {prepared.url}\n")
    if idle:
        say("Nothing to do: everything is there, and as it should be.")
    else:
        show_steps(prepared.steps, ("NAME", "REGION"))
        say("\n" + COSTS.format(address=ADDRESS if blueprint.public_ip else NO_ADDRESS))
    for warning in prepared.warnings:
        say(f"Mind: {warning}.")


def show_steps(steps: Sequence[Step] | Sequence[Removal], spare: Sequence[str] = ()) -> None:
    """What is to be done, as a table; programs get it in their object."""
    if CHOSEN.as_json:
        return
    table = [("DO", "WHAT", "NAME", "REGION", "WHY")]
    table += [(step.action, step.kind, step.name, step.region or "-", step.told) for step in steps]
    print_table(table, spare)


def tell_step(step: Step) -> None:
    """Progress, as each is done."""
    done = {"make": "made", "mend": "mended"}[step.action]
    say(f"  {done:<6} {step.kind} {step.name}{f' in {step.region}' if step.region else ''}")


def _show_quotas(quotas: Sequence[Quota]) -> None:
    say("\nWhat the account's quotas allow:")
    if all(quota.vcpus is None for quota in quotas):
        say(f"  they {quotas[0].told}")
        return
    for quota in quotas:
        say(f"  {quota.region}: {quota.what}: {quota.told}")
        if quota.request:
            say(f"    ask for more (answered within hours or days): {quota.request}")


def _object(prepared: Prepared, quotas: Sequence[Quota]) -> AwsSetupObject:
    blueprint = prepared.blueprint
    return {
        "account": blueprint.account,
        "fleet": blueprint.fleet_id,
        "bucket": prepared.url,
        "regions": list(blueprint.networks),
        "steps": [step_object(step, done=step.action != "leave") for step in prepared.steps],
        "quotas": [_quota_object(quota) for quota in quotas],
        "warnings": prepared.warnings,
    }


def step_object(step: Step | Removal, *, done: bool) -> StepObject:
    """For programs."""
    return {
        "action": step.action,
        "kind": step.kind,
        "name": step.name,
        "region": step.region,
        "told": step.told,
        "usd_per_month": dollars(step.monthly),
        "done": done,
    }


def _quota_object(quota: Quota) -> AwsQuotaObject:
    return {
        "region": quota.region,
        "code": quota.code,
        "what": quota.what,
        "vcpus": quota.vcpus,
        "told": quota.told,
        "request": quota.request,
    }

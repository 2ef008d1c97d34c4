"""The bucket's settings and who may do what in it. That it can be written is proved through obstore, as it is used."""

from __future__ import annotations

from fleet.model.setup import GcpSetup
from fleet.providers.gcp import setup_rights as rights
from fleet.providers.gcp.checks import AGAIN, Look
from fleet.providers.gcp.policies import machine_bindings, secret_binding
from fleet.providers.gcp.setup import AWS_ROLE, BUCKET, AwsTrust, Blueprint
from fleet.providers.gcp.setup_bucket import look_at_bucket
from fleet.providers.looked import Check, Checked
from fleet.providers.wanted import Found


def of(look: Look) -> list[tuple[str, Check]]:
    """Every check of the bucket, and of what machines are and may do."""
    setup = look.setup
    if setup is None:
        return []
    checks: list[tuple[str, Check]] = [
        ("account", lambda: [account(look, setup)]),
        ("secrets", lambda: [secrets(look, setup)]),
    ]
    if setup.bucket.startswith("gs://"):
        checks += [("settings", lambda: settings(look, setup)), ("rights", lambda: [machines(look, setup)])]
    elif look.trust is not None:
        checks.append(("aws role", lambda: [aws_role(look.trust, setup)]))
    return checks


def aws_role(trust: AwsTrust | None, setup: GcpSetup) -> Checked:
    """In AWS, by which machines reach a bucket on S3."""
    from fleet.providers.gcp.setup_aws import look_at_trust

    place = {"bucket": setup.bucket, "bucket_region": setup.aws_region, "regions": (), "key": None}
    plan = Blueprint(setup.project, setup.number, setup.fleet_id, trust=trust, **place)  # type: ignore[arg-type]
    found = look_at_trust(plan, setup.service_account_id)
    name = setup.aws_role.rpartition("/")[2]
    if found is None:
        return Checked("aws role", "bad", f"the role {name} is gone in AWS: machines reach no bucket", AGAIN)
    if found.fields != AWS_ROLE:
        wrong = ", ".join(key for key, value in AWS_ROLE.items() if found.fields.get(key) != value)
        return Checked("aws role", "bad", f"the role {name} in AWS is another ({wrong})", AGAIN)
    return Checked("aws role", "good", f"machines reach {setup.bucket} by the role {name}, which trusts them alone")


def settings(look: Look, setup: GcpSetup) -> list[Checked]:
    """Nothing in it can be public, nothing is kept that nobody asked for, and where it is."""
    name = setup.bucket.removeprefix("gs://")
    found = look_at_bucket(look.calls, name, setup.number)
    if found is None:
        return [Checked("settings", "bad", f"there is no bucket {name}", AGAIN)]
    return [judge_settings(name, found[0]), judge_place(name, found[1], look.regions)]


def judge_settings(name: str, found: Found) -> Checked:
    """Each as it was made."""
    wrong = [f"{key}: {found.fields[key]}" for key, value in BUCKET.items() if found.fields[key] != value]
    if not wrong:
        return Checked("settings", "good", f"{name}: nothing in it can be public, and nothing is kept that was deleted")
    public = any(one.startswith(("access", "public")) for one in wrong)
    return Checked("settings", "bad" if public else "note", f"{name}: {'; '.join(wrong)}", AGAIN)


def judge_place(name: str, where: str, regions: list[str]) -> Checked:
    """Where it is: what machines elsewhere send to it is charged, and takes longer."""
    far = [one for one in regions if one != where and where not in ("us", "eu", "asia")]
    if far:
        told = f"{name} is in {where}; machines in {', '.join(far)} send to it across regions, from $0.02 per GB"
        return Checked("place", "note", told)
    return Checked("place", "good", f"{name} is in {where}")


def account(look: Look, setup: GcpSetup) -> Checked:
    """Machines can only be launched as a service account that is there."""
    found = rights.look_at_account(look.calls, setup.service_account)
    if found is None:
        return Checked("account", "bad", f"the service account {setup.service_account} is gone: launches fail", AGAIN)
    if found.fields["state"] != "on":
        return Checked(
            "account", "bad", f"the service account {setup.service_account} is disabled: machines cannot work", AGAIN
        )
    if setup.service_account_id and found.id != setup.service_account_id:
        told = f"{setup.service_account} was made anew: rights that were given to the old one are void"
        return Checked("account", "bad", told, AGAIN)
    return Checked("account", "good", f"machines are {setup.service_account}")


def machines(look: Look, setup: GcpSetup) -> Checked:
    """They may do what they must, and nothing else."""
    name = setup.bucket.removeprefix("gs://")
    found = rights.bindings_of(rights.bucket_policy(look.calls, name) or {}, setup.service_account)
    if found != machine_bindings(name, setup.service_account):
        return Checked("rights", "bad", f"what machines may do in {name} is not what `fleet init gcp` gave them", AGAIN)
    return Checked("rights", "good", f"machines write their runs in {name}, and neither journal nor snapshots")


def secrets(look: Look, setup: GcpSetup) -> Checked:
    """They read those of the fleet, and nothing else of the project's."""
    found = rights.bindings_of(rights.project_policy(look.calls) or {}, setup.service_account)
    if found == [secret_binding(setup.number, setup.service_account)]:
        return Checked("secrets", "good", "machines read the secrets fleet-…, and have no other right in the project")
    if not found:
        return Checked("secrets", "note", "machines may read no secret: jobs with `secrets` fail", AGAIN)
    roles = ", ".join(str(one["role"]) for one in found)
    return Checked("secrets", "bad", f"machines have rights in the project that fleet did not give: {roles}", AGAIN)

"""The effects of a teardown: what remains in the project is looked at, and removed. What is gone already is success."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from fleet.model import layout
from fleet.model.errors import FleetError, ProviderError
from fleet.providers.gcp import setup_network as network
from fleet.providers.gcp import setup_rights as rights
from fleet.providers.gcp.calling import OFF, Calls, Json
from fleet.providers.gcp.errors import NOT_FOUND
from fleet.providers.gcp.names import FLEET_LABEL, id_of, last, tags_of
from fleet.providers.gcp.setup import SECRET_NAMES, Blueprint
from fleet.providers.gcp.setup_bucket import BUCKETS, CONFLICT
from fleet.providers.gcp.trust import role_name
from fleet.providers.remains import LAST_KEYS, Machine, Remains, Remnant, Removal, contents_of

OVER = ("TERMINATED", "SUSPENDED")
ENDING = ("STOPPING", "PENDING_STOP")
AT_ONCE = 16
"""Objects that are deleted at the same time: Cloud Storage takes one in a call."""
IN_USE = ("resourceInUseByAnotherResource", "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE")


def look_at_remains(calls: Calls, plan: Blueprint, *, bucket: str | None, record: bool, count: bool) -> Remains:
    """Everything of a fleet. ``bucket``: the name of its bucket if it is on Cloud Storage and there; ``record``: whether the
    set-up's document is in it; ``count``: look at what lies in it."""
    things: list[Remnant] = []
    machines: tuple[Machine, ...] = ()
    if plan.fleet_id:
        machines = tuple(_machines(calls, plan.fleet_id))
        things.extend(_disks(calls, plan.fleet_id))
        things.extend(_network(calls, plan))
        things.extend(_rights(calls, plan, bucket))
    if record:
        things.append(Remnant("record", "", layout.GCP_SETUP, "what was set up, in the bucket"))
    if bucket is not None:
        things.append(Remnant("bucket", plan.bucket_region, bucket))
    if bucket is None or not count:
        return Remains(plan.fleet_id, machines, tuple(things))
    contents = contents_of([(str(one["name"]), int(one["size"])) for one in _listing(calls, bucket)])
    return Remains(plan.fleet_id, machines, tuple(things), contents)


def _aggregated(calls: Calls, kind: str, fleet_id: str) -> Iterator[Json]:
    path, query = calls.in_compute(f"/aggregated/{kind}"), {"filter": f"labels.{FLEET_LABEL}={fleet_id}"}
    found = calls.unless(OFF, "compute", "GET", path, query=query)
    if found is None:
        return
    for scope in calls.pages("compute", path, "items", query):
        yield from scope.get(kind, ())


def _run(one: Json) -> str:
    return tags_of(str(one.get("description", ""))).get("run", "")


def _machines(calls: Calls, fleet_id: str) -> Iterator[Machine]:
    for one in _aggregated(calls, "instances", fleet_id):
        state = str(one.get("status", ""))
        told = "shutting-down" if state in ENDING else "stopped" if state in OVER else state.lower()
        yield Machine(last(str(one["zone"])), id_of(str(one["name"]), str(one["zone"])), told, _run(one))


def _disks(calls: Calls, fleet_id: str) -> Iterator[Remnant]:
    for one in _aggregated(calls, "disks", fleet_id):
        busy = ", ".join(last(str(user)) for user in one.get("users", ()))
        zone, run = last(str(one["zone"])), _run(one)
        told = f"run {run}" if run else ""
        yield Remnant("volume", zone, id_of(str(one["name"]), zone), told, int(one["sizeGb"]), busy)


def _network(calls: Calls, plan: Blueprint) -> Iterator[Remnant]:
    """By its name, which says the fleet: whatever is in it is the fleet's."""
    if network.look_at_network(calls, plan.name) is None:
        return
    for rule in network.rules_of(calls, plan.name):
        yield Remnant("rule", "", str(rule["name"]), network.told_of_rule(rule))
    for kind, plural in (("router", "routers"), ("subnet", "subnetworks")):
        for scope in calls.pages("compute", calls.in_compute(f"/aggregated/{plural}"), "items"):
            for one in scope.get(plural, ()):
                if last(str(one.get("network", ""))) == plan.name:
                    told = "machines' way out" if kind == "router" else "where machines were"
                    yield Remnant(kind, last(str(one["region"])), str(one["name"]), told)
    yield Remnant("network", "", plan.name, "had no port open")


def _rights(calls: Calls, plan: Blueprint, bucket: str | None) -> Iterator[Remnant]:
    email = plan.service_account
    if rights.look_at_bindings(rights.project_policy(calls), email) is not None:
        yield Remnant("secrets", "", SECRET_NAMES, "which secrets machines read")
    if bucket is not None and rights.look_at_bindings(rights.bucket_policy(calls, bucket), email) is not None:
        yield Remnant("rights", "", bucket, "what machines may do in the bucket")
    if rights.look_at_account(calls, email) is not None:
        yield Remnant("service account", "", plan.name, "who machines were")
    if plan.trust is not None:
        from fleet.providers.gcp.setup_aws import look_at_trust

        if look_at_trust(plan, "") is not None:
            yield Remnant("aws role", "", role_name(plan.fleet_id), f"in AWS: by it machines reached {plan.bucket}")
    if plan.trust is not None:
        from fleet.providers.gcp.setup_aws import look_at_trust

        if look_at_trust(plan, "") is not None:
            yield Remnant("aws role", "", role_name(plan.fleet_id), f"in AWS: by it machines reached {plan.bucket}")


def _listing(calls: Calls, bucket: str) -> Iterator[Json]:
    yield from calls.pages("storage", f"{BUCKETS}/{bucket}/o", "items", {"fields": "items(name,size),nextPageToken"})


def remove(calls: Calls, one: Removal, plan: Blueprint) -> None:
    """Remove one thing of the project's; the record is the caller's. Raises ProviderError, FleetError."""
    email = plan.service_account
    match one.kind:
        case "volume":
            name = one.name.rpartition(".")[0]
            _remove(calls, f"/zones/{one.region}/disks/{name}")
        case "rule" | "network":
            _remove(calls, f"/global/{'firewalls' if one.kind == 'rule' else 'networks'}/{one.name}")
        case "subnet" | "router":
            _remove(calls, f"/regions/{one.region}/{'subnetworks' if one.kind == 'subnet' else 'routers'}/{one.name}")
        case "secrets":
            rights.set_in_project(calls, email, [])
        case "rights":
            rights.set_in_bucket(calls, one.name, email, [])
        case "service account":
            calls.unless((*NOT_FOUND, *OFF), "iam", "DELETE", f"{rights.accounts(calls)}/{email}")
        case "aws role":
            from fleet.providers.gcp.setup_aws import remove_trust

            remove_trust(plan)
        case "aws role":
            from fleet.providers.gcp.setup_aws import remove_trust

            remove_trust(plan)
        case "bucket":
            _remove_bucket(calls, one.name)


def _remove(calls: Calls, path: str) -> None:
    try:
        calls.remove(path)
    except ProviderError as error:
        if error.code in IN_USE:
            error.hint = "A machine that shuts down may hold it still: the same command removes the rest."
        raise


def _remove_bucket(calls: Calls, bucket: str) -> None:
    """Everything in it, what says whose it is at the end, then itself. Uploads that were never finished go with it."""
    for keep in (LAST_KEYS, ()):
        names = [str(one["name"]) for one in _listing_or_none(calls, bucket) if one["name"] not in keep]
        _delete(calls, bucket, names)
    try:
        calls.unless(NOT_FOUND, "storage", "DELETE", f"{BUCKETS}/{bucket}")
    except ProviderError as error:
        if error.code in CONFLICT:
            told = f"something was written to {bucket} meanwhile"
            raise FleetError(told, "End whatever writes there, and run it again.") from None
        raise


def _listing_or_none(calls: Calls, bucket: str) -> list[Json]:
    try:
        return list(_listing(calls, bucket))
    except ProviderError as error:
        if error.code in NOT_FOUND:
            return []
        raise


def _delete(calls: Calls, bucket: str, names: Iterable[str]) -> None:
    def delete(name: str) -> Any:
        return calls.unless(NOT_FOUND, "storage", "DELETE", f"{BUCKETS}/{bucket}/o/{quote(name, safe='')}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(delete, names):
            pass

"""Who may do what (design.md, section 10), as Google's IAM takes it. Pure functions: the same words give the same document.

- ``machine_bindings``, ``secret_binding``: what machines may do in the bucket, and which secrets they read. Training has the
  machine's rights only where it shares the host's network, and may even then neither forge state nor read other secrets.
- ``controller_role`` with ``own_only``: whoever runs ``fleet up`` and the loop. Changes only what is called ``fleet-…``.
- ``setup_role``: what ``fleet init gcp`` and ``fleet destroy gcp`` need. Once.

Conditions are in IAM's own CEL (https://cloud.google.com/iam/docs/conditions-resource-attributes): it knows the names of
objects, instances, disks, firewall rules and secrets, and no labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.providers.gcp import trust

Binding = dict[str, Any]
"""``{"role": …, "members": […], "condition": {…}}``, members sorted."""

READS = ("jobs/", "agent/", "runs/", "heartbeats/", "models/")
"""What machines read."""
WRITES = ("heartbeats/", "models/")
"""What they write, beside the checkpoints of a run and what ``OF_ATTEMPT`` names."""
OF_ATTEMPT = ("began.json", "base.json", "host-key.json", "boot.log")
"""Of an attempt, beside its log. Neither ``desired.json`` nor ``launch-<try>.json``: other machines and controllers obey
those."""
MOST_OPERATORS = 12
"""``&&``, ``||`` and ``!`` that a condition may have (https://cloud.google.com/iam/quotas)."""
SECRETS = "fleet-"
"""How the names of secrets begin that machines may read."""

LISTS_ROLE = "roles/storage.legacyBucketReader"
"""Lists names. For the whole bucket: whether an absent key is "not found" or "denied" depends on it."""
READS_ROLE = "roles/storage.objectViewer"
WRITES_ROLE = "roles/storage.objectUser"
"""Cloud Storage replaces an object only for whoever may delete it, so there is no writing without deleting."""
SECRETS_ROLE = "roles/secretmanager.secretAccessor"
CONTROLLER_BUCKET_ROLES = (WRITES_ROLE, LISTS_ROLE)
ACTS_AS_ROLE = "roles/iam.serviceAccountUser"


def member_of(service_account: str) -> str:
    """As IAM names it."""
    return f"serviceAccount:{service_account}"


def machine_bindings(bucket: str, service_account: str) -> list[Binding]:
    """What a machine may do in the bucket: list it, read its job and its run, write what a machine writes."""
    objects, member = f"projects/_/buckets/{bucket}/objects/", member_of(service_account)
    reads = " || ".join(_starts(objects + one) for one in READS)
    writes = [_starts(objects + one) for one in WRITES]
    writes += [_within(objects + "runs/{run}/checkpoints/"), _attempt(objects)]
    found = [
        binding(LISTS_ROLE, member),
        binding(READS_ROLE, member, "fleet machines read", reads),
        binding(WRITES_ROLE, member, "fleet machines write", " || ".join(writes)),
    ]
    return sorted(found, key=order_of)


def order_of(one: Binding) -> tuple[str, str]:
    """In which bindings are compared."""
    return str(one["role"]), str(one.get("condition", {}).get("expression", ""))


def _attempt(objects: str) -> str:
    """Within ``runs/<id>/attempts/``: its log, and the documents that a machine writes."""
    ends = " || ".join(f'resource.name.endsWith("/{one}")' for one in OF_ATTEMPT)
    return f"({_within(objects + 'runs/{run}/attempts/')} && ({_within('/attempts/{number}/log/')} || {ends}))"


def _within(template: str) -> str:
    """``extract`` finds what stands between the template's words; nothing, if they are not there in this order."""
    return f'resource.name.extract("{template}") != ""'


def _starts(name: str) -> str:
    return f'resource.name.startsWith("{name}")'


def secret_binding(number: str, service_account: str) -> Binding:
    """Which secrets of the project machines read. ``number``: the project's."""
    expression = _starts(f"projects/{number}/secrets/{SECRETS}")
    return binding(SECRETS_ROLE, member_of(service_account), "fleet machines' secrets", expression)


def binding(role: str, member: str, title: str = "", expression: str = "") -> Binding:
    """One, with its condition if it has one."""
    made: Binding = {"role": role, "members": [member]}
    if expression:
        made["condition"] = {"title": title, "expression": expression}
    return made


CONTROLLER = (
    "compute.acceleratorTypes.list",
    "compute.addresses.list",
    "compute.diskTypes.list",
    "compute.disks.create",
    "compute.disks.delete",
    "compute.disks.get",
    "compute.disks.list",
    "compute.disks.resize",
    "compute.disks.setLabels",
    "compute.disks.use",
    "compute.firewalls.create",
    "compute.firewalls.delete",
    "compute.firewalls.get",
    "compute.firewalls.list",
    "compute.firewalls.update",
    "compute.globalOperations.get",
    "compute.globalOperations.list",
    "compute.images.get",
    "compute.images.getFromFamily",
    "compute.images.list",
    "compute.images.useReadOnly",
    "compute.instances.attachDisk",
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.detachDisk",
    "compute.instances.get",
    "compute.instances.getGuestAttributes",
    "compute.instances.getSerialPortOutput",
    "compute.instances.list",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.instances.setServiceAccount",
    "compute.instances.setTags",
    "compute.machineTypes.get",
    "compute.machineTypes.list",
    "compute.networks.get",
    "compute.networks.updatePolicy",
    "compute.projects.get",
    "compute.regions.get",
    "compute.regions.list",
    "compute.routers.get",
    "compute.subnetworks.get",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
    "compute.zoneOperations.get",
    "compute.zoneOperations.list",
    "compute.zones.get",
    "compute.zones.list",
    "iam.serviceAccounts.get",
    "iap.tunnelInstances.accessViaIAP",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "serviceusage.services.get",
    "serviceusage.services.use",
    "storage.buckets.getIamPolicy",
)
"""What a controller calls, ``fleet doctor gcp`` included. Prices need no right but to use the interface."""
SETUP = (
    "compute.disks.delete",
    "compute.disks.list",
    "compute.firewalls.create",
    "compute.firewalls.delete",
    "compute.firewalls.get",
    "compute.firewalls.list",
    "compute.globalOperations.get",
    "compute.instances.list",
    "compute.networks.create",
    "compute.networks.delete",
    "compute.networks.get",
    "compute.networks.updatePolicy",
    "compute.projects.get",
    "compute.regionOperations.get",
    "compute.regions.get",
    "compute.regions.list",
    "compute.routers.create",
    "compute.routers.delete",
    "compute.routers.get",
    "compute.routers.list",
    "compute.routers.update",
    "compute.subnetworks.create",
    "compute.subnetworks.delete",
    "compute.subnetworks.get",
    "compute.subnetworks.list",
    "compute.subnetworks.setPrivateIpGoogleAccess",
    "compute.zoneOperations.get",
    "compute.zones.list",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.enable",
    "iam.serviceAccounts.get",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "resourcemanager.projects.setIamPolicy",
    "serviceusage.services.enable",
    "serviceusage.services.get",
    "serviceusage.services.list",
    "serviceusage.services.use",
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
    "storage.buckets.setIamPolicy",
    "storage.buckets.update",
    "storage.multipartUploads.abort",
    "storage.multipartUploads.create",
    "storage.multipartUploads.list",
    "storage.multipartUploads.listParts",
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)
"""Set-up and teardown. Whoever may set the project's policy may give himself anything: a person's, never a program's."""

OWN_KINDS = {"Instance": "instances", "Disk": "disks", "Firewall": "firewalls"}


def controller_role() -> dict[str, Any]:
    """The custom role of a controller. With ``own_only`` as the condition of its binding it changes what is fleet's only."""
    return role_of("fleet controller", "Runs fleet up and the loop: launches, watches and ends machines.", CONTROLLER)


def setup_role() -> dict[str, Any]:
    """The custom role of whoever runs ``fleet init gcp`` and ``fleet destroy gcp``."""
    told = "Makes and removes what a fleet needs in a project. For a person, for an hour."
    return role_of("fleet set-up", told, (*SETUP, *trust.PERMISSIONS))


def role_of(title: str, description: str, permissions: Sequence[str]) -> dict[str, Any]:
    """A custom role, as ``gcloud iam roles create --file`` takes it."""
    return {"title": title, "description": description, "stage": "GA", "includedPermissions": sorted(permissions)}


def own_only() -> str:
    """The condition under which a controller's role is given: machines, disks and rules that are called ``fleet-…``.

    IAM knows no labels here, but names; what has no name of its own (a listing, a price) it leaves alone.
    """
    return " && ".join(
        f'(resource.type != "compute.googleapis.com/{kind}" || '
        f'resource.name.extract("/{plural}/{{name}}").startsWith("fleet-"))'
        for kind, plural in OWN_KINDS.items()
    )

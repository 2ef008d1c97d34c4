"""Which permissions a call to one of Google's interfaces needs: by the method's id, as each one's reference page lists them.

Compute Engine's follow a rule, with more for what a call touches besides. A call that is not known here is an error of the
test: it may need a right that nobody has looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FREE = ("serviceusage.operations.get", "cloudbilling.services.list", "cloudbilling.services.skus.list")
"""Need nothing but a login: an operation's name is a secret of who began it, prices are everybody's."""
OTHERS: Mapping[str, tuple[str, ...]] = {
    "serviceusage.services.get": ("serviceusage.services.get",),
    "serviceusage.services.batchGet": ("serviceusage.services.get",),
    "serviceusage.services.batchEnable": ("serviceusage.services.enable",),
    "cloudresourcemanager.projects.get": ("resourcemanager.projects.get",),
    "cloudresourcemanager.projects.getIamPolicy": ("resourcemanager.projects.getIamPolicy",),
    "cloudresourcemanager.projects.setIamPolicy": ("resourcemanager.projects.setIamPolicy",),
    "cloudresourcemanager.projects.testIamPermissions": (),
    "cloudbilling.projects.getBillingInfo": ("resourcemanager.projects.get",),
    "iam.projects.serviceAccounts.create": ("iam.serviceAccounts.create",),
    "iam.projects.serviceAccounts.get": ("iam.serviceAccounts.get",),
    "iam.projects.serviceAccounts.delete": ("iam.serviceAccounts.delete",),
    "iam.projects.serviceAccounts.enable": ("iam.serviceAccounts.enable",),
    "iam.projects.serviceAccounts.testIamPermissions": (),
    "iam.projects.serviceAccounts.getIamPolicy": ("iam.serviceAccounts.getIamPolicy",),
    "iam.projects.serviceAccounts.setIamPolicy": ("iam.serviceAccounts.setIamPolicy",),
    "storage.buckets.get": ("storage.buckets.get",),
    "storage.buckets.insert": ("storage.buckets.create",),
    "storage.buckets.patch": ("storage.buckets.get", "storage.buckets.update"),
    "storage.buckets.delete": ("storage.buckets.delete",),
    "storage.buckets.getIamPolicy": ("storage.buckets.getIamPolicy",),
    "storage.buckets.setIamPolicy": ("storage.buckets.setIamPolicy",),
    "storage.objects.list": ("storage.objects.list",),
    "storage.objects.delete": ("storage.objects.delete",),
    **{
        f"iam.projects.locations.{kind}.{verb}": (f"iam.{name}.{verb if verb != 'patch' else 'update'}",)
        for kind, name in (
            ("workloadIdentityPools", "workloadIdentityPools"),
            ("workloadIdentityPools.providers", "workloadIdentityPoolProviders"),
        )
        for verb in ("create", "get", "delete", "patch", "undelete")
    },
    "iam.projects.locations.workloadIdentityPools.operations.get": ("iam.workloadIdentityPools.get",),
    "iam.projects.locations.workloadIdentityPools.providers.operations.get": ("iam.workloadIdentityPoolProviders.get",),
}
VERBS = {"insert": "create", "aggregatedList": "list", "patch": "update", "wait": "get", "getFromFamily": "getFromFamily"}
"""Of Compute Engine: the method's word and the permission's, where they differ."""
BESIDES: Mapping[str, tuple[str, ...]] = {
    "firewalls.insert": ("compute.networks.updatePolicy",),
    "firewalls.patch": ("compute.networks.updatePolicy", "compute.firewalls.get"),
    "firewalls.delete": ("compute.networks.updatePolicy",),
    "subnetworks.insert": ("compute.networks.updatePolicy",),
    "subnetworks.delete": ("compute.networks.updatePolicy",),
    "routers.insert": ("compute.networks.updatePolicy",),
    "routers.patch": ("compute.networks.updatePolicy", "compute.routers.get"),
    "routers.delete": ("compute.networks.updatePolicy",),
    "instances.attachDisk": ("compute.disks.use",),
    "instances.detachDisk": ("compute.disks.use",),
    "instances.insert": (
        "compute.disks.create", "compute.images.useReadOnly", "compute.instances.setLabels", "compute.instances.setMetadata",
        "compute.instances.setServiceAccount", "compute.instances.setTags", "compute.subnetworks.use",
    ),
    "disks.insert": ("compute.disks.setLabels",),
}  # fmt: skip


def needed(method: str, body: Any = None) -> set[str]:
    """For one call. Raises KeyError for a method that is not known here."""
    api, _, rest = method.partition(".")
    if method in FREE:
        return set()
    if api != "compute":
        return set(OTHERS[method])
    kind, _, verb = rest.rpartition(".")
    found = {f"compute.{kind}.{VERBS.get(verb, verb)}", *BESIDES.get(rest, ())}
    if rest == "instances.insert" and any(one.get("accessConfigs") for one in (body or {}).get("networkInterfaces", ())):
        found.add("compute.subnetworks.useExternalIp")
    return found

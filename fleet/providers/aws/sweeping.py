"""Looking through every region of an account that is switched on, and removing what was found to be nobody's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fleet.model.base import Micros, Seconds
from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.errors import translated
from fleet.providers.aws.pricing import bundled
from fleet.providers.aws.session import aws_client
from fleet.providers.aws.sweep import Described, Found, strays
from fleet.providers.strays import Owned, Stray

AT_ONCE = 8
"""Regions that are looked through at the same time."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account, which fleet in it, and what it keeps where."""

    fleet_id: str
    home: str
    """A region to begin with: which others there are is asked there."""
    bucket: str | None = None
    prefix: str = ""
    """The fleet's place in the bucket."""
    setup: AwsSetup | None = None
    profile: str | None = None

    def client(self, service: str, region: str) -> Any:
        """Raises ProviderError."""
        return aws_client(service, region, profile=self.profile)


@dataclass
class Swept:
    """What a sweep came to."""

    strays: list[Stray] = field(default_factory=list)
    troubles: dict[str, ProviderError] = field(default_factory=dict)
    """By region: what could not be asked there. Nothing is known of it then."""


def sweep(account: Account, owned: Owned, now: Seconds) -> Swept:
    """Every region that is switched on. Raises ProviderError if not even one can be asked."""
    swept = Swept()
    try:
        regions = _regions(account)
    except ProviderError as error:
        if error.error_class is not ErrorClass.DENIED or account.setup is None:
            raise
        regions = sorted(account.setup.regions)  # so that what may be looked at is
        swept.troubles["other regions"] = error
    clients = {region: account.client("ec2", region) for region in regions}  # a session is not made for threads

    def one(region: str) -> list[Stray] | ProviderError:
        try:
            return strays(_look(account, clients[region], region), account.fleet_id, owned, now)
        except ProviderError as error:
            return error

    def bucket(_region: str) -> list[Stray] | ProviderError:
        try:
            return strays(_uploads(account), account.fleet_id, owned, now)
        except ProviderError as error:
            return error

    work: list[tuple[str, Callable[[str], list[Stray] | ProviderError]]] = [(region, one) for region in regions]
    work += [(f"s3://{account.bucket}", bucket)] if account.bucket else []
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for (where, _), got in zip(work, pool.map(lambda job: job[1](job[0]), work), strict=True):
            if isinstance(got, ProviderError):
                swept.troubles[where] = got
            else:
                swept.strays.extend(got)
    asked = [got for got in swept.troubles if got in regions]
    if regions and len(asked) == len(regions):
        raise swept.troubles[regions[0]]
    return swept


def _regions(account: Account) -> list[str]:
    """Those that are switched on, and those of the set-up whatever else holds."""
    with translated("DescribeRegions"):
        found = account.client("ec2", account.home).describe_regions(
            Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required", "opted-in"]}]
        )["Regions"]
    return sorted({one["RegionName"] for one in found} | set(account.setup.regions if account.setup else ()))


def _pages(client: Any, call: str, key: str, **wanted: Any) -> list[Any]:
    with translated(client.meta.method_to_api_mapping[call]):
        return [one for page in client.get_paginator(call).paginate(**wanted) for one in page.get(key) or ()]


def _look(account: Account, ec2: Any, region: str) -> Found:
    """Everything with the fleet's tag in one region."""
    ours: dict[str, Any] = {"Filters": [{"Name": "tag:fleet", "Values": [account.fleet_id]}]}
    instances = [one for r in _pages(ec2, "describe_instances", "Reservations", **ours) for one in r["Instances"]]
    groups = [one["GroupId"] for one in _pages(ec2, "describe_security_groups", "SecurityGroups", **ours)]
    wanted = [{"Name": "group-id", "Values": groups}]
    rules = _pages(ec2, "describe_security_group_rules", "SecurityGroupRules", Filters=wanted) if groups else []
    setup = account.setup.regions.get(region) if account.setup else None
    return Found(
        region,
        instances=instances,
        volumes=_pages(ec2, "describe_volumes", "Volumes", **ours),
        snapshots=_pages(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"], **ours),
        spot_requests=_pages(ec2, "describe_spot_instance_requests", "SpotInstanceRequests", **ours),
        rules=rules,
        templates=list(_templates(ec2, ours)),
        template=(setup.launch_template, setup.template_version) if setup else None,
        prices=_prices(ec2, region, instances),
    )


def _templates(ec2: Any, ours: Mapping[str, Any]) -> Iterable[Described]:
    for template in _pages(ec2, "describe_launch_templates", "LaunchTemplates", **ours):
        found = _pages(
            ec2,
            "describe_launch_template_versions",
            "LaunchTemplateVersions",
            LaunchTemplateId=template["LaunchTemplateId"],
        )
        yield from ({**one, "Tags": template.get("Tags", [])} for one in found)


def _prices(ec2: Any, region: str, instances: Sequence[Described]) -> dict[str, Micros]:
    """Per hour: spot by EC2's history, on demand by the table. What cannot be had is left out: the machine is not."""
    found: dict[str, Micros] = {}
    spot = [one for one in instances if one.get("InstanceLifecycle") == "spot"]
    history: dict[tuple[str, str], tuple[Any, Micros]] = {}
    if spot:
        try:
            with translated("DescribeSpotPriceHistory"):
                newest = ec2.describe_spot_price_history(
                    InstanceTypes=sorted({one["InstanceType"] for one in spot}),
                    ProductDescriptions=["Linux/UNIX", "Linux/UNIX (Amazon VPC)"],
                    MaxResults=1000,
                )["SpotPriceHistory"]
        except ProviderError:
            newest = []
        for one in newest:
            key = (one["InstanceType"], one["AvailabilityZone"])
            if key not in history or one["Timestamp"] > history[key][0]:
                history[key] = (one["Timestamp"], round(float(one["SpotPrice"]) * 1_000_000))
    for one in instances:
        if one in spot:
            told = history.get((one["InstanceType"], one["Placement"]["AvailabilityZone"]))
            price = told[1] if told else None
        else:
            price = _on_demand(region, one["InstanceType"])
        if price is not None:
            found[one["InstanceId"]] = price
    return found


def _on_demand(region: str, instance_type: str) -> Micros | None:
    known = bundled(region).get(instance_type)
    return int(known.price) if known is not None else None


def _uploads(account: Account) -> Found:
    """Unfinished ones below the fleet's prefix, with what their parts weigh."""
    region = account.setup.bucket_region if account.setup else account.home
    s3 = account.client("s3", region)
    prefix = f"{account.prefix}/" if account.prefix else ""
    found = []
    for one in _pages(s3, "list_multipart_uploads", "Uploads", Bucket=account.bucket, Prefix=prefix):
        parts = _pages(s3, "list_parts", "Parts", Bucket=account.bucket, Key=one["Key"], UploadId=one["UploadId"])
        found.append({**one, "Bytes": sum(part["Size"] for part in parts)})
    return Found(region, uploads=found)


def _is_gone(code: str) -> bool:
    """Somebody else was quicker: ``InvalidVolume.NotFound``, ``InvalidLaunchTemplateId.NotFoundException`` …"""
    return ".NotFound" in code or code == "NoSuchUpload"


def remove(account: Account, stray: Stray) -> None:
    """End or delete exactly that. What is gone already is success. Raises ProviderError."""
    try:
        if stray.kind == "upload":
            with translated("AbortMultipartUpload"):
                account.client("s3", stray.region).abort_multipart_upload(
                    Bucket=account.bucket, Key=stray.of, UploadId=stray.id
                )
            return
        _remove(account.client("ec2", stray.region), account, stray)
    except ProviderError as error:
        if not _is_gone(error.code):
            raise


def _remove(ec2: Any, account: Account, stray: Stray) -> None:
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "machine": ("terminate_instances", {"InstanceIds": [stray.id]}),
        "volume": ("delete_volume", {"VolumeId": stray.id}),
        "snapshot": ("delete_snapshot", {"SnapshotId": stray.id}),
        "spot-request": ("cancel_spot_instance_requests", {"SpotInstanceRequestIds": [stray.id]}),
        "ingress-rule": ("revoke_security_group_ingress", {"GroupId": stray.of, "SecurityGroupRuleIds": [stray.id]}),
    }
    if stray.kind == "template-version":
        return _remove_version(ec2, account, stray)
    call, words = calls[stray.kind]
    with translated(ec2.meta.method_to_api_mapping[call]):
        getattr(ec2, call)(**words)
    return None


def _remove_version(ec2: Any, account: Account, stray: Stray) -> None:
    """EC2 keeps the default version: so the set-up's becomes it first. A template that is not the set-up's goes whole."""
    template, _, version = stray.id.partition(":")
    region = account.setup.regions.get(stray.region) if account.setup else None
    if region is None or region.launch_template != template:
        with translated("DeleteLaunchTemplate"):
            ec2.delete_launch_template(LaunchTemplateId=template)
        return
    with translated("ModifyLaunchTemplate"):
        ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion=region.template_version)
    with translated("DeleteLaunchTemplateVersions"):
        answer = ec2.delete_launch_template_versions(LaunchTemplateId=template, Versions=[version])
    for failed in answer.get("UnsuccessfullyDeletedLaunchTemplateVersions", ()):
        told = failed.get("ResponseError", {})
        if told.get("Code") != "launchTemplateVersionDoesNotExist":
            raise ProviderError(
                ErrorClass.UNKNOWN, str(told.get("Code")), f"DeleteLaunchTemplateVersions: {told.get('Message')}"
            )

"""What one region holds for the job: types and quotas, image, key, launch template, security group, the way out."""

from __future__ import annotations

from fleet.model.cloud import Market, Offer
from fleet.model.errors import ProviderError
from fleet.providers.aws import checks_network, checks_types
from fleet.providers.aws.checks import Look, is_absent
from fleet.providers.aws.profiled import Profiled
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.sweep import Described
from fleet.providers.looked import Check, Checked


def of(look: Look, region: str) -> list[tuple[str, Check]]:
    """Every check of a region."""
    checks: list[tuple[str, Check]] = [("image", lambda: [image(look, region)])]
    if look.job is not None and look.wishes:
        checks.insert(0, ("types", lambda: checks_types.types(look, region)))
    here = look.setup.regions.get(region) if look.setup is not None else None
    if here is not None:
        checks += [
            ("template", lambda: [template(look, region)]),
            ("key", lambda: [key(look, region)]),
            ("inbound", lambda: [checks_network.inbound(look, region)]),
            ("egress", lambda: checks_network.egress(look, region)),
        ]
    return checks


def image(look: Look, region: str) -> Checked:
    """The image is there: by its id, or what its name leads to."""
    names = look.job.resources.image_id if look.job is not None else None
    image_id, told = names, ""
    if names is None or not names.startswith("ami-"):
        image_id, told = _resolved(look, region, names)
        if image_id is None:
            return Checked("image", "note", f"{region}: {told}")
    try:
        found = look.call("ec2", region, "describe_images", ImageIds=[image_id])["Images"]
    except ProviderError as error:
        if not is_absent(error) and not error.code.startswith("InvalidAMIID"):
            raise
        found = []
    if not found or found[0].get("State") != "available":
        told = f"{region}: there is no image {image_id}, or it may not be used"
        return Checked("image", "bad", told, "Images belong to one region: name one of that region, or `ubuntu-24.04`.")
    one = found[0]
    named = f"{told or one.get('Name', '')} → {image_id}" if told else f"{image_id} ({one.get('Name', 'without a name')})"
    return Checked("image", "good", f"{region}: {named}, {one.get('Architecture', '')}")


def _resolved(look: Look, region: str, name: str | None) -> tuple[str | None, str]:
    """The id that a launch would find for the first of the job's types, and what it was asked by."""
    if look.setup is None or look.cache is None:
        return None, "without a set-up the image cannot be looked up"
    kind = next(iter(sorted(checks_types.wanted_types(look))), "c5.2xlarge")
    offer = Offer(
        provider="aws",
        region=region,
        zone=f"{region}a",
        instance_type=kind,
        market=Market.SPOT,
        price=0,
        on_demand_price=0,
    )
    target = Profiled(AwsProvider(look.setup.fleet_id, look.setup, look.cache), look.profile).boot_target([offer], name)
    return (target.image_id, target.image) if target is not None else (None, "there is no image for it")


def template(look: Look, region: str) -> Checked:
    """The launch template has the properties that the fleet's safety rests on."""
    assert look.setup is not None
    here = look.setup.regions[region]
    words = {"LaunchTemplateId": here.launch_template, "Versions": [here.template_version]}
    try:
        found = look.call("ec2", region, "describe_launch_template_versions", **words)["LaunchTemplateVersions"]
    except ProviderError as error:
        if not is_absent(error):
            raise
        found = []
    name = f"{here.launch_template} version {here.template_version}"
    if not found:
        return Checked("template", "bad", f"{region}: there is no {name}", f"fleet init aws --region {region}")
    return judge_template(f"{region}: {name}", found[0].get("LaunchTemplateData", {}), look.setup.instance_profile, region)


def judge_template(name: str, data: Described, profile: str, region: str) -> Checked:
    """Compare what matters: a template that somebody changed by hand is not the set-up's any more."""
    metadata = data.get("MetadataOptions", {})
    wrong = []
    if metadata.get("HttpTokens") != "required":
        wrong.append("lets machines be asked without IMDSv2's token")
    if metadata.get("HttpPutResponseHopLimit", 1) != 1:
        wrong.append("lets containers have the machine's credentials (hop limit)")
    if data.get("InstanceInitiatedShutdownBehavior") != "terminate":
        wrong.append("leaves a machine that powers off stopped, and its disk charged")
    if data.get("IamInstanceProfile", {}).get("Name") != profile:
        wrong.append(f"does not give machines the profile {profile}")
    if wrong:
        return Checked("template", "bad", f"{name} {'; '.join(wrong)}", f"fleet init aws --region {region}")
    return Checked("template", "good", f"{name}: IMDSv2, one hop, ends on shutdown, profile {profile}")


def key(look: Look, region: str) -> Checked:
    """The user's public key is there."""
    assert look.setup is not None
    name = look.setup.regions[region].key_name
    if name is None:
        told = f"{region}: nobody can log in to machines: no public key was imported"
        return Checked("key", "note", told, f"fleet init aws --region {region}, once ~/.ssh holds a key")
    try:
        look.call("ec2", region, "describe_key_pairs", KeyNames=[name])
    except ProviderError as error:
        if not is_absent(error):
            raise
        told = f"{region}: the key pair {name} is gone: launches fail"
        return Checked("key", "bad", told, f"fleet init aws --region {region}")
    return Checked("key", "good", f"{region}: {name}")

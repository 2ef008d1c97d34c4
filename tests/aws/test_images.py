"""What machines boot from: by name, by id, looked up once a day."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.model.errors import ErrorClass, ProviderError
from fleet.model.setup import AwsSetup
from fleet.providers.aws.endpoints import endpoints_of
from fleet.providers.aws.images import Images, image_of
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.published import NAMES
from fleet.providers.aws.session import forget_clients
from fleet.providers.image_cache import DAY
from tests.aws.bench import Rig
from tests.aws.ground import AMI, REGION, offer, shelf

NOBLE, NOBLE_ARM = "ami-6e6f626c000000001", "ami-6e6f626c100000001"
JAMMY, DEBIAN = "ami-6a616d6d000000001", "ami-0deb1a00000000646"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def published(rig: Rig, image_id: str, times: int = 1) -> None:
    """What the publisher's parameter says: moto has none of these."""
    rig.proxy.answer("GetParameter", json.dumps({"Parameter": {"Value": image_id}}).encode(), times=times)


def parameters_asked(rig: Rig) -> list[str]:
    """Of the publishers."""
    return [one.parameters["Name"] for one in rig.proxy.seen if one.action == "GetParameter"]


def test_the_newest_ubuntu_is_what_machines_boot_from_unless_the_job_wants_another(rig: Rig) -> None:
    published(rig, NOBLE)
    target = rig.provider().boot_target([offer()], None)
    assert target is not None
    assert (target.image_id, target.image, target.arch, target.user_data_limit) == (NOBLE, "ubuntu-24.04", "x86_64", 16_384)
    asked = parameters_asked(rig)[0]
    assert asked == "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("ubuntu-22.04", "/aws/service/canonical/ubuntu/server/22.04/stable/current/{}/hvm/ebs-gp2/ami-id"),
        ("debian-12", "/aws/service/debian/release/12/latest/{}"),
        ("dlami", "/aws/service/deeplearning/ami/{}/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"),
    ],
)
@pytest.mark.parametrize("arm", [False, True])
def test_each_name_is_the_publishers_parameter_for_the_processor(rig: Rig, name: str, parameter: str, *, arm: bool) -> None:
    published(rig, NOBLE)
    machine = offer().model_copy(update={"instance_type": "c7g.xlarge" if arm else "c5.xlarge"})
    rig.provider().boot_target([machine], name)
    x86 = "x86_64" if name == "dlami" else "amd64"
    assert parameters_asked(rig)[0] == parameter.format("arm64" if arm else x86)


@pytest.mark.parametrize(("name", "image_id"), [("ubuntu-24.04", NOBLE), ("ubuntu-22.04", JAMMY), ("debian-12", DEBIAN)])
def test_where_the_publisher_has_no_parameter_its_newest_image_of_the_name_is_taken(
    rig: Rig, name: str, image_id: str
) -> None:
    target = rig.provider().boot_target([offer().model_copy(update={"instance_type": "c5.xlarge"})], name)
    assert target is not None
    assert target.image_id == image_id


def test_an_arm_machine_gets_an_arm_image(rig: Rig) -> None:
    target = rig.provider().boot_target([offer().model_copy(update={"instance_type": "g5g.xlarge"})], None)
    assert target is not None
    assert (target.image_id, target.arch) == (NOBLE_ARM, "aarch64")


def test_a_deep_learning_image_brings_its_own_driver(rig: Rig) -> None:
    assert NAMES["dlami"].brings_driver
    target = rig.provider().boot_target([offer()], "dlami")
    assert target is not None
    assert target.driver is None


def test_an_image_by_its_id_is_passed_on_with_its_own_architecture(rig: Rig) -> None:
    for image_id, arch in ((AMI, "x86_64"), (NOBLE_ARM, "aarch64")):
        target = rig.provider().boot_target([offer()], image_id)
        assert target is not None
        assert (target.image_id, target.image, target.arch) == (image_id, image_id, arch)
    assert "GetParameter" not in rig.proxy.actions()


def test_a_name_is_looked_up_once_a_day_by_all_controllers_of_a_computer(rig: Rig) -> None:
    clock = Clock()
    published(rig, NOBLE)
    published(rig, JAMMY)
    assert Images(rig.cache, clock=clock).target([offer()], None).image_id == NOBLE
    rig.proxy.seen.clear()
    clock.now += DAY - 1
    assert Images(rig.cache, clock=clock).target([offer()], None).image_id == NOBLE
    assert rig.proxy.seen == []
    clock.now += 2
    assert Images(rig.cache, clock=clock).target([offer()], None).image_id == JAMMY


def test_yesterdays_image_will_do_while_nobody_answers_but_not_without_permission(rig: Rig) -> None:
    clock = Clock()
    published(rig, NOBLE)
    images = Images(rig.cache, clock=clock)
    images.target([offer()], None)
    clock.now += 2 * DAY
    rig.proxy.error("GetParameter", "InternalServerError", status=500)
    assert images.target([offer()], None).image_id == NOBLE
    rig.proxy.error("GetParameter", "AccessDeniedException")
    with pytest.raises(ProviderError) as told:
        images.target([offer()], None)
    assert told.value.error_class is ErrorClass.DENIED


def test_a_torn_record_is_looked_up_again(rig: Rig) -> None:
    images = Images(rig.cache)
    images.target([offer()], None)
    for path in (rig.cache / "images").iterdir():
        path.write_text("{")
    assert images.target([offer()], None).image_id == NOBLE


@pytest.mark.parametrize("wish", ["ubuntu", "windows-2022", "AMI-0123"])
def test_a_wish_that_is_no_image_is_refused_with_the_names_that_are(rig: Rig, wish: str) -> None:
    with pytest.raises(ProviderError, match=r"ubuntu-24.04, ubuntu-22.04, debian-12, dlami, stock, ami-") as told:
        rig.provider().boot_target([offer()], wish)
    assert told.value.error_class is ErrorClass.INVALID


def test_an_image_that_nobody_publishes_in_a_region_says_what_to_name_instead(rig: Rig) -> None:
    far = offer().model_copy(update={"instance_type": "g5g.xlarge"})
    with pytest.raises(ProviderError, match=r"resources\.image_id"):
        rig.provider().boot_target([far], "dlami")


def test_a_custom_endpoint_travels_to_the_machine(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://minio:9000")
    target = rig.provider().boot_target([offer()], AMI)
    assert target is not None
    assert target.environment == {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": rig.proxy.url,
        "AWS_ENDPOINT_URL_S3": "http://minio:9000",
        "FLEET_BUCKET_REGION": rig.setup.bucket_region,
    }


def test_without_a_custom_endpoint_the_machine_knows_its_regions_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.provider().boot_target([offer()], AMI)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    target = rig.provider().boot_target([offer()], AMI)
    assert target is not None
    regions = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "FLEET_BUCKET_REGION": rig.setup.bucket_region}
    assert target.environment == regions


def test_the_root_disks_name_and_size_are_the_images_own() -> None:
    described = {
        "ImageId": "ami-1",
        "Architecture": "arm64",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 75}},
        ],
    }
    found = image_of(described)
    assert (found.root_device, found.disk_gb, found.arch) == ("/dev/xvda", 75, "aarch64")


def test_an_endpoint_is_the_environments_before_the_profiles_and_a_services_own_before_the_common_one() -> None:
    profile = {"endpoint_url": "http://all"}
    services = {"s3": {"endpoint_url": "http://s3"}, "secrets_manager": {"endpoint_url": "http://secrets"}}
    everything = {
        "AWS_ENDPOINT_URL": "http://all",
        "AWS_ENDPOINT_URL_S3": "http://s3",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://secrets",
    }
    assert endpoints_of({}, profile, services) == everything
    assert endpoints_of({"AWS_ENDPOINT_URL_S3": "http://env"}, profile, services) == {
        **everything,
        "AWS_ENDPOINT_URL_S3": "http://env",
    }
    assert endpoints_of({"AWS_ENDPOINT_URL": "http://env"}, profile, services) == {"AWS_ENDPOINT_URL": "http://env"}
    assert endpoints_of({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", **everything}, profile, services) == {}
    assert endpoints_of({}, {}, {}) == {}


def test_an_endpoint_that_only_the_profile_names_travels_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = "[profile lab]\nservices = lab\n[services lab]\ns3 =\n  endpoint_url = http://minio:9000\n"
    (tmp_path / "config").write_text(config)
    rig.provider().boot_target([offer()], AMI)
    for name, value in (("AWS_CONFIG_FILE", str(tmp_path / "config")), ("AWS_PROFILE", "lab")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    forget_clients()
    target = rig.provider().boot_target([offer()], AMI)
    forget_clients()
    assert target is not None
    assert target.environment["AWS_ENDPOINT_URL_S3"] == "http://minio:9000"


def test_the_driver_is_the_types_unless_the_image_brings_one(rig: Rig) -> None:
    told = [rig.provider().boot_target([offer()], wish) for wish in (None, "dlami", AMI)]
    assert [target.driver for target in told if target is not None] == ["580-server", None, "580-server"]


def test_a_driver_that_has_ended_boots_an_image_that_it_is_built_for(rig: Rig) -> None:
    old = offer().model_copy(update={"instance_type": "p2.xlarge"})
    told = [rig.provider().boot_target([old], wish) for wish in (None, "ubuntu-24.04")]
    assert [(one.image, one.driver) for one in told if one is not None] == [
        ("ubuntu-22.04", "470-server"),
        ("ubuntu-24.04", "470-server"),
    ]


def test_what_a_stock_image_cannot_run_is_refused_before_it_costs_anything(rig: Rig) -> None:
    def refusal(kind: str, image: str | None) -> str:
        with pytest.raises(ProviderError) as told:
            rig.provider().boot_target([offer().model_copy(update={"instance_type": kind})], image)
        return f"{told.value.message} {told.value.hint}"

    assert "fabric manager" in refusal("p4d.24xlarge", None)
    assert "dlami" in refusal("p4d.24xlarge", None)
    assert "no driver 580-server" in refusal("g4dn.xlarge", "debian-12")
    whole = rig.provider().boot_target([offer().model_copy(update={"instance_type": "p4d.24xlarge"})], "dlami")
    assert whole is not None
    assert whole.driver is None


def test_machines_find_the_bucket_where_it_is(rig: Rig) -> None:
    target = rig.provider().boot_target([offer()], AMI)
    assert target is not None
    assert target.environment["FLEET_BUCKET_REGION"] == rig.setup.bucket_region


def test_a_set_up_that_was_amended_meanwhile_is_what_the_next_launch_is_frozen_with(rig: Rig) -> None:
    here = rig.setup.regions[REGION].model_copy(update={"template_version": "7"})
    amended = rig.setup.model_copy(update={"regions": {REGION: here}})
    provider = AwsProvider("f1", rig.setup, rig.cache, newest=lambda: amended, shop=shelf)
    target = provider.boot_target([offer()], AMI)
    assert target is not None
    assert AwsSetup.model_validate_json(target.setup).regions[REGION].template_version == "7"

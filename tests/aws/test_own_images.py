"""Prepared images: which of them a machine boots from, and what holds when there is none, or none any more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.cloud import Offer
from fleet.model.errors import ErrorClass, ProviderError
from fleet.providers.aws.images import Images
from fleet.providers.aws.own_images import (
    MARK,
    OLD,
    UNDERSTOOD,
    OwnImage,
    Wanted,
    choose,
    is_old,
    own_image,
    tags_of,
    why_unfit,
)
from fleet.providers.aws.session import aws_client
from fleet.providers.image_cache import DAY
from tests.aws.account import ACCOUNT
from tests.aws.baked import MADE, bake, record
from tests.aws.bench import Rig
from tests.aws.ground import REGION, offer

NOBLE, NOBLE_ARM, JAMMY = "ami-6e6f626c000000001", "ami-6e6f626c100000001", "ami-6a616d6d000000001"
NOW = MADE + 86_400


def image(name: str = "ami-1", **changes: Any) -> OwnImage:
    gpu = bool(changes.get("driver"))
    usual: dict[str, Any] = {"region": REGION, "owner": ACCOUNT, "base": "ubuntu-24.04", "variant": "gpu" if gpu else "cpu"}
    usual |= {"driver": "", "arch": "x86_64", "recipe": "1", "version": "0.6.0", "source": NOBLE, "made_at": MADE}
    return OwnImage(image_id=name, **{**usual, **changes})


CPU = Wanted("ubuntu-24.04", "x86_64", None, ACCOUNT)
T4 = Wanted("ubuntu-24.04", "x86_64", "580-server", ACCOUNT)


# --- the decision


@pytest.mark.parametrize(
    ("wanted", "images", "chosen"),
    [
        (CPU, [], None),
        (CPU, [image()], "ami-1"),
        (CPU, [image("ami-1"), image("ami-2", made_at=MADE + 1)], "ami-2"),
        (CPU, [image("ami-2", made_at=MADE + 1, state="pending"), image("ami-1")], "ami-1"),
        (CPU, [image("ami-1", driver="580-server")], "ami-1"),
        (CPU, [image("ami-1"), image("ami-2", driver="580-server", made_at=MADE + 1)], "ami-1"),
        (CPU, [image(base="ubuntu-22.04")], None),
        (CPU, [image(arch="aarch64")], None),
        (CPU, [image(owner="999999999999")], None),
        (CPU, [image(recipe="2")], None),
        (CPU, [image(variant="gpu")], None),
        (T4, [image()], None),
        (T4, [image(driver="580-server")], "ami-1"),
        (T4, [image(driver="580-server-open")], None),
        (T4, [image(driver="580-server", variant="cpu")], None),
        (replace(T4, driver="470-server"), [image(driver="580-server")], None),
        (CPU, [image("ami-1"), image("ami-2", made_at=NOW + 9e6), image("ami-3", made_at=NOW)], "ami-3"),
    ],
)
def test_the_newest_that_fits_is_chosen(wanted: Wanted, images: list[OwnImage], chosen: str | None) -> None:
    found = choose(images, wanted, NOW).image
    assert (found.image_id if found else None) == chosen


OWNERS, BASES = (ACCOUNT, "999999999999"), ("ubuntu-24.04", "ubuntu-22.04")
DRIVERS = ("", "580-server", "470-server")
SEVERAL = st.lists(
    st.builds(
        image,
        st.from_regex(r"ami-[0-9a-f]{3}", fullmatch=True),
        owner=st.sampled_from(OWNERS),
        base=st.sampled_from(BASES),
        variant=st.sampled_from(("cpu", "gpu")),
        driver=st.sampled_from(DRIVERS),
        arch=st.sampled_from(("x86_64", "aarch64")),
        recipe=st.sampled_from(("1", "2", "")),
        state=st.sampled_from(("available", "pending", "failed", "deregistered")),
        made_at=st.floats(0, 2 * NOW),
    ),
    max_size=12,
    unique_by=lambda one: one.image_id,
)
WISHES = st.builds(
    Wanted,
    st.sampled_from(BASES),
    st.sampled_from(("x86_64", "aarch64")),
    st.sampled_from((None, "580-server", "470-server")),
    st.just(ACCOUNT),
)


@given(SEVERAL, WISHES, st.randoms())
def test_what_is_chosen_fits_is_ones_own_and_the_newest_and_stock_is_only_taken_where_nothing_fits(
    images: list[OwnImage], wanted: Wanted, dice: Any
) -> None:
    choice = choose(images, wanted, NOW)
    shuffled = images.copy()
    dice.shuffle(shuffled)
    assert choose(shuffled, wanted, NOW) == choice
    able = [
        one
        for one in images
        if one.owner == ACCOUNT
        and one.state == "available"
        and one.recipe in UNDERSTOOD
        and (one.base, one.arch) == (wanted.base, wanted.arch)
        and (one.variant == "gpu") == (one.driver != "")
        and wanted.driver in (None, one.driver)
    ]
    assert {name for name, _ in choice.unfit} == {one.image_id for one in images if one not in able}
    if choice.image is None:
        assert able == []
        return
    assert choice.image in able
    peers = [one for one in able if one.variant == choice.image.variant]
    assert all(min(one.made_at, NOW) <= min(choice.image.made_at, NOW) for one in peers)
    if wanted.driver is None and any(one.variant == "cpu" for one in able):
        assert choice.image.variant == "cpu"


def test_an_image_is_old_after_sixty_days() -> None:
    assert not is_old(image(), MADE + OLD)
    assert is_old(image(), MADE + OLD + 1)


def test_tags_say_what_the_record_says_and_never_that_a_fleet_owns_the_image() -> None:
    known = record("ami-7", driver="580-server", arch="aarch64")
    tags = tags_of(known)
    assert "fleet" not in tags
    described = {
        "ImageId": "ami-7",
        "OwnerId": ACCOUNT,
        "Architecture": "arm64",
        "State": "available",
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 12, "SnapshotId": "snap-1", "Encrypted": True}},
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        ],
    }
    found = own_image(described, REGION)
    assert found is not None
    assert (found.base, found.variant, found.driver, found.arch) == ("ubuntu-24.04", "gpu", "580-server", "aarch64")
    assert (found.recipe, found.version, found.source, found.made_at) == ("1", known.version, known.source, known.made_at)
    assert (found.size_gb, found.monthly, found.snapshots, found.encrypted) == (12, 600_000, ("snap-1",), True)
    assert own_image({**described, "Tags": []}, REGION) is None


@pytest.mark.parametrize("made", ["", "yesterday", "2026-13-01"])
def test_an_image_whose_tag_tells_no_time_is_of_when_it_was_registered(made: str) -> None:
    tags = [{"Key": MARK, "Value": "1"}, {"Key": f"{MARK}-made", "Value": made}]
    found = own_image({"ImageId": "ami-1", "Tags": tags, "CreationDate": "2025-11-24T16:00:00.000Z"}, REGION)
    assert found is not None
    assert found.made_at == MADE


# --- what a launch boots from


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def arm() -> Offer:
    return offer().model_copy(update={"instance_type": "g5g.xlarge"})


def test_machines_boot_from_the_newest_own_image_and_its_driver_is_asked_for_at_each_boot(rig: Rig) -> None:
    bake(driver="580-server")
    newest = bake(driver="580-server", made_at=MADE + 5 * 86_400)
    bake()
    target = rig.provider().boot_target([offer()], None)
    assert target is not None
    assert (target.image_id, target.image, target.driver) == (newest, "ubuntu-24.04, prepared 2025-11-29", "580-server")
    assert "GetParameter" not in rig.proxy.actions()


def test_a_machine_without_a_gpu_boots_from_the_image_without_a_driver(rig: Rig) -> None:
    plain = bake()
    bake(driver="580-server", made_at=MADE + 86_400)
    target = rig.provider().boot_target([offer("c5.2xlarge")], None)
    assert target is not None
    assert (target.image_id, target.driver) == (plain, None)


def test_an_own_image_without_the_driver_is_not_for_a_machine_that_needs_one(rig: Rig) -> None:
    bake()
    bake(driver="470-server", base="ubuntu-22.04")
    target = rig.provider().boot_target([offer()], None)
    assert target is not None
    assert (target.image_id, target.driver) == (NOBLE, "580-server")
    old = offer().model_copy(update={"instance_type": "p2.xlarge"})
    kepler = rig.provider().boot_target([old], None)
    assert kepler is not None
    assert (kepler.image, kepler.driver) == ("ubuntu-22.04, prepared 2025-11-24", "470-server")


def test_a_job_that_names_the_base_gets_the_own_image_and_one_that_says_stock_or_an_id_does_not(rig: Rig) -> None:
    own, older = bake(), bake(base="ubuntu-22.04")
    there = {
        wish: rig.provider().boot_target([offer("c5.2xlarge")], wish)
        for wish in (None, "ubuntu-24.04", "ubuntu-22.04", "stock", NOBLE)
    }
    chosen = {wish: target.image_id for wish, target in there.items() if target is not None}
    assert chosen == {None: own, "ubuntu-24.04": own, "ubuntu-22.04": older, "stock": NOBLE, NOBLE: NOBLE}
    stock = there["stock"]
    assert stock is not None
    assert stock.image == "ubuntu-24.04"


def test_own_images_are_looked_for_once_a_day_in_one_call_that_says_everything(rig: Rig) -> None:
    own, clock = bake(), Clock()
    images = Images(rig.cache, clock=clock)
    rig.proxy.seen.clear()
    assert images.target([offer("c5.2xlarge")], None).image_id == own
    assert rig.proxy.actions() == ["DescribeImages"]
    later = bake(made_at=MADE + 100)
    clock.now += DAY - 1
    assert Images(rig.cache, clock=clock).target([offer("c5.2xlarge")], None).image_id == own
    clock.now += 2
    assert images.target([offer("c5.2xlarge")], None).image_id == later


def test_an_image_that_was_just_being_made_is_looked_for_again(rig: Rig) -> None:
    own = bake()
    images = Images(rig.cache)
    (found,) = images.own(REGION)
    images._kept.write(f"{REGION}.own", {"at": images._clock(), "images": [{**_plain(found), "state": "pending"}]})
    assert images.target([offer("c5.2xlarge")], None).image_id == own


def _plain(one: OwnImage) -> dict[str, Any]:
    return {name: getattr(one, name) for name in OwnImage.__slots__}


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError"])
def test_a_look_that_may_be_answered_in_a_moment_is_taken_again_by_a_process_that_knows_none(rig: Rig, code: str) -> None:
    own = bake()
    rig.proxy.error("DescribeImages", code)
    target = rig.wrapped().boot_target([offer("c5.2xlarge")], None)
    assert target is not None
    assert target.image_id == own


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError"])
def test_where_images_of_yesterday_are_known_one_look_is_enough(rig: Rig, code: str) -> None:
    own, clock = bake(), Clock()
    images = Images(rig.cache, account=ACCOUNT, clock=clock)
    images.own(REGION)
    clock.now += DAY + 1
    rig.proxy.error("DescribeImages", code)
    assert [one.image_id for one in images.own(REGION)] == [own]


def test_a_look_that_is_refused_stops_no_launch(rig: Rig) -> None:
    bake()
    rig.proxy.error("DescribeImages", "UnauthorizedOperation")
    target = rig.provider().boot_target([offer("c5.2xlarge")], None)
    assert target is not None
    assert target.image_id == NOBLE


def test_images_of_another_account_are_not_even_looked_at(rig: Rig) -> None:
    bake()
    images = Images(rig.cache, account="999999999999")
    assert images.target([offer("c5.2xlarge")], None).image_id == NOBLE


def test_accounts_that_share_a_computer_do_not_hide_each_others_images(rig: Rig) -> None:
    machine = offer("c5.2xlarge")
    assert Images(rig.cache, account="999999999999").target([machine], None).image_id == NOBLE  # asked with its credentials
    own = bake()
    assert Images(rig.cache, account=ACCOUNT).target([machine], None).image_id == own


def test_an_arm_machine_gets_an_own_arm_image(rig: Rig) -> None:
    bake(driver="580-server")
    own = bake(driver="580-server", arch="aarch64")
    target = rig.provider().boot_target([arm()], None)
    assert target is not None
    assert (target.image_id, target.arch) == (own, "aarch64")


# --- an image that is gone when it is launched


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"])
@pytest.mark.parametrize("alone", [True, False])
def test_an_image_that_a_launch_is_refused_for_is_not_chosen_again_for_a_day(rig: Rig, code: str, *, alone: bool) -> None:
    own, clock = bake(), Clock()
    older = bake(made_at=MADE - 86_400)
    provider = rig.provider()
    provider._images = provider._launcher._images = Images(rig.cache, account=ACCOUNT, clock=clock)
    offers = [offer("c5.2xlarge")] if alone else [offer("c5.2xlarge", zone=zone) for zone in "ab"]
    target = provider.boot_target(offers, None)
    assert target is not None
    assert target.image_id == own
    rig.proxy.error("RunInstances" if alone else "CreateFleet", code, message=f"The image id '[{own}]' does not exist")
    with pytest.raises(ProviderError) as told:
        provider.launch(rig.request(*offers, image_id=own))
    assert told.value.code in provider.capabilities.images_gone
    second = provider.boot_target(offers, None)
    assert second is not None
    assert second.image_id == older
    clock.now += DAY + 1
    third = provider.boot_target(offers, None)
    assert third is not None
    assert third.image_id == own


def test_an_image_that_is_gone_before_anything_is_known_of_it_is_passed_over(rig: Rig) -> None:
    own, images = bake(), Images(rig.cache)
    assert images.target([offer("c5.2xlarge")], None).image_id == own
    (rig.cache / "images" / f"{REGION}.{own}.json").unlink()
    aws_client("ec2", REGION).deregister_image(ImageId=own)
    assert images.target([offer("c5.2xlarge")], None).image_id == NOBLE


def test_a_stock_image_that_was_withdrawn_meanwhile_is_looked_up_again(rig: Rig) -> None:
    provider = rig.provider()
    first = provider.boot_target([offer("c5.2xlarge")], None)
    assert first is not None
    provider._images.is_gone(REGION, first.image_id)
    rig.proxy.seen.clear()
    provider.boot_target([offer("c5.2xlarge")], None)
    assert "GetParameter" in rig.proxy.actions()


def test_why_an_image_is_not_taken_is_said() -> None:
    told = {
        why_unfit(one, T4)
        for one in (
            image(),
            image(driver="470-server"),
            image(base="ubuntu-22.04"),
            image(recipe="9"),
            image(state="pending"),
        )
    }
    assert told == {
        "it has no driver, not 580-server",
        "it has driver 470-server, not 580-server",
        "it is made from ubuntu-22.04, not ubuntu-24.04",
        "its recipe 9 is not this version's",
        "it is pending",
    }


def test_such_a_refusal_is_no_try_of_the_same_request_again() -> None:
    """EC2's word for it stays what it is: only whoever knows that fleet chose the image may go on."""
    from fleet.providers.aws.errors import class_of

    assert class_of("InvalidAMIID.NotFound") is class_of("InvalidAMIID.Unavailable") is ErrorClass.INVALID

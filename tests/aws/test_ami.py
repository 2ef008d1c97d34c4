"""``fleet ami`` as a user types it, against moto and a program that is called packer."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet import __version__
from fleet.boot.baking import source
from fleet.boot.wheelhouse import ensure_wheels
from fleet.cli.ami_share import refuse_encrypted
from fleet.cli.complete import driver_names, image_ids
from fleet.cli.output import say
from fleet.control.image_places import image_place
from fleet.control.image_wish import Wish, where
from fleet.control.images import image_notes, keep_record, records
from fleet.control.inventory import unowned
from fleet.control.opened import opened
from fleet.core.plan.launching import launch_token
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.cloud import LaunchRequest, NewVolume
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.model.events import LaunchIntended, RunCreated
from fleet.model.image import ImageRecord
from fleet.model.job import Job
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.image_policy import images_policy
from fleet.providers.aws.images import Images
from fleet.providers.aws.policies import MANAGED_LIMIT
from fleet.providers.aws.session import aws_client
from fleet.store.journal import Journal
from fleet.store.objects import Objects
from fleet.store.opening import open_objects
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account
from tests.aws.baked import MADE, SOURCES, bake, record
from tests.aws.evaluator import Request, decide
from tests.aws.fake_packer import FakePacker
from tests.aws.ground import AMI, offer
from tests.aws.recorded import Recorder
from tests.aws.test_init_aws import shell
from tests.aws.test_own_images import image
from tests.typed import Shell, told, typing

__all__ = ["shell"]

DIGEST = "python@sha256:" + "0a" * 32
FACTS = {"kernel": "6.14.0-1018-aws", "python": "3.12.3", "versions": {"docker": "28.2.2"}, "source": SOURCES["x86_64"]}


@pytest.fixture
def objects(account: Account, shell: Shell) -> Objects:
    """The bucket of an account that was set up, with the agent in it."""
    account.init()
    made = open_objects(f"s3://{BUCKET}")
    ensure_wheels(made, __version__, arches=("x86_64", "aarch64"), build=lambda arch: [(f"cp312-{arch}", arch.encode())])
    return made


@pytest.fixture
def packer(objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePacker:
    """What it builds is there, and nobody tagged it."""
    made = FakePacker(tmp_path)
    monkeypatch.setenv("PATH", made.path)
    built = aws_client("ec2", HOME).copy_image(Name="fleet-built", SourceImageId=AMI, SourceRegion=HOME)["ImageId"]
    made.says(image=built, facts=json.dumps(FACTS))
    return made


def tags_on(thing: str) -> dict[str, str]:
    answer = aws_client("ec2", HOME).describe_tags(Filters=[{"Name": "resource-id", "Values": [thing]}])
    return {one["Key"]: one["Value"] for one in answer["Tags"]}


def there() -> list[str]:
    return [one["ImageId"] for one in aws_client("ec2", HOME).describe_images(Owners=["self"])["Images"]]


def snapshot_of(image_id: str) -> str:
    (one,) = aws_client("ec2", HOME).describe_images(ImageIds=[image_id])["Images"]
    return str(one["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])


def snapshots() -> set[str]:
    return {one["SnapshotId"] for one in aws_client("ec2", HOME).describe_snapshots(OwnerIds=["self"])["Snapshots"]}


FROM = ("--from", "203.0.113.7")

# --- build


def test_what_would_be_built_and_what_it_costs_is_shown_and_nothing_done_unasked(shell: Shell, packer: FakePacker) -> None:
    recorder = Recorder()
    out, err = shell("ami", "build", *FROM, code=1)
    assert "ubuntu-24.04, x86_64, without a GPU's driver, in us-east-1" in out
    assert "c6i.large with 8 GB, reached from 203.0.113.7/32, by Packer 1.6.6" in out
    assert "packer build -color=false" in out
    assert "costs    $0.0283 to $0.0567: 20 to 40 minutes at $0.0850 an hour" in out
    assert "at most $0.40 a month" in out
    assert "Build it? Nobody is there to answer" in err
    assert "Nothing was built" in shell("ami", "build", "--dry-run", *FROM)[0]
    assert recorder.changes == []
    assert {call[0] for call in packer.calls()} == {"version"}


def test_an_image_is_built_with_the_agent_in_it_tagged_and_written_down(
    shell: Shell, packer: FakePacker, objects: Objects
) -> None:
    built = (packer.folder / "image").read_text()
    out, _ = shell("ami", "build", "--yes", *FROM, "--pull", DIGEST)
    assert "==> amazon-ebs.fleet: Launching" in out
    assert f"{built}: fleet-built, made from {SOURCES['x86_64']}" in out
    assert "kernel 6.14.0-1018-aws, python 3.12.3, docker 28.2.2" in out
    assert "whose job names no image_id" in out
    asked = packer.told("variables")
    assert isinstance(asked, dict)
    wanted = {"region": HOME, "base": "ubuntu-24.04", "variant": "cpu", "arch": "x86_64", "driver": "", "recipe": "1"}
    wanted |= {"instance_type": "c6i.large", "fleet_version": __version__, "ssh_from": "203.0.113.7/32"}
    assert wanted.items() <= asked.items()
    assert (asked["images"], asked["disk_gb"]) == ([DIGEST], 40)
    assert asked["subnet_id"] == ""
    template = (source("ami") / "fleet.pkr.hcl").read_text()
    assert asked.keys() <= set(re.findall(r'^variable "(\w+)"', template, re.MULTILINE))
    archives = packer.told("archives")
    assert isinstance(archives, list)
    assert "agent" in archives
    assert len(archives) == 3
    assert "fleet.pkr.hcl" in str(packer.told("template"))
    (known,) = records(objects)
    assert (known.image_id, known.source, known.version, known.facts) == (built, SOURCES["x86_64"], __version__, FACTS)
    tags = tags_on(built)
    assert (tags["fleet-image"], tags["fleet-image-base"], tags["fleet-image-made"]) == ("1", "ubuntu-24.04", asked["made"])
    assert tags_on(snapshot_of(built)) == tags
    assert "fleet" not in tags


def test_the_builder_stands_where_the_fleets_machines_stand_if_it_can_be_reached_there(
    objects: Objects, account: Account
) -> None:
    place, setup = image_place(account.home, None, ()), account.setup
    here = setup.regions[HOME].model_copy(update={"subnets": {f"{HOME}b": "subnet-b", f"{HOME}a": "subnet-a"}})
    for public, subnet in ((True, "subnet-a"), (False, "")):
        known = setup.model_copy(update={"regions": {HOME: here}, "public_ip": public})
        assert where(replace(place, setup=known), Wish()) == (HOME, subnet)


def test_the_next_launch_on_this_computer_takes_it_although_none_was_there_a_moment_ago(
    shell: Shell, packer: FakePacker, account: Account
) -> None:
    images = Images(account.home.cache / "aws", account=ACCOUNT)
    machine = offer("c5.2xlarge")
    assert images.target([machine], None).image_id == SOURCES["x86_64"]
    shell("ami", "build", "--yes", *FROM)
    assert images.target([machine], None).image_id == (packer.folder / "image").read_text()


def test_programs_get_what_was_built_and_with_dry_run_what_would_be(shell: Shell, packer: FakePacker) -> None:
    would = told(shell, "built-image", "ami", "build", "--dry-run", "--variant", "gpu", "--arch", "aarch64", *FROM)
    assert (would["built"], would["driver"], would["instance_type"]) == (False, "580-server", "c6g.large")
    kepler = told(shell, "built-image", "ami", "build", "--dry-run", "--variant", "gpu", "--driver", "470-server", *FROM)
    assert (kepler["base"], kepler["driver"]) == ("ubuntu-22.04", "470-server")
    assert 0 < would["least_usd"] < would["most_usd"] < 0.1
    done = told(shell, "built-image", "ami", "build", "--yes", "--variant", "gpu", *FROM)
    assert (done["built"], done["disk_gb"], done["facts"]) == (True, 16, FACTS)
    assert "with driver 580-server" in done["taken_by"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--driver", "580-server"], "--variant gpu"),
        (["--variant", "gpu", "--driver", "570-sever"], "Drivers: "),
        (["--variant", "gpu", "--driver", "470-server", "--base", "ubuntu-24.04"], "--base ubuntu-22.04"),
        (["--pull", "python:3.12"], "by its digest"),
        (["--region", "eu-west-1"], "fleet init aws --region eu-west-1"),
        (["--instance-type", "c7g.large"], "is aarch64, the image is for x86_64"),
        (["--disk", "big"], "no size"),
        (["--from", "0.0.0.0/0"], "never opened for so many"),
    ],
)
def test_what_no_machine_could_use_is_refused_before_anything_is_done(
    shell: Shell, packer: FakePacker, words: list[str], what: str
) -> None:
    assert what in shell("ami", "build", "--yes", *FROM, *words, code=1)[1]
    assert {call[0] for call in packer.calls()} <= {"version"}


def test_without_a_set_up_and_without_packer_it_is_said_what_to_do(
    shell: Shell, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Install Packer" in shell("ami", "build", code=1)[1]
    monkeypatch.setenv("PATH", FakePacker(tmp_path).path)
    assert "fleet init aws" in shell("ami", "build", code=1)[1]


def a_builder() -> str:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "fleet-image-builder", "Value": "1"}]}]
    made = aws_client("ec2", HOME).run_instances(ImageId=AMI, MinCount=1, MaxCount=1, TagSpecifications=tags)
    return str(made["Instances"][0]["InstanceId"])


def test_a_build_that_fails_says_why_and_what_still_runs_and_leaves_no_record(
    shell: Shell, packer: FakePacker, objects: Objects
) -> None:
    packer.says(does="fails")
    out, err = shell("ami", "build", "--yes", *FROM, code=1)
    assert "errored: bake: gpu failed" in out
    assert "Packer failed: Script exited with non-zero exit status: 100" in err
    assert "No machine of it is left" in err
    machine = a_builder()
    err = shell("ami", "build", "--yes", *FROM, code=1)[1]
    assert f"aws ec2 terminate-instances --region us-east-1 --instance-ids {machine}" in err
    assert "ends by itself after 90 minutes" in err
    assert records(objects) == []
    aws_client("ec2", HOME).stop_instances(InstanceIds=[machine])
    err = shell("ami", "build", "--yes", *FROM, code=1)[1]
    assert f"--instance-ids {machine}" in err
    assert f"{machine}: stopped, which never ends by itself" in err
    assert "90 minutes" not in err


def test_what_builds_left_behind_is_listed_and_pruned_once_no_build_can_need_it(
    shell: Shell, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    ec2, machine = aws_client("ec2", HOME), a_builder()
    ec2.stop_instances(InstanceIds=[machine])
    made = ec2.copy_image(Name="half", SourceImageId=AMI, SourceRegion=HOME)["ImageId"]
    snapshot = snapshot_of(made)
    ec2.create_tags(Resources=[made, snapshot], Tags=[{"Key": "fleet-image-builder", "Value": "1"}])
    assert "Nothing to remove" in shell("ami", "prune")[0]
    monkeypatch.setattr("fleet.providers.aws.image_left.OLDEST", -60.0)
    monkeypatch.setattr("fleet.providers.aws.image_left.YOUNG", -9e9)
    out = shell("ami", "list")[0]
    assert f"Left over: the machine {machine} in us-east-1, a builder of more than two hours ago, stopped" in out
    done = {one["id"]: one["kind"] for one in told(shell, "pruned-images", "ami", "prune", "--yes")}
    assert done == {machine: "machine", made: "image", snapshot: "snapshot"}
    (state,) = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    assert state["State"]["Name"] == "terminated"
    assert snapshot not in snapshots()
    assert made not in there()


def test_ctrl_c_lets_packer_clean_up_and_says_that_nothing_is_left(
    shell: Shell, packer: FakePacker, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(text: str) -> None:
        say(text)
        if "Launching" in text:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("fleet.cli.ami_build.say", impatient)
    packer.says(does="hangs")
    out, _ = shell("ami", "build", "--yes", *FROM, code=130)
    assert "Packer ends its machine and cleans up" in out
    assert "the build was broken off. No machine of it is left." in out
    assert (packer.folder / "cleaned").exists()
    assert packer.heard() == ["15"]
    assert records(objects) == []


@pytest.mark.parametrize(("does", "built"), [("forgets", "ami-1"), ("builds", "snap-1")])
def test_a_build_that_does_not_say_what_it_built_is_told(shell: Shell, packer: FakePacker, does: str, built: str) -> None:
    packer.says(does=does, image=built)
    shell("ami", "build", "--yes", *FROM, code=1)


def test_facts_that_cannot_be_read_make_no_image_worthless(shell: Shell, packer: FakePacker, objects: Objects) -> None:
    packer.says(facts="{")
    shell("ami", "build", "--yes", *FROM)
    assert [one.facts for one in records(objects)] == [{}]


# --- list


def test_images_are_listed_with_what_a_launch_makes_of_them(shell: Shell, objects: Objects) -> None:
    assert "Make one: fleet ami build" in shell("ami", "list")[0]
    old = bake()
    newest = bake(made_at=MADE + 86_400)
    gpu = bake(driver="580-server", recipe="2")
    keep_record(objects, record("ami-0000", name="lost"))
    keep_record(objects, record(newest, facts={"kernel": "6.8"}))
    out = shell("ami", "list")[0]
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith("ami-")}
    assert lines[old].endswith("not taken: a newer one is there")
    assert lines[newest].endswith("taken, but old: build it anew")
    assert lines[gpu].endswith("not taken: its recipe 2 is not this version's")
    assert "Together at most $2.25 a month" in out
    assert "Gone: ami-0000 in us-east-1" in out
    found = {one["image"]: one for one in told(shell, "images", "ami", "list")}
    assert {name: (one["fit"], one["taken"], one["old"]) for name, one in found.items()} == {
        old: (True, False, True),
        newest: (True, True, True),
        gpu: (False, False, True),
    }
    assert (found[newest]["facts"], found[old]["facts"]) == ({"kernel": "6.8"}, None)
    assert told(shell, "images", "ami", "list", "--region", "eu-west-1") == []


def test_image_ids_are_completed_from_what_this_computer_knows(objects: Objects, account: Account) -> None:
    assert image_ids("ami-") == []
    made = bake()
    Images(account.home.cache / "aws").own(HOME)
    assert image_ids(made[:6]) == [made]
    assert "580-server" in driver_names("5")


# --- share


def test_an_image_is_shared_with_accounts_and_no_longer(shell: Shell, objects: Objects) -> None:
    made, other = bake(), "210987654321"
    assert told(shell, "shared-image", "ami", "share", made, other, "--yes")["accounts"] == [other]
    _out, err = shell("ami", "share", made, other, code=1)
    assert f"Let {other} launch machines from {made} in us-east-1? Nobody is there" in err
    assert told(shell, "shared-image", "ami", "share", made, other, "--stop", "--yes")["accounts"] == []


def test_an_image_is_public_only_if_that_is_said_and_warned_of(
    shell: Shell, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bake()
    assert "with whom?" in shell("ami", "share", made, "--yes", code=1)[1]
    assert "with whom?" in shell("ami", "share", made, "210987654321", "--public", "--yes", code=1)[1]
    typing(monkeypatch, "n")
    out, _ = shell("ami", "share", made, "--public", code=1)
    assert "PUBLIC: everybody" in out
    assert not told(shell, "images", "ami", "list")[0]["public"]
    assert told(shell, "shared-image", "ami", "share", made, "--public", "--yes") == {
        "image": made,
        "region": HOME,
        "accounts": [],
        "public": True,
    }


def test_only_own_images_are_shared_and_only_with_accounts(shell: Shell, objects: Objects) -> None:
    made = bake()
    assert "did you mean" in shell("ami", "share", made[:-1], "210987654321", "--yes", code=1)[1]
    assert "12 digits" in shell("ami", "share", made, "me", "--yes", code=1)[1]
    assert "fleet made no image" in shell("ami", "share", AMI, "210987654321", "--yes", code=1)[1]


def test_an_encrypted_image_is_refused_with_the_reason() -> None:
    refuse_encrypted(image())
    with pytest.raises(FleetError, match="encrypted with this account's key") as why:
        refuse_encrypted(image(encrypted=True))
    assert "EBS encryption by default" in why.value.hint


# --- prune


def test_images_that_newer_ones_replace_go_with_their_snapshots_and_records(shell: Shell, objects: Objects) -> None:
    old, newest = bake(made_at=MADE - 86_400), bake()
    snapshot, kept = snapshot_of(old), snapshot_of(newest)
    for name in (old, newest, "ami-0000"):
        keep_record(objects, record(name))
    _out, err = shell("ami", "prune", code=1)
    assert "Remove this? Nobody is there" in err
    assert sorted(there()) == sorted([old, newest])
    done = {one["id"]: one for one in told(shell, "pruned-images", "ami", "prune", "--yes")}
    assert {name: one["action"] for name, one in done.items()} == {old: "remove", newest: "keep", "ami-0000": "remove"}
    assert there() == [newest]
    assert snapshot not in snapshots()
    assert kept in snapshots()
    assert [one.image_id for one in records(objects)] == [newest]
    assert "Nothing to remove" in shell("ami", "prune")[0]
    assert "Removed: $0.75 a month less" in shell("ami", "prune", "--all", "--yes")[0]
    assert there() == []


def intended(objects: Objects, account: Account, image_id: str) -> None:
    """A launch that was frozen with an image, and not made yet."""
    fleet_id = account.setup.fleet_id
    job = Job.model_validate({"name": "racer", "run": "x", "resources": {"infra": "aws"}})
    token = launch_token(fleet_id, "racer-1", 1, 1)
    created = RunCreated(at=1.0, run_id="racer-1", name="racer", job=job, mounts={})
    who: dict[str, Any] = {"run_id": "racer-1", "attempt": 1, "try_no": 1, "token": token, "offers": (offer("c5.2xlarge"),)}
    launch = LaunchIntended(
        at=2.0, **who, volume=NewVolume(size_gb=8), predecessor=None, lease_until=1e9, share=None, why=""
    )
    journal = Journal(objects, fleet_id, by="test", version="0")
    journal.append([created.model_dump(mode="json"), launch.model_dump(mode="json")])
    request = LaunchRequest(**who, fleet_id=fleet_id, run_name="racer", image_id=image_id)
    objects.create(layout.launch("racer-1", 1, 1), document_bytes(request))


def test_what_machines_run_on_and_what_launches_name_stays_whatever_is_said(
    shell: Shell, objects: Objects, account: Account
) -> None:
    running, named, idle = bake(), bake(made_at=MADE - 1), bake(made_at=MADE - 2)
    machine = aws_client("ec2", HOME).run_instances(ImageId=running, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    intended(objects, account, named)
    found = {one["id"]: one for one in told(shell, "pruned-images", "ami", "prune", "--all", "--yes")}
    assert {name: one["action"] for name, one in found.items()} == {running: "keep", named: "keep", idle: "remove"}
    assert found[running]["why"] == f"{machine} uses it"
    assert found[named]["why"] == "a launch of run racer-1 uses it"
    assert sorted(there()) == sorted([running, named])


def test_an_image_that_a_live_runs_job_names_stays_between_its_attempts(
    shell: Shell, objects: Objects, account: Account
) -> None:
    named, idle = bake(), bake(made_at=MADE - 1)
    job = Job.model_validate({"name": "racer", "run": "x", "resources": {"infra": "aws", "image_id": named}})
    created = RunCreated(at=1.0, run_id="racer-1", name="racer", job=job, mounts={})
    Journal(objects, account.setup.fleet_id, by="test", version="0").append([created.model_dump(mode="json")])
    found = {one["id"]: one for one in told(shell, "pruned-images", "ami", "prune", "--all", "--yes")}
    assert {name: one["action"] for name, one in found.items()} == {named: "keep", idle: "remove"}
    assert found[named]["why"] == "run racer-1, whose job names it, uses it"


def test_a_pruning_that_broke_off_is_completed_by_the_next_one(
    shell: Shell, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bake()
    snapshot = snapshot_of(made)
    aws_client("ec2", HOME).deregister_image(ImageId=made)
    assert "Nothing to remove" in shell("ami", "prune")[0]  # a day long it may be that of an image which is being made
    monkeypatch.setattr("fleet.control.image_prune.YOUNG", -60.0)
    assert snapshot in shell("ami", "prune", "--yes")[0]
    assert snapshot not in snapshots()


def test_a_left_snapshot_that_something_uses_stays_and_the_others_go(
    shell: Shell, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [bake(), bake()]
    used, idle = sorted(snapshot_of(one) for one in made)
    for one in made:
        aws_client("ec2", HOME).deregister_image(ImageId=one)
    monkeypatch.setattr("fleet.control.image_prune.YOUNG", -60.0)
    once = Calls.once

    def refused(self: Calls, service: str, region: str, operation: str, parameters: Any) -> dict[str, Any]:
        if operation == "delete_snapshot" and parameters["SnapshotId"] == used:
            raise ProviderError(ErrorClass.INVALID, "InvalidSnapshot.InUse", "in use by another image")
        return once(self, service, region, operation, parameters)

    monkeypatch.setattr(Calls, "once", refused)
    out = shell("ami", "prune", "--yes")[0]
    assert f"kept the snapshot {used} in us-east-1: in use" in out
    assert idle not in snapshots()
    assert used in snapshots()


def test_ages_that_are_none_are_refused(shell: Shell, objects: Objects) -> None:
    assert "no duration" in shell("ami", "prune", "--older-than", "long", code=1)[1]
    assert "contradict" in shell("ami", "prune", "--older-than", "9d", "--all", code=1)[1]


# --- what else looks at the account


def test_neither_the_sweep_nor_the_teardown_takes_an_images_snapshot_for_a_stray(
    shell: Shell, objects: Objects, account: Account
) -> None:
    made = bake()
    snapshot = snapshot_of(made)
    assert not [one for controller in opened(f"s3://{BUCKET}") for one in unowned(controller) if one.id == snapshot]
    found = told(shell, "aws-destroyed", "destroy", "aws", "--yes", "--delete-volumes")
    (step,) = [one for one in found["steps"] if one["kind"] == "image"]
    assert (step["action"], step["name"], step["usd_per_month"]) == ("leave", made, 0.75)
    assert "fleet ami prune --all --region us-east-1" in step["told"]
    assert snapshot in snapshots()
    assert account.home.aws() is None
    assert "Prepared images stay" in shell("destroy", "aws", "--bucket", BUCKET)[0]
    assert [one["id"] for one in told(shell, "pruned-images", "ami", "prune", "--all", "--region", HOME, "--yes")] == [made]


def test_an_emptied_bucket_may_hold_records_of_images(shell: Shell, objects: Objects) -> None:
    keep_record(objects, record("ami-0000"))
    shell("destroy", "aws", "--yes", "--delete-bucket")
    assert aws_client("s3", HOME).list_buckets()["Buckets"] == []


JOB = {"name": "a", "run": "x", "resources": {"infra": "aws", "instance_type": "c5.2xlarge"}}


def test_before_a_launch_it_is_said_what_is_wrong_with_images(
    shell: Shell, objects: Objects, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, home = Job.model_validate(JOB), account.home
    monkeypatch.setattr("fleet.providers.aws.offers.offers", lambda *_: [offer("c5.2xlarge")])
    assert image_notes(home, objects, job) == ()
    keep_record(objects, record("ami-0000"))
    (gone,) = image_notes(home, objects, job)
    assert "the prepared image ami-0000 is gone" in gone
    made = bake()
    keep_record(objects, record(made))  # built by another computer, since this one looked
    (old,) = image_notes(home, objects, job)
    assert f"{made} is" in old
    stock = Job.model_validate({**JOB, "resources": {**JOB["resources"], "image_id": "stock"}})  # type: ignore[dict-item]
    assert image_notes(home, objects, stock) == ()


def test_a_record_of_another_version_is_passed_over(objects: Objects) -> None:
    objects.put(layout.image("ami-1"), b'{"v":2}')
    keep_record(objects, record("ami-2"))
    assert [one.image_id for one in records(objects)] == ["ami-2"]
    assert ImageRecord.model_validate_json(objects.get(layout.image("ami-2"))) == record("ami-2")


# --- permissions


def test_the_policy_for_images_lets_nothing_but_builders_be_ended(shell: Shell, objects: Objects) -> None:
    policy = images_policy(ACCOUNT, "aws")
    assert len(json.dumps(policy).replace(" ", "")) <= MANAGED_LIMIT
    machine = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"
    assert decide(policy, Request("ec2:TerminateInstances", machine)) == "nothing"
    tagged = {"aws:ResourceTag/fleet-image-builder": "1"}
    assert decide(policy, Request("ec2:TerminateInstances", machine, tagged)) == "allow"
    printed = told(shell, "policy", "policy", "aws", "--images")
    assert (printed["name"], printed["policy"]) == ("fleet-images", policy)
    assert "two policies" in shell("policy", "aws", "--images", "--role", code=1)[1]


def test_every_call_of_the_commands_is_in_the_policy_or_the_controllers(
    shell: Shell, packer: FakePacker, objects: Objects
) -> None:
    recorder = Recorder()
    bake()
    shell("ami", "build", "--yes", *FROM)
    made = (packer.folder / "image").read_text()
    shell("ami", "list")
    shell("ami", "share", made, "210987654321", "--yes")
    shell("ami", "prune", "--all", "--yes")
    asked = {f"ec2:{call.operation}" for call in recorder.calls if call.service == "ec2" and call.operation != "CopyImage"}
    policy = images_policy(ACCOUNT, "aws")
    assert {action for action in asked if decide(policy, Request(action)) != "allow"} == set()
    assert asked >= {"ec2:CreateTags", "ec2:DeregisterImage", "ec2:DeleteSnapshot", "ec2:ModifyImageAttribute"}

"""The commands as a user types them: in this process, without a terminal, against moto."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fleet.providers.aws.session import aws_client
from fleet.providers.aws.setup_policy import setup_policy
from tests.aws.account import ACCOUNT, BUCKET, HOME, KEY, Account
from tests.typed import Shell, shell_of, told, typing


@pytest.fixture
def shell(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Types a command; what it said on both streams."""
    monkeypatch.setenv("FLEET_HOME", str(account.home.path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    account.ssh.rename(tmp_path / ".ssh")

    return shell_of(monkeypatch, capsys)


def test_it_shows_what_it_makes_and_what_will_cost_and_makes_nothing_unasked(shell: Shell) -> None:
    out, err = shell("init", "aws", code=1)
    assert "make  bucket" in out
    assert "no inbound port" in out
    assert "None of this costs anything by itself" in out
    assert "$0.023 a month for each GB" in out
    assert "$0.005 an" in out
    assert "Make this? Nobody is there to answer" in err
    assert "--yes" in err
    assert aws_client("s3", HOME).list_buckets()["Buckets"] == []


def test_a_no_makes_nothing_and_a_yes_makes_it_with_progress(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, "n", "")
    assert "nothing was made" in shell("init", "aws", code=1)[1]
    assert aws_client("s3", HOME).list_buckets()["Buckets"] == []
    out, err = shell("init", "aws")
    assert "Make this? [Y/n]" in err
    lines = [line.split()[:2] for line in out.splitlines() if line.startswith("  made")]
    assert lines[0] == ["made", "bucket"]
    assert lines[-1] == ["made", "record"]
    assert "What the account's quotas allow" in out
    assert "fleet destroy aws" in out


def test_a_second_time_there_is_nothing_to_do(shell: Shell) -> None:
    shell("init", "aws", "--yes")
    out, _ = shell("init", "aws")  # without --yes: there is nothing to ask
    assert "Nothing to do" in out
    assert "  made" not in out


def test_programs_get_an_object(shell: Shell) -> None:
    made = told(shell, "aws-setup", "init", "aws", "--yes", "--region", HOME, "--region", "eu-west-1")
    assert (made["account"], made["bucket"], made["regions"]) == (ACCOUNT, f"s3://{BUCKET}", [HOME, "eu-west-1"])
    assert {step["action"] for step in made["steps"]} == {"make"}
    assert all(step["done"] for step in made["steps"])
    assert len(made["quotas"]) == 6
    again = told(shell, "aws-setup", "init", "aws")
    assert {step["action"] for step in again["steps"]} == {"leave"}
    assert not any(step["done"] for step in again["steps"])
    gone = told(shell, "aws-destroyed", "destroy", "aws", "--yes")
    assert gone["fleet"] == made["fleet"]
    assert {step["kind"] for step in gone["steps"] if not step["done"]} == {"bucket"}


def test_the_key_that_was_named_is_imported_and_a_private_one_is_refused(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert "it stays where it is" in shell("init", "aws", "--yes", "--key", str(tmp_path / "private"), code=1)[1]
    (tmp_path / "x.pub").write_text(KEY)
    assert "you log in with ~/x.pub" in shell("init", "aws", "--yes", "--key", str(tmp_path / "x.pub"))[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("init", "aws", "--region", "eu-wst-1"), "did you mean 'eu-west-1'?"),
        (("init", "asw"), "did you mean 'aws'?"),
        (("policy", "aws"), "fleet init aws"),
        (("policy", "aws", "--role", "--setup"), "two policies"),
    ],
)
def test_what_cannot_be_is_said_with_the_nearest_that_can(shell: Shell, words: tuple[str, ...], told: str) -> None:
    assert told in shell(*words, code=1)[1]


def test_options_of_aws_are_refused_for_job_files(shell: Shell) -> None:
    assert (
        "--region: only `fleet init aws` and `fleet init gcp` take this"
        in shell("init", "racer", "--region", HOME, code=2)[1]
    )


def test_without_credentials_it_says_how_to_log_in(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert "aws sso login" in shell("init", "aws", "--yes", code=1)[1]


# --- policy


def test_a_policy_is_a_document_alone_and_what_to_do_with_it_stands_beside(shell: Shell) -> None:
    shell("init", "aws", "--yes")
    fleet = json.loads(aws_client("s3", HOME).get_object(Bucket=BUCKET, Key="fleet.json")["Body"].read())["fleet_id"]
    out, err = shell("policy", "aws")
    assert fleet in out
    assert {one["Sid"] for one in json.loads(out)["Statement"]} >= {"LaunchTagged", "ChangeOwn"}
    assert f"aws iam create-policy --policy-name fleet-{fleet[:8]}-controller" in err
    role = told(shell, "policy", "policy", "aws", "--role")
    assert role["name"] == f"fleet-{fleet[:8]}-machines"
    assert any(one["Effect"] == "Deny" for one in role["policy"]["Statement"])
    made = aws_client("iam", HOME).create_policy(PolicyName="x", PolicyDocument=out)  # IAM takes it
    assert made["Policy"]["PolicyName"] == "x"


def test_the_policy_for_setting_up_can_be_had_before_there_is_anything(shell: Shell) -> None:
    out, err = shell("policy", "aws", "--setup")
    assert json.loads(out) == setup_policy(ACCOUNT, "aws", BUCKET)
    assert "fleet-setup" in err


# --- destroy


def test_a_teardown_shows_what_goes_and_asks(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("init", "aws", "--yes")
    out, err = shell("destroy", "aws", code=1)
    assert "remove  role" in out
    assert "leave   bucket" in out
    assert "Remove this? Nobody is there to answer" in err
    typing(monkeypatch, "", "y")
    assert "nothing was removed" in shell("destroy", "aws", code=1)[1]
    out, _ = shell("destroy", "aws")
    assert "removed role" in out
    assert f"s3://{BUCKET} stays" in out
    assert "Nothing to remove" in shell("destroy", "aws")[0]


def test_the_bucket_goes_only_if_its_name_is_typed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("init", "aws", "--yes")
    typing(monkeypatch, "y", BUCKET)
    assert "nothing was removed" in shell("destroy", "aws", "--delete-bucket", code=1)[1]
    out, err = shell("destroy", "aws", "--delete-bucket")
    assert "type the bucket's name" in err
    assert "Nobody can bring that back" in out
    assert aws_client("s3", HOME).list_buckets()["Buckets"] == []
    out, _ = shell("destroy", "aws")
    assert "Nothing to remove" in out
    assert not Path(os.environ["FLEET_HOME"], "aws.json").exists()


def test_while_a_machine_lives_everything_is_shown_and_nothing_goes(shell: Shell) -> None:
    fleet = told(shell, "aws-setup", "init", "aws", "--yes")["fleet"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "fleet", "Value": fleet}, {"Key": "run", "Value": "racer-1"}]}]
    aws_client("ec2", HOME).run_instances(
        ImageId="ami-1234abcd", MinCount=1, MaxCount=1, InstanceType="c5.2xlarge", TagSpecifications=tags
    )
    out, err = shell("destroy", "aws", "--yes", code=1)
    assert "remove  role" in out
    assert "machines live" in err
    assert "fleet down racer-1" in err
    assert "Nothing to do" in shell("init", "aws")[0]


# --- what moto lacks


@pytest.mark.xfail(strict=True, reason="moto 5.2.5 knows no quotas of EC2")
def test_the_quotas_of_spot_machines_are_looked_at(shell: Shell) -> None:
    made = told(shell, "aws-setup", "init", "aws", "--yes")
    assert all(quota["vcpus"] is not None for quota in made["quotas"])

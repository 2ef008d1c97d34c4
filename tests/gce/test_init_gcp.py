"""The commands as a user types them, against the stand-in as a process of its own: with real sockets, and obstore."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.providers.gcp import calling
from fleet.providers.gcp.policies import setup_role
from tests.gce.project import BUCKET, KEY, REGION
from tests.gce.standing import PROJECT, Standing, standing_google
from tests.typed import Shell, shell_of, told, typing


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    """A new project, in which everything takes no time."""
    found = standing_google(monkeypatch)
    found.control("compute", "bare")
    found.control("serviceusage", "new_project")
    found.control("cloud", "pace", pace=0.001)
    monkeypatch.setattr(calling, "OPERATION_EVERY", 0.02)
    yield found
    found.control("cloud", "pace", pace=1.0)
    assert found.faults() == []


@pytest.fixture
def shell(google: Standing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("CLOUDSDK_COMPUTE_REGION", raising=False)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text(f"{KEY} me@here\n")
    return shell_of(monkeypatch, capsys)


def made(google: Standing) -> Any:
    """The bucket, as the stand-in has it."""
    return google.control("storage", "bucket", bucket=BUCKET.removeprefix("gs://"))


def test_it_shows_what_it_makes_and_what_will_cost_and_makes_nothing_unasked(shell: Shell, google: Standing) -> None:
    out, err = shell("init", "gcp", code=1)
    assert "mend  apis" in out
    assert "compute: off → on" in out
    assert "its own, no port is open" in out
    assert "None of this costs anything by itself" in out
    assert "$0.020 a month for each GB" in out
    assert "$0.005 an" in out
    assert "Make this? Nobody is there to answer" in err
    assert made(google) is None


def test_a_no_makes_nothing_and_a_yes_makes_it_with_progress(
    shell: Shell, google: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing(monkeypatch, "n", "")
    assert "nothing was made" in shell("init", "gcp", code=1)[1]
    assert made(google) is None
    out, err = shell("init", "gcp")
    assert "Make this? [Y/n]" in err
    lines = [line.split()[:2] for line in out.splitlines() if line.startswith("  made")]
    assert lines[0][0] == "made"
    assert lines[-1] == ["made", "record"]
    assert "What the project's quotas allow" in out
    assert "fleet destroy gcp" in out
    assert made(google)["labels"]["fleet"] in out


def test_a_second_time_there_is_nothing_to_do_and_a_missing_gpu_is_said_first(shell: Shell, google: Standing) -> None:
    google.control("compute", "quota", region="global", metric="GPUS_ALL_REGIONS", limit=0)
    shell("init", "gcp", "--yes")
    out, _ = shell("init", "gcp")  # without --yes: there is nothing to ask
    assert out.index("free trial never gets one") < out.index("Nothing to do")
    assert "  made" not in out


def test_programs_get_an_object_each(shell: Shell) -> None:
    found = told(shell, "gcp-setup", "init", "gcp", "--yes", "--region", REGION, "--region", "europe-west4")
    assert (found["project"], found["bucket"], found["regions"]) == (PROJECT, BUCKET, [REGION, "europe-west4"])
    assert {step["kind"]: step["action"] for step in found["steps"] if step["action"] != "make"} == {"apis": "mend"}
    assert all(step["done"] for step in found["steps"])
    assert {one["region"] for one in found["quotas"]} == {"", REGION, "europe-west4"}
    again = told(shell, "gcp-setup", "init", "gcp")
    assert {step["action"] for step in again["steps"]} == {"leave"}
    findings = told(shell, "findings", "doctor", "gcp")
    assert {"what": "bucket", "state": "good"}.items() <= next(one for one in findings if one["what"] == "bucket").items()
    gone = told(shell, "gcp-destroyed", "destroy", "gcp", "--yes")
    assert gone["fleet"] == found["fleet"]
    assert {step["kind"] for step in gone["steps"] if not step["done"]} == {"bucket"}


def test_a_project_and_a_bucket_may_be_named(shell: Shell, google: Standing) -> None:
    shell("init", "gcp", "--project", PROJECT, "--bucket", "gs://my-own-fleet", "--region", "europe-west4", "--yes")
    assert google.control("storage", "bucket", bucket="my-own-fleet")["location"] == "EUROPE-WEST4"
    assert "gs://my-own-fleet" in shell("doctor", "gcp")[0]
    assert "gs://my-own-fleet stays" in shell("destroy", "gcp", "--yes")[0]


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("init", "gcp", "--region", "us-central1-a"), "no region's name", 1),
        (("init", "gcp", "--project", "My Project"), "no project's id", 1),
        (("init", "gcp", "--bucket", "gs://a/b/c"), "no bucket's name", 1),
        (("init", "gcp", "x"), "takes no name", 2),
        (("init", "gcp", "--vpc", "vpc-1"), "--vpc: only `fleet init aws` takes this", 2),
        (("init", "aws", "--iap"), "--iap: only `fleet init gcp` takes this", 2),
        (("init", "racer", "--project", "p"), "--project: only `fleet init gcp` takes this", 2),
        (("init", "gpc"), "did you mean 'gcp'?", 1),
        (("policy", "gcp"), "`fleet init gcp` makes one", 1),
        (("policy", "gcp", "--role", "--setup"), "two policies", 1),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    shell: Shell, google: Standing, words: tuple[str, ...], said: str, code: int
) -> None:
    assert said in shell(*words, code=code)[1]
    assert made(google) is None


def test_without_a_login_it_says_how_to_log_in(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from fleet.providers.gcp import session

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    session.forget()
    assert "gcloud auth application-default login" in shell("init", "gcp", "--yes", code=1)[1]
    session.forget()


def test_a_login_that_is_refused_says_how_to_log_in(shell: Shell, google: Standing) -> None:
    google.control("token", "deny", message="Token has been expired or revoked.")
    assert "gcloud auth application-default login" in shell("init", "gcp", "--yes", code=1)[1]


# --- policy


def test_the_controllers_role_is_a_document_alone_and_what_to_do_with_it_stands_beside(shell: Shell) -> None:
    shell("init", "gcp", "--yes")
    out, err = shell("policy", "gcp")
    assert "compute.instances.create" in json.loads(out)["includedPermissions"]
    assert f"gcloud iam roles create fleetController --project={PROJECT} --file=fleetController.json" in err
    assert "--condition='^:^title=fleet only:expression=" in err
    assert "roles/iam.serviceAccountUser" in err
    assert f"gcloud storage buckets add-iam-policy-binding {BUCKET}" in err
    role = told(shell, "policy", "policy", "gcp", "--role")
    assert set(role["policy"]) == {f"projects/{PROJECT}", BUCKET}
    assert len(role["policy"][BUCKET]["bindings"]) == 3


def test_the_role_for_setting_up_can_be_had_before_there_is_anything(shell: Shell) -> None:
    out, err = shell("policy", "gcp", "--setup")
    assert json.loads(out) == setup_role()
    assert "gcloud iam roles create fleetSetup" in err


# --- destroy


def test_the_bucket_goes_only_if_its_name_is_typed(shell: Shell, google: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("init", "gcp", "--yes")
    typing(monkeypatch, "yes", BUCKET.removeprefix("gs://"))
    assert "nothing was removed" in shell("destroy", "gcp", "--delete-bucket", code=1)[1]
    assert made(google) is not None
    out, _ = shell("destroy", "gcp", "--delete-bucket")
    assert "removed bucket" in out
    assert "Nothing is left" in out
    assert made(google) is None


def test_where_nothing_was_made_there_is_nothing_to_remove(shell: Shell) -> None:
    out, _ = shell("destroy", "gcp")
    assert "Nothing to remove. Is the fleet in another bucket?" in out


def test_help_is_quick(shell: Shell) -> None:
    """Google's libraries are imported by what asks Google only."""
    shell("destroy", "gcp", "--help")
    import subprocess

    code = "import fleet.cli.main, sys; print([m for m in sys.modules if m.startswith('google.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_ctrl_c_says_what_is_the_case_and_the_next_run_completes_it(
    shell: Shell, google: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleet.control import gcp_setup

    with monkeypatch.context() as broken:

        def interrupted(*_: Any) -> None:
            raise KeyboardInterrupt

        broken.setattr(gcp_setup, "_fleet", interrupted)
        out, _ = shell("init", "gcp", "--yes", code=130)
        assert "`fleet init gcp` with the same options completes it" in out
    assert made(google) is not None
    out, _ = shell("init", "gcp", "--yes")
    assert "leave  bucket" in out
    assert "made   record" in out

"""User-data: what a machine is told, as bytes that never change for the same launch."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.boot.userdata import cloud_config, read, render
from fleet.model.cloud import BootTarget
from fleet.model.documents import BootDocument, Mount, WheelIndex, Wheels
from fleet.model.errors import FleetError
from fleet.model.job import Job
from tests.boot.shims import Shims

GOLDEN = Path(__file__).parent / "golden"
LEASE = 1_764_100_000.9
TARGET = BootTarget(image_id="ami-1", image="ubuntu-24.04", environment={"AWS_REGION": "us-east-1"})
GPU = BootTarget(
    image_id="ami-1",
    image="ubuntu-24.04",
    driver="570-server",
    environment={"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://10.0.0.1:5000"},
)


def _wheels(name: str) -> Wheels:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return Wheels(key=f"agent/packages-1/{name}-{sha256[:12]}.tar.gz", sha256=sha256, size=8_000_000)


NAMES = [f"cp3{minor}-{arch}" for minor in range(10, 14) for arch in ("aarch64", "x86_64")]
WHEELS = WheelIndex(version="0.1.0-abc", archives={name: _wheels(name) for name in (*NAMES, "any")})


def _boot(**job: Any) -> BootDocument:
    return BootDocument(
        fleet_id="f" * 32,
        root="s3://bucket/prefix",
        run_id="racer-abcdef",
        run_name="racer",
        attempt=2,
        try_no=1,
        job=Job.model_validate({"name": "racer", "run": "python train.py", **job}),
        volume_new=True,
        lease_until=LEASE,
    )


STACK = _boot(run=None, stack="compose.yml", workdir=".").model_copy(update={"volume_id": "vol-0abc", "volume_new": False})


def _files(boot: BootDocument, target: BootTarget = TARGET, keep_failed: float | None = None) -> dict[str, str]:
    config = yaml.safe_load(cloud_config(boot, target, WHEELS, keep_failed=keep_failed))
    return {file["path"]: file["content"] for file in config["write_files"]}


ACROSS = _boot().model_copy(update={"root": "gs://bucket/prefix"})
WAY = {"FLEET_GOOGLE_PROVIDER": "projects/1/locations/global/workloadIdentityPools/fleet-f/providers/aws",
       "FLEET_GOOGLE_ACCOUNT": "fleet-f@p.iam.gserviceaccount.com"}  # fmt: skip
FROM_EC2 = TARGET.model_copy(update={"environment": {**TARGET.environment, **WAY}})


@pytest.mark.parametrize(
    ("name", "boot", "target"),
    [("command", _boot(), TARGET), ("stack-on-gpu", STACK, GPU), ("bucket-on-the-other-cloud", ACROSS, FROM_EC2)],
)
def test_what_a_machine_gets_is_what_it_got(name: str, boot: BootDocument, target: BootTarget) -> None:
    """After a change on purpose: FLEET_GOLDEN=write pytest tests/unit/boot, and read the difference."""
    file = GOLDEN / f"{name}.yaml"
    text = cloud_config(boot, target, WHEELS)
    if os.environ.get("FLEET_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_what_vouches_for_a_machine_is_there_where_its_bucket_takes_more_than_its_role() -> None:
    script = "/opt/fleet/bin/vouched.py"
    on_google = TARGET.model_copy(update={"environment": {"FLEET_MACHINE": "gce"}})
    assert script not in _files(_boot())
    assert all(
        script in _files(boot, target) for boot, target in ((ACROSS, FROM_EC2), (ACROSS, on_google), (_boot(), on_google))
    )
    compile(_files(ACROSS)[script], "vouched.py", "exec")


def test_the_same_launch_gives_the_same_bytes_and_they_unpack_to_the_config() -> None:
    packed = base64.b64decode(render(STACK, GPU, WHEELS))
    assert packed == base64.b64decode(render(STACK, GPU, WHEELS))
    assert packed[4:8] == bytes(4)  # no time in it
    assert gzip.decompress(packed).decode() == cloud_config(STACK, GPU, WHEELS)


def test_the_boot_document_arrives_as_it_is_whatever_the_user_wrote() -> None:
    run = 'echo "é 😀 \u0085\u2028 \\" \t\x7f\n# no comment\n  @lease@ @dead-man.sh@\n---\n...\n'
    boot = _boot(run=run, envs={"A": "'\"$(x)`${y}%", "B": "\ufeff"})
    boot = boot.model_copy(update={"mounts": {"~/.netrc": Mount(key="jobs/x.tar")}})
    assert BootDocument.model_validate_json(_files(boot)["/etc/fleet/boot.json"]) == boot


def test_a_large_job_fits() -> None:
    steps = "\n".join(f"python step.py --number {number} --rate {number * 0.37:.2f}" for number in range(300))
    boot = _boot(run=None, stack="c.yml", setup=steps, envs={f"NAME_{number}": f"value {number}" for number in range(60)})
    packed = base64.b64decode(render(boot, GPU, WHEELS))
    assert len(packed) < 16_384


@pytest.mark.parametrize("field", ["run", "setup", "envs"])
def test_a_job_that_does_not_fit_is_refused_and_what_is_large_is_named(field: str) -> None:
    noise = base64.b64encode(b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(500))).decode()
    boot = _boot(**{field: {"KEY": noise} if field == "envs" else f"echo {noise}"})
    with pytest.raises(FleetError, match=rf"`{field}` takes 1\d,\d\d\d of them") as told:
        render(boot, TARGET, WHEELS)
    assert "16,384 are allowed" in told.value.message
    assert "workdir" in told.value.hint


def test_an_image_gets_the_archives_of_its_architecture_and_fleets_own() -> None:
    arm = TARGET.model_copy(update={"arch": "aarch64"})
    lines = [line.split() for line in _files(_boot(), arm)["/etc/fleet/agent"].splitlines()]
    assert [name for name, _, _ in lines] == ["any", "cp310-aarch64", "cp311-aarch64", "cp312-aarch64", "cp313-aarch64"]
    assert all(WHEELS.archives[name] == Wheels(key=key, sha256=sha, size=8_000_000) for name, key, sha in lines)


def test_without_an_agent_for_the_architecture_nothing_is_launched() -> None:
    only = WheelIndex(version="1", archives={name: WHEELS.archives[name] for name in ("any", "cp312-aarch64")})
    with pytest.raises(FleetError, match="no agent for x86_64"):
        render(_boot(), TARGET, only)


@pytest.mark.parametrize("value", ["a b", 'a"b', "a\nb", "a'b", "a\\b", "é", "a#b\t"])
def test_what_an_environment_file_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(FleetError, match="AWS_ENDPOINT_URL"):
        render(_boot(), TARGET.model_copy(update={"environment": {"AWS_ENDPOINT_URL": value}}), WHEELS)


def test_what_the_shell_reads_is_what_was_meant(tmp_path: Path) -> None:
    boot = _boot(volume={"mount": "/mnt/it's $HOME"})
    file = tmp_path / "boot.env"
    file.write_text(_files(boot, GPU, keep_failed=90.2)["/etc/fleet/boot.env"])
    names = ("MOUNT", "VOLUME_ID", "VOLUME_NEW", "DRIVER", "STACK", "KEEP_FAILED", "LEASE", "BOOT_LOG")
    show = "; ".join(f'echo "$FLEET_{name}"' for name in names)
    told = subprocess.run(["sh", "-euc", f". {file}; {show}"], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [
        "/mnt/it's $HOME", "new", "--new", "570-server", "", "91", "1764100000", "runs/racer-abcdef/attempts/2/boot.log",
    ]  # fmt: skip


def test_only_what_a_run_needs_is_carried() -> None:
    plain, gpu, both = _files(_boot()), _files(_boot(), GPU), _files(STACK, GPU)
    names = {"/opt/fleet/bin/docker.sh", "/opt/fleet/bin/gpu.sh", "/opt/fleet/bin/packages.sh"}
    assert names & plain.keys() == set()
    assert names & gpu.keys() == names - {"/opt/fleet/bin/docker.sh"}
    assert names & both.keys() == names


def test_scripts_lose_their_comments_and_nothing_else() -> None:
    files = _files(STACK, GPU)
    for path, text in files.items():
        if path.endswith(".sh"):
            subprocess.run(["sh", "-n"], input=text, text=True, check=True)
            name = path.rpartition("/")[2]
            kept = [line for line in read(name).splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
            assert text.splitlines()[-len(kept) :] == kept
    compile(files["/opt/fleet/bin/bucket.py"], "bucket.py", "exec")
    assert files["/opt/fleet/bin/boot.sh"].startswith("#!/bin/sh\n")


def _below(root: Path, text: str) -> str:
    """A script of the machine's, acting below a folder."""
    for folder in ("/opt/fleet", "/etc/"):
        text = (
            text.replace(f" {folder}", f" {root}{folder}")
            .replace(f">{folder}", f">{root}{folder}")
            .replace(f"\n{folder}", f"\n{root}{folder}")
        )
    return text


def test_the_first_command_arms_the_dead_man_switch_and_has_it_armed_at_every_boot(tmp_path: Path) -> None:
    config = yaml.safe_load(cloud_config(_boot(), TARGET, WHEELS))
    assert next(iter(config)) == "bootcmd"
    (first,) = config["bootcmd"]
    shims = Shims(tmp_path / "shims")
    for name in ("systemd-run", "setsid"):
        shims.add(name)
    shims.add("systemctl", 'case "$1" in is-active) exit 3 ;; esac')
    env = {"PATH": shims.path, "FLEET_ROOT": str(tmp_path), "INSTANCE_ID": "i-1"}
    subprocess.run(["sh", "-c", _below(tmp_path, first)], env=env, check=True, capture_output=True)
    assert (tmp_path / "var/lib/fleet/dead-man").read_text().strip() == "1764100000"
    assert shims.calls("systemd-run")[0].endswith(" fire")
    link = tmp_path / "etc/systemd/system/sysinit.target.wants/fleet-dead-man.service"
    assert link.resolve() == tmp_path / "etc/systemd/system/fleet-dead-man.service"
    assert "ExecStart=/opt/fleet/bin/dead-man.sh rearm" in link.read_text()


def test_a_dead_man_switch_that_cannot_write_still_sets_a_timer(tmp_path: Path) -> None:
    (first,) = yaml.safe_load(cloud_config(_boot(), TARGET, WHEELS))["bootcmd"]
    shims = Shims(tmp_path / "shims")
    shims.add("systemd-run")
    (tmp_path / "var").write_text("no folder")
    env = {"PATH": shims.path, "FLEET_ROOT": str(tmp_path), "INSTANCE_ID": "i-1"}
    subprocess.run(["sh", "-c", _below(tmp_path, first)], env=env, check=True, capture_output=True)
    (call,) = shims.calls("systemd-run")
    assert call.endswith("--on-active=1800 systemctl poweroff --force")


def test_nothing_is_downloaded_without_a_version_or_a_hash() -> None:
    text = "\n".join(read(f"{name}.sh") for name in ("docker", "gpu", "packages", "agent", "boot", "volume"))
    urls = [word.strip('"') for word in text.split() if word.strip('"').startswith("http")]
    assert urls == [
        "https://github.com/docker/compose/releases/download/$compose_version/docker-compose-linux-$arch",
        "http://deb.debian.org/debian",
        "https://nvidia.github.io/libnvidia-container/gpgkey",
        "https://nvidia.github.io/libnvidia-container/stable/deb/\\$(ARCH)",
    ]
    assert "latest" not in text
    assert "curl" not in text

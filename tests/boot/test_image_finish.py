"""ami/tune.sh and clean.sh below a root of their own, with stand-ins for what would change this computer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from fleet.boot.baking import source
from tests.boot.shims import Shims, carried

UBUNTU = ("snap", "apt-get", "update-grub", "update-initramfs", "lz4", "tune2fs")


class Disk:
    """A builder's, Ubuntu's as far as the scripts look."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        for name in ("opt/fleet/bin", "etc/default", "var/lib", "var/log", "etc/ssh", "root", "home", "tmp", "var/tmp"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/default/grub").touch()
        carried("packages.sh", self.root / "opt/fleet/bin")
        self.shims = Shims(folder / "shims")
        for name in (*UBUNTU, "systemctl", "cloud-init", "journalctl"):
            self.shims.add(name)
        self.shims.add("cloud-id", "echo aws")
        self.shims.add("findmnt", 'case "$*" in *FSTYPE*) echo ext4 ;; *) echo /dev/root ;; esac')

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        env = {"FLEET_ROOT": str(self.root), "PATH": self.shims.path}
        words = ["sh", str(source("ami") / script)]
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False)

    def put(self, *names: str) -> None:
        for name in names:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("the builder's")

    def left(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.mark.parametrize(("cloud", "source_name"), [("aws", "Ec2"), ("gce", "GCE")])
def test_an_image_looks_at_the_cloud_that_it_was_made_on_and_no_other(disk: Disk, cloud: str, source_name: str) -> None:
    disk.shims.add("cloud-id", f"echo {cloud}")
    done = disk.run("tune.sh")
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((disk.root / "etc/cloud/cloud.cfg.d/90_fleet_image.cfg").read_text())
    assert config["datasource_list"] == [source_name]
    assert "rsa" not in config["ssh_genkeytypes"]
    assert config["growpart"]["mode"] == "auto"


def test_on_an_unknown_cloud_no_image_is_made(disk: Disk) -> None:
    disk.shims.add("cloud-id", "echo nocloud")
    done = disk.run("tune.sh")
    assert done.returncode != 0
    assert "nocloud" in done.stderr


def test_units_that_are_not_there_are_not_masked_and_upgrades_are(disk: Disk) -> None:
    disk.shims.add("systemctl", 'case "$*" in "cat apt-daily.timer") ;; cat*) exit 1 ;; esac')
    assert disk.run("tune.sh").returncode == 0
    masked = [call for call in disk.shims.calls("systemctl") if call.startswith("mask")]
    assert masked == ["mask --now apt-daily.timer"]


def test_snaps_go_and_docker_waits_for_the_volume(disk: Disk) -> None:
    disk.put("var/lib/snapd/device/private-keys-v1/key")
    assert disk.run("tune.sh").returncode == 0
    assert any(call.endswith("purge snapd") for call in disk.shims.calls("apt-get"))
    assert "var/lib/snapd/device/private-keys-v1/key" not in disk.left()
    assert "disable docker.service containerd.service" in disk.shims.calls("systemctl")


def test_boot_loader_and_initramfs_are_made_anew_with_what_was_changed(disk: Disk) -> None:
    disk.shims.add("update-grub", f'grep -q quiet "{disk.root}/etc/default/grub.d/90-fleet.cfg"')
    disk.shims.add("update-initramfs", f'grep -q lz4 "{disk.root}/etc/initramfs-tools/conf.d/fleet"')
    done = disk.run("tune.sh")
    assert done.returncode == 0, done.stderr
    assert len(disk.shims.calls("update-grub")) == len(disk.shims.calls("update-initramfs")) == 1
    assert disk.shims.calls("tune2fs") == ["-c 0 -i 0 /dev/root"]


@pytest.mark.parametrize("program", ["update-grub", "update-initramfs", "tune2fs", "systemctl", "apt-get"])
def test_what_cannot_be_tuned_fails_the_bake(disk: Disk, program: str) -> None:
    disk.shims.add(program, 'case "$1" in cat) ;; *) exit 7 ;; esac')
    assert disk.run("tune.sh").returncode != 0


GONE = (
    "etc/fleet/boot.json",
    "var/lib/fleet/dead-man",
    "opt/fleet/bin/dead-man.sh",
    "etc/systemd/system/fleet-dead-man.service",
    "etc/systemd/system/sysinit.target.wants/fleet-dead-man.service",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/sshd_config.d/00-fleet-builder.conf",
    "root/.ssh/authorized_keys",
    "home/ubuntu/.ssh/authorized_keys",
    "home/ubuntu/.bash_history",
    "root/.aws/credentials",
    "root/.docker/config.json",
    "etc/docker/key.json",
    "var/lib/docker/engine-id",
    "var/lib/docker/containers/one/config.json",
    "var/lib/docker/network/files/local-kv.db",
    "var/lib/systemd/random-seed",
    "var/lib/dhcp/dhclient.leases",
    "var/lib/amazon/ssm/Vault/Store/RegistrationKey",
    "etc/udev/rules.d/70-persistent-net.rules",
    "etc/netplan/50-cloud-init.yaml",
    "var/lib/cloud/instances/i-1/user-data.txt",
    "var/lib/cloud/seed/nocloud/user-data",
    "var/log/auth.log",
    "var/log/journal/0123/system.journal",
    "var/lib/apt/lists/archive",
    "tmp/fleet-bake/ami/clean.sh",
    "var/tmp/.hidden",
)
STAYS = (
    "etc/fleet-image.json",
    "opt/fleet/agent/fleet/agent/main.py",
    "opt/fleet/kept/0123/pydantic/main.py",
    "opt/fleet/image/seed.sh",
    "var/lib/docker/overlay2/layer/diff/file",
    "var/lib/docker/image/overlay2/repositories.json",
    "etc/docker/daemon.json",
    "etc/ssh/sshd_config.d/60-cloudimg-settings.conf",
    "home/ubuntu/.profile",
    "etc/default/grub",
)


def test_what_is_the_builders_own_goes_and_what_the_image_is_for_stays(disk: Disk) -> None:
    disk.put(*GONE, *STAYS, "etc/machine-id")
    done = disk.run("clean.sh")
    assert done.returncode == 0, done.stderr
    assert disk.left() == {*STAYS, "etc/machine-id"}
    assert (disk.root / "etc/machine-id").read_text() == ""
    assert disk.shims.calls("cloud-init") == ["clean --logs --seed"]
    stopped = " ".join(disk.shims.calls("systemctl"))
    assert "docker.service" in stopped
    assert "systemd-random-seed.service" in stopped  # else it writes one at the shutdown


@pytest.mark.parametrize("program", ["systemctl", "cloud-init", "journalctl", "apt-get"])
def test_what_cannot_be_cleaned_fails_the_bake(disk: Disk, program: str) -> None:
    disk.shims.add(program, "exit 7")
    done = disk.run("clean.sh")
    assert done.returncode != 0
    assert "done" not in done.stdout

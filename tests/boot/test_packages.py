"""userdata/docker.sh and gpu.sh: what they install on which image, with stand-ins for apt and the programs it brings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.boot.shims import Shims, carried

TOOLS = ("sh", "mkdir", "chmod", "mv", "grep", "sed", "head", "awk", "tr", "cat", "rm", "ln")
KEY = "fpr:::::::::C95B321B61E88C1809C4F759DDCAE044F796ECB0:"
INSTALLS = """case "$*" in
*install*docker.io*) for name in dockerd docker; do ln -sf "{bin}/later/$name" "{bin}/$name"; done ;;
*install*nvidia-utils-* | *install*nvidia-smi*) ln -sf "{bin}/later/nvidia-smi" "{bin}/nvidia-smi" ;;
*install*nvidia-container-toolkit=*) ln -sf "{bin}/later/nvidia-ctk" "{bin}/nvidia-ctk" ;;
esac"""


class Image:
    """A machine that has only the programs that it is given; apt brings the others."""

    def __init__(self, folder: Path, release: str) -> None:
        self.root = folder / "root"
        (self.root / "etc/fleet").mkdir(parents=True)
        (self.root / "etc/apt/sources.list.d").mkdir(parents=True)
        (self.root / "etc/os-release").write_text(release)
        (self.root / "opt/fleet/bin").mkdir(parents=True)
        carried("packages.sh", self.root / "opt/fleet/bin")
        self.bin = folder / "bin"
        self.shims = Shims(self.bin)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        self.later = Shims(self.bin / "later")
        self.later.log = self.shims.log
        self.stack("1")
        self._programs()

    def _programs(self) -> None:
        self.shims.add("apt-get", INSTALLS.format(bin=self.bin))
        for name in ("sleep", "dpkg", "systemctl", "modprobe", "timeout"):
            self.shims.add(name)
        self.shims.add("uname", 'case "$1" in -m) echo x86_64 ;; *) echo 6.8.0-1070-aws ;; esac')
        self.shims.add("python3", 'for last; do :; done; echo "$@" >>"$FLEET_ROOT/fetched"; : >"$3"')
        self.shims.add("gpg", f"echo '{KEY}'")
        self.shims.add("apt-cache", "exit 1")
        self.later.add("dockerd")
        self.later.add("docker", "case \"$*\" in info*) echo '{}' ;; esac")
        self.later.add("nvidia-smi", "echo 'Tesla T4, 580.1'")
        self.later.add("nvidia-ctk")

    def stack(self, value: str) -> None:
        (self.root / "etc/fleet/boot.env").write_text(f"FLEET_STACK='{value}'\n")

    def bakes(self) -> None:
        """It is to become an image: a module is there once the driver is installed."""
        (self.root / "etc/fleet/boot.env").write_text("FLEET_STACK=1\nFLEET_BAKE=1\n")
        self.shims.add("modinfo", f'test -e "{self.bin}/nvidia-smi" && echo 580.1')

    def has(self, *names: str) -> None:
        for name in names:
            (self.bin / name).symlink_to(self.bin / "later" / name)

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        env = {"FLEET_ROOT": str(self.root), "PATH": str(self.bin)}
        return subprocess.run(
            [self.bin / "sh", str(carried(script, self.root)), *words], env=env, capture_output=True, text=True, check=False
        )

    def installed(self) -> list[str]:
        """The names of the packages of each installation."""
        calls = [c for c in self.shims.calls("apt-get") if " install " in f" {c} " and "--simulate" not in c]
        return [call.split(" install ")[1] for call in calls]

    def fetched(self) -> list[str]:
        file = self.root / "fetched"
        return file.read_text().splitlines() if file.exists() else []


UBUNTU = 'ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
DEBIAN = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'


@pytest.fixture
def ubuntu(tmp_path: Path) -> Image:
    return Image(tmp_path, UBUNTU)


@pytest.fixture
def debian(tmp_path: Path) -> Image:
    return Image(tmp_path, DEBIAN)


def test_an_image_with_docker_and_compose_needs_nothing(ubuntu: Image) -> None:
    ubuntu.has("docker", "dockerd")
    done = ubuntu.run("docker.sh")
    assert done.returncode == 0, done.stderr
    assert ubuntu.shims.calls("apt-get") == []
    assert "start docker.service" in ubuntu.shims.calls("systemctl")


def test_on_compute_engine_containers_are_kept_from_the_machines_tokens_at_every_start_of_docker(ubuntu: Image) -> None:
    ubuntu.has("docker", "dockerd")
    ubuntu.shims.add("iptables", 'case "$*" in *-C*) exit 1 ;; esac')
    environment = ubuntu.root / "etc/fleet/environment"
    environment.parent.mkdir(parents=True, exist_ok=True)
    environment.write_text("AWS_REGION=us-east-1\n")
    assert ubuntu.run("docker.sh").returncode == 0
    assert ubuntu.shims.calls("iptables") == []
    environment.write_text("FLEET_MACHINE=gce\n")
    assert ubuntu.run("docker.sh").returncode == 0
    shield = ubuntu.root / "opt/fleet/bin/shield.sh"
    started = (ubuntu.root / "etc/systemd/system/docker.service.d/fleet.conf").read_text()
    assert started == f"[Service]\nExecStartPost=/bin/sh {shield}\n"
    told = ubuntu.shims.calls("iptables")[-1]
    assert told == "-w -I DOCKER-USER -d 169.254.169.254 -p tcp -m multiport --dports 80,443 -j REJECT"
    ubuntu.shims.add("iptables", "exit 0")
    ubuntu.shims.forget()
    assert ubuntu.run("docker.sh").returncode == 0
    assert [call for call in ubuntu.shims.calls("iptables") if "-I" in call] == []  # once is enough


def test_ubuntus_docker_and_compose_come_from_ubuntu(ubuntu: Image) -> None:
    done = ubuntu.run("docker.sh")
    assert done.returncode == 0, done.stderr
    assert ubuntu.installed() == ["docker.io docker-compose-v2 docker-buildx ca-certificates"]
    assert ubuntu.fetched() == []


def test_debians_compose_is_a_program_with_a_hash(debian: Image) -> None:
    body = 'case "$*" in "compose version") test -x "$FLEET_ROOT/usr/local/lib/docker/cli-plugins/docker-compose" ;; esac'
    debian.later.add("docker", body)
    done = debian.run("docker.sh")
    assert done.returncode == 0, done.stderr
    assert debian.installed() == ["docker.io ca-certificates"]
    (fetched,) = debian.fetched()
    assert "/v2.33.0/docker-compose-linux-x86_64 " in fetched
    assert fetched.endswith(" 6395dbb256db6ea28d5c6695bc9bc33866c07ad1c93792f8d85857f1c21c34ee")


def test_a_package_lock_is_waited_for_but_not_for_ever(ubuntu: Image) -> None:
    ubuntu.shims.add("apt-get", "exit 100")
    assert ubuntu.run("docker.sh").returncode != 0
    assert ubuntu.shims.calls("sleep") == ["5", "10", "20", "40"]
    assert all("DPkg::Lock::Timeout=120" in call for call in ubuntu.shims.calls("apt-get"))


def test_a_docker_that_starts_when_it_is_asked_is_left_so(ubuntu: Image) -> None:
    ubuntu.has("docker", "dockerd")
    assert ubuntu.run("docker.sh").returncode == 0
    assert "enable docker.service" not in ubuntu.shims.calls("systemctl")
    ubuntu.shims.add("systemctl", 'case "$*" in *is-enabled*) exit 1 ;; esac')
    assert ubuntu.run("docker.sh").returncode == 0
    assert "enable docker.service" in ubuntu.shims.calls("systemctl")


def test_an_image_is_made_with_a_driver_though_its_builder_has_no_gpu(ubuntu: Image) -> None:
    ubuntu.bakes()
    ubuntu.later.add("nvidia-smi", "exit 9")
    ubuntu.has("docker")
    done = ubuntu.run("gpu.sh", "580-server")
    assert done.returncode == 0, done.stderr
    assert "nvidia-utils-580-server" in ubuntu.installed()[0]
    assert ubuntu.shims.calls("modinfo")[-1] == "-k 6.8.0-1070-aws -F version nvidia"
    assert ubuntu.shims.calls("nvidia-ctk") == ["runtime configure --runtime=docker"]


@pytest.mark.parametrize("module", ["exit 1", "echo 580.1"])
def test_an_image_without_a_module_or_with_one_that_its_builders_gpu_does_not_answer_is_not_made(
    ubuntu: Image, module: str
) -> None:
    ubuntu.bakes()
    ubuntu.shims.add("modinfo", module)
    ubuntu.later.add("nvidia-smi", "exit 9")
    if module != "exit 1":
        vendor = ubuntu.root / "sys/bus/pci/devices/0000:00:1e.0/vendor"
        vendor.parent.mkdir(parents=True)
        vendor.write_text("0x10de\n")
    assert ubuntu.run("gpu.sh", "580-server").returncode != 0


def test_an_image_with_driver_and_toolkit_needs_nothing(ubuntu: Image) -> None:
    ubuntu.has("docker", "nvidia-smi", "nvidia-ctk")
    ubuntu.later.add("docker", "echo '{\"nvidia\": {}}'")
    done = ubuntu.run("gpu.sh", "570-server")
    assert done.returncode == 0, done.stderr
    assert ubuntu.shims.calls("apt-get") == []
    assert ubuntu.shims.calls("systemctl") == []


AVAILABLE = """case "$*" in
"depends nvidia-headless-no-dkms-570-server") echo '  Depends: nvidia-headless-no-dkms-580-server' ;;
"depends nvidia-headless-no-dkms-580-server") echo '  Depends: nvidia-kernel-common-580-server' ;;
"show linux-modules-nvidia-580-server-6.8.0-1070-aws") echo Package ;;
*) exit 100 ;;
esac"""


def test_the_driver_is_the_one_that_is_built_for_the_running_kernel(ubuntu: Image) -> None:
    """Of a branch that has ended, Ubuntu's packages lead to the next."""
    ubuntu.stack("")
    ubuntu.shims.add("apt-cache", AVAILABLE)
    done = ubuntu.run("gpu.sh", "570-server")
    assert done.returncode == 0, done.stderr
    assert ubuntu.installed() == [
        "nvidia-headless-no-dkms-580-server nvidia-utils-580-server linux-modules-nvidia-580-server-6.8.0-1070-aws"
    ]
    assert "Tesla T4" in done.stdout


def test_modules_whose_driver_cannot_be_had_any_more_are_compiled(ubuntu: Image) -> None:
    ubuntu.stack("")
    ubuntu.shims.add("apt-cache", AVAILABLE)
    ubuntu.shims.add("apt-get", 'case " $* " in *" --simulate "*) exit 100 ;; esac\n' + INSTALLS.format(bin=ubuntu.bin))
    done = ubuntu.run("gpu.sh", "580-server")
    assert done.returncode == 0, done.stderr
    assert ubuntu.installed() == ["linux-headers-6.8.0-1070-aws nvidia-headless-580-server nvidia-utils-580-server"]


def test_open_modules_come_with_the_programs_of_their_branch(ubuntu: Image) -> None:
    ubuntu.stack("")
    ubuntu.shims.add(
        "apt-cache", "[ \"$*\" = 'show linux-modules-nvidia-580-server-open-6.8.0-1070-aws' ] && echo Package || exit 100"
    )
    done = ubuntu.run("gpu.sh", "580-server-open")
    assert done.returncode == 0, done.stderr
    assert ubuntu.installed() == [
        "nvidia-headless-no-dkms-580-server-open nvidia-utils-580-server linux-modules-nvidia-580-server-open-6.8.0-1070-aws"
    ]


def test_a_driver_that_is_built_for_no_such_kernel_is_compiled(ubuntu: Image) -> None:
    ubuntu.stack("")
    done = ubuntu.run("gpu.sh", "470-server")
    assert done.returncode == 0, done.stderr
    assert ubuntu.installed() == ["linux-headers-6.8.0-1070-aws nvidia-headless-470-server nvidia-utils-470-server"]


def test_a_driver_that_does_not_answer_is_a_step_that_failed(ubuntu: Image) -> None:
    ubuntu.stack("")
    ubuntu.later.add("nvidia-smi", "exit 9")
    assert ubuntu.run("gpu.sh", "470-server").returncode != 0


@pytest.mark.parametrize(
    ("branch", "package"), [("470-server", "nvidia-tesla-470-driver"), ("535-server", "nvidia-kernel-dkms")]
)
def test_debian_has_two_drivers(debian: Image, branch: str, package: str) -> None:
    debian.stack("")
    debian.has("nvidia-smi")
    debian.later.add("nvidia-smi", f'grep -q {package} "{debian.shims.log}"')
    done = debian.run("gpu.sh", branch)
    assert done.returncode == 0, done.stderr
    assert package in debian.installed()[0]


def test_debian_without_the_driver_says_what_to_take(debian: Image) -> None:
    done = debian.run("gpu.sh", "580-server")
    assert done.returncode != 0
    assert "ubuntu-24.04" in done.stderr
    assert debian.installed() == []


def test_the_toolkit_comes_in_one_version_signed_by_one_key(ubuntu: Image) -> None:
    ubuntu.has("docker", "nvidia-smi")
    done = ubuntu.run("gpu.sh", "570-server")
    assert done.returncode == 0, done.stderr
    assert all(package.endswith("=1.17.8-1") for package in ubuntu.installed()[0].split())
    assert ubuntu.shims.calls("nvidia-ctk") == ["runtime configure --runtime=docker"]
    assert "restart docker.service" in ubuntu.shims.calls("systemctl")
    source = (ubuntu.root / "etc/apt/sources.list.d/fleet-nvidia.list").read_text()
    assert f"signed-by={ubuntu.root}/etc/apt/keyrings/fleet-nvidia.asc" in source


def test_another_key_is_not_trusted(ubuntu: Image) -> None:
    ubuntu.has("docker", "nvidia-smi")
    ubuntu.shims.add("gpg", f"echo '{KEY.replace('C95B', 'BAD0')}'")
    done = ubuntu.run("gpu.sh", "570-server")
    assert done.returncode != 0
    assert "BAD0" in done.stderr
    assert ubuntu.installed() == []
    assert not list((ubuntu.root / "etc/apt/sources.list.d").iterdir())

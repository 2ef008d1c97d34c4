"""userdata/volume.sh with real file systems on loop devices, below a root of its own. Needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boot.shims import Shims, carried

pytestmark = pytest.mark.system
WRITE = 'echo secret | dd of="$1" conv=notrunc status=none bs=512 seek='
MIB = 1 << 20
ID, SERIAL = "vol-0123456789abcdef0", "vol0123456789abcdef0"


class Bench:
    """A machine's root with disks that are files."""

    def __init__(self, folder: Path) -> None:
        assert os.geteuid() == 0, "loop devices need root: run the system tests as root"
        self.root = folder / "root"
        self.script = carried("volume.sh", folder)
        self.where = folder / "mnt"
        self.shims = Shims(folder / "shims")
        self.shims.add("systemctl", "exit 3")  # nothing runs
        for name in ("dev/disk/by-id", "sys/block", "var/lib/fleet"):
            (self.root / name).mkdir(parents=True)
        self._loops: list[str] = []
        self._folder = folder

    def disk(self, size: int = 64 * MIB) -> str:
        """A blank one: its device."""
        file = self._folder / f"disk-{len(self._loops)}"
        file.touch()
        os.truncate(file, size)
        loop = subprocess.run(["losetup", "--find", "--show", str(file)], check=True, capture_output=True, text=True)
        self._loops.append(loop.stdout.strip())
        return self._loops[-1]

    def enlarge(self, device: str, size: int) -> None:
        os.truncate(self._folder / f"disk-{self._loops.index(device)}", size)
        subprocess.run(["losetup", "--set-capacity", device], check=True)

    def attach(self, device: str, serial: str = SERIAL, name: str = "nvme1n1") -> None:
        """As a Nitro machine shows it once udev saw it."""
        self.kernel_shows(device, serial, name)
        link = self.root / "dev/disk/by-id" / f"nvme-Amazon_Elastic_Block_Store_{serial}"
        for path in (link, link.with_name(link.name + "_1"), link.with_name(link.name + "-part1")):
            path.symlink_to(device)

    def kernel_shows(self, device: str, serial: str, name: str = "nvme1n1") -> None:
        """Without udev's links."""
        (self.root / "dev" / name).symlink_to(device)
        told = self.root / "sys/block" / name / "device" / "serial"
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(f"{serial:<20}\n")

    def runs_from(self, device: str) -> None:
        """As if / were its first partition."""
        words = ["findmnt", "--noheadings", "--output", "MAJ:MIN", "/"]
        number = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
        name = Path(device).name
        partition = self.root / "sys/devices/pci" / name / f"{name}p1"
        partition.mkdir(parents=True)
        (self.root / "sys/dev/block").mkdir(parents=True)
        (self.root / "sys/dev/block" / number).symlink_to(partition)

    def detach(self) -> None:
        for path in [*(self.root / "dev/disk/by-id").iterdir(), *(self.root / "dev").glob("nvme*")]:
            path.unlink()
        for path in (self.root / "sys/block").glob("*/device/serial"):
            path.unlink()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "FLEET_ROOT": str(self.root), "PATH": self.shims.path}
        return subprocess.run([str(self.script), *words], env=env, capture_output=True, text=True, check=False)

    def mount(self, volume: str = ID, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("mount", volume, str(self.where), *words)

    def well(self, *words: str) -> None:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr

    def clear(self) -> None:
        for folder in (self.root / "var/lib/docker", self.root / "var/lib/containerd", self.where):
            while os.path.ismount(folder) and subprocess.run(["umount", str(folder)], check=False).returncode == 0:
                pass
        for loop in self._loops:
            subprocess.run(["losetup", "--detach", loop], check=False)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.clear()


def test_a_blank_volume_that_is_new_is_formatted_once_and_keeps_what_is_written(bench: Bench) -> None:
    bench.attach(bench.disk())
    assert bench.mount(ID, "--new").returncode == 0
    (bench.where / "model").write_text("learned")
    bench.well("release", str(bench.where))
    assert not bench.where.is_mount()
    again = bench.mount(ID, "--new")
    assert again.returncode == 0
    assert "formatting" not in again.stderr
    assert (bench.where / "model").read_text() == "learned"


def test_mounting_again_changes_nothing(bench: Bench) -> None:
    bench.attach(bench.disk())
    assert bench.mount(ID, "--new").returncode == 0
    (bench.where / "model").write_text("learned")
    assert bench.mount(ID, "--new").returncode == 0
    assert bench.mount().returncode == 0
    assert (bench.where / "model").read_text() == "learned"


def test_a_blank_volume_that_is_not_new_is_never_formatted(bench: Bench) -> None:
    device = bench.disk()
    bench.attach(device)
    done = bench.mount()
    assert (done.returncode, bench.where.exists()) == (66, False)
    assert "not marked new" in done.stderr
    assert Path(device).read_bytes().count(0) == 64 * MIB


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(["mkfs.ext2", "-q", "-F"], id="another file system"),
        pytest.param(["mkswap", "--quiet"], id="swap"),
        pytest.param(["sh", "-c", 'echo "label: gpt\n,,L" | sfdisk --quiet "$1"', "-"], id="partitions"),
        pytest.param(["sh", "-c", f"{WRITE}7", "-"], id="bytes at its beginning"),
        pytest.param(["sh", "-c", f"{WRITE}{64 * 2048 - 1}", "-"], id="bytes at its end"),
    ],
)  # fmt: skip
def test_data_on_a_volume_marked_new_is_not_formatted_over(bench: Bench, content: list[str]) -> None:
    device = bench.disk()
    subprocess.run([*content, device], check=True, capture_output=True)
    before = Path(device).read_bytes()
    bench.attach(device)
    done = bench.mount(ID, "--new")
    assert done.returncode == 65, done.stderr
    assert Path(device).read_bytes() == before


def test_a_format_that_was_torn_is_done_again(bench: Bench) -> None:
    device = bench.disk()
    bench.attach(device)
    bench.shims.add(
        "mkfs.ext4", 'for last; do :; done; echo half | dd of="$last" bs=512 seek=9 conv=notrunc status=none; exit 1'
    )
    assert bench.mount(ID, "--new").returncode not in (0, 65, 75)
    bench.shims.remove("mkfs.ext4")
    assert bench.mount(ID, "--new").returncode == 0
    bench.well("release", str(bench.where))
    subprocess.run(["dd", "if=/dev/urandom", f"of={device}", "bs=1M", "count=1", "status=none"], check=True)
    assert bench.mount(ID, "--new").returncode == 65  # once it was whole, what it holds is data


def test_a_volume_that_is_not_attached_is_waited_for(bench: Bench) -> None:
    other = bench.disk()
    bench.attach(other, serial="vol0fedcba98765432100")
    assert bench.run("find", ID).returncode == 75
    assert bench.mount().returncode == 75
    bench.detach()
    bench.attach(other)
    assert bench.run("find", ID).stdout.strip() == other


def test_a_volume_is_found_by_the_kernels_serial_where_udev_makes_no_links(bench: Bench) -> None:
    device = bench.disk()
    bench.kernel_shows(device, SERIAL)
    assert bench.run("find", ID).stdout.strip() == device


def test_on_a_machine_without_serials_the_name_counts(bench: Bench) -> None:
    device = bench.disk()
    assert bench.run("find", ID).returncode == 75
    (bench.root / "dev" / "xvdf").symlink_to(device)
    assert bench.run("find", ID).stdout.strip() == device
    bench.attach(bench.disk(), serial="vol0fedcba98765432100")
    assert bench.run("find", ID).returncode == 75  # here disks have serials: a name proves nothing


NAMED, ZONE = "fleet-racer-disk-0123456789ab", "us-central1-a"


def google(bench: Bench, device: str, name: str = NAMED, *links: str) -> None:
    """As Google's udev rules show a disk, and its partitions."""
    for link in links or (f"google-{name}", f"google-{name}-part1", f"scsi-0Google_PersistentDisk_{name}"):
        (bench.root / "dev/disk/by-id" / link).symlink_to(device)


def test_on_compute_engine_a_volume_is_found_by_its_name_and_zone(bench: Bench) -> None:
    device, other = bench.disk(), bench.disk()
    assert bench.run("find", f"{NAMED}.{ZONE}").returncode == 75
    google(bench, other, f"{NAMED}0")
    assert bench.run("find", f"{NAMED}.{ZONE}").returncode == 75
    google(bench, device)
    assert bench.run("find", f"{NAMED}.{ZONE}").stdout.strip() == device
    assert bench.run("mount", f"{NAMED}.{ZONE}", str(bench.where)).returncode == 66
    assert bench.run("mount", f"{NAMED}.{ZONE}", str(bench.where), "--new").returncode == 0
    bench.well("release", str(bench.where))


def test_where_google_has_no_rules_the_systems_own_link_names_a_volume(bench: Bench) -> None:
    device = bench.disk()
    google(bench, device, NAMED, f"scsi-0Google_PersistentDisk_{NAMED}", f"scsi-0Google_PersistentDisk_{NAMED}-part1")
    assert bench.run("find", f"{NAMED}.{ZONE}").stdout.strip() == device
    assert bench.run("find", "new").stdout.strip() == device


def test_on_compute_engine_neither_the_boot_disk_nor_a_local_ssd_nor_a_mere_name_is_a_volume(bench: Bench) -> None:
    system, scratch, device = bench.disk(), bench.disk(), bench.disk()
    bench.runs_from(system)
    google(bench, system, "persistent-disk-0")
    google(bench, scratch, "local-nvme-ssd-0", "google-local-nvme-ssd-0")
    (bench.root / "dev" / "sdf").symlink_to(scratch)  # the sixth disk, which on a machine of EC2 would be the volume
    assert bench.run("find", "new").returncode == 75
    assert bench.run("find", f"{NAMED}.{ZONE}").returncode == 75
    google(bench, device)
    assert bench.run("find", "new").stdout.strip() == device


def test_the_new_volume_of_the_launch_is_the_only_one_or_the_only_blank_one(bench: Bench) -> None:
    assert bench.run("find", "new").returncode == 75
    first, second = bench.disk(), bench.disk()
    bench.attach(first)
    assert bench.run("find", "new").stdout.strip() == first
    subprocess.run(["mkfs.ext4", "-q", "-F", first], check=True)
    bench.attach(second, serial="vol0fedcba98765432100", name="nvme2n1")
    assert bench.run("find", "new").stdout.strip() == second
    assert bench.mount("new", "--new").returncode == 0
    bench.well("release", str(bench.where))
    assert bench.run("find", "new").stdout.strip() == second
    subprocess.run(["wipefs", "--quiet", "--all", second], check=True)
    subprocess.run(["dd", "if=/dev/zero", f"of={second}", "bs=1M", "count=1", "conv=notrunc", "status=none"], check=True)
    bench.attach(bench.disk(), serial="vol0fedcba98765432111", name="nvme3n1")
    assert bench.run("find", "new").returncode == 65  # two blank ones: nobody guesses


def test_the_disk_that_the_system_runs_from_is_never_the_new_volume(bench: Bench) -> None:
    system, other = bench.disk(), bench.disk()
    bench.attach(system)
    assert bench.run("find", "new").stdout.strip() == system
    bench.runs_from(system)
    assert bench.run("find", "new").returncode == 75
    bench.attach(other, serial="vol0fedcba98765432100", name="nvme2n1")
    assert bench.run("find", "new").stdout.strip() == other


def test_a_volume_that_grew_has_its_file_system_grown(bench: Bench) -> None:
    device = bench.disk()
    bench.attach(device)
    assert bench.mount(ID, "--new").returncode == 0
    (bench.where / "model").write_text("learned")
    small = os.statvfs(bench.where)
    bench.well("release", str(bench.where))
    bench.enlarge(device, 256 * MIB)
    done = bench.mount()
    assert done.returncode == 0
    assert "growing" in done.stderr
    large = os.statvfs(bench.where)
    assert large.f_blocks * large.f_frsize > 3 * small.f_blocks * small.f_frsize
    assert (bench.where / "model").read_text() == "learned"
    bench.well("release", str(bench.where))
    assert "growing" not in bench.mount().stderr


def test_docker_keeps_everything_on_the_volume_and_is_restarted_for_it(bench: Bench) -> None:
    bench.attach(bench.disk())
    bench.shims.add("systemctl", 'case "$*" in *is-active*docker*) exit 0 ;; is-active*) exit 3 ;; esac')
    assert bench.mount(ID, "--new").returncode == 0
    (bench.root / "var/lib/docker/image").write_text("layers")
    assert (bench.where / ".docker/image").read_text() == "layers"
    calls = [line for line in bench.shims.calls("systemctl") if "is-active" not in line]
    assert calls == ["stop docker.socket docker.service", "start --no-block docker.socket docker.service"]
    bench.shims.forget()
    assert bench.mount().returncode == 0
    assert bench.shims.calls("systemctl") == []  # it runs on the volume already
    bench.well("release", str(bench.where))
    assert list((bench.root / "var/lib/docker").iterdir()) == []
    assert not bench.where.is_mount()


class Prepared(Bench):
    """One that booted from an image whose docker has pulled something."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        image = self.root / "opt/fleet/image"
        image.mkdir(parents=True)
        seed = Path(__file__).parents[2] / "ami" / "seed.sh"
        (image / "seed.sh").write_text(seed.read_text())
        (image / "seed.sh").chmod(0o755)
        self.stack("1")
        self.layers = self.root / "var/lib/docker/overlay2"
        self.layers.mkdir(parents=True)
        (self.layers / "layer").write_text("pulled ahead")
        subprocess.run(["mknod", str(self.layers / "gone"), "c", "0", "0"], check=True)  # what a layer deletes

    def stack(self, word: str) -> None:
        (self.root / "etc/fleet").mkdir(parents=True, exist_ok=True)
        (self.root / "etc/fleet/boot.env").write_text(f"FLEET_DRIVER=''\nFLEET_STACK={word}\nFLEET_VOLUME_ID=new\n")

    def seeded(self) -> bool:
        return (self.where / ".docker/overlay2/layer").exists()


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Prepared]:
    made = Prepared(tmp_path)
    yield made
    made.clear()


def test_what_an_image_brings_is_put_onto_a_volume_that_docker_has_not_used_and_only_once(prepared: Prepared) -> None:
    prepared.attach(prepared.disk())
    done = prepared.mount(ID, "--new")
    assert done.returncode == 0, done.stderr
    assert prepared.seeded()
    assert (prepared.where / ".docker/overlay2/gone").is_char_device()
    assert (prepared.root / "var/lib/docker/overlay2/layer").samefile(prepared.where / ".docker/overlay2/layer")
    (prepared.where / ".docker/overlay2/layer").unlink()  # as `docker image prune` does
    prepared.well("release", str(prepared.where))
    assert prepared.layers.exists()
    assert prepared.mount().returncode == 0
    assert not prepared.seeded()


def test_a_run_without_a_stack_copies_no_images_onto_its_volume(prepared: Prepared) -> None:
    prepared.attach(prepared.disk())
    prepared.stack("''")
    done = prepared.mount(ID, "--new")
    assert done.returncode == 0, done.stderr
    assert not prepared.seeded()


def test_the_copy_has_two_minutes_in_all_and_what_outlives_it_does_not_hold_the_lock(prepared: Prepared) -> None:
    prepared.attach(prepared.disk())
    (prepared.root / "var/lib/containerd").mkdir()
    (prepared.root / "var/lib/containerd/content").write_text("pulled ahead")
    prepared.shims.add("timeout", 'if [ -e /proc/self/fd/9 ]; then exit 9; fi; shift 3; sleep 1.1; shift; exec "$@"')
    assert prepared.mount(ID, "--new").returncode == 0
    assert prepared.seeded()
    asked = [line.split() for line in prepared.shims.calls("timeout")]
    assert [one[4] for one in asked] == ["du", "cp", "sync"] * 2
    assert {tuple(one[:3]) for one in asked} == {("--foreground", "-k", "5")}
    left = [int(one[3]) for one in asked]
    assert 118 <= left[0] <= 120
    assert left == sorted(left, reverse=True)
    assert left[-1] <= 115


def test_a_volume_that_docker_used_before_keeps_what_it_has(prepared: Prepared) -> None:
    prepared.attach(prepared.disk())
    seed = prepared.root / "opt/fleet/image/seed.sh"
    seed.chmod(0o644)
    assert prepared.mount(ID, "--new").returncode == 0
    (prepared.where / ".docker/own").write_text("the run's")
    prepared.well("release", str(prepared.where))
    seed.chmod(0o755)
    assert prepared.mount().returncode == 0
    assert not prepared.seeded()
    assert (prepared.root / "var/lib/docker/own").read_text() == "the run's"


def test_a_volume_without_room_for_the_images_is_used_without_them(prepared: Prepared) -> None:
    prepared.attach(prepared.disk())
    (prepared.layers / "large").write_bytes(os.urandom(40 * MIB))
    done = prepared.mount(ID, "--new")
    assert done.returncode == 0, done.stderr
    assert "no room" in done.stderr
    assert not prepared.seeded()
    assert list((prepared.root / "var/lib/docker").iterdir()) == []


@pytest.mark.parametrize("when", ["cp", "sync"])
def test_a_copy_that_fails_or_was_torn_leaves_nothing_and_does_not_keep_the_volume(prepared: Prepared, when: str) -> None:
    prepared.attach(prepared.disk())
    prepared.shims.add("timeout", f'shift 4; case "$1" in {when}) exit 124 ;; esac; exec "$@"')
    half = prepared.where / ".docker.seeding"
    done = prepared.mount(ID, "--new")
    assert done.returncode == 0, done.stderr
    assert "images are pulled" in done.stderr
    assert not prepared.seeded()
    assert not half.exists()
    prepared.well("release", str(prepared.where))
    prepared.shims.remove("timeout")
    assert prepared.mount().returncode == 0  # nobody has used it: now it is done
    assert prepared.seeded()


def test_a_volume_in_use_is_not_let_go(bench: Bench) -> None:
    bench.attach(bench.disk())
    assert bench.mount(ID, "--new").returncode == 0
    with (bench.where / "open").open("w"):
        assert bench.run("release", str(bench.where)).returncode == 75
    bench.well("release", str(bench.where))


def test_another_file_system_at_the_mount_point_is_left_alone(bench: Bench) -> None:
    bench.attach(bench.disk())
    other = bench.disk()
    subprocess.run(["mkfs.ext4", "-q", "-F", other], check=True)
    bench.where.mkdir()
    subprocess.run(["mount", other, str(bench.where)], check=True)
    assert bench.mount(ID, "--new").returncode == 65

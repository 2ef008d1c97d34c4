"""userdata/boot.sh and agent.sh: the steps of a boot, and what a step that fails leaves behind."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleet.boot.packing import archive
from fleet.boot.userdata import read
from tests.boot.shims import Shims, carried

THIS = f"cp3{sys.version_info[1]}-{platform.machine()}"
_EMPTY = ("FLEET_DRIVER", "FLEET_LEASE", "FLEET_STACK", "FLEET_VOLUME_ID", "FLEET_VOLUME_NEW")
SETTINGS = {
    **dict.fromkeys(_EMPTY, ""),
    "FLEET_BOOT_LOG": "runs/r/attempts/1/boot.log",
    "FLEET_KEEP_FAILED": "0",
    "FLEET_MOUNT": "/mnt/my disk",
}


class Bench:
    """A machine whose steps are stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        for name in ("etc/fleet", "opt/fleet", "run/fleet", "var/log"):
            (self.root / name).mkdir(parents=True)
        self.state = self.root / "var/lib/fleet"
        self.bin = Shims(self.root / "opt/fleet/bin")
        for name in ("agent.sh", "docker.sh", "gpu.sh", "volume.sh", "bucket.py", "dead-man.sh"):
            self.bin.add(name)
        self.shims = Shims(folder / "shims")
        self.shims.add("systemctl")
        self.shims.add("cloud-init", "echo status: running")
        (self.root / "var/log/cloud-init-output.log").write_text("what was printed\n")
        (self.root / "var/log/cloud-init.log").write_text("DEBUG noise\nWARNING what is wrong\n")

    def boot(self, **settings: str) -> subprocess.CompletedProcess[str]:
        values = {**SETTINGS, **settings}
        (self.root / "etc/fleet/boot.env").write_text("".join(f"{key}='{value}'\n" for key, value in values.items()))
        return self.script("boot.sh")

    def script(self, name: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "FLEET_ROOT": str(self.root),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{self.shims.path}",
        }
        return subprocess.run([str(carried(name, self.root))], env=env, capture_output=True, text=True, check=False)

    def times(self) -> dict[str, float]:
        lines = (self.state / "boot-times").read_text().splitlines()
        return {name: float(seconds) for name, seconds in (line.split() for line in lines)}

    def called(self) -> list[str]:
        """The names of the steps' programs, in order."""
        return [line.split()[0] for line in self.bin.log.read_text().splitlines()] if self.bin.log.exists() else []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_steps_come_in_order_and_each_is_timed(bench: Bench) -> None:
    bench.bin.add("docker.sh", "sleep 0.3")
    (bench.root / "run/fleet/began").write_text("1.05 9.99\n")
    done = bench.boot(FLEET_STACK="1", FLEET_DRIVER="570-server", FLEET_VOLUME_ID="vol-1")
    assert done.returncode == 0, done.stderr
    assert bench.called() == ["agent.sh", "volume.sh", "docker.sh", "gpu.sh"]
    assert bench.bin.calls("gpu.sh") == ["570-server"]
    assert list(bench.times()) == ["cloud-init", "agent", "volume", "docker", "gpu", "start"]
    assert 0.3 <= bench.times()["docker"] < 60
    assert bench.times()["cloud-init"] == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]) - 1.05, abs=60)
    assert bench.shims.calls("systemctl")[-1] == "enable --now fleet-agent.service"


def test_an_agent_that_an_image_brings_does_not_start_before_its_machines_own_boot(bench: Bench) -> None:
    unit = read("fleet-agent.service")
    (condition,) = [line for line in unit.splitlines() if line.startswith("ConditionPathExists=")]
    mark = bench.root / condition.partition("=/")[2]
    assert mark.parent == bench.state  # which is emptied first of all on another machine than the one that wrote it
    bench.bin.add("agent.sh", "exit 1")
    bench.boot()
    assert not mark.exists()
    bench.bin.add("agent.sh", "exit 0")
    bench.shims.add("systemctl", f'case "$1" in enable) test -e "{mark}" ;; esac')
    assert bench.boot().returncode == 0


def test_a_job_without_stack_and_volume_on_a_machine_without_gpu_waits_for_neither(bench: Bench) -> None:
    assert bench.boot().returncode == 0
    assert bench.called() == ["agent.sh"]


def test_upgrades_are_switched_off_before_anything_is_installed(bench: Bench) -> None:
    bench.bin.add("agent.sh", f'cp "{bench.shims.log}" "{bench.root}/so-far"')
    bench.boot()
    assert "mask --now apt-daily.timer" in (bench.root / "so-far").read_text()


def test_the_volume_is_mounted_where_the_job_says_and_formatted_only_if_it_is_new(bench: Bench) -> None:
    bench.boot(FLEET_VOLUME_ID="vol-1")
    bench.boot(FLEET_VOLUME_ID="new", FLEET_VOLUME_NEW="--new")
    assert bench.bin.calls("volume.sh") == ["mount vol-1 /mnt/my disk", "mount new /mnt/my disk --new"]


@pytest.mark.parametrize("code", [75, 65, 1])
def test_a_volume_that_cannot_be_had_is_the_agents_to_tell(bench: Bench, code: int) -> None:
    bench.bin.add("volume.sh", f"exit {code}")
    assert bench.boot(FLEET_VOLUME_ID="vol-1").returncode == 0
    assert bench.called() == ["agent.sh", "volume.sh"]


@pytest.mark.parametrize("step", ["agent", "docker", "gpu"])
def test_a_step_that_fails_uploads_the_boots_log_and_powers_off(bench: Bench, step: str) -> None:
    bench.bin.add(f"{step}.sh", "exit 7")
    kept = bench.root / "uploaded"
    bench.bin.add("bucket.py", f'cp "$2" "{kept}"')
    before = int(time.time())
    assert bench.boot(FLEET_STACK="1", FLEET_DRIVER="570-server").returncode == 1
    assert bench.bin.calls("bucket.py") == [f"put {bench.state}/boot.log runs/r/attempts/1/boot.log"]
    text = kept.read_text()
    for part in (
        f"step {step} ended with exit code 7",
        "status: running",
        "what was printed",
        "what is wrong",
        f"{step} 0.",
    ):
        assert part in text
    assert "noise" not in text
    (call,) = bench.bin.calls("dead-man.sh")
    assert before <= int(call.removeprefix("arm ")) <= time.time()
    assert "enable --now fleet-agent.service" not in bench.shims.calls("systemctl")


def test_an_agent_that_does_not_start_is_a_boot_that_failed(bench: Bench) -> None:
    bench.shims.add("systemctl", 'case "$1" in enable) exit 1 ;; esac')
    assert bench.boot().returncode == 1
    assert bench.bin.calls("bucket.py")
    assert bench.bin.calls("dead-man.sh")


def test_a_log_that_cannot_be_uploaded_does_not_keep_the_machine_alive(bench: Bench) -> None:
    bench.bin.add("agent.sh", "exit 1")
    bench.bin.add("bucket.py", "exit 1")
    done = bench.boot()
    assert "could not be uploaded" in done.stdout
    assert len(bench.bin.calls("dead-man.sh")) == 1


def test_a_failed_machine_may_stay_for_a_look_but_not_past_its_lease(bench: Bench) -> None:
    bench.bin.add("agent.sh", "exit 1")
    before = int(time.time())
    bench.boot(FLEET_KEEP_FAILED="600", FLEET_LEASE=str(before + 3600))
    bench.boot(FLEET_KEEP_FAILED="600", FLEET_LEASE=str(before + 60))
    first, second = (int(call.removeprefix("arm ")) for call in bench.bin.calls("dead-man.sh"))
    assert before + 600 <= first <= time.time() + 600
    assert second == before + 60


def test_a_second_boot_goes_through_the_same_steps(bench: Bench) -> None:
    assert bench.boot(FLEET_STACK="1").returncode == 0
    assert bench.boot(FLEET_STACK="1").returncode == 0
    assert bench.called() == ["agent.sh", "docker.sh"] * 2


class Agents(Bench):
    """With agent.sh as it is, and a bucket that is a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bucket = folder / "bucket"
        self.bucket.mkdir()
        self.bin.add(
            "bucket.py", f'test "$1-$4" = get---sha256 && cp "{self.bucket}/$2" "$3" && echo "$5  $3" | sha256sum --quiet -c'
        )
        self.target = self.root / "opt/fleet/agent"

    def offer(self, **archives: dict[str, bytes]) -> None:
        lines = []
        for name, files in archives.items():
            data = archive(files)
            (self.bucket / name).write_bytes(data)
            lines.append(f"{name.replace('_', '-', 1)} {name} {hashlib.sha256(data).hexdigest()}\n")
        (self.root / "etc/fleet/agent").write_text("".join(lines))


CODE = {"fleet/__init__.py": b"", "fleet/agent/__init__.py": b"", "fleet/agent/main.py": b"import needed\n"}
HERE = THIS.replace("-", "_", 1)


@pytest.fixture
def agents(tmp_path: Path) -> Agents:
    return Agents(tmp_path)


def test_the_agent_is_put_together_for_this_python_and_processor(agents: Agents) -> None:
    agents.offer(any=CODE, cp399_x86_64={"needed.py": b"wrong"}, **{HERE: {"needed.py": b"right = 1"}})
    done = agents.script("agent.sh")
    assert done.returncode == 0, done.stderr
    assert (agents.target / "needed.py").read_text() == "right = 1"
    assert list(agents.target.glob("*.tar.gz")) == []


def test_an_agent_that_is_there_is_not_fetched_again_but_another_is(agents: Agents) -> None:
    agents.offer(any=CODE, **{HERE: {"needed.py": b"right = 1"}})
    assert agents.script("agent.sh").returncode == 0
    assert agents.script("agent.sh").returncode == 0
    assert len(agents.bin.calls("bucket.py")) == 2
    agents.offer(any=CODE, **{HERE: {"needed.py": b"right = 2"}})
    assert agents.script("agent.sh").returncode == 0
    assert (agents.target / "needed.py").read_text() == "right = 2"


def test_what_an_image_brings_unpacked_is_not_fetched_and_another_fleets_own_files_are(agents: Agents) -> None:
    agents.offer(any=CODE, **{HERE: {"needed.py": b"right = 1"}})
    sha = (agents.root / "etc/fleet/agent").read_text().split(f"{THIS} ")[1].split()[1]
    kept = agents.root / "opt/fleet/kept" / sha
    (kept / "deep").mkdir(parents=True)
    (kept / "needed.py").write_text("right = 1")
    (kept / "deep" / "er.py").write_text("right = 2")
    assert agents.script("agent.sh").returncode == 0
    (call,) = agents.bin.calls("bucket.py")
    assert call.startswith("get any ")
    assert (agents.target / "deep/er.py").samefile(kept / "deep/er.py")  # no second copy: nothing is read for it
    agents.offer(any={**CODE, "fleet/newer.py": b""}, **{HERE: {"needed.py": b"right = 1"}})
    assert agents.script("agent.sh").returncode == 0
    assert (agents.target / "fleet/newer.py").exists()
    assert len(agents.bin.calls("bucket.py")) == 2
    assert (kept / "needed.py").read_text() == "right = 1"


def test_an_image_whose_python_is_unknown_is_told_of(agents: Agents) -> None:
    agents.offer(any=CODE, cp399_x86_64={})
    done = agents.script("agent.sh")
    assert done.returncode != 0
    assert f"no agent for {THIS}" in done.stderr
    assert "cp399-x86_64" in done.stderr


def test_an_archive_with_other_bytes_is_not_unpacked(agents: Agents) -> None:
    agents.offer(any=CODE, **{HERE: {"needed.py": b"right = 1"}})
    shutil.copy(agents.bucket / "any", agents.bucket / HERE)
    assert agents.script("agent.sh").returncode != 0
    assert not agents.target.exists()


def test_an_agent_that_does_not_load_is_a_step_that_failed(agents: Agents) -> None:
    agents.offer(any=CODE, **{HERE: {}})
    assert agents.script("agent.sh").returncode != 0

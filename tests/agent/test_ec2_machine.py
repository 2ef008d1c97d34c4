"""A machine of EC2 from the inside: scripts that are called beside the agent's rounds, and believed by their exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.agent import main, prepared, process, scripts, workplace
from fleet.agent.ec2_machine import Ec2Machine
from fleet.agent.holders import holders
from fleet.agent.machine import BlankVolumeError
from fleet.agent.prepared import as_a_login
from fleet.agent.starts import MOST, WITHIN, started_too_often
from fleet.agent.starts import NAME as STARTS
from fleet.agent.watch import Signals
from fleet.model import layout
from fleet.model.documents import Mount
from fleet.store.workdir import pack_path
from tests.agent.ec2 import FakeEc2, until
from tests.agent.fakes import World

Make = Callable[..., FakeEc2]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[FakeEc2] = []

    def new(**boot: object) -> FakeEc2:
        made.append(FakeEc2(tmp_path / "root", **boot))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture
def ec2(make: Make) -> FakeEc2:
    return make()


@pytest.fixture
def machine(ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> Ec2Machine:
    monkeypatch.setattr(prepared, "LOOK_PAUSE", 0.05)
    monkeypatch.setattr(prepared, "FAILED_PAUSE", 0.05)
    return ec2.machine()


def volume(machine: Ec2Machine, volume_id: str | None = None, *, new: bool | None = None) -> Path | str | None:
    """As the agent asks for it; what was refused instead."""
    try:
        return machine.volume(volume_id, new=volume_id is None if new is None else new)
    except OSError as error:
        return str(error)


def released(machine: Ec2Machine) -> bool | str:
    try:
        return machine.release_volume()
    except OSError as error:
        return str(error)


def test_it_knows_who_it_is_which_boot_this_is_and_what_it_is_here_for(ec2: FakeEc2, machine: Ec2Machine) -> None:
    assert (machine.instance_id, machine.boot_id) == ("i-0abc", "boot-1")
    assert machine.scratch == ec2.root / "var/lib/fleet"
    assert '"run_id":"racer-1"' in machine.user_data()  # the user-data themselves are cloud-init's


def test_a_machine_that_does_not_know_who_it_is_claims_nothing(ec2: FakeEc2) -> None:
    ec2.service.record["instance_id"] = ""
    with pytest.raises(OSError, match="which instance this is"):
        ec2.machine()


# --- the volume


def test_a_new_volume_is_waited_for_and_may_be_formatted(ec2: FakeEc2, machine: Ec2Machine) -> None:
    until(lambda: volume(machine) is None and len(ec2.calls("volume.sh")) > 2)
    ec2.write("attached")
    until(lambda: volume(machine) == ec2.mount_point)
    assert set(ec2.calls("volume.sh")) == {"volume.sh mount new /mnt/fleet --new"}
    calls = len(ec2.calls())
    assert volume(machine) == ec2.mount_point
    assert len(ec2.calls()) == calls


def test_one_that_exists_is_never_to_be_formatted(make: Make) -> None:
    ec2 = make(job={"volume": {"mount": "/data"}}, volume_id="vol-0123", volume_new=False)
    ec2.write("attached")
    machine = ec2.machine()
    until(lambda: volume(machine, "vol-0123") == ec2.root / "data")
    assert ec2.calls("volume.sh") == ["volume.sh mount vol-0123 /data"]


def test_a_machine_that_is_to_have_none_asks_for_none(make: Make) -> None:
    ec2 = make(volume_new=False)
    machine = ec2.machine()
    assert volume(machine, new=False) is None
    assert not machine.mounting
    assert ec2.calls() == []


def test_mounting_takes_as_long_as_it_takes_and_nobody_waits(ec2: FakeEc2, machine: Ec2Machine) -> None:
    ec2.write("slow")
    ec2.write("attached")
    began = time.monotonic()
    for _ in range(20):
        assert volume(machine) is None
    assert time.monotonic() - began < 0.5
    assert machine.mounting
    ec2.remove("slow")
    until(lambda: volume(machine) == ec2.mount_point)
    assert not machine.mounting


def test_a_blank_one_is_told_as_such_and_formatted_once_it_may_be(make: Make) -> None:
    ec2 = make(job={"volume": {"mount": "/data"}}, volume_id="vol-0123", volume_new=False)
    ec2.write("attached")
    ec2.write("blank")
    machine = ec2.machine()
    with pytest.raises(BlankVolumeError, match="not marked new"):
        until(lambda: machine.volume("vol-0123", new=False))
    until(lambda: volume(machine, "vol-0123", new=True) == ec2.root / "data")
    assert ec2.calls("volume.sh")[-1] == "volume.sh mount vol-0123 /data --new"


def test_a_refusal_is_told_in_its_own_words_as_long_as_it_holds(ec2: FakeEc2, machine: Ec2Machine) -> None:
    ec2.write("refused", "looking\n/dev/nvme1n1 is not blank, and cannot be mounted\n")
    until(lambda: volume(machine) == "/dev/nvme1n1 is not blank, and cannot be mounted")
    calls = len(ec2.calls())
    while len(ec2.calls()) < calls + 3:
        assert volume(machine) == "/dev/nvme1n1 is not blank, and cannot be mounted"
    ec2.remove("refused")
    until(lambda: volume(machine) is None)
    ec2.write("attached")
    until(lambda: volume(machine) == ec2.mount_point)


def test_a_mount_that_hangs_is_ended_with_all_it_started(
    ec2: FakeEc2, machine: Ec2Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "MOUNT_MOST", 0.2)
    ec2.write("slow")
    until(lambda: volume(machine) == "volume.sh did not end within 0 s")
    ec2.remove("slow")
    ec2.write("attached")
    until(lambda: volume(machine) == ec2.mount_point)


def test_a_script_that_is_missing_is_a_refusal(ec2: FakeEc2, machine: Ec2Machine) -> None:
    ec2.remove("opt/fleet/bin/volume.sh")
    until(lambda: volume(machine) == "volume.sh: No such file or directory")


def test_a_volume_is_released_by_its_script_once_and_never_mounted_again(ec2: FakeEc2, machine: Ec2Machine) -> None:
    ec2.write("attached")
    until(lambda: volume(machine) == ec2.mount_point)
    until(lambda: released(machine) is True)
    assert not ec2.has("mounted")
    assert released(machine) is True
    assert ec2.calls("volume.sh release") == ["volume.sh release /mnt/fleet"]
    assert volume(machine) is None
    assert len(ec2.calls("volume.sh mount")) == 1


def test_what_is_being_mounted_is_released_after_that(ec2: FakeEc2, machine: Ec2Machine) -> None:
    ec2.write("slow")
    ec2.write("attached")
    assert volume(machine) is None
    for _ in range(5):
        assert released(machine) is False
    assert ec2.calls("volume.sh release") == []
    ec2.remove("slow")
    until(lambda: released(machine) is True)
    assert [call.split()[1] for call in ec2.calls("volume.sh")] == ["mount", "release"]
    assert not ec2.has("mounted")


def test_whoever_keeps_the_volume_busy_is_ended(ec2: FakeEc2, machine: Ec2Machine) -> None:
    ec2.mount_point.mkdir(parents=True)
    ec2.write("busy", "umount: target is busy")
    shell = subprocess.Popen(["sleep", "600"], cwd=ec2.mount_point)
    beside = subprocess.Popen(["sleep", "600"], cwd=ec2.mount_point.parent)
    try:
        until(lambda: released(machine) == f"umount: target is busy; ended sleep ({shell.pid})")
        assert shell.wait(10) == -9
        assert beside.poll() is None
    finally:
        beside.kill()
        beside.wait()
    ec2.remove("busy")
    until(lambda: released(machine) is True)


def test_an_open_file_or_a_mapped_one_holds_a_volume_too(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("x" * 8192)
    path = str(tmp_path / "set")
    opens = f"import mmap, time; f = open({path!r}, 'rb'); {{}}; print('.', flush=True); time.sleep(600)"
    for more in ("pass", "m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ); f.close()"):
        child = subprocess.Popen([sys.executable, "-c", opens.format(more)], stdout=subprocess.PIPE)
        try:
            assert child.stdout is not None
            child.stdout.readline()
            assert [pid for pid, _ in holders(tmp_path)] == [child.pid]
        finally:
            child.kill()
            child.communicate()


# --- the dead-man switch and the end


def test_the_switch_is_set_by_the_machines_own_clock_and_only_when_the_time_changes(
    ec2: FakeEc2, machine: Ec2Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 5000.5)
    machine.arm(1900.0, now=1000.0)
    until(lambda: ec2.calls("dead-man.sh") == ["dead-man.sh arm 5900"])
    machine.arm(1900.0, now=1000.0)
    machine.arm(1700.0, now=1000.0)
    until(lambda: ec2.calls("dead-man.sh") == ["dead-man.sh arm 5900", "dead-man.sh arm 5700"])


def test_a_switch_that_cannot_be_set_is_complained_of_and_tried_again(ec2: FakeEc2, machine: Ec2Machine) -> None:
    machine._dead_man._pause = 0.05
    ec2.write("unarmed")
    machine.arm(1900.0, now=1000.0)
    until(lambda: len(ec2.calls("dead-man.sh")) > 2)
    with pytest.raises(OSError, match="could not be set: no timers here"):
        machine.arm(1900.0, now=1000.0)
    ec2.remove("unarmed")
    until(lambda: not machine._dead_man.problem)
    calls = len(ec2.calls("dead-man.sh"))
    machine.arm(1900.0, now=1000.0 - 1)
    until(lambda: len(ec2.calls("dead-man.sh")) == calls + 1)


def test_setting_the_switch_keeps_nobody_waiting(ec2: FakeEc2, machine: Ec2Machine) -> None:
    ec2.write("opt/fleet/bin/dead-man.sh", "#!/bin/sh\nsleep 5\n")
    began = time.monotonic()
    machine.arm(1900.0, now=1000.0)
    assert time.monotonic() - began < 0.5


def test_the_machine_is_shut_down_with_less_and_less_regard(ec2: FakeEc2) -> None:
    waits: list[float] = []
    steps = [([str(ec2.root / "usr/bin/systemctl"), "poweroff", *force], 5.0) for force in ([], ["--force"])]

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 2:
            threading.Event().wait()

    scripts.insist(steps, wait)
    until(lambda: len(waits) == 3)
    assert ec2.calls() == ["systemctl poweroff", "systemctl poweroff --force", "systemctl poweroff"]


def test_it_is_told_to_shut_down_once_however_often_it_is_asked(ec2: FakeEc2, machine: Ec2Machine) -> None:
    for _ in range(3):
        machine.power_off()
    until(ec2.calls)
    assert ec2.calls() == ["systemctl poweroff"]


# --- what the cloud says


def test_a_notice_is_seen_soon_also_if_the_answer_before_it_never_comes(ec2: FakeEc2, machine: Ec2Machine) -> None:
    signals = Signals(machine, every=1.0)
    signals.look(time.monotonic())
    ec2.service.hang.set()
    ec2.service.notice_until = 1_700_000_120.0
    began = time.monotonic()
    while signals.notice is None:
        signals.look(time.monotonic())
        time.sleep(0.01)
    assert time.monotonic() - began < 2.5
    assert signals.notice.until == 1_700_000_120.0


def test_absolute_paths_of_a_job_are_the_machines_own(tmp_path: Path) -> None:
    world = World(tmp_path, {"file_mounts": {"/data/set": "set", "/etc/one": "one", "beside": "set"}})
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_text("in a folder")
    (tmp_path / "one").write_text("alone")
    mounts = {}
    for where, source in world.job.file_mounts.items():
        packed = pack_path(tmp_path / source, tmp_path / "packed.tar")
        world.objects.upload(layout.job_archive(packed.sha256), packed.path)
        mounts[where] = Mount(key=layout.job_archive(packed.sha256), is_file=source == "one")
    boot = world.attempt(mounts=mounts).agent.boot
    scratch, root = tmp_path / "scratch", tmp_path / "root"
    folder = workplace.unpack(world.objects, boot, scratch, root)
    assert (root / "data" / "set" / "a").read_text() == "in a folder"
    assert (root / "etc" / "one").read_text() == "alone"
    assert (folder / "beside" / "a").exists()
    assert folder == scratch / "workdir"
    world.close()


# --- the agent's process


def agent(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fleet.agent"], env=env, capture_output=True, text=True, timeout=60)


def test_a_kind_of_machine_that_there_is_not_is_named(ec2: FakeEc2) -> None:
    ended = agent({**ec2.env(), "FLEET_MACHINE": "azure"})
    assert ended.returncode == 1
    assert ended.stderr == "fleet-agent: FLEET_MACHINE is 'azure', and may be ec2 or gce or local\n"


def test_outside_a_machine_of_local_the_variable_that_is_missing_is_named(ec2: FakeEc2) -> None:
    ended = agent({"PATH": os.environ["PATH"]})
    assert ended.returncode == 1
    assert "'FLEET_INSTANCE_DIR' is not set" in ended.stderr


def test_a_machine_that_cloud_init_left_nothing_on_says_so(ec2: FakeEc2) -> None:
    ec2.remove("etc/fleet/boot.json")
    ended = agent(ec2.env())
    assert ended.returncode == 1
    assert "there is no boot document: " in ended.stderr
    assert "boot.json" in ended.stderr


def test_the_agent_is_light_no_sdk_and_no_command_line_are_imported() -> None:
    code = "import fleet.agent.main, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    heavy = {"boto3", "botocore", "typer", "click", "rich", "paramiko", "fabric", "tenacity", "requests"}
    assert heavy.isdisjoint(said.stdout.split())


def test_training_finds_a_login_and_of_the_agents_packages_fleet_alone(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": "/opt/fleet/agent", "LANG": "de_DE.UTF-8"}
    as_a_login(env, tmp_path)
    as_a_login(env, tmp_path)  # the agent was started again
    assert {"HOME", "USER", "LOGNAME", "SHELL"} <= env.keys()
    assert env["LANG"] == "de_DE.UTF-8"
    code = "import fleet; fleet.progress(3, reward=0.5); import pydantic"
    said = subprocess.run([sys.executable, "-S", "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert said.stdout == "fleet.progress step=3 reward=0.5\n"
    assert "No module named 'pydantic'" in said.stderr


def test_an_agent_that_dies_again_and_again_gives_the_machine_up(ec2: FakeEc2) -> None:
    now = time.time() - 100
    starts = [started_too_often(ec2.root, "boot-1", now + number) for number in range(MOST + 1)]
    assert starts == [False] * MOST + [True]
    (ec2.root / "var/lib/fleet").mkdir(parents=True)
    (ec2.root / STARTS).replace(ec2.root / "var/lib/fleet" / STARTS)
    child = subprocess.Popen([sys.executable, "-m", "fleet.agent"], env=ec2.env(), stderr=subprocess.PIPE, text=True)
    try:
        until(ec2.calls)
        assert child.stderr is not None
        assert "started more than 5 times within an hour" in child.stderr.readline()
        assert ec2.calls() == ["systemctl poweroff"]
    finally:
        child.kill()
        child.communicate()


def test_starts_of_another_boot_or_of_long_ago_count_no_more_nor_does_a_torn_note(tmp_path: Path) -> None:
    for number in range(MOST):
        assert not started_too_often(tmp_path, "boot-1", 1000.0 + number)
    assert not started_too_often(tmp_path, "boot-2", 1010.0)
    for number in range(MOST - 1):
        assert not started_too_often(tmp_path, "boot-2", 1011.0 + number)
    assert not started_too_often(tmp_path, "boot-2", 1010.0 + WITHIN + 10)
    for torn in ("", "[]", '{"boot": "boot-2", "at": ["x"]}', '{"boot": "boot-2"}', "null"):
        (tmp_path / STARTS).write_text(torn)
        assert not started_too_often(tmp_path, "boot-2", 1.0)


def test_what_ended_the_agent_is_told_in_the_trainings_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    life = world.attempt(disk=world.disk())
    monkeypatch.setattr(main, "make_agent", lambda machine, boot, wake: life.agent)
    monkeypatch.setattr(life.agent, "tick", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main.live(life.machine, life.agent.boot, threading.Event())
    assert "fleet: the agent died, and is started again:" in life.log.tail(20)
    assert "ZeroDivisionError" in life.log.tail(20)
    world.close()


@pytest.mark.parametrize(("agents", "trainings"), [("-800\n", "0"), ("0\n", "0\n"), ("200\n", "200\n")])
def test_for_lack_of_memory_training_is_killed_before_its_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agents: str, trainings: str
) -> None:
    score = tmp_path / "score"
    score.write_text(agents)
    monkeypatch.setattr(process, "OOM_SCORE", str(score))
    subprocess.run(["true"], preexec_fn=process.own_group, check=True)
    assert score.read_text()[: len(trainings)] == trainings

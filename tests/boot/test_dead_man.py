"""userdata/dead-man.sh, with stand-ins for systemd."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.boot.shims import Shims, carried

NOTHING_RUNS = 'case "$1" in is-active) exit 3 ;; esac'
FAR = 4_000_000_000
FAR_SAID = "2096-10-02 07:06:40 UTC"


class Bench:
    """A machine as the script sees it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.script = carried("dead-man.sh", folder)
        (self.root / "proc/sys/kernel").mkdir(parents=True)
        self.state = self.root / "var/lib/fleet"
        self.shims = Shims(folder / "shims")
        self.shims.add("systemctl", NOTHING_RUNS)
        self.shims.add("systemd-run")
        self.shims.add("setsid")

    def run(self, *words: str, instance: str = "i-1") -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ, "FLEET_ROOT": str(self.root), "PATH": self.shims.path, "INSTANCE_ID": instance,
            "FLEET_FIRE_WAIT": "0",
        }  # fmt: skip
        return subprocess.run([str(self.script), *words], env=env, capture_output=True, text=True, check=False)

    @property
    def armed(self) -> int:
        """The time that is written down."""
        return int((self.state / "dead-man").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_arming_writes_the_time_down_and_sets_a_timer_for_that_very_time(bench: Bench) -> None:
    before = time.time()
    assert bench.run("arm", f"{FAR}.75").returncode == 0
    assert bench.armed == FAR
    (call,) = bench.shims.calls("systemd-run")
    assert f"--unit fleet-dead-man-{FAR}" in call
    assert f"--on-calendar={FAR_SAID}" in call
    seconds = int(call.split("--on-active=")[1].split()[0])
    assert FAR - time.time() - 1 <= seconds <= FAR - int(before)  # in case somebody sets the clock back
    assert call.endswith(f"{bench.script} fire")


def test_a_timer_early_in_a_boot_waits_for_nothing_that_waits_for_it(bench: Bench) -> None:
    bench.run("arm", str(FAR))
    (call,) = bench.shims.calls("systemd-run")
    for part in ("--no-block", "--property=DefaultDependencies=no", "--timer-property=DefaultDependencies=no"):
        assert part in call


def test_the_timer_before_is_stopped_only_once_the_new_one_runs(bench: Bench) -> None:
    listing = f"echo fleet-dead-man-17.timer x; echo fleet-dead-man-{FAR}.timer y"
    bench.shims.add("systemctl", f'case "$1" in is-active) exit 3 ;; list-units) {listing} ;; esac')
    bench.run("arm", str(FAR))
    before, after = bench.shims.log.read_text().split("systemd-run")
    assert "fleet-dead-man-17" not in before
    assert [line for line in after.splitlines() if "systemctl stop" in line] == ["systemctl stop fleet-dead-man-17.timer"]


def test_a_timer_that_runs_already_is_left_alone(bench: Bench) -> None:
    bench.shims.add("systemctl")
    bench.run("arm", str(FAR))
    assert bench.shims.calls("systemd-run") == []
    assert bench.armed == FAR


def test_without_a_timer_a_process_waits(bench: Bench) -> None:
    bench.shims.add("systemd-run", "exit 1")
    assert bench.run("arm", str(FAR)).returncode == 0
    deadline = time.monotonic() + 20
    while not bench.shims.calls("setsid"):  # it runs beside, and nobody waits for it
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "sleep" in bench.shims.calls("setsid")[0]


@pytest.mark.parametrize("word", ["", "soon", "-5", "12a", "1e9"])
def test_what_is_no_time_is_refused_and_changes_nothing(bench: Bench, word: str) -> None:
    bench.run("arm", str(FAR))
    bench.shims.forget()
    assert bench.run("arm", word).returncode == 64
    assert bench.armed == FAR
    assert bench.shims.calls("systemctl") == []


def test_a_time_that_is_over_powers_off_at_once(bench: Bench) -> None:
    bench.run("arm", "1000")
    (call,) = bench.shims.calls("systemd-run")
    assert call.endswith(" fire")
    assert "--on-calendar" not in call


def test_a_boot_has_half_an_hour_but_not_longer_than_its_lease(bench: Bench) -> None:
    now = int(time.time())
    bench.run("begin", "-")
    assert now + 1800 <= bench.armed <= now + 1860
    bench.run("begin", str(FAR), instance="i-2")
    assert now + 1800 <= bench.armed <= now + 1860
    bench.run("begin", str(now + 600), instance="i-3")
    assert bench.armed == now + 600


def test_after_a_reboot_the_time_that_the_agent_set_still_counts(bench: Bench) -> None:
    bench.run("begin", "-")
    soon = int(time.time()) + 60
    bench.run("arm", str(soon))
    bench.shims.forget()
    bench.run("begin", "-")
    assert bench.armed == soon
    assert f"fleet-dead-man-{soon}" in bench.shims.calls("systemd-run")[0]
    bench.shims.forget()
    bench.run("rearm")
    assert f"fleet-dead-man-{soon}" in bench.shims.calls("systemd-run")[0]


def test_what_an_image_brings_from_another_machine_does_not_count(bench: Bench) -> None:
    bench.run("begin", "-", instance="i-1")
    bench.run("arm", "1000", instance="i-1")
    (bench.state / "formatting").write_text("new")
    bench.run("begin", "-", instance="i-2")
    assert bench.armed > time.time() + 1000
    assert not (bench.state / "formatting").exists()


def test_the_time_that_another_machine_wrote_into_an_image_powers_nothing_off(bench: Bench) -> None:
    uuid = bench.root / "sys/class/dmi/id/product_uuid"
    uuid.parent.mkdir(parents=True)
    uuid.write_text("ec2-first\n")
    bench.run("begin", "-", instance="i-1")
    bench.run("arm", "1000", instance="i-1")
    uuid.write_text("ec2-second\n")  # a machine from the image: its own boot has not come so far
    bench.shims.forget()
    assert bench.run("rearm").returncode == 0
    assert bench.shims.calls("systemd-run") == []
    bench.run("begin", "-", instance="i-2")
    assert bench.armed > time.time() + 1000
    bench.shims.forget()
    bench.run("rearm")
    assert len(bench.shims.calls("systemd-run")) == 1


def test_rearming_what_was_never_armed_does_nothing(bench: Bench) -> None:
    bench.state.mkdir(parents=True)
    assert bench.run("rearm").returncode == 0
    assert bench.shims.calls("systemd-run") == []


@pytest.mark.parametrize("shutdown", ["exit 0", "exit 1"], ids=["that hangs", "that is refused"])
def test_a_shutdown_is_followed_by_force(bench: Bench, shutdown: str) -> None:
    bench.shims.add("systemctl", shutdown)
    bench.shims.add("sync")
    bench.run("fire")
    assert bench.shims.calls("systemctl") == ["poweroff --no-block", "poweroff --force --force"]
    assert (bench.root / "proc/sysrq-trigger").read_text() == "o\n"

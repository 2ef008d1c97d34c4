"""Trainings that misbehave: told early, ended in time, and never a reason to go on spending."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fleet.agent.lines import MOST_WAITING, Lines
from fleet.agent.logfile import LogFile
from fleet.core.outputs import verdict
from fleet.core.unsaved import FIRST, overdue_since
from fleet.model import layout
from fleet.providers.local.processes import machine_processes
from tests.agent.fakes import RUN, World
from tests.unit.bad_luck.conftest import Make
from tests.unit.cli.test_commands import Shell

# --- never checkpoints


@pytest.mark.parametrize(
    ("unsaved", "usual", "every", "told"),
    [
        (FIRST - 1, None, None, None),
        (FIRST, None, None, FIRST),
        (2 * FIRST - 1, None, None, FIRST),
        (5 * FIRST, None, None, 4 * FIRST),
        (3600, 1800, None, None),  # it saves twice an hour: one is a little late
        (5400, 1800, None, 5400),
        (3600, None, 3600, None),  # the job asked for one an hour
        (3 * 3600, 60, 3600, 3 * 3600),
    ],
)
def test_a_missing_checkpoint_is_overdue_by_what_is_usual(
    unsaved: float, usual: float | None, every: float | None, told: float | None
) -> None:
    assert overdue_since(unsaved, usual, every) == told


def test_a_training_that_never_checkpoints_is_warned_of_while_it_trains(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    life.live(FIRST - 5)
    assert life.beat.message == ""
    life.live(10)
    assert life.beat.message == (
        "no checkpoint in 10m00s of training; format rename, checkpoints: it is empty. "
        "A machine taken without notice now loses all of that work"
    )
    assert life.beat.phase == "training"
    life.live(FIRST)
    assert "20m00s" in life.beat.message
    life.training.save(5)
    life.live(5)
    assert life.beat.message == ""


@pytest.mark.parametrize(
    ("format", "file", "why"),
    [("rename", "weights.tmp", "none has a finished name"), ("marker", "weights.pt", "no file DONE or .ready")],
)
def test_the_warning_says_what_is_in_the_way(make: Make, format: str, file: str, why: str) -> None:  # noqa: A002
    world = make(checkpoint={"format": format})
    life = world.attempt(disk=world.disk())
    life.until("training")
    (world.disk() / "checkpoints" / file).write_text("x")
    life.live(FIRST + 5)
    assert why in life.beat.message


def test_a_training_that_stops_checkpointing_is_warned_of_too(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.until("training")
    for step in range(3):
        life.training.save(step)
        life.live(300)
    life.live(900)
    assert "no new checkpoint for 15m00s, though they came 5m00s apart" in life.beat.message


def test_the_warning_is_shown_by_up_ps_and_status(shell: Shell) -> None:
    """Whatever the agent complains of while it trains: here a checkpoint that does not verify."""
    run = "echo '{' > $FLEET_CHECKPOINTS/state.json; sleep 600"
    process = shell.start("up", shell.job(run=run), start_new_session=True)
    assert process.stdout is not None
    assert any("warning     state.json" in line for line in iter(process.stdout.readline, ""))
    assert "state.json" in shell.run("ps")[0]
    assert "says      state.json" in shell.run("status", "count")[0]
    process.kill()
    process.communicate(timeout=20)
    shell.run("down", "count")


# --- exits 0 without outputs


def test_success_without_any_declared_output_is_a_failure_and_without_some_a_success_that_names_them() -> None:
    assert verdict((), ()).kind == "succeeded"
    some = verdict(("a", "b"), ("b",))
    assert (some.kind, some.message) == ("succeeded", "training ended; no output matches b")
    none = verdict(("a", "b"), ("a", "b"))
    assert (none.kind, none.exit_code, none.message) == (
        "failed",
        0,
        "training ended, and left none of its outputs: a, b",
    )


def test_a_run_that_leaves_nothing_is_no_success(shell: Shell) -> None:
    out, _ = shell.run("up", shell.job(run="echo all is well"), code=4)
    assert "failed: exit code 0: training ended, and left none of its outputs: result.txt" in out
    run = shell.runs()[0]
    assert run["state"] == "failed"
    assert shell.json("volumes", "list")[0]["run"] == run["run"]  # what it may have left elsewhere is still there


# --- crashes at once, again and again


def test_a_training_that_crashes_at_once_five_times_ends_with_its_last_words_and_spends_no_more(shell: Shell) -> None:
    job = shell.job(run="echo crash here of $FLEET_ATTEMPT; exit 9", extra="retries: {training: 4}\n")
    out, _ = shell.run("up", job, code=4)
    assert "exit code 9" in out
    assert "crash here of 1" in out
    assert shell.run("logs", "count")[0].count("crash here of 1\n") == 5
    run = shell.runs()[0]
    assert (run["state"], run["attempt"]) == ("failed", 1)
    assert run["usd_per_hour"] < 0.001  # the kept volume
    shell.run("controller", "run", "--once")
    assert shell.runs()[0]["attempt"] == 1


def test_restarts_count_over_the_whole_run_however_often_its_machines_are_taken(make: Make) -> None:
    world = make(retries={"training": 2})
    life = world.attempt(disk=world.disk())
    for _ in range(2):
        life.until("training")
        life.live(3)
        life.training.code = 1
        life.live(5)
    assert life.beat.restarts == 2
    life.training.on_stop = lambda: setattr(life.training, "code", 0)
    life.machine.notice_until = world.clock() + 20
    life.live(25)
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    second.live(1)
    assert second.beat.restarts == 2
    second.training.code = 1
    second.live(10)
    assert second.beat.outcome is not None
    assert second.beat.outcome.kind == "failed"
    assert len(second.started) == 1


def test_a_run_that_its_user_lets_go_on_has_its_restarts_again(make: Make) -> None:
    world = make(retries={"training": 1})
    life = world.attempt(disk=world.disk())
    for _ in range(2):
        life.until("training")
        life.live(3)
        life.training.code = 1
        life.live(5)
    assert life.beat.outcome is not None
    world.desired(live=(2,), newest=2, gone=(1,))
    second = world.attempt(2, disk=world.disk(), predecessor=1, volume_new=False)
    second.until("training")
    second.live(1)
    assert second.beat.restarts == 0


# --- forks, ignores signals


def test_what_a_training_forks_is_gone_with_its_machine_also_in_a_session_of_its_own(shell: Shell) -> None:
    run = "(setsid sleep 611 >/dev/null 2>&1 &); nohup sleep 612 >/dev/null 2>&1 & python count.py"
    shell.run("up", shell.job(steps=3, run=run))
    instance = shell.runs()[0]["instance"]
    assert instance
    assert list(machine_processes(instance, None)) == []


def test_a_training_that_ignores_sigterm_is_killed_in_time_and_its_last_checkpoint_counts(shell: Shell) -> None:
    (shell.folder / "job" / "deaf.py").write_text(
        "import signal, time, os, fleet\nfrom pathlib import Path\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "p = Path(os.environ['FLEET_CHECKPOINTS']) / 'step'\n"
        "p.with_suffix('.tmp').write_text('5')\np.with_suffix('.tmp').replace(p)\n"
        "fleet.progress(5)\nfleet.saved(5)\ntime.sleep(600)\n"
    )
    shell.up_and_interrupted(shell.job(run="python deaf.py"))
    begun = time.monotonic()
    told = shell.json("stop", "count")
    assert time.monotonic() - begun < 30
    assert (told["state"], told["step"]) == ("stopped", 5)
    found = shell.json("checkpoints", "list", "count")
    assert [one["step"] for one in found] == [5]
    assert list(machine_processes(told["instance"], None)) == []


# --- prints without end (tests/system/test_flood.py has the whole gigabyte)


def test_lines_that_nobody_takes_are_not_held_but_for_what_is_meant_for_the_agent() -> None:
    lines = Lines(lambda: 1.0)
    assert not lines.feed(b"y\n" * MOST_WAITING)
    for _ in range(100):
        assert not lines.feed(b"y\n" * 30_000)
    assert lines.feed(b"fleet.pro") is False
    assert lines.feed(b"gress step=3\ny\ny\n")
    for step in range(MOST_WAITING + 5):
        lines.feed(b"fleet.progress step=%d\n" % step)
    taken = lines.take()
    assert len(taken) == MOST_WAITING
    assert taken[-1] == (1.0, f"fleet.progress step={MOST_WAITING + 4}")
    assert lines.take() == []
    lines.feed(b"x" * 1_000_000)
    lines.feed(b"x" * 1_000_000)
    lines.finish()
    assert len(lines.take()[0][1]) <= 8192


def test_the_last_words_are_the_last_ones_although_the_log_reached_its_limit(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", most_bytes=1000)
    for n in range(1000):
        log.write(b"line %d\n" % n)
    log.write(b"MemoryError: at the very end\n")
    log.close()
    assert log.tail(2) == "line 999\nMemoryError: at the very end"
    assert (tmp_path / "log").stat().st_size < 1100


def test_a_log_at_its_limit_ends_in_the_bucket_and_says_so(world: World) -> None:
    life = world.attempt(disk=world.disk())
    life.log._most = 10_000
    life.until("training")
    for _ in range(500):
        life.training.say("x" * 99)
    life.live(20)
    stored = b"".join(world.objects.get(i.key) for i in world.objects.list(layout.logs(RUN, 1)))
    assert len(stored) < 10_100
    assert b"the log ends here" in stored
    assert life.agent.logs_shipped

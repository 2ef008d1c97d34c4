"""The commands as a user types them, in processes of their own, on the provider ``local``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.control.home import Home
from fleet.model import layout
from fleet.providers.local.market import set_market
from fleet.providers.local.provider import stop_everything

COUNT = r"""
import os, signal, sys, time
from pathlib import Path
import fleet
state = Path(os.environ["FLEET_CHECKPOINTS"]) / "step"
step = int(state.read_text()) if state.exists() else 0
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
print("begins at", step, flush=True)
while step < int(os.environ["STEPS"]) and not stop:
    time.sleep(0.05)
    step += 1
    state.with_name("step.tmp").write_text(str(step))
    state.with_name("step.tmp").replace(state)
    fleet.progress(step, reward=step / 10)
    fleet.saved(step)
if step >= int(os.environ["STEPS"]):
    Path("result.txt").write_text(f"counted to {step}")
"""


def hear_ctrl_c() -> None:
    """A shell starts background jobs deaf to SIGINT, and the tests may be one: a terminal's commands are not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Shell:
    """A user's terminal, with a home of its own and a job that counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.env = {**os.environ, "FLEET_HOME": str(self.home.path), "COLUMNS": "200"}
        (folder / "job").mkdir()
        (folder / "job" / "count.py").write_text(COUNT)

    def job(self, steps: int = 10, extra: str = "", run: str = "python count.py", name: str = "count") -> str:
        path = self.folder / "job" / f"{name}.yaml"
        path.write_text(
            f"name: {name}\nworkdir: .\nresources: {{market: spot}}\nvolume: {{size: 1GB}}\n"
            f"outputs: [result.txt]\nenvs: {{STEPS: {steps}}}\nrun: |\n  {run}\n{extra}"
        )
        return str(path)

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "fleet.cli", *words]
        return subprocess.Popen(
            command,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            preexec_fn=hear_ctrl_c,
            **more,
        )

    def run(self, *words: str, code: int = 0, timeout: float = 60) -> tuple[str, str]:
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        assert process.returncode == code, (process.returncode, out, err)
        assert "Traceback" not in err
        return out, err

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "-o", "json", code=code)[0])

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("ps")
        return found

    def until(self, check: Callable[[], Any], seconds: float = 40) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = check()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"it never came to pass: {self.runs()}")

    def up_and_interrupted(self, *words: str) -> str:
        """`fleet up`, then Ctrl-C once training has begun; what it said last."""
        process = self.start("up", *words, start_new_session=True)
        self.until(lambda: any(run["step"] for run in self.runs()))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everything in the foreground
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130, (out, err)
        assert "Traceback" not in err
        return err


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


def test_a_job_is_started_followed_and_its_outputs_exported(shell: Shell) -> None:
    out, _ = shell.run("up", shell.job())
    for word in ("created", "launching", "launched", "began", "resumed", "checkpoint", "finished", "released", "ended"):
        assert word in out
    assert "succeeded" in out
    assert "cost $0.00" in out
    assert "volume vol-" in out
    assert "models/count/" in out
    result = shell.home.path / "bucket" / layout.models("count") / "result.txt"
    assert result.read_text() == "counted to 10"
    run = shell.runs()[0]
    assert (run["state"], run["step"], run["interruptions"], run["name"]) == ("succeeded", 10, 0, "count")
    assert 0 < run["cost_usd"] < run["on_demand_usd"]


def test_up_prints_one_object_for_programs(shell: Shell) -> None:
    told = shell.json("up", shell.job())
    assert told["state"] == "succeeded"
    assert told["attempt"] == 1
    assert set(told) == set(shell.runs()[0])


def test_a_training_that_fails_ends_the_run_with_its_last_words(shell: Shell) -> None:
    job = shell.job(run="echo it broke here; exit 3", extra="retries: {training: 0}\n")
    out, _ = shell.run("up", job, code=4)
    assert "exit code 3" in out
    assert "it broke here" in out
    assert shell.runs()[0]["state"] == "failed"


def test_a_wrong_job_costs_nothing_and_says_where(shell: Shell) -> None:
    path = shell.folder / "wrong.yaml"
    path.write_text("name: Wrong\nrun: x\nvolume:\n  size: 500\n")
    _, err = shell.run("up", str(path), code=3)
    assert f"{path}:1:7:" in err
    assert f"{path}:4:9:" in err
    assert not (shell.home.path / "bucket").exists()


def test_ctrl_c_leaves_the_run_going_and_says_so_and_a_controller_finishes_it(shell: Shell) -> None:
    said = shell.up_and_interrupted(shell.job(steps=80))
    assert "goes on" in said
    assert "/h" in said
    assert "fleet controller run" in said
    assert "fleet stop count" in said
    assert shell.runs()[0]["state"] == "training"
    watcher = shell.start("controller", "run", start_new_session=True)
    shell.until(lambda: shell.runs()[0]["state"] == "succeeded" and shell.runs()[0]["usd_per_hour"] < 0.01)
    os.killpg(watcher.pid, signal.SIGINT)
    out, err = watcher.communicate(timeout=20)
    assert watcher.returncode == 130
    assert "ended" in out
    assert "0 machine(s) go on" in err


def test_a_run_that_was_left_alone_is_relaunched_by_whoever_watches(shell: Shell) -> None:
    set_market(shell.home.local, {"kind": "schedule", "take_backs": [{"after": 1.5, "from": "training"}]})
    shell.up_and_interrupted(shell.job(steps=80))
    time.sleep(2)  # its machine is taken; nobody sees it
    assert shell.runs()[0]["attempt"] == 1
    for _ in range(400):
        shell.run("controller", "run", "--once")
        if shell.runs()[0]["state"] == "succeeded":
            break
    run = shell.runs()[0]
    assert (run["state"], run["attempt"], run["interruptions"]) == ("succeeded", 2, 1)
    assert (shell.home.path / "bucket/models/count/result.txt").read_text() == "counted to 80"


def test_stop_is_a_checkpoint_then_the_end(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=10_000))
    told = shell.json("stop", "count")
    assert told["state"] == "stopped"
    checkpoints = sorted((shell.home.path / "bucket/runs" / told["run"] / "checkpoints/1").iterdir())
    saved = int((checkpoints[-1] / "files" / "step").read_text())
    assert saved == told["step"]
    _, err = shell.run("stop", "count", code=1)
    assert "stopped already" in err


def test_down_ends_at_once(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=10_000))
    out, _ = shell.run("down", "count")
    assert "stopped" in out
    assert shell.runs()[0]["usd_per_hour"] < 0.001  # the volume is kept


def test_up_on_a_live_run_refuses_and_shows_the_difference(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=10_000))
    _, err = shell.run("up", shell.job(steps=20_000), code=1)
    assert "is live" in err
    assert "20000" in err
    assert "fleet stop count" in err
    assert len(shell.runs()) == 1


def test_detach_returns_once_the_machine_is_there(shell: Shell) -> None:
    out, _ = shell.run("up", "--detach", shell.job(steps=10_000))
    assert "goes on" in out
    assert shell.runs()[0]["state"] != "succeeded"


def test_logs_are_what_training_printed_and_can_be_followed(shell: Shell) -> None:
    process = shell.start("up", shell.job(steps=40))
    shell.until(lambda: any(run["step"] for run in shell.runs()))
    out, _ = shell.run("logs", "-f", "count")
    process.communicate(timeout=30)
    lines = out.splitlines()
    assert lines[0] == "begins at 0"
    assert [line for line in lines if "fleet.progress" in line][-1].startswith("fleet.progress step=40")
    assert shell.run("logs", "count", "--attempt", "1")[0] == out
    assert shell.run("logs", "count", "--attempt", "7")[0] == ""


def test_setup_runs_first_in_the_unpacked_workdir_with_the_environment(shell: Shell) -> None:
    (shell.folder / "job" / "data.txt").write_text("packed")
    run = "cat data.txt made.txt; echo $COLOUR $FLEET_ATTEMPT; test -d $FLEET_CHECKPOINTS; echo x > result.txt"
    job = shell.job(run=run, extra="setup: echo setup > made.txt\n")
    text = Path(job).read_text().replace("envs: {", "envs: {COLOUR: blue, ")
    Path(job).write_text(text)
    shell.run("up", job)
    assert shell.run("logs", "count")[0] == "packedsetup\nblue 1\n"


def test_without_an_offer_that_fits_the_user_is_told_why_it_waits(shell: Shell) -> None:
    job = shell.job()
    Path(job).write_text(Path(job).read_text().replace("{market: spot}", "{market: spot, max_price: $0.01}"))
    process = shell.start("up", job, start_new_session=True)
    assert process.stdout is not None
    said = next(line for line in process.stdout if "no offer fits" in line)
    assert "max_price $0.01" in said
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    shell.run("stop", "count")


def test_a_time_limit_ends_the_run(shell: Shell) -> None:
    out, _ = shell.run("up", shell.job(steps=10_000, extra="max_duration: 24s\n"), code=4)
    assert "over-budget" in out or "max_duration" in out
    assert shell.runs()[0]["state"] == "over-budget"


def test_there_is_nothing_to_see_at_first(shell: Shell) -> None:
    assert "fleet up" in shell.run("ps")[0]
    assert shell.json("ps") == []
    _, err = shell.run("logs", "nothing", code=1)
    assert "there is no run 'nothing'" in err
    _, err = shell.run("controller", "run", "--once", code=1)
    assert "there is no fleet yet" in err
    assert "No runs" in shell.run("ps")[0]


def test_a_torn_journal_is_named_and_repaired(shell: Shell) -> None:
    shell.run("up", shell.job())
    entries = sorted((shell.home.path / "bucket" / "journal").glob("*.json"))
    torn = entries[-1].with_name(f"{len(entries) + 1:012d}.json")
    torn.write_text("{")
    _, err = shell.run("ps", code=1)
    assert "is torn" in err
    assert "fleet journal repair" in err
    out, _ = shell.run("journal", "repair")
    assert torn.stem in out
    assert shell.runs()[0]["state"] == "succeeded"
    assert "needs no repair" in shell.run("journal", "repair")[0]


def test_a_bucket_is_named_by_its_url(shell: Shell) -> None:
    job = shell.job(extra=f"bucket: {(shell.folder / 'elsewhere').as_uri()}\n")
    shell.run("up", job)
    assert (shell.folder / "elsewhere" / "fleet.json").exists()
    assert shell.runs()[0]["state"] == "succeeded"
    assert shell.json("ps", "--bucket", (shell.folder / "elsewhere").as_uri())[0]["name"] == "count"
    _, err = shell.run("ps", "--bucket", (shell.folder / "nowhere").as_uri(), code=1)
    assert "there is no fleet" in err


def test_no_traceback_reaches_a_user_unless_asked_for(shell: Shell) -> None:
    (shell.folder / "file").write_text("")
    shell.env["FLEET_HOME"] = str(shell.folder / "file" / "home")
    _, err = shell.run("ps", code=1)
    assert "FLEET_HOME" in err
    process = shell.start("--debug", "ps")
    _, err = process.communicate(timeout=20)
    assert "Traceback" in err


@pytest.mark.parametrize("words", [["no-such-command"], ["up"], ["up", "x", "--no-such-option"], ["ps", "-o", "xml"]])
def test_wrong_usage_is_exit_code_two(shell: Shell, words: list[str]) -> None:
    _, err = shell.run(*words, code=2)
    assert "Usage" in err

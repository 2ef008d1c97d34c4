"""Looking back, looking ahead and cleaning up, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.cli.init import COMMAND
from fleet.cli.init_stack import JOB
from fleet.model.jobfile import parse_job
from fleet.providers.local.provider import LocalProvider, stop_everything
from tests.fake_docker import FakeDocker
from tests.unit.cli.test_commands import Shell
from tests.unit.providers.test_local import Local


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    stop_everything(made.home.local)


@pytest.fixture
def done(shell: Shell) -> Shell:
    """A run that is over."""
    shell.run("up", shell.job())
    return shell


def holds(shell: Shell, folder: str, step: int | None) -> bool:
    """A checkpoint names the last step that was reported when it was staged, if any was: its file may be ahead of that."""
    return int((shell.folder / folder / "step").read_text()) >= (step or 0)


def test_init_writes_a_job_that_runs_as_it_stands_and_never_over_another(shell: Shell) -> None:
    assert parse_job(COMMAND, "x").name == "my-job"
    out, _ = shell.run("init", "command", "--into", "new")
    assert "fleet plan" in out
    shell.run("up", "new")
    assert "train here" in shell.run("logs", "my-job")[0]
    _, err = shell.run("init", "command", "--into", "new", code=1)
    assert "--force" in err
    shell.run("init", "racer", "--into", "car")
    assert (shell.folder / "car" / "reward_function.py").exists()
    shell.run("init", "stack", "--into", "stack")
    assert (shell.folder / "stack" / "compose.yaml").exists()
    (shell.folder / "mine").mkdir()
    (shell.folder / "mine" / "train.sh").write_text("mine")
    assert "train.sh is there already" in shell.run("init", "stack", "--into", "mine", code=1)[1]
    assert not (shell.folder / "mine" / "fleet.yaml").exists()
    assert "no kind of job" in shell.run("init", "poem", code=1)[1]


def test_plan_shows_prices_and_the_choice_and_makes_nothing(shell: Shell) -> None:
    job = shell.job()
    told = shell.json("plan", job)
    assert [o["chosen"] for o in told["offers"]].count(True) == 1
    chosen = next(o for o in told["offers"] if o["chosen"])
    assert chosen["usd_per_hour"] == min(o["usd_per_hour"] for o in told["offers"])
    assert chosen["with_volume_usd_per_day"] == pytest.approx(24 * chosen["with_volume_usd_per_hour"], rel=1e-6)
    assert told["makes"]["volume_gb"] == 1
    assert "for an hour of training, the least of" in told["why"]
    assert told["forecast"] is None
    out, _ = shell.run("plan", job)
    assert "chosen" in out
    assert f"fleet up {job}" in out
    assert not (shell.home.path / "bucket").exists()
    text = Path(job).read_text()
    Path(job).write_text(text.replace("{market: spot}", "{market: spot, accelerators: K80:2}"))
    assert {o["offer"].split("/")[3] for o in shell.json("plan", job)["offers"]} == {"large"}
    Path(job).write_text(text.replace("{market: spot}", "{market: spot, accelerators: H100}"))
    assert "no offer fits" in shell.run("plan", job, code=1)[1]


def test_offers_are_ranked_by_what_training_on_them_costs_and_nothing_is_made(shell: Shell) -> None:
    told = shell.json("offers", "--infra", "local", "--market", "spot")
    costs = [one["usd_per_training_hour"] for one in told["offers"]]
    assert costs == sorted(costs)
    assert [one["chosen"] for one in told["offers"]] == [True, *[False] * (len(costs) - 1)]
    for one in told["offers"]:
        assert 0 < one["overhead_share"] < 1
        assert one["usd_per_training_hour"] > one["with_all_usd_per_hour"] > one["usd_per_hour"]
        assert one["chance_taken_1h"] < one["chance_taken_6h"]
        assert (one["speed_ratio"], one["launched_count"], one["interruption"]) == (None, 0, None)
    out, _ = shell.run("offers", shell.job())
    assert out.splitlines()[0].split()[:4] == ["ZONE", "TYPE", "MARKET", "TRAINING/H"]
    assert "speed is not known" in out
    assert {o["instance_type"] for o in shell.json("offers", "--type", "large", "--gpu", "K80")["offers"]} == {"large"}
    assert "no offer fits" in shell.run("offers", "--gpu", "H100", code=1)[1]
    assert "accelerators" in shell.run("offers", "--gpu", "no such!", code=1)[1]
    assert "give either" in shell.run("offers", shell.job(), "--gpu", "K80", code=2)[1]
    assert not (shell.home.path / "bucket").exists()


def test_a_narrow_terminal_gets_blocks_instead_of_broken_lines(shell: Shell) -> None:
    shell.env["COLUMNS"] = "40"
    out, _ = shell.run("plan", shell.job())
    assert "MARKET         spot" in out.splitlines()


def test_status_tells_why_what_it_cost_and_what_comes_next(done: Shell) -> None:
    done.run("note", "count", "the first one")
    told = done.json("status", "count")
    assert (told["state"], told["next"], told["notes"]) == ("succeeded", "nothing: it is done", ["the first one"])
    out, _ = done.run("status", "count")
    bought = told["bought"]
    parts = ("training", "boot", "restore", "lost", "idle", "leaving")
    machine = sum(bought["time"][f"{part}_seconds"] for part in parts)
    assert machine == pytest.approx(bought["time"]["machine_seconds"])
    assert bought["time"]["training_seconds"] > 0 < bought["steps"]
    assert sum(bought["money"][f"{part}_usd"] for part in parts) == pytest.approx(told["compute_usd"], abs=1e-9)
    for word in ("why ", "spent ", "time ", "bought ", "lost ", "next ", "note      the first one", "launched", "ended"):
        assert word in out
    assert "a note has words" in done.run("note", "count", "  ", code=1)[1]


def test_status_of_a_run_that_nobody_watches_says_what_is_missing(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=10_000))
    assert (
        "unless its lease is renewed" in shell.json("status", "count")["next"]
        or "goes on" in shell.json("status", "count")["next"]
    )
    shell.run("stop", "count")
    assert "fleet resume count" in shell.json("status", "count")["next"]


def test_events_are_lines_of_text_or_json(done: Shell) -> None:
    lines = [json.loads(line) for line in done.run("events", "count", "-o", "json")[0].splitlines()]
    assert lines[0]["type"] == "run-created"
    assert "run-ended" in {line["type"] for line in lines}
    assert [line["entry"] for line in lines] == sorted(line["entry"] for line in lines)
    assert len(done.run("events")[0].splitlines()) == len(lines)


def test_a_stopped_run_is_resumed_from_its_checkpoint(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=60))
    stopped = shell.json("stop", "count")
    told = shell.json("resume", "count")
    assert (told["state"], told["run"], told["step"]) == ("succeeded", stopped["run"], 60)
    assert told["attempt"] == 2
    log = shell.run("logs", "count", "--attempt", "2")[0]
    assert int(log.split()[2]) >= 1
    assert int(log.split()[2]) == stopped["step"]
    assert (shell.home.path / "bucket/models/count/result.txt").read_text() == "counted to 60"


def test_a_run_that_failed_is_resumed_once_its_fault_is_mended(shell: Shell) -> None:
    flag = shell.folder / "mended"
    job = shell.job(run=f"test -e {flag} && python count.py", extra="retries: {training: 0}\n")
    shell.run("up", job, code=4)
    flag.touch()
    assert shell.json("resume", "count", "--budget", "$5")["state"] == "succeeded"
    assert "no amount of money" in shell.run("resume", "count", "--budget", "lots", code=1)[1]


def test_a_live_run_is_not_resumed(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=10_000))
    assert "is live" in shell.run("resume", "count", code=1)[1]


def test_checkpoints_are_listed_verified_pulled_and_pruned(done: Shell) -> None:
    found = done.json("checkpoints", "list", "count")
    assert found[0]["status"] == "newest"
    assert (found[0]["step"], found[0]["files"]) == (10, 1)
    assert 2 <= len(found) <= 5
    assert "newest" in done.run("checkpoints", "list", "count")[0]
    assert all(one["whole"] for one in done.json("checkpoints", "verify", "count", "--all"))
    done.run("checkpoints", "pull", "count", "--into", "pulled")
    assert (done.folder / "pulled" / "step").read_text() == "10"
    assert "not empty" in done.run("checkpoints", "pull", "count", "--into", "pulled", code=1)[1]
    done.run("checkpoints", "pull", "count", found[-1]["checkpoint"], "--into", "older")
    assert holds(done, "older", found[-1]["step"])
    assert "names no checkpoint" in done.run("checkpoints", "pull", "count", "latest", "--into", "x", code=1)[1]
    assert "has no checkpoint 9/9" in done.run("checkpoints", "pull", "count", "9/9", "--into", "x", code=1)[1]
    assert "--yes" in done.run("checkpoints", "prune", "count", code=1)[1]
    done.run("checkpoints", "prune", "count", "--keep", "1", "--yes")
    assert len(done.json("checkpoints", "list", "count")) == 1


def test_a_broken_checkpoint_is_found_and_passed_over(done: Shell) -> None:
    found = done.json("checkpoints", "list", "count")
    attempt, seq = found[0]["checkpoint"].split("/")
    run = done.runs()[0]["run"]
    file = done.home.path / "bucket" / "runs" / run / "checkpoints" / attempt / f"{int(seq):08d}" / "files" / "step"
    file.write_text("1?")
    assert "BROKEN" in done.run("checkpoints", "verify", "count", code=1)[0]
    done.run("checkpoints", "pull", "count", "--into", "pulled")
    assert holds(done, "pulled", found[1]["step"])


def test_volumes_are_listed_with_their_price_and_deleted_on_a_word(done: Shell) -> None:
    found = done.json("volumes", "list")
    assert len(found) == 1
    assert (found[0]["run"], found[0]["usd_per_month"], found[0]["live"]) == (done.runs()[0]["run"], 0.08, False)
    assert found[0]["volume"] in done.run("volumes", "list")[0]
    assert "--yes" in done.run("volumes", "delete", found[0]["volume"], code=1)[1]
    done.run("volumes", "delete", found[0]["volume"], "--yes")
    assert done.json("volumes", "list") == []
    assert done.runs()[0]["usd_per_hour"] == 0
    assert "there is no volume" in done.run("volumes", "delete", "vol-1", "--yes", code=1)[1]


def test_a_volume_in_use_is_not_deleted(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=10_000))
    volume = shell.json("volumes", "list")[0]
    assert volume["live"]
    assert "goes on" in shell.run("volumes", "delete", volume["volume"], "--yes", code=1)[1]


def test_a_resumed_run_gets_a_new_volume_if_its_old_one_was_deleted(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=40))
    stopped = shell.json("stop", "count")
    shell.run("volumes", "delete", shell.json("volumes", "list")[0]["volume"], "--yes")
    told = shell.json("resume", "count")
    assert (told["state"], told["step"]) == ("succeeded", 40)
    assert int(shell.run("logs", "count", "--attempt", "2")[0].split()[2]) == stopped["step"]


def test_what_no_run_owns_is_shown_and_ended_on_a_word(done: Shell) -> None:
    assert done.json("gc") == []
    fleet_id = json.loads((done.home.path / "bucket" / "fleet.json").read_text())["fleet_id"]
    local = Local(done.home.local)
    local.provider = LocalProvider(done.home.local, fleet_id, agent_command=["sleep", "600"])
    tags = {"fleet": fleet_id, "run": "forgotten-1", "attempt": "1", "try": "1", "token": "t"}
    made = local.provider.launch(local.request(tags=tags, volume={"kind": "new", "size_gb": 10}))
    found = done.json("gc")
    assert {(one["kind"], one["id"]) for one in found} >= {("machine", made.instance_id)}
    assert {one["kind"] for one in found} == {"machine", "volume"}
    assert all(one["usd_per_month"] > 0 for one in found)
    assert "fleet gc --delete" in done.run("gc")[0]
    done.run("gc", "--delete", "--yes", code=1)  # the disk is held until its machine is off

    def sweep() -> bool:
        process = done.start("gc", "--delete", "--yes")
        process.communicate(timeout=60)
        return process.returncode == 0

    done.until(sweep)
    assert done.json("gc") == []


def test_doctor_finds_a_home_that_cannot_be_written_and_a_bucket_that_is_a_file(shell: Shell) -> None:
    told = {one["what"]: one["state"] for one in shell.json("doctor")}
    assert {told["python"], told["home"], told["bucket"], told["processes"]} == {"good"}
    (shell.folder / "file").write_text("")
    out, _ = shell.run("doctor", "--bucket", (shell.folder / "file").as_uri(), code=1)
    assert "is a file" in out
    shell.env["FLEET_HOME"] = str(shell.folder / "file" / "home")
    out, _ = shell.run("doctor", code=1)
    assert "bad   home" in out


@pytest.mark.parametrize(
    ("without", "told"), [({"docker": False}, "no docker command"), ({"v2": None}, "no docker compose on this computer")]
)
def test_a_stack_is_refused_before_anything_is_recorded_where_it_cannot_run(
    shell: Shell, without: dict[str, Any], told: str
) -> None:
    docker = FakeDocker(shell.folder / "bin", **without)
    shell.env["PATH"] = docker.env["PATH"]
    shell.run("init", "stack", "--into", "stack")
    for command in ("plan", "up"):
        _, err = shell.run(command, "stack", code=1)
        assert "the job's stack (compose.yaml) cannot run on this computer" in err
        assert told in err
        assert "docs.docker.com" in err
        assert "fleet doctor" in err
    assert shell.runs() == []
    found = {one["what"]: one for one in shell.json("doctor")}
    assert found["compose"]["state"] == "note"
    assert told in found["compose"]["told"]
    assert "only jobs with a stack need it" in found["compose"]["told"]
    assert found["docker"]["state"] == ("note" if "docker" in without else "good")


def test_doctor_names_engine_and_compose(shell: Shell) -> None:
    shell.env["PATH"] = FakeDocker(shell.folder / "bin").env["PATH"]
    found = {one["what"]: one for one in shell.json("doctor")}
    assert (found["docker"]["state"], found["compose"]["state"]) == ("good", "good")
    assert found["compose"]["told"] == "docker engine 20.10.24, docker compose 2.30.1"


def test_the_schema_takes_what_fleet_takes_and_refuses_what_it_refuses(shell: Shell) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(shell.run("job", "schema")[0])
    good = [
        COMMAND,
        JOB,
        (Path(__file__).parents[3] / "examples/racer/fleet.yaml").read_text(),
        Path(shell.job()).read_text(),
    ]
    for text in good:
        jsonschema.validate(yaml.safe_load(text), schema)
    base = yaml.safe_load(COMMAND)
    for wrong in ({"naem": "x"}, {"volume": {"size": 500}}, {"max_duration": "soon"}, {"resources": {"market": "spto"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**base, **wrong}, schema)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: Shell, name: str) -> None:
    out, _ = shell.run("completion", name)
    assert "_FLEET_COMPLETE" in out
    if name == "bash":
        subprocess.run(["bash", "-n"], input=out, text=True, check=True)
    assert "no completion" in shell.run("completion", "powershell", code=1)[1]


def test_nothing_is_coloured_for_a_pipe(shell: Shell) -> None:
    shell.env |= {"NO_COLOR": "1", "TERM": os.environ.get("TERM", "xterm")}
    for words in (["--help"], ["ps"], ["plan", shell.job()]):
        assert "\x1b" not in shell.run(*words)[0]


def test_files_are_mounted_into_the_workdir_and_below_the_root(shell: Shell) -> None:
    (shell.folder / "shared").mkdir()
    (shell.folder / "shared" / "words.txt").write_text("mounted")
    (shell.folder / "one.txt").write_text("single")
    run = "cat data/words.txt config/one.txt $FLEET_ROOT/deep/er/words.txt; echo x > result.txt"
    mounts = "file_mounts: {data: ../shared, config/one.txt: ../one.txt, /deep/er: ../shared}\n"
    shell.run("up", shell.job(run=run, extra=mounts))
    assert shell.run("logs", "count")[0] == "mountedsinglemounted"
    _, err = shell.run("up", shell.job(extra="file_mounts: {data: ../nowhere}\n"), code=3)
    assert "there is no" in err


def test_a_secret_is_handed_on_and_stored_nowhere(shell: Shell) -> None:
    job = shell.job(
        run="test ${#API_TOKEN} = 19; echo token is $API_TOKEN; echo x > result.txt", extra="secrets: [API_TOKEN]\n"
    )
    process = shell.start("up", job, start_new_session=True)
    assert process.stdout is not None
    assert any("API_TOKEN" in line for line in iter(process.stdout.readline, ""))  # it waits, and says for what
    process.kill()
    process.communicate(timeout=20)
    shell.env["API_TOKEN"] = "canary-" + "0123456789ab"
    shell.run("controller", "run", "--once")
    shell.until(lambda: shell.run("controller", "run", "--once") and shell.runs()[0]["state"] == "succeeded")
    assert shell.run("logs", "count")[0] == "token is ***\n"
    everything = [p for p in shell.folder.rglob("*") if p.is_file()]
    assert len(everything) > 20
    assert not [p for p in everything if b"canary-0123456789ab" in p.read_bytes()]


def test_a_command_runs_beside_the_training(shell: Shell) -> None:
    assert "no run" in shell.run("exec", "count", "--", "ls", code=1)[1]
    shell.up_and_interrupted(shell.job(steps=10_000))
    out, _ = shell.run("exec", "count", "--", "sh", "-c", "ls; echo $FLEET_ATTEMPT $STEPS; cat $FLEET_CHECKPOINTS/step")
    assert "count.py" in out
    assert "1 10000" in out
    shell.run("exec", "count", "--", "sh", "-c", "exit 7", code=7)
    assert "cannot be started" in shell.run("exec", "count", "--", "no-such-program", code=1)[1]
    shell.run("exec", "count", "--", "sh", "-c", "kill -TERM $$", code=128 + signal.SIGTERM)
    shell.run("stop", "count")
    assert "has no machine" in shell.run("exec", "count", "--", "ls", code=1)[1]


def test_a_shell_opens_where_the_training_runs_and_ports_need_no_forwarding_here(shell: Shell) -> None:
    shell.up_and_interrupted(shell.job(steps=10_000))
    shell.env["SHELL"] = "/bin/sh"
    process = shell.start("ssh", "count", stdin=subprocess.PIPE)
    out, err = process.communicate("ls; echo $STEPS; exit 7\n", timeout=30)
    assert (process.returncode, err) == (7, "")
    assert "count.py" in out
    assert "10000" in out
    out, _ = shell.run("forward", "count", "8080:80", "9000")
    assert out.splitlines()[0].endswith("runs on this computer, where nothing needs forwarding: http://127.0.0.1:80")
    assert out.splitlines()[1].endswith("http://127.0.0.1:9000")
    assert "no port" in shell.run("forward", "count", "http", code=1)[1]
    shell.run("down", "count")
    for words in (["ssh", "count"], ["forward", "count", "80"]):
        assert "has no machine" in shell.run(*words, code=1)[1]


def test_a_controller_is_installed_shown_and_removed(shell: Shell) -> None:
    """With a stand-in for systemctl that writes down how it was called."""
    tools = shell.folder / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {shell.folder}/calls\n')
    (tools / "systemctl").chmod(0o755)
    shell.env |= {"PATH": f"{tools}:{shell.env['PATH']}", "HOME": str(shell.folder), "XDG_CONFIG_HOME": ""}
    unit = shell.folder / ".config" / "systemd" / "user" / "fleet-controller.service"
    assert "No controller" in shell.run("controller", "status", code=1)[0]
    out, err = shell.run("controller", "install", code=1)
    assert "ExecStart" in out
    assert "--yes" in err
    assert not unit.exists()
    shell.run("controller", "install", "--yes")
    assert f"FLEET_HOME={shell.home.path}" in unit.read_text()
    assert "FLEET_CONTROLLER=service" in unit.read_text()  # so that it is told of as what it is
    assert "A controller runs" in shell.run("controller", "status")[0]
    assert shell.json("controller", "status") == {"installed": True, "running": True, "file": str(unit)}
    shell.run("controller", "uninstall", "--yes")
    assert not unit.exists()
    calls = (shell.folder / "calls").read_text()
    assert "--user enable --now fleet-controller.service" in calls
    assert "--user disable --now fleet-controller.service" in calls
    assert "no controller is installed" in shell.run("controller", "uninstall", "--yes", code=1)[1]


def test_without_a_service_manager_the_user_is_told_what_does_it_instead(shell: Shell) -> None:
    shell.env |= {"PATH": "/nowhere", "HOME": str(shell.folder), "XDG_CONFIG_HOME": ""}
    _, err = shell.run("controller", "install", "--yes", code=1)
    assert "cron" in err


def test_on_macos_the_service_is_a_launchd_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import plistlib

    from fleet.cli.service import service_for
    from fleet.control.home import Home

    monkeypatch.setenv("HOME", str(tmp_path))
    service = service_for(Home(tmp_path / "home"), "darwin")
    assert plistlib.loads(service.text.encode())["ProgramArguments"][-2:] == ["controller", "run"]
    assert service.path.parent == tmp_path / "Library" / "LaunchAgents"
    with pytest.raises(Exception, match="no service manager"):
        service_for(Home(tmp_path / "home"), "win32")


def test_a_named_volume_is_had_by_one_run_after_another_with_everything_on_it(shell: Shell) -> None:
    def job(name: str, run: str) -> str:
        path = Path(shell.job(name=name, run=run))
        path.write_text(path.read_text().replace("volume: {size: 1GB}", "volume: {size: 1GB, name: data}"))
        return str(path)

    first = shell.start("up", job("first", "echo kept > $FLEET_VOLUME/set.txt; sleep 2; echo x > result.txt"))
    shell.until(lambda: [r for r in shell.runs() if r["state"] == "training"])
    out, _ = shell.run("up", job("second", "cat $FLEET_VOLUME/set.txt; echo x > result.txt"))
    first.communicate(timeout=30)
    assert "the volume 'data' is for run first-" in out
    assert "comes from run first-" in out
    assert shell.run("logs", "second")[0] == "kept\n"
    volumes = shell.json("volumes", "list")
    assert [v["run"].split("-")[0] for v in volumes] == ["second"]
    told = {run["name"]: run for run in shell.runs()}
    assert told["first"]["volume"] is None
    assert told["first"]["usd_per_hour"] == 0
    plan = shell.json("plan", job("third", "true"))
    assert {o["offer"].split("/")[2] for o in plan["offers"] if o["chosen"]} == {volumes[0]["zone"]}
    assert "is in its zone" in plan["why"]
    shell.run("volumes", "delete", volumes[0]["volume"], "--yes")
    shell.run("up", job("third", "test ! -e $FLEET_VOLUME/set.txt; echo x > result.txt"))

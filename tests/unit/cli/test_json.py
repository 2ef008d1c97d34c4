"""What programs get: the real output of every command against its schema, in every state that a run may be in."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from fleet.cli import objects
from fleet.cli.schemas import NO_JSON, PRINTED, schema_of
from fleet.cli.views import run_object
from fleet.control.runs import RunView
from fleet.core.costs import RunCost
from fleet.core.state import RunState
from fleet.model.documents import AgentPhase, Heartbeat
from fleet.model.job import Job
from fleet.providers.local.provider import stop_everything
from tests.unit.cli.test_commands import Shell
from tests.unit.cli.test_docs import commands


def closed(schema: Any) -> Any:
    """The schema without room for fields that are not documented."""
    if isinstance(schema, dict):
        known = {key: closed(value) for key, value in schema.items()}
        return (
            {**known, "additionalProperties": known.get("additionalProperties", False)} if "properties" in known else known
        )
    return [closed(one) for one in schema] if isinstance(schema, list) else schema


def check(name: str, value: Any) -> Any:
    """The value, which is as its schema says, with nothing beside."""
    schema = closed(schema_of(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


class Checked(Shell):
    """A terminal whose commands are asked for JSON; their output is held against the schema of what they print."""

    def told(self, *words: str, code: int = 0) -> Any:
        name = next(name for name, printed in PRINTED.items() if " ".join(words[:2]).split(" -")[0] in printed.commands
                    or words[0] in printed.commands)  # fmt: skip
        out, _ = self.run(*words, "-o", "json", code=code)
        if PRINTED[name].lines:
            return [check(name, json.loads(line)) for line in out.splitlines()]
        return check(name, json.loads(out))

    def refused(self, *words: str, code: int = 1) -> Any:
        out, err = self.run(*words, "-o", "json", code=code)
        told = check("error", json.loads(out))["error"]
        assert told["exit_code"] == code
        assert told["message"] in err
        assert told["hint"] in err
        return told


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Checked]:
    made = Checked(tmp_path)
    yield made
    stop_everything(made.home.local)


def test_every_command_takes_o_json_or_says_why_not() -> None:
    known = commands()
    with_json = {name for name, command in known.items() if any(p.name == "output" for p in command.params)}
    assert known.keys() - with_json == NO_JSON.keys()
    assert {command for printed in PRINTED.values() for command in printed.commands} == with_json


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_every_field_of_every_object_is_documented(name: str) -> None:
    schema = schema_of(name)
    assert schema["$schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    for model in [schema, *schema.get("$defs", {}).values()] if name != "event" else ():
        for field, what in model.get("properties", {}).items():
            assert what.get("description"), f"{name}: {field}"
            plain = (
                "at",
                "metrics",
                "min",
                "max",
                "reward",
                "quantity",
                "largest",
                "norm",
            )  # times, the user's own numbers, what has a ``unit``, weights
            unit = (
                "usd",
                "seconds",
                "_gb",
                "bytes",
                "steps",
                "_at",
                "_hours",
                "percent",
                "chance",
                "share",
                "ratio",
                "_count",
            )
            assert '"number"' not in json.dumps(what) or any(u in field for u in unit) or field in plain, field


def test_runs_in_every_state_are_as_documented(shell: Checked) -> None:
    poor = shell.job(name="poor")
    Path(poor).write_text(Path(poor).read_text().replace("{market: spot}", "{market: spot, max_price: $0.01}"))
    waiting = shell.start("up", poor, "-o", "json", start_new_session=True)
    assert shell.told("up", shell.job(name="good"))["state"] == "succeeded"
    failed = shell.told("up", shell.job(name="bad", run="exit 3", extra="retries: {training: 0}\n"), code=4)
    assert failed["state"] == "failed"
    assert shell.told("up", "--detach", shell.job(name="long", steps=10_000))["ended_at"] is None
    shell.told("controller", "run", "--once")
    shell.until(lambda: {one["name"]: one["step"] for one in shell.told("ps")}["long"])
    assert shell.told("status", "long")["state"] == "training"
    seen = {one["name"]: one["state"] for one in shell.told("ps")}
    assert seen == {"poor": "waiting", "good": "succeeded", "bad": "failed", "long": "training"}
    assert shell.told("status", "poor")["watchers"][0]["process"] == waiting.pid
    assert [one["process"] for one in shell.told("controller", "list") if one["command"] == "follows poor"] == [waiting.pid]
    os.killpg(waiting.pid, signal.SIGINT)
    out, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == 130
    assert check("run", json.loads(out))["state"] == "waiting"
    assert shell.told("status", "poor")["watchers"] == []
    assert shell.told("stop", "long")["state"] == "stopped"
    assert shell.told("down", "poor")["state"] == "stopped"
    for name in seen:
        assert shell.told("status", name)["ended_at"] is not None
    types = {event["type"] for event in shell.told("events")}
    assert types >= {"run-created", "launch-intended", "attempt-began", "attempt-gone", "stop-requested", "run-ended"}
    assert {event["run_id"] for event in shell.told("events", "-f", "bad")} == {failed["run"]}


def test_commands_that_change_something_tell_what(shell: Checked) -> None:
    assert shell.told("ps") == []
    assert shell.told("controller", "list") == []
    assert shell.told("volumes", "list") == []
    assert shell.told("init", "command", "--into", "new")["file"] == "new/fleet.yaml"
    assert shell.told("plan", "new")["offers"][0]["steps_per_second"] is None
    assert shell.told("offers", "new")["offers"][0]["launched_count"] == 0
    done = shell.told("up", shell.job())
    assert done["state"] == "succeeded"
    assert sum(one["launched_count"] for one in shell.told("offers", shell.job())["offers"]) > 0.99
    assert shell.told("note", "count", " a word ") == {"run": done["run"], "note": "a word"}
    assert shell.told("status", "count")["notes"] == ["a word"]
    lines = shell.told("logs", "count")
    assert lines[0] == {"attempt": 1, "line": "begins at 0"}
    assert shell.told("logs", "count", "--attempt", "2") == []
    found = shell.told("checkpoints", "list", "count")
    assert [one["whole"] for one in shell.told("checkpoints", "verify", "count")] == [True]
    pulled = shell.told("checkpoints", "pull", "count", "--into", "got")
    assert (pulled["checkpoint"], pulled["step"]) == (found[0]["checkpoint"], 10)
    assert (Path(pulled["folder"]) / "step").read_text() == "10"
    pruned = shell.told("checkpoints", "prune", "count", "--keep", "1", "--yes")
    assert set(pruned["removed"]) == {one["checkpoint"] for one in found[1:]}
    assert not shell.told("journal", "repair")["repaired"]
    volume = shell.told("volumes", "list")[0]["volume"]
    assert shell.told("volumes", "delete", volume, "--yes")["volume"] == volume
    assert shell.told("gc") == []
    assert {one["state"] for one in shell.told("doctor")} <= {"good", "note"}
    assert shell.told("plan", shell.job())["offers"]


def test_a_controller_service_is_told_as_an_object(shell: Checked) -> None:
    tools = shell.folder / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\nexit 0\n")
    (tools / "systemctl").chmod(0o755)
    shell.env |= {"PATH": f"{tools}:{shell.env['PATH']}", "HOME": str(shell.folder), "XDG_CONFIG_HOME": ""}
    assert not shell.told("controller", "status", code=1)["installed"]
    assert shell.told("controller", "install", "--yes")["running"]
    assert shell.told("controller", "status")["installed"]
    assert not shell.told("controller", "uninstall", "--yes")["installed"]


def test_errors_are_objects_too_and_standard_error_stays(shell: Checked) -> None:
    wrong = shell.folder / "wrong.yaml"
    wrong.write_text("name: Wrong\nrun: x\n")
    assert shell.refused("up", str(wrong), code=3)["kind"] == "job"
    assert shell.refused("status", "nothing")["kind"] == "fleet"
    assert shell.refused("logs", "nothing")["kind"] == "fleet"
    (shell.folder / "file").write_text("")
    assert shell.refused("ps", "--bucket", (shell.folder / "file").as_uri())["kind"] == "store"
    assert shell.refused("init", "comand")["message"].endswith("did you mean 'command'?")
    out, err = shell.run("status", "nothing", code=1)
    assert (out, "there is no run" in err) == ("", True)
    assert shell.run("status", "-o", "json", code=2)[0] == ""


def view_of(**beat: Any) -> RunView:
    run = RunState(run_id="a-1", name="a", job=Job(name="a", run="x"), workdir_key=None, created_at=0.0)
    said = Heartbeat(run_id="a-1", attempt=1, instance_id="i", boot_id="b", beat=1, at=0.0, phase="training", **beat)
    return RunView(run, None, said, RunCost(compute=0, volumes=0, on_demand=0, rate=0))


def test_a_training_that_diverges_is_still_json() -> None:
    told = run_object(view_of(metrics={"loss": float("nan"), "reward": float("inf"), "step": 1.0}))
    assert told["metrics"] == {"loss": None, "reward": None, "step": 1.0}
    check("run", json.loads(json.dumps(told, allow_nan=False)))


def test_every_phase_of_an_agent_is_a_state() -> None:
    assert set(get_args(AgentPhase)) <= set(get_args(objects.State))


def test_schemas_are_listed_and_printed_and_the_nearest_is_named(shell: Checked) -> None:
    listed = shell.run("schema")[0].splitlines()
    assert [line.split()[0] for line in listed] == list(PRINTED)
    assert json.loads(shell.run("schema", "run")[0]) == schema_of("run")
    assert "did you mean 'status'?" in shell.run("schema", "staus", code=1)[1]


@pytest.mark.parametrize("break_it", [lambda run: run | {"new": 1}, lambda run: {**run, "cost_usd": "much"}, dict.popitem])
def test_the_schema_of_a_run_refuses_what_a_run_is_not(break_it: Callable[[Any], Any]) -> None:
    run: Any = dict(run_object(view_of()))
    check("run", run)
    broken = break_it(run)
    with pytest.raises(jsonschema.ValidationError):
        check("run", broken if isinstance(broken, dict) else run)

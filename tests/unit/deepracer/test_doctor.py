"""Every check, in what it finds right, wrong, and cannot tell; and the probe that they go by, with tools that are not."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.model.errors import FleetError
from fleet.workloads.deepracer import probe
from fleet.workloads.deepracer.doctor import CHECKS, examine, look_here, understood
from fleet.workloads.deepracer.probed import Answer, Line, Probed, Wish

GPU = Wish(gpu=True, training=True, training_seconds=60.0)
CPU = replace(GPU, gpu=False)
IDLE = Wish()


def good(out: str) -> Answer:
    return Answer(0, out, "")


def bad(out: str, code: int = 1) -> Answer:
    return Answer(code, out, "")


def missing(name: str) -> Answer:
    return Answer(None, "", f"{name}: No such file or directory")


def container(name: str, *, state: str = "running", status: str = "Up 2 hours", image: str = "x/deepracer-simapp:6",
              labels: str = "") -> str:  # fmt: skip
    return json.dumps({"Names": name, "State": state, "Status": status, "Image": image, "Labels": labels})


def ended(name: str, how: str) -> str:
    role = "simulator" if "simulator" in name else "trainer"
    return container(name, state="exited", status=f"Exited {how} ago", labels=f"fleet.role={role}")


RUNNING = [
    container("fleet-a-1-s3-1", image="minio/minio", labels="fleet.role=s3,x=y"),
    container("fleet-a-1-coach-1", labels="fleet.role=coach"),
    container("tmpab12_algo-1-xyz"),
    container("fleet-a-1-simulator-1", labels="fleet.role=simulator"),
]
FILES = (("bucket/a-1-1/model/5_Step-99.ckpt.index", 100, 300.0), ("bucket/a-1-1/model/.ready", 0, 900.0))
HEALTHY: Mapping[str, Answer] = {
    "engine": good("24.0.7\n"),
    "hello": good("\nHello from Docker!\nThis message shows\n"),
    "compose": good("v2.24.1\n"),
    "compose-1": missing("docker-compose"),
    "gpu": good("Tesla T4, 570.86.15, 15360 MiB, 7.5\n"),
    "gpu-old": good("Tesla T4, 570.86.15, 15360 MiB\n"),
    "gpu-use": good("/usr/bin/python3, 3000 MiB\n"),
    "gpu-in-docker": good("GPU 0: Tesla T4 (UUID: GPU-1234)\n"),
    "runtimes": good('{"nvidia":{"path":"nvidia-container-runtime"},"runc":{"path":"runc"}}\n'),
    "network": good("sagemaker-local (bridge)\n"),
    "containers": good("\n".join(RUNNING)),
    "images": good("x/deepracer-simapp:6\n"),
    "docker-disk": good("TYPE  TOTAL  ACTIVE  SIZE  RECLAIMABLE\nImages  4  2  21.5GB  1GB (5%)\n"),
    "pace": good(
        "Factor[0.91] SimTime[12.1] RealTime[13.1] Paused[F]\nFactor[0.93] SimTime[13.0] RealTime[14.1] Paused[F]\n"
    ),
}
MODEL = {"reward_function.py": "", "model_metadata.json": "", "hyperparameters.json": ""}


def seen(answers: Mapping[str, Answer] | None = None, **more: Any) -> Probed:
    told: dict[str, Any] = {
        "total": 500 * 10**9,
        "used": 100 * 10**9,
        "stack": FILES,
        "kept": (("5/model/5_Step-99.ckpt.index", 100, 290.0),),
        "model": MODEL,
        "actions": 10,
        "source_actions": 10,
    }
    return Probed(answers={**HEALTHY, **(answers or {})}, **{**told, **more})


def line(name: str, probed: Probed, wish: Wish = GPU) -> Line:
    return next(one for one in examine(probed, wish) if one.check == name)


def test_where_all_is_well_every_check_says_so() -> None:
    lines = examine(seen(), GPU)
    assert [one.state for one in lines] == ["ok"] * len(CHECKS)
    assert len({one.check for one in lines}) == 16
    assert not [one for one in lines if one.remedy]


def test_where_nothing_can_be_seen_nothing_is_guessed_and_nothing_of_the_stack_complains() -> None:
    lines = examine(Probed(), IDLE)
    assert {one.check for one in lines if one.state == "not ok"} == {"docker", "compose"}
    assert all(one.found for one in lines)


@pytest.mark.parametrize(
    ("name", "answers", "state", "says"),
    [
        ("docker", {"engine": missing("docker")}, "not ok", "No such file"),
        ("docker", {"engine": bad("permission denied while trying to connect")}, "not ok", "permission denied"),
        ("docker", {"hello": bad("docker: lookup registry.example: no such host", 125)}, "cannot tell", "no such host"),
        ("docker", {"hello": Answer(None, "", "docker run does not answer within 60 s")}, "cannot tell", "within 60 s"),
        ("docker", {"hello": bad("OCI runtime create failed: cgroup")}, "not ok", "cgroup"),
        ("compose", {"compose": bad("docker: 'compose' is not a command"), "compose-1": good("1.29.2")}, "ok", "1.29.2"),
        ("compose", {"compose": bad("x"), "compose-1": good("1.17.1")}, "not ok", "1.17.1"),
        ("compose", {"compose": bad("unknown command")}, "not ok", "unknown command"),
        ("driver", {"gpu": good("Tesla T4, 535.1, 15360 MiB, 7.5")}, "not ok", "560"),
        ("driver", {"gpu": missing("nvidia-smi"), "gpu-old": missing("nvidia-smi")}, "not ok", "nvidia-smi"),
        ("gpu", {"gpu": good("Tesla K10, 570.1, 8000 MiB, 3.0")}, "not ok", "older than any"),
        ("gpu", {"gpu": good("Quadro, 570.1, 4096 MiB, 7.5")}, "not ok", "6 GB"),
        ("gpu", {"gpu": bad("Field compute_cap is not a valid field")}, "cannot tell", "compute capability"),
        ("gpu in docker", {"gpu-in-docker": bad("could not select device driver")}, "not ok", "device driver"),
        ("gpu in docker", {"gpu-in-docker": Answer()}, "cannot tell", "no DeepRacer image"),
        ("runtime", {"runtimes": good('{"runc":{}}')}, "not ok", "not nvidia"),
        ("runtime", {"runtimes": bad("Cannot connect")}, "cannot tell", "Cannot connect"),
        ("network", {"network": bad("network sagemaker-local not found")}, "not ok", "is gone"),
        ("containers", {"containers": bad("Cannot connect")}, "cannot tell", "Cannot connect"),
        ("gpu in use", {"gpu-use": good("")}, "not ok", "no python"),
        ("gpu in use", {"gpu-use": good("/usr/lib/xorg/Xorg, 10 MiB")}, "not ok", "Xorg"),
        ("real-time factor", {"pace": good("Factor[0.31] SimTime[1]")}, "not ok", "0.31"),
        ("real-time factor", {"pace": good("real_time_factor: 0.97\n")}, "ok", "0.97"),
        ("real-time factor", {"pace": bad("gz: not found", 127)}, "cannot tell", "not found"),
        ("real-time factor", {"pace": Answer()}, "cannot tell", "no simulator"),
    ],
)  # fmt: skip
def test_what_a_tool_says_becomes_a_line(name: str, answers: dict[str, Answer], state: str, says: str) -> None:
    found = line(name, seen(answers))
    assert (found.state, says in found.found) == (state, True), found
    assert found.remedy or state != "not ok"


@pytest.mark.parametrize(
    ("name", "more", "state", "says"),
    [
        ("disk", {"used": 440 * 10**9}, "not ok", "88%"),
        ("disk", {"used": 490 * 10**9}, "not ok", "about to fail"),
        ("disk", {"total": 0}, "cannot tell", "not to be seen"),
        ("bucket", {"stack": ()}, "not ok", "nothing"),
        ("bucket", {"stack": None}, "cannot tell", "nothing of it"),
        ("custom files", {"model": {**MODEL, "reward_function.py": "line 3: invalid syntax"}}, "not ok", "line 3"),
        ("custom files", {"model": None}, "cannot tell", "nothing of it"),
        ("sync files", {"stack": (*FILES, ("bucket/a-1-1/model/.finished", 0, 10.0))}, "not ok", ".finished"),
        ("sync files", {"stack": (*FILES, ("bucket/a-1-1/model/.lock", 0, 500.0))}, "not ok", "8 minutes old"),
        ("sync files", {"stack": (*FILES, ("bucket/a-1-1/model/.lock", 0, 50.0))}, "ok", "50 s old"),
        ("sync files", {"stack": (("bucket/b/model/.finished", 0, 900.0), *FILES)}, "ok", "a-1-1"),
        ("sync files", {"stack": (("bucket/a-1-1-from/model/.finished", 0, 1.0), *FILES)}, "ok", "a-1-1:"),
        ("progress", {"stack": (("b/x/model/5_Step-1.ckpt.index", 1, 4000.0),), "kept": ()}, "not ok", "67 minutes"),
        ("progress", {"stack": (), "kept": ()}, "ok", "no set"),
        ("actions", {"actions": 5}, "not ok", "5, and 10"),
        ("actions", {"source_actions": None}, "cannot tell", "continuous"),
    ],
)
def test_what_lies_on_the_disk_becomes_a_line(name: str, more: dict[str, Any], state: str, says: str) -> None:
    found = line(name, seen(**more))
    assert (found.state, says in found.found) == (state, True), found


def test_without_a_gpu_nobody_asks_for_one() -> None:
    none = {name: missing("nvidia-smi") for name in ("gpu", "gpu-old", "gpu-use")} | {"runtimes": good('{"runc":{}}')}
    assert {one.state for one in examine(seen(none), CPU)} == {"ok"}
    states = {one.check: one.state for one in examine(seen(none), replace(CPU, gpu=None))}
    assert {states[name] for name in ("driver", "gpu", "gpu in docker", "gpu in use")} == {"cannot tell"}


def test_of_an_evaluation_nobody_misses_a_trainer_or_its_files() -> None:
    wish = replace(CPU, coach=False, trains=False)
    rows = [row for row in RUNNING if "coach" not in row and "algo" not in row]
    told = {"missing.py": "it is not there"}
    probed = seen({"containers": good("\n".join(rows))}, model=told, stack=())
    assert [line(name, probed, wish).state for name in ("containers", "custom files", "progress")] == ["ok"] * 3
    assert line("containers", probed, wish).found == "running: 1 s3, 1 simulator"


def test_of_2019_an_old_driver_and_an_old_compose_will_do() -> None:
    answers = {"gpu": good("Tesla K80, 418.87, 11441 MiB, 3.7"), "compose": bad(""), "compose-1": good("1.21.0")}
    lines = {one.check: one.state for one in examine(seen(answers), replace(GPU, today=False))}
    assert (lines["driver"], lines["gpu"], lines["compose"]) == ("ok", "ok", "ok")


@pytest.mark.parametrize(
    ("rows", "missing_role", "look_at"),
    [
        ([*RUNNING[:2], RUNNING[3]], "trainer", "fleet-a-1-coach-1"),  # coach never started one
        ([*RUNNING[:2], ended("tmpab_algo-1", "(1) 4 minutes"), ended("simulator-1", "(0) 3 minutes")], "trainer, simulator",
         "tmpab_algo-1"),
        ([*RUNNING[:3], ended("simulator-1", "(137) About a minute")], "simulator", "docker logs --tail 50 simulator-1"),
        (RUNNING[1:], "s3", "fleet logs"),
    ],
)  # fmt: skip
def test_of_a_stack_with_holes_the_container_to_look_at_first_is_named(
    rows: list[str], missing_role: str, look_at: str
) -> None:
    found = line("containers", seen({"containers": good("\n".join(rows))}))
    assert found.state == "not ok"
    assert f"missing: {missing_role}" in found.found
    assert look_at in found.remedy or look_at in found.found


def test_others_containers_and_more_workers_do_not_count_as_ours() -> None:
    others = [container("web", image="nginx"), container("my-coach-bus", image="app")]
    assert line("containers", seen({"containers": good("\n".join([*RUNNING, *others]))})).found.count("1 coach") == 1
    assert line("containers", seen(), replace(GPU, workers=2)).state == "not ok"
    theirs = container("fleet-b-1-simulator-1", labels="fleet.role=simulator,fleet.run=b")
    mine = replace(GPU, workers=2, run="a")
    assert line("containers", seen({"containers": good("\n".join([*RUNNING, theirs]))}), mine).state == "not ok"
    assert (
        line("containers", seen({"containers": good("\n".join([*RUNNING, theirs.replace("=b", "=a")]))}), mine).state == "ok"
    )
    assert line("containers", seen({"containers": good("\n".join(others))}), IDLE).state == "ok"


# --- the probe


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one folder, with a docker and an nvidia-smi made of shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    made = {
        "docker": f"""case "$1 $2 $3" in
"version --format "*) echo 24.0.7;;
"run --rm hello-world") echo 'Hello from Docker!';;
"run --rm --gpus") echo 'GPU 0: T4 (UUID: GPU-1)';;
"compose version "*) echo v2.24.1;;
"info --format "*) echo '{{"nvidia":{{}}}}';;
"network inspect "*) echo 'sagemaker-local (bridge)';;
"ps --all "*) printf '%s\\n' '{RUNNING[0]}' '{RUNNING[3]}';;
"images --format "*) echo x/deepracer-simapp:6-gpu;;
"system df "*) echo x;;
"exec fleet-a-1-simulator-1 sh") echo 'Factor[0.88] SimTime[1]';;
*) exit 9;;
esac""",
        "nvidia-smi": "echo 'Tesla T4, 570.1, 15360 MiB, 7.5'",
    }
    for name, text in made.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_probe_asks_the_machine_and_looks_into_the_trainings_folders(tools: Path, tmp_path: Path) -> None:
    work, volume = tmp_path / "work", tmp_path / "volume"
    work.mkdir()
    (work / "reward_function.py").write_text("def reward_function(params)\n    return 1.0\n")
    (work / "model_metadata.json").write_text(json.dumps({"action_space": [{}, {}, {}]}))
    stored = volume / "s3" / "bucket" / "a-1-1" / "model" / "5_Step-99.ckpt.index"
    stored.mkdir(parents=True)
    (stored / "xl.meta").write_bytes(b"x" * 700)  # so MinIO keeps an object
    (stored / "8a-1").mkdir()
    (stored / "8a-1" / "part.1").write_bytes(b"x" * 300)
    kept = volume / "checkpoints" / "5" / "model" / "model_metadata.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"action_space": [{}, {}]}))
    env = {"PATH": str(tools), "FLEET_VOLUME": str(volume), "FLEET_CHECKPOINTS": str(volume / "checkpoints")}
    found = look_here(str(work), env)
    assert [(name, size) for name, size, _ in found.stack or ()] == [("bucket/a-1-1/model/5_Step-99.ckpt.index", 1000)]
    assert (found.actions, found.source_actions) == (3, 2)
    lines = {one.check: one for one in examine(found, GPU)}
    assert lines["docker"].state == lines["gpu in docker"].state == lines["real-time factor"].state == "ok"
    assert "0.88" in lines["real-time factor"].found
    assert {name for name, one in lines.items() if one.state == "not ok"} == {
        "custom files",
        "containers",
        "gpu in use",
        "actions",
    }
    assert "reward_function.py" in lines["custom files"].found
    assert "hyperparameters.json: No such file" in lines["custom files"].found


def test_outside_of_a_training_it_looks_at_the_machine_alone(tools: Path, tmp_path: Path) -> None:
    found = look_here(str(tmp_path), {"PATH": str(tools)})
    assert (found.stack, found.kept, found.model) == (None, None, None)
    assert found.total > found.used > 0


def test_a_tool_that_hangs_or_is_not_there_is_given_up(tools: Path) -> None:
    (tools / "sleeper").write_text("#!/bin/sh\nexec /bin/sleep 20\n")
    (tools / "sleeper").chmod(0o755)
    assert probe.asked([str(tools / "sleeper")], 0.1)["why"].endswith("does not answer within 0 s")
    assert probe.asked(["no-such-tool"], 1.0)["why"] == "no-such-tool: No such file or directory"
    assert probe.asked([str(tools / "docker"), "nonsense"], 5.0)["code"] == 9


def test_the_probe_fits_a_command_line_and_needs_nothing_but_python() -> None:
    source = Path(probe.__file__).read_text()
    assert len(source) < 100_000
    assert "fleet" not in {name.split(".")[0] for name in _imported(source)}


def _imported(source: str) -> set[str]:
    import ast

    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("out", [b"", b"{}", b"[]", b"nonsense", b'{"answers": {"a": 1}}', b"\xff"])
def test_an_answer_that_is_none_is_an_error_with_the_last_word(out: bytes) -> None:
    with pytest.raises(FleetError, match="nothing runs"):
        understood(out, b"fleet: x\nnothing runs on this machine yet\n")

"""What is to be done on a host, from what is there and what is wanted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.boot.shell import Said, run_here
from fleet.control.crontab import line_for
from fleet.control.home import AwsHome
from fleet.control.host_plan import Found, Step, Wanted, steps_away, steps_to
from fleet.control.host_work import Work
from fleet.control.hosts import Wish, look, settings_for, wanted_on
from fleet.control.own_cron import OwnCron
from fleet.control.unit import unit_text
from fleet.model.errors import FleetError

URL = "s3://bucket"
SETTINGS = {"buckets.json": b'["s3://bucket"]'}
NEW = "1.0-aaaaaaaaaaaa"
LINE = line_for("/home/pi/.local/share/fleet/controller/current/round")
EMPTY = Found("/home/pi", "pi", "/usr/bin/python3", "cp311", "aarch64", frozenset({"systemctl", "loginctl", "crontab"}))
UNIT = unit_text(["fleet"], {"FLEET_HOME": EMPTY.fleet_home})
SERVICE = Wanted(NEW, (URL,), SETTINGS, unit=UNIT)
CRON = Wanted(NEW, (URL,), SETTINGS, line=LINE)
RUNS = replace(
    EMPTY,
    current=NEW,
    versions=(NEW,),
    settings=SETTINGS,
    unit=UNIT,
    runs=True,
    crontab=b"0 0 * * * x\n",
    leftovers=True,
)


def told(found: Found, wanted: Wanted) -> list[str]:
    return [
        f"{step.kind} {step.where.removeprefix(found.base).removeprefix(found.home)}" for step in steps_to(found, wanted)
    ]


def test_an_empty_host_gets_everything_and_nothing_is_enabled_before_a_round_went_well() -> None:
    assert told(EMPTY, SERVICE) == [
        f"put /{NEW}",
        f"try {URL}",
        "write /home",
        "switch /current",
        "write /.config/systemd/user/fleet-controller.service",
        "run loginctl enable-linger pi",
        "run systemctl --user daemon-reload",
        "run systemctl --user enable --now fleet-controller.service",
    ]
    assert told(EMPTY, CRON)[-2:] == ["switch /current", f"line {LINE.decode()}"]


def test_a_host_that_is_as_it_should_be_is_left_alone() -> None:
    assert steps_to(RUNS, SERVICE) == ()
    assert steps_to(replace(RUNS, unit=None, runs=False, crontab=LINE + b"\n"), CRON) == ()


def test_another_version_is_put_beside_switched_to_and_started_anew_and_the_one_before_stays() -> None:
    found = replace(RUNS, current="old-2", versions=("old-1", "old-2"))
    steps = told(found, SERVICE)
    assert steps[:3] == [f"put /{NEW}", f"try {URL}", "switch /current"]
    assert steps[-2:] == ["run systemctl --user restart fleet-controller.service", "remove /old-1"]
    assert not any(step.startswith("write") for step in steps)


def test_a_deployment_that_broke_off_is_completed() -> None:
    assert told(replace(EMPTY, versions=(NEW,), leftovers=True), SERVICE)[0] == f"try {URL}"
    assert told(replace(RUNS, runs=False), SERVICE)[0] == f"try {URL}"


def test_one_that_broke_off_after_the_switch_is_started_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    old = replace(RUNS, home=str(tmp_path), current="old", versions=("old", NEW))
    wanted = replace(SERVICE, unit=unit_text(["fleet"], {"FLEET_HOME": old.fleet_home}))
    old = replace(old, unit=wanted.unit)
    Path(old.base).mkdir(parents=True)
    steps = steps_to(old, wanted)
    assert "switch" in [step.kind for step in steps]

    def killed(step: Step) -> None:
        if step.kind == "switch":
            raise KeyboardInterrupt

    commands: list[str] = []

    def run(script: str, feed: bytes) -> Said:
        if re.search("systemctl --user|loginctl enable|controller run|crontab -l", script):
            commands.append(script)
            return Said(0, b"", b"")
        return run_here(script, feed)

    with pytest.raises(KeyboardInterrupt):
        Work(run, "pi", old, wanted).carry_out(steps, killed)
    seen = look(run, "pi", fit=False)
    found = replace(old, current=NEW, pending=seen.pending)
    steps = steps_to(found, wanted)
    assert "systemctl --user restart fleet-controller.service" in [step.where for step in steps]
    commands.clear()
    Work(run, "pi", found, wanted).carry_out(steps, lambda _step: None)
    assert any(command.endswith("restart fleet-controller.service") for command in commands)
    assert not Path(found.pending_path).exists()
    assert steps_to(replace(found, pending=False), wanted) == ()


def test_a_bucket_that_is_not_named_again_is_shown_to_be_dropped_and_then_there_is_nothing_to_do(tmp_path: Path) -> None:
    before = settings_for(Wish((URL, "gs://other")), None)
    wanted = replace(SERVICE, buckets=("gs://other",), settings=settings_for(Wish(("gs://other",)), None))
    assert set(before) - set(wanted.settings) == {"aws.json"}
    found = replace(RUNS, home=str(tmp_path), settings=before)
    wanted = replace(wanted, unit=unit_text(["fleet"], {"FLEET_HOME": found.fleet_home}))
    found = replace(found, unit=wanted.unit)
    for file, data in before.items():
        Path(found.fleet_home).mkdir(parents=True, exist_ok=True)
        (Path(found.fleet_home) / file).write_bytes(data)
    steps = steps_to(found, wanted)
    assert [step.where for step in steps if step.kind == "remove"] == [URL, f"{found.fleet_home}/aws.json"]
    assert "no longer looked after" in next(step.told for step in steps if step.where == URL)
    Work(run_here, "pi", found, wanted).carry_out([one for one in steps if one.kind in ("write", "remove")], lambda _: None)
    left = {path.name: path.read_bytes() for path in Path(found.fleet_home).iterdir()}
    assert steps_to(replace(found, settings=left), wanted) == ()


def test_only_one_of_systemd_and_cron_runs_it() -> None:
    to_cron = told(RUNS, CRON)
    assert to_cron[-1] == "remove /.config/systemd/user/fleet-controller.service"
    assert f"line {LINE.decode()}" in to_cron
    to_systemd = told(replace(RUNS, unit=None, runs=False, crontab=LINE + b"\n"), SERVICE)
    assert to_systemd[-1] == "remove the line in the crontab"


def test_all_that_was_put_there_is_taken_away_once() -> None:
    steps = [f"{step.kind} {step.where}" for step in steps_away(replace(RUNS, crontab=LINE + b"\n"))]
    assert steps == [f"remove {RUNS.unit_path}", "remove the line in the crontab", f"remove {RUNS.base}"]
    assert steps_away(EMPTY) == ()


@pytest.mark.parametrize(
    ("own", "remedy"),
    [
        ({"unit": unit_text(["python", "-m", "fleet.cli"], {"FLEET_HOME": "/home/pi/.fleet"})}, "controller uninstall"),
        ({"crontab": b"# mine\n" + line_for("/home/pi/.fleet/controller-round") + b"\n"}, "controller remove cron"),
    ],
)
@pytest.mark.parametrize("cron", [True, False])
def test_a_controller_of_the_hosts_own_is_neither_replaced_nor_removed(own: dict[str, Any], remedy: str, cron: bool) -> None:
    found = replace(EMPTY, **own)
    with pytest.raises(FleetError, match="has a controller of its own already") as refusal:
        wanted_on(found, Wish((URL,), cron=cron), None, "pi")
    assert remedy in refusal.value.hint
    assert steps_away(found) == ()
    assert [step.where for step in steps_away(replace(found, leftovers=True))] == [found.base]


def test_a_profile_of_this_computer_means_nothing_there() -> None:
    known = AwsHome(URL, "work", ("eu-west-1",), {URL: "work"})
    files = settings_for(Wish((URL, "gs://other")), known)
    assert files["buckets.json"] == b'["s3://bucket", "gs://other"]'
    assert b"work" not in files["aws.json"]
    assert b"eu-west-1" in files["aws.json"]
    assert b'"profile": "fleet"' in settings_for(Wish((URL,), "fleet"), known)["aws.json"]
    assert "aws.json" not in settings_for(Wish(("gs://other",)), known)


@pytest.mark.parametrize(("cron", "missing"), [(False, "systemctl"), (False, "loginctl"), (True, "crontab")])
def test_a_host_without_who_would_run_it_is_told_of_the_other_way(cron: bool, missing: str) -> None:
    found = replace(EMPTY, programs=EMPTY.programs - {missing})
    with pytest.raises(FleetError, match=f"there is no {missing} on pi") as refusal:
        wanted_on(found, Wish((URL,), cron=cron), None, "pi")
    assert "--cron" in refusal.value.hint


def probe(**fields: Any) -> Any:
    """A host that answers so to the first question, and has no files."""
    known = {"home": "/home/pi", "user": "pi", "arch": "aarch64", "system": "Linux", "python": ["3 11 /usr/bin/python3"]}
    lines = [f"{k}={v}" for k, vs in {**known, **fields}.items() for v in (vs if isinstance(vs, list) else [vs])]
    answers = iter([Said(0, "\n".join(lines).encode(), b"")])
    return lambda _script, _feed: next(answers, Said(1, b"", b"No such file"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"arch": "armv7l"}, "Linux on armv7l"),
        ({"system": "Darwin", "arch": "arm64"}, "Darwin on arm64"),
        ({"python": []}, "there is no Python on pi"),
        ({"python": ["3 7 /usr/bin/python3", "3 9 /usr/bin/python3.9"]}, "the Python on pi is 3.9"),
    ],
)
def test_a_host_that_cannot_run_fleet_is_told_so(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(FleetError, match=said):
        look(probe(**fields), "pi")


def test_the_first_python_that_serves_is_taken() -> None:
    found = look(probe(python=["3 9 /usr/bin/python3", "3 12 /usr/bin/python3.12", "3 11 /x"]), "pi")
    assert (found.python, found.tag) == ("/usr/bin/python3.12", "cp312")


def test_own_cron_is_refused_where_the_crontab_cannot_be_read(home: Any) -> None:
    cron = OwnCron(lambda _script, _feed: Said(1, b"", b"disk I/O error"), home, "text", b"")
    with pytest.raises(FleetError, match="disk I/O error"):
        cron.carry_out(cron.steps()[-1])


def test_a_file_that_arrives_cut_short_is_not_put_in_the_place_of_the_whole_one(tmp_path: Path) -> None:
    found = replace(EMPTY, home=str(tmp_path))
    step = Step("write", found.fleet_home, "")
    Work(run_here, "pi", found, SERVICE).carry_out([step], lambda _step: None)
    whole = Path(found.fleet_home) / "buckets.json"
    assert whole.read_bytes() == SETTINGS["buckets.json"]
    other = replace(SERVICE, settings={"buckets.json": b'["s3://another"]'})
    with pytest.raises(FleetError, match="cut short"):
        Work(lambda script, feed: run_here(script, feed[:5]), "pi", found, other).carry_out([step], lambda _step: None)
    assert whole.read_bytes() == SETTINGS["buckets.json"]
    assert [path.name for path in whole.parent.iterdir()] == ["buckets.json"]

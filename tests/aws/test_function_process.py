"""The function as Lambda runs it: its archive unpacked, in a process of its own, with the handler's real interface."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from fleet.boot.function_package import function_zip
from fleet.boot.wheelhouse import _digest, dependencies_version, own_files
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.documents import Notice
from fleet.model.errors import NotFoundError
from fleet.model.setup import AwsFunction
from tests.aws.ec2_events import INTERRUPTION, REBALANCE, STATE, about
from tests.aws.function_rig import LAUNCHES, FunctionProcess, FunctionRig, function_rig, unpacked_here
from tests.aws.ground import REGION

pytestmark = pytest.mark.system

COLD_CPU = 2.0
"""Seconds of CPU time that a cold start may take, imports and first tick."""
NUMBERS = itertools.count(1)
SOON = 3.0
"""Seconds from the event to the launching call of the replacement."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionRig]:
    """One account for all: each test has a run of its own in it."""
    with function_rig(tmp_path_factory.mktemp("function")) as made:
        yield made


@pytest.fixture
def name(rig: FunctionRig) -> Iterator[str]:
    """Of a test's run; what was recorded of calls before is forgotten."""
    for one in rig.processes:
        if one.process.poll() is None:
            one.kill()
    rig.proxy.forget()
    yield f"run-{next(NUMBERS)}"
    rig.close()


def trains(rig: FunctionRig, process: FunctionProcess, name: str) -> str:
    """A run whose first machine trains; the machine."""
    rig.start(name)
    assert "launch-succeeded" in process.call()["answer"]["events"]
    rig.beat(1, 1, name)
    assert "attempt-began" in process.call()["answer"]["events"]
    rig.proxy.forget()
    instance_id = rig.attempt(1, name).instance_id
    assert instance_id is not None
    return instance_id


def takes_notice(rig: FunctionRig, name: str) -> None:
    """What an agent writes within two seconds of its notice."""
    now = rig.objects.now()
    rig.beat(1, 2, name, phase="draining", notice=Notice(kind="notice", seen_at=now, until=now + 120))


def launches(rig: FunctionRig) -> int:
    return sum(rig.actions().count(one) for one in LAUNCHES)


def machines_of(rig: FunctionRig, name: str) -> list[dict[str, Any]]:
    run_id = rig.run(name).run_id
    return [one for one in rig.machines() if {"Key": "run", "Value": run_id} in one["Tags"]]


def test_a_cold_start_launches_what_was_begun_with_little_of_the_processor(rig: FunctionRig, name: str) -> None:
    rig.start(name)
    process = rig.process()
    assert Path(process.ready["file"]).is_relative_to(unpacked_here())
    told = process.call()
    assert told["answer"]["events"] == ["launch-intended", "launch-succeeded"]
    assert (told["answer"]["lively"], told["answer"]["hint"]) == (True, "none")
    assert len(machines_of(rig, name)) == 1
    assert process.ready["cpu"] + told["cpu"] < COLD_CPU
    there = {path.name.removesuffix(".py") for path in unpacked_here().iterdir() if not path.name.endswith(".dist-info")}
    only_for_some = {"numpy", "numpy.libs", "tzdata"}  # deadlines; days of a zone
    assert there - set(told["packages"]) == only_for_some  # nothing else is carried along for nothing
    (line,) = [line for line in process.log if "launch-succeeded" in line]
    assert name in line


def test_an_interruption_leads_to_the_launch_of_the_replacement_within_seconds(rig: FunctionRig, name: str) -> None:
    process = rig.process()
    instance_id = trains(rig, process, name)
    takes_notice(rig, name)
    began = time.perf_counter()
    process.send(about(INTERRUPTION, instance_id))
    took = rig.until(*LAUNCHES) - began
    answer = process.answer()["answer"]
    assert took < SOON
    assert "notice-seen" in answer["events"]
    assert answer["hint"] == f"interruption of attempt 1 of {rig.run(name).run_id}"
    assert [a.phase for a in rig.run(name).attempts.values()] == ["draining", "launched"]


def test_the_event_may_come_before_the_agents_word(rig: FunctionRig, name: str) -> None:
    process = rig.process()
    instance_id = trains(rig, process, name)
    process.send(about(INTERRUPTION, instance_id))
    rig.until("DescribeVolumes", times=2)
    assert launches(rig) == 0
    takes_notice(rig, name)
    began = time.perf_counter()
    assert rig.until(*LAUNCHES) - began < SOON
    assert process.answer()["answer"]["ticks"] >= 2


def test_where_the_event_is_lost_the_next_minutes_call_does_it(rig: FunctionRig, name: str) -> None:
    process = rig.process()
    trains(rig, process, name)
    takes_notice(rig, name)
    assert "launch-succeeded" in process.call()["answer"]["events"]
    assert launches(rig) == 1
    assert not {"DescribeSpotPriceHistory", "DescribeInstanceTypeOfferings"} & set(rig.actions())  # it knew the prices


def test_late_double_and_disordered_events_change_nothing(rig: FunctionRig, name: str) -> None:
    process = rig.process()
    instance_id = trains(rig, process, name)
    takes_notice(rig, name)
    ending = [about(STATE, instance_id, state=state) for state in ("terminated", "shutting-down")]
    process.call(about(INTERRUPTION, instance_id))
    for event in (*ending, about(INTERRUPTION, instance_id), about(REBALANCE, instance_id)):
        assert process.call(event)["answer"]["events"] in ([], ["volume-made"])
    assert launches(rig) == 1
    assert len(machines_of(rig, name)) == 2


def test_an_event_of_a_strangers_machine_costs_one_small_request(rig: FunctionRig, name: str) -> None:
    process = rig.process()
    process.call()
    rig.proxy.forget()
    answer = process.call(about(INTERRUPTION, "i-0123456789abcdef0"))["answer"]
    assert (answer["ticks"], answer["hint"]) == (0, "of no live machine of this fleet")
    assert rig.actions() == ["GetObject"]


@pytest.mark.parametrize(
    ("where", "launched"),
    [("DescribeImages", 0), ("CreateFleet", 1)],
    ids=["between the intention and the launch", "after the launch, before its outcome"],
)
def test_killed_in_the_middle_of_a_tick_the_next_one_launches_once(
    rig: FunctionRig, name: str, where: str, launched: int
) -> None:
    rig.start(name)
    process = rig.process()
    rig.proxy.slow(where, 60)
    process.send({})
    rig.until(where)
    time.sleep(0.2)  # the answer is on its way, and never arrives
    process.kill()
    assert (rig.attempt(1, name).phase, rig.attempt(1, name).instance_id) == ("intended", None)
    assert len(machines_of(rig, name)) == launched
    assert "launch-succeeded" in rig.process().call()["answer"]["events"]
    (machine,) = machines_of(rig, name)
    assert rig.attempt(1, name).instance_id == machine["InstanceId"]


def test_machines_of_somebodys_own_computer_are_left_to_it(rig: FunctionRig, name: str) -> None:
    resources = {"infra": "local"}
    rig.laptop.observer.providers = {**rig.laptop.observer.providers, "local": rig.laptop.observer.providers["aws"]}
    rig.start(name, resources=resources)
    before = rig.run(name)
    answer = rig.process().call()["answer"]
    assert rig.run(name) == before
    assert not [one for one in answer["troubles"] if "local" in one]
    with pytest.raises(NotFoundError):
        rig.objects.get(layout.LOCAL_HOME)


def test_it_turns_its_own_schedule_and_rules_off_and_on_with_what_the_archive_brings(rig: FunctionRig, name: str) -> None:
    asleep = deployed(rig)
    process = rig.process()
    for run in [one.name for one in rig.laptop.state.busy_runs]:
        rig.end(run)
    assert process.call()["answer"]["schedule"] == "turned off"
    assert asleep() == ("DISABLED", "DISABLED")
    rig.proxy.forget()
    assert process.call()["answer"]["schedule"] == "off"
    assert not {"GetSchedule", "DescribeRule"} & set(rig.actions())
    rig.start(name)
    assert rig.process().call()["answer"]["schedule"] == "turned on"
    assert asleep() == ("ENABLED", "ENABLED")
    rig.objects.delete([layout.AWS_FUNCTION])


def deployed(rig: FunctionRig) -> Callable[[], tuple[str, str]]:
    """A schedule and a rule, as the deployment makes them, both on; tells their states."""
    keys = {"region_name": REGION, "endpoint_url": rig.moto.url}
    scheduler, events = boto3.client("scheduler", **keys), boto3.client("events", **keys)
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:f"
    target = {"Arn": arn, "RoleArn": "arn:aws:iam::123456789012:role/r", "Input": "{}"}
    scheduler.create_schedule(
        Name="f-minute", ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    events.put_rule(Name="f-events", EventPattern='{"source": ["aws.ec2"]}', State="ENABLED")
    record = AwsFunction(
        fleet_id=rig.fleet_id,
        account="123456789012",
        region=REGION,
        function="f",
        minute="f-minute",
        hour="f-hour",
        rules={REGION: "f-events"},
        code_sha256="",
        version="0",
        made_at=0.0,
    )
    rig.objects.put(layout.AWS_FUNCTION, document_bytes(record))
    return lambda: (scheduler.get_schedule(Name="f-minute")["State"], events.describe_rule(Name="f-events")["State"])


def test_the_archive_is_the_agents_version_that_deployed_it() -> None:
    """Else it would look in the bucket for an agent that nobody put there, and has no pip to pack one."""
    words = "from fleet.boot.wheelhouse import _digest, dependencies_version, own_files"
    words += "; print(_digest(own_files()), *map(dependencies_version, ('x86_64', 'aarch64')))"
    code = f"import sys; sys.path.insert(0, {str(unpacked_here())!r}); {words}"
    told = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], env={}, check=True, capture_output=True, text=True)
    here = [_digest(own_files()), *map(dependencies_version, ("x86_64", "aarch64"))]
    assert told.stdout.split() == here


def test_the_archive_for_lambda_is_made_here_whatever_this_computer_is() -> None:
    packed = function_zip()
    assert len(packed) < 30_000_000  # of the 50 that Lambda takes; half of it is NumPy
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        machine_code = [name for name in archive.namelist() if name.endswith(".so")]
        assert "pydantic_core/_pydantic_core.cpython-312-aarch64-linux-gnu.so" in machine_code
        assert all(archive.read(name)[18:20] == b"\xb7\x00" for name in machine_code)  # ELF's word for AArch64
        assert sum(member.file_size for member in archive.infolist()) < 100_000_000  # of 250


def test_the_archive_sends_the_nightly_report_with_what_lies_in_it(rig: FunctionRig, name: str) -> None:
    """Nothing else of this computer's is there: neither Apprise nor matplotlib nor a list of time zones."""
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="fleet-report")["TopicArn"]
    detail = {"to": [f"sns:{topic}"], "zone": "America/Argentina/Ushuaia", "quiet_nights": "line"}
    process = rig.process()
    called = process.call({"source": "fleet.report", "detail-type": "night", "detail": detail})
    assert "error" not in called, called
    answer = called["answer"]
    assert answer["told"] == {answer["night"]: [f"sns:{topic}"]}
    assert rig.objects.get(f"reports/{answer['night']}.html").lower().startswith(b"<!doctype html>")
    again = process.call({"source": "fleet.report", "detail-type": "night", "detail": detail})
    assert again["answer"]["told"] == {answer["night"]: []}

"""A call of the function: what it does with an event, with little time left, with what it cannot do, and what it says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.control import function
from fleet.control.function import FOLLOW_MOST, LEAST_LEFT, CallFailedError, Keeper, handler, open_keeper
from fleet.model import events as ev
from fleet.model import layout
from fleet.model.base import document_bytes
from fleet.model.errors import ErrorClass, FleetError, ProviderError, StoreError
from fleet.providers.aws import session
from fleet.providers.aws.events import Hint
from fleet.providers.sim.market import Weather
from fleet.store.fleetfile import ensure_fleet
from fleet.store.journal import Journal
from tests.aws.bench import Rig
from tests.aws.ec2_events import SCHEDULE
from tests.aws.function_account import Account
from tests.aws.ground import REGION
from tests.aws.test_shelf import Bucket

FAIR = Weather(up=1e12, epoch=1_700_000_000.0)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A run whose machine trains."""
    made = Account(tmp_path, FAIR)
    made.live(20 * 60)
    yield made
    made.system.close()


def hint(account: Account, kind: Any = "interruption", instance: str = "") -> Hint:
    known = account.system.state().newest
    assert known is not None
    return Hint(kind, "sim-1", instance or str(known.instance_id), "", account.system.clock())


def warn(account: Account) -> None:
    """The cloud will take the machine back in two minutes; its agent hears of it within seconds."""
    (instance,) = account.system.alive()
    made = account.system.cloud.instances[instance]
    made.notice_at, made.take_at = account.system.clock(), account.system.clock() + 120
    account.system.cloud._quiet_until = 0.0


def test_an_answer_is_small_and_can_be_told_as_json(account: Account) -> None:
    answer = account.call()
    assert json.loads(json.dumps(answer)) == answer
    assert answer == {
        "head": account.system.controller().state.head,
        "ticks": 1,
        "events": [],
        "hint": "none",
        "lively": True,
        "schedule": "on",
        "read_only": "",
        "troubles": [],
    }


def test_each_event_that_it_records_is_one_line_of_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(tmp_path, FAIR)
    events = account.call()["events"]
    lines = capsys.readouterr().out.splitlines()
    assert events == ["launch-intended", "launch-succeeded"]
    assert [line.split()[2] for line in lines] == events
    assert all(line.startswith("fleet: ") and len(line) < 300 for line in lines)
    account.system.close()


def test_an_interruption_is_followed_until_the_replacement_is_launched(account: Account) -> None:
    warn(account)
    answer = account.call(hint(account))
    assert answer["ticks"] >= 2  # the event came before the agent's word
    assert account.bill.slept <= 5
    assert {"notice-seen", "launch-succeeded"} <= set(answer["events"])
    assert [a.phase for a in account.system.state().attempts.values()] == ["draining", "launched"]


def test_an_event_that_nothing_comes_of_is_followed_for_a_while_only(account: Account) -> None:
    answer = account.call(hint(account))
    assert (answer["events"], account.bill.slept) == ([], FOLLOW_MOST)
    assert answer["ticks"] == FOLLOW_MOST + 1


def test_looks_that_take_long_are_fewer(account: Account) -> None:
    remaining = iter([50.0, 43.0, 36.0, 29.0, 22.0, 20.0])
    assert account.call(hint(account), lambda: next(remaining))["ticks"] == 3


def test_a_recommendation_is_looked_at_once(account: Account) -> None:
    assert account.call(hint(account, "rebalance"))["ticks"] == 1


def test_near_its_end_no_new_look_is_begun(account: Account) -> None:
    remaining = iter([LEAST_LEFT + 3, LEAST_LEFT + 2, LEAST_LEFT + 1, LEAST_LEFT - 1, LEAST_LEFT - 2, LEAST_LEFT - 3])
    assert account.call(hint(account), lambda: next(remaining))["ticks"] == 3


def test_a_machine_that_nobody_knows_or_that_is_over_is_not_looked_for(account: Account) -> None:
    asked = len(account.cloud.asked)
    answer = account.call(hint(account, instance="i-0123456789abcdef0"))
    assert (answer["ticks"], answer["schedule"]) == (0, "")
    assert len(account.cloud.asked) == asked


def newer(account: Account) -> None:
    """A laptop with a newer fleet has been at work."""
    book = Journal(account.system.objects, account.system.fleet_id, by="newer", version="9")
    book.refresh()
    assert book.append([{"type": "volume-cloned", "v": 1, "at": 0.0}]) is not None


def test_an_older_function_does_nothing_logs_it_once_and_fails_each_time(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alarm rings after three failures, whose log says why as long as its process lives."""
    newer(account)
    before, enabled = account.system.cloud.calls.copy(), account.schedule.calls
    capsys.readouterr()
    for call in range(3):
        with pytest.raises(CallFailedError, match=r"does nothing.*pgrade.*only reads"):
            account.call()
        assert ("does nothing" in capsys.readouterr().out) is (call == 0)
    assert account.schedule.calls == enabled  # it does not know what lives
    assert {name for name, times in account.system.cloud.calls.items() if times != before[name]} <= {"list"}


def test_a_function_that_does_not_see_its_machines_fails_after_it_did_what_it_could(account: Account) -> None:
    keeper = account.keeper
    assert keeper is not None
    sick = ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "you may not list")
    plain = account.cloud.around
    account.cloud.around = lambda call, do: _raise(sick) if call.method == "list" else plain(call, do)  # type: ignore[method-assign]
    with pytest.raises(CallFailedError, match="blind: sim/sim-1: denied: you may not list"):
        account.call()
    account.cloud.around = plain  # type: ignore[method-assign]
    account.call()
    assert account.keeper is keeper


@pytest.mark.parametrize(
    ("what", "told"), [("sim offers", "blind: sim offers: throttled"), ("heartbeats", "blind: heartbeats: throttled")]
)
def test_a_function_that_sees_no_prices_or_hears_no_agent_fails(account: Account, what: str, told: str) -> None:
    account.call()
    assert account.keeper is not None
    observer = account.keeper.controller.observer
    plain = observer.look

    def look(state: Any) -> Any:
        seen = plain(state)
        observer.troubles[what] = "throttled"
        return seen

    observer.look = look  # type: ignore[method-assign]
    with pytest.raises(CallFailedError, match=told):
        account.call()


def test_a_trouble_is_logged_once_as_long_as_it_lasts(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.call()
    assert account.keeper is not None
    observer = account.keeper.controller.observer
    plain, there = observer.look, True

    def look(state: Any) -> Any:
        seen = plain(state)
        observer.troubles.update({"prices of it": "thrott\nled"} if there else {})
        return seen

    observer.look = look  # type: ignore[method-assign]
    capsys.readouterr()
    logged = []
    for there in (True, True, False, True):  # noqa: B007 - what is looked at
        account.call()
        logged.append("trouble: prices of it: thrott led" in capsys.readouterr().out)
    assert logged == [True, False, False, True]


def test_a_run_that_waits_for_a_word_fails_each_call_until_its_user_acts(account: Account) -> None:
    denied = ProviderError(ErrorClass.DENIED, "UnauthorizedOperation", "you may\nnot")
    plain = account.cloud.around
    account.cloud.around = lambda call, do: _raise(denied) if call.method == "launch" else plain(call, do)  # type: ignore[method-assign]
    warn(account)
    with pytest.raises(CallFailedError, match=r"run racer waits for a word of yours: UnauthorizedOperation: you may not$"):
        account.call(hint(account))
    account.cloud.around = plain  # type: ignore[method-assign]
    for _ in range(20):
        account.system.agents()
        account.system.clock.advance(60)
        with pytest.raises(CallFailedError, match=r"run racer waits for a word of yours"):
            account.call()
    run = account.system.state()
    assert not run.live_attempts  # all its other work was done
    assert account.schedule.enabled
    laptop = account.system.controller()
    laptop.catch_up()
    assert laptop.record([ev.RunResumed(run_id=run.run_id, at=account.system.clock())])
    assert "launch-succeeded" in account.call()["events"]


def test_a_schedule_that_cannot_be_asked_is_a_failure_and_keeps_nothing_from_being_done(account: Account) -> None:
    keeper = account.keeper
    assert keeper is not None
    assert keeper.awake is not None
    keeper.awake._at = float("-inf")
    denied = ProviderError(ErrorClass.DENIED, "AccessDenied", "you may not ask", "A policy says so.")
    asks, account.schedule.on = account.schedule.on, lambda: _raise(denied)  # type: ignore[method-assign]
    warn(account)
    with pytest.raises(CallFailedError, match="the schedule cannot be asked or turned: you may not ask A policy says so"):
        account.call(hint(account))
    assert len(account.system.state().attempts) == 2
    account.schedule.on = asks  # type: ignore[method-assign]
    account.call()
    assert account.keeper is keeper


def _raise(error: Exception) -> Any:
    raise error


class Calls:
    """The handler, whose fleet is opened by a fake."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.opened = 0
        self.failure: Exception | None = None
        self.left: list[float] = []
        self.awake: object | None = object()
        patch.setattr(function, "open_keeper", self._open)
        patch.setattr(function, "_KEPT", [])

    def _open(self, _env: object) -> Any:
        self.opened += 1
        return SimpleNamespace(call=self._call, awake=self.awake)

    def _call(self, hint: Hint | None, left: Any) -> dict[str, Any]:
        self.left.append(left())
        if self.failure is not None:
            raise self.failure
        return {"hint": hint and hint.instance_id, "lively": False}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def test_a_fleet_is_opened_once_for_as_long_as_nothing_fails(calls: Calls) -> None:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 12_000)
    assert handler(SCHEDULE, context) == handler("nonsense", None) == {"hint": None, "lively": False}
    assert calls.opened == 1
    assert calls.left[0] == pytest.approx(12, abs=1)


@pytest.mark.parametrize("failure", [StoreError("the bucket does not answer", "Is it\nthere?"), KeyError("x")])
def test_after_an_error_the_next_call_begins_anew(calls: Calls, failure: Exception) -> None:
    handler(SCHEDULE, None)
    calls.failure = failure
    with pytest.raises((CallFailedError, KeyError)) as told:
        handler(SCHEDULE, None)
    assert "\n" not in str(told.value)
    assert told.value.__cause__ is None
    calls.failure = None
    handler(SCHEDULE, None)
    assert calls.opened == 2


def test_a_process_that_began_before_its_deployment_was_recorded_looks_for_the_record_again(calls: Calls) -> None:
    calls.awake = None
    handler(SCHEDULE, None)
    calls.awake = object()
    handler(SCHEDULE, None)
    handler(SCHEDULE, None)
    assert calls.opened == 2  # else nobody would switch off the schedule of each minute


def test_what_it_learned_of_what_it_cannot_see_is_kept(calls: Calls) -> None:
    calls.failure = CallFailedError("blind")
    for _ in range(2):
        with pytest.raises(CallFailedError):
            handler(SCHEDULE, None)
    assert calls.opened == 1


@pytest.mark.parametrize(
    ("env", "told"),
    [({}, "FLEET_BUCKET is not set"), ({"FLEET_BUCKET": "memory://"}, "there is no fleet in memory://")],
)
def test_without_a_fleet_it_says_what_is_missing(env: dict[str, str], told: str) -> None:
    with pytest.raises(FleetError, match=told):
        open_keeper(env)


def test_it_asks_twice_at_most_and_does_not_wait_long(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed within a minute, whatever it waits for."""
    bucket = Bucket(tmp_path / "bucket", time.time)
    ensure_fleet(bucket, "f1")
    bucket.put(layout.AWS_SETUP, document_bytes(rig.setup))
    monkeypatch.setattr(function, "open_objects", lambda *_, **__: bucket)
    monkeypatch.setattr(session, "_WAITS", session._WAITS.copy())
    keeper = open_keeper({"FLEET_BUCKET": bucket.url, "FLEET_HOME": str(tmp_path / "home")})
    rig.proxy.error("DescribeInstances", "InternalError", status=500, times=2)
    with pytest.raises(ProviderError):
        keeper.controller.observer.providers["aws"].list(REGION)
    assert rig.proxy.actions().count("DescribeInstances") == 2
    assert session.aws_client("ec2", REGION).meta.config.read_timeout < session.READ_SECONDS
    session.forget_clients()


def test_its_name_says_what_it_is() -> None:
    name = function.controller_name({"AWS_LAMBDA_FUNCTION_NAME": "fleet-1a2b3c4d-controller"})
    assert name.startswith("function-fleet-1a2b3c4d-controller-")
    assert Keeper.told_read_only is False

"""``fleet controller deploy aws`` and ``remove aws`` as a user types them: in this process, against moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.control import aws_function
from fleet.model.errors import FleetError
from fleet.model.units import format_money
from fleet.providers.aws.function_making import FunctionMaker
from fleet.providers.aws.function_prices import IDLE, ONE_RUN, monthly_cost
from fleet.providers.aws.schedules import Schedules
from tests.aws.account import ACCOUNT, BUCKET, HOME, Account
from tests.aws.deploying import Yard, everything_of_it, sources, state
from tests.aws.test_init_aws import shell
from tests.typed import Shell, told, typing

__all__ = ["shell"]


@pytest.fixture
def typed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A terminal before an account in which a fleet was set up; the function's code is tiny."""
    monkeypatch.setattr(aws_function, "SOURCES", sources())
    shell("init", "aws", "--yes")
    return shell


def test_it_shows_what_it_makes_and_what_that_costs_and_makes_nothing_unasked(typed: Shell) -> None:
    out, err = typed("controller", "deploy", "aws", code=1)
    assert "make  function" in out
    assert "what the function may do: a tick of the loop" in out
    assert f"{format_money(monthly_cost(IDLE))} a month: one call an hour" in out
    assert f"{format_money(monthly_cost(ONE_RUN))} a month, for as long as it lives" in out
    assert "$0.10 a month" in out
    assert "makes an older one read-only" in out
    assert "--email" in out
    assert "Make this? Nobody is there to answer" in err
    assert everything_of_it() == []


def test_a_no_makes_nothing_and_a_yes_makes_it_with_progress(typed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, "n", "")
    assert "nothing was made" in typed("controller", "deploy", "aws", code=1)[1]
    assert everything_of_it() == []
    out, _ = typed("controller", "deploy", "aws", "--email", "me@example.com")
    lines = [line.split()[:2] for line in out.splitlines() if line.startswith("  made")]
    assert lines[0] == ["made", "agent"]
    assert lines[-1] == ["made", "record"]
    assert "AWS sends a mail to me@example.com" in out
    assert "fleet controller remove aws" in out
    out, _ = typed("controller", "deploy", "aws")  # without --yes: there is nothing to ask
    assert "Nothing to do" in out
    assert "AWS sends a mail" not in out


def test_programs_get_an_object(typed: Shell) -> None:
    made = told(typed, "aws-controller", "controller", "deploy", "aws", "--yes")
    assert (made["account"], made["bucket"], made["region"]) == (ACCOUNT, f"s3://{BUCKET}", HOME)
    assert made["function"] == f"fleet-{made['fleet'][:8]}-controller"
    assert 0 < made["usd_per_month_idle"] < made["usd_per_month_run"] <= 0.15
    assert all(step["done"] for step in made["steps"])
    again = told(typed, "aws-controller", "controller", "deploy", "aws")
    assert {step["action"] for step in again["steps"]} == {"leave"}
    gone = told(typed, "aws-destroyed", "controller", "remove", "aws", "--yes")
    assert {step["action"] for step in gone["steps"]} == {"remove"}
    assert everything_of_it() == []


def test_removing_shows_what_goes_and_asks(typed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("controller", "deploy", "aws", "--yes")
    out, err = typed("controller", "remove", "aws", code=1)
    assert "remove  function" in out
    assert "Remove this? Nobody is there to answer" in err
    typing(monkeypatch, "", "y")
    assert "nothing was removed" in typed("controller", "remove", "aws", code=1)[1]
    assert len(everything_of_it()) > 8
    out, _ = typed("controller", "remove", "aws")
    assert "removed function" in out
    assert "Nothing of it is left" in out
    assert everything_of_it() == []
    assert "Nothing to remove" in typed("controller", "remove", "aws")[0]


def test_destroying_the_set_up_shows_and_removes_it_too(typed: Shell) -> None:
    typed("controller", "deploy", "aws", "--yes")
    out, _ = typed("destroy", "aws", "--yes")
    assert "removed function" in out
    assert out.index("removed function") < out.index("removed role")
    assert everything_of_it() == []


def test_ctrl_c_in_the_middle_says_how_to_go_on(typed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FunctionMaker, "_make_function", interrupted)
        out, _ = typed("controller", "deploy", "aws", "--yes", code=130)
    assert "`fleet controller deploy aws` completes it" in out
    assert "Nothing to do" not in typed("controller", "deploy", "aws", "--yes")[0]
    assert "Nothing to do" in typed("controller", "deploy", "aws")[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deploy", "asw"), "did you mean"),
        (("deploy", "aws", "--email", "me"), "no e-mail address"),
        (("deploy", "aws", "--bucket", "another"), "fleet init aws"),
    ],
)
def test_what_cannot_be_is_said_with_what_can(typed: Shell, words: tuple[str, ...], said: str) -> None:
    code = 2 if words[1] == "asw" else 1
    assert said in typed("controller", *words, code=code)[1].lower()


def test_without_any_fleet_there_is_nothing_to_remove(shell: Shell) -> None:
    assert "Nothing to remove" in shell("controller", "remove", "aws")[0]


# --- what makes a run live


@pytest.fixture
def ready(typed: Shell, account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], Path]:
    """It was deployed and sleeps; nothing is followed, and prices are nobody's business. Makes the job file."""
    from fleet.cli import up

    typed("controller", "deploy", "aws", "--yes")
    Schedules(Yard(account).record, account.calls).turn(on=False)
    monkeypatch.setattr(up, "prepare", lambda *_: None)
    monkeypatch.setattr(up, "follow", lambda controller, run_id, _timeline, **_: controller.state.runs[run_id])

    def job() -> Path:
        path = tmp_path / "fleet.yaml"
        path.write_text(json.dumps({"name": "racer", "run": "true", "resources": {"infra": "aws"}}))
        return path

    return job


def test_up_and_resume_wake_it_and_say_nothing_of_it(
    typed: Shell, account: Account, ready: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleet.control.fleets import open_fleet
    from fleet.model.events import RunEnded

    record = Yard(account).record
    assert state(record.minute) == "DISABLED"
    _, err = typed("up", str(ready()), "--yes", "--detach")
    assert state(record.minute) == "ENABLED"
    assert "fleet: the controller" not in err
    controller = open_fleet(account.home, f"s3://{BUCKET}")
    (run,) = controller.state.runs.values()
    controller.record([RunEnded(at=controller.objects.now(), run_id=run.run_id, outcome="stopped", reason="so it was said")])
    Schedules(record, account.calls).turn(on=False)
    typed("resume", "racer", "--detach", "--bucket", f"s3://{BUCKET}")
    assert state(record.minute) == "ENABLED"


def test_up_goes_on_where_it_cannot_be_woken_and_says_so(
    typed: Shell, account: Account, ready: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> bool:
        raise FleetError(
            "GetSchedule: not authorized", "`fleet policy aws` prints what the controller must be allowed to do."
        )

    monkeypatch.setattr(Schedules, "minute", refused)
    _, err = typed("up", str(ready()), "--yes", "--detach")
    assert "fleet: the controller in the account was not woken" in err
    assert "`fleet policy aws`" in err

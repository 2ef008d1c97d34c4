"""Heartbeats, wishes and frozen requests as anybody may leave them in the bucket: every other run goes on as before."""

from __future__ import annotations

import contextlib
import io
import json
import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fleet.cli import output
from fleet.cli.plain import plain
from fleet.cli.status import _print_head, status_object
from fleet.cli.table import print_table
from fleet.cli.timeline import describe
from fleet.cli.views import COLUMNS, run_object, run_row
from fleet.control.controller import Controller
from fleet.control.runs import view
from fleet.core.upcast import decode
from fleet.model import layout
from fleet.model.cloud import Instance, LaunchRequest, Listing
from fleet.model.documents import Desired
from fleet.providers.base import InTime, Provider, always
from tests.fuzz.draw import ESCAPES, bent, damaged, documents, examples
from tests.fuzz.shelf import Shelf, Still, past

FIRST, SECOND = 0, 1


def beat_key(run: int) -> str:
    (key,) = [k for k in past().things if k.startswith(f"heartbeats/{past().runs[run]}.")]
    return key


def beat(run: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(past().things[beat_key(run)])
    return found


RESUMED = {"ref": None, "source": "volume", "step": 1, "reached": 1, "lost_steps": 1, "lost_seconds": 1.0, "at": 1.0}
ABSURD: dict[str, tuple[Any, ...]] = {
    "at": (1e308, -1e308, 1e11, 6e10, 0, math.inf, math.nan),
    "step": (10**15, 10**30, 10**400, -5, 1e308, math.nan),
    "step_at": (1e308, -1.0, math.nan),
    "rate": (5e-324, 1e308, -1.0, math.inf, 0),
    "metrics": ({"a": math.nan, "b": math.inf}, {ESCAPES: 1.0}, {str(n): n for n in range(5000)}),
    "instance_id": ("i-other", "", ESCAPES),
    "run_id": ("other-run", ESCAPES),
    "attempt": (2, -1, 10**9, 10**30),
    "phase": ("released", "fenced", "draining", "asleep", ESCAPES),
    "message": (ESCAPES * 20_000, "\n" * 1000, "\ud800"),
    "version": (ESCAPES,),
    "notice": (
        {"kind": "notice", "seen_at": 1e308, "until": 1.0},
        {"kind": "notice", "seen_at": 1.0, "until": -6e10},
        {"kind": "notice", "seen_at": 6e10, "until": 6e10},
        {"kind": ESCAPES, "seen_at": 1.0},
    ),
    "outcome": ({"kind": "failed", "exit_code": 10**400}, {"kind": "failed", "exit_code": -1, "message": ESCAPES * 100}),
    "resumed": (
        {**RESUMED, "reached": 10**15, "lost_steps": -(10**15), "lost_seconds": -6e10, "at": 6e10},
        {**RESUMED, "ref": {"attempt": 10**30, "seq": -1}, "source": "bucket", "lost_seconds": math.nan},
        {**RESUMED, "skipped": [{"ref": {"attempt": 1, "seq": 1}, "reason": ESCAPES}]},
    ),
    "checkpoint": ({"attempt": -1, "seq": 10**30}, {"attempt": 1}),
    "restarts": (10**30, -1),
    "lease_until": (6e10, -1.0, math.inf),
    "disk_free": (-1, 10**30),
}  # fmt: skip
"""Of each field what is well formed, and cannot be."""


@st.composite
def beats(draw: st.DrawFn) -> bytes:
    said = beat(draw(st.sampled_from([FIRST, FIRST, FIRST, SECOND])))
    for field in draw(st.sets(st.sampled_from(sorted(ABSURD)), min_size=1, max_size=3)):
        said[field] = draw(st.sampled_from(ABSURD[field]))
    return json.dumps(said).encode()


HARM = ("Terminate", "Detach", "DeleteVolume", "Launch", "Record")


def at_ease(changes: dict[str, bytes]) -> tuple[Controller, Shelf]:
    """A controller that ticks, whatever it finds; for the second run nothing has to be done."""
    shelf = past().shelf(changes)
    controller = past().controller(shelf)
    controller.load()
    for _ in range(3):
        for action in controller.tick().actions:
            whose = getattr(action.intention or action, "run_id", "")
            assert type(action).__name__ not in HARM or whose == past().runs[FIRST]
    return controller, shelf


def shown(controller: Controller) -> str:
    """What every screen makes of the fleet."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        views = [view(controller, run) for run in controller.state.runs.values()]
        print_table([COLUMNS, *(run_row(one) for one in views)])
        for one in views:
            output.emit(run_object(one))
            output.emit(status_object(one, []))
            _print_head(one, status_object(one, []))
        for number in range(1, controller.state.head + 1):
            for raw in json.loads(controller.objects.get(layout.journal_entry(number)))["events"]:
                print(describe(decode(raw)))
    return out.getvalue()


def check(data: bytes) -> None:
    controller, _ = at_ease({beat_key(FIRST): data})
    text = shown(controller)
    assert "\x1b" not in text
    assert plain(text) == text


@examples(100)
@given(beats())
@example(json.dumps({**beat(FIRST), "phase": "released", "at": 1e308}).encode())
def test_absurd_words_of_one_machine_are_no_harm_to_another_run(data: bytes) -> None:
    check(data)


@examples(60)
@given(documents(beat(FIRST)))
@example(b"[" * 100_000)
def test_any_bytes_may_stand_where_a_heartbeat_is_looked_for(data: bytes) -> None:
    check(data)


@examples(60)
@given(beats() | documents(beat(FIRST)))
@example(json.dumps({**beat(FIRST), "at": 1e308}).encode())
@example(json.dumps({**beat(FIRST), "at": 6e10}).encode())
@example(json.dumps({**beat(FIRST), "at": -6e10, "rate": 5e-324}).encode())
def test_what_a_machine_said_last_can_be_reckoned_with_after_its_end(data: bytes) -> None:
    """Its word becomes the journal's: an end that nobody saw is the last word."""
    shelf = past().shelf({beat_key(FIRST): data})
    controller = past().controller(shelf)
    controller.load()
    (attempt,) = controller.state.runs[past().runs[FIRST]].attempts.values()
    who = {"type": "attempt-gone", "v": 2, "run_id": past().runs[FIRST], "attempt": 1, "at": past().clock()}
    gone = {**who, "ended_by": "unknown", "estimate": True, "step": None, "rate": None}
    controller.observer.read_beats(controller.state)
    said = controller.observer.beat(past().runs[FIRST], attempt.number)
    if said is not None:
        last_word = {"step": said.step, "rate": said.rate, "ended_at": said.at}
        assert controller.record([decode({**gone, **last_word})])
        assert "\x1b" not in shown(controller)
        assert past().runs[SECOND] in {run.run_id for run in controller.state.busy_runs}


@examples(60)
@given(documents(json.loads(past().things[layout.desired(past().runs[FIRST])])))
def test_a_wish_that_cannot_be_read_is_written_anew(data: bytes) -> None:
    _, shelf = at_ease({layout.desired(past().runs[FIRST]): data})
    key = layout.desired(past().runs[FIRST])
    told, meant = (Desired.model_validate_json(things[key]) for things in (shelf.things, past().things))
    assert told.model_copy(update={"journal": 0}) == meant.model_copy(update={"journal": 0})


# --- launch-<try>.json: frozen before it is sent


LAUNCH = next(k for k in past().things if k.startswith(f"runs/{past().runs[FIRST]}/attempts/1/launch-"))
OTHERS = next(k for k in past().things if k.startswith(f"runs/{past().runs[SECOND]}/attempts/1/launch-"))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    valid = json.loads(past().things[LAUNCH])
    return draw(
        st.one_of(
            st.just(past().things[OTHERS]), damaged(past().things[LAUNCH]), bent(valid).map(lambda v: json.dumps(v).encode())
        )
    )


class Launching(Still):
    """Remembers what it was asked to launch, and has nothing yet."""

    def __init__(self, inner: Provider) -> None:
        super().__init__(inner)
        self.asked: list[LaunchRequest] = []
        self._some = inner.list("sim-1").instances[0]

    def list(self, region: str) -> Listing:
        return Listing(region=region, at=past().clock())

    def launch(self, request: LaunchRequest, in_time: InTime = always) -> Instance:
        self.asked.append(request)
        return self._some


@examples(80)
@given(requests())
@example(past().things[OTHERS])
@example(b"")
def test_a_frozen_request_that_is_not_what_was_intended_is_never_sent_and_stops_no_other_run(data: bytes) -> None:
    """The run that it is for waits for its user's word; the ticks go on."""
    told = past()
    intended = [
        [event for event in json.loads(told.entry(n))["events"] if event["type"] in ("run-created", "launch-intended")]
        for n in range(1, told.head + 1)
    ]
    events = [event for entry in intended for event in entry]
    shelf = Shelf({}, told.clock)
    shelf.put(LAUNCH, data)
    cloud = Launching(told.provider)
    controller = told.controller(shelf)
    controller.observer.providers = {"sim": cloud}
    assert controller.record([decode(event) for event in events])
    for _ in range(2):
        controller.tick()
    for request in cloud.asked:
        attempt = controller.state.runs[request.run_id].attempts[request.attempt]
        assert request.token == attempt.token
        assert request.fleet_id == told.fleet_id
    assert told.runs[SECOND] in {request.run_id for request in cloud.asked}


def test_what_was_intended_with_a_provider_that_is_not_set_up_here_is_left_to_those_who_have_it() -> None:
    told = past()
    shelf = Shelf({}, told.clock)
    controller = told.controller(shelf)
    controller.observer.providers = {}
    events = [event for n in range(1, told.head + 1) for event in json.loads(told.entry(n))["events"]]
    assert controller.record([decode(e) for e in events if e["type"] in ("run-created", "launch-intended")])
    controller.tick()
    assert "provider 'sim'" in str(controller.observer.troubles)

"""What trainings print, traces of spot capacity, and compose files: anything may stand in them."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.agent.lines import MOST_LINE, MOST_WAITING, Lines
from fleet.agent.protocol import MOST_METRICS, Progress, parse_line
from fleet.cli.plain import Screen, plain
from fleet.model.base import FURTHEST, MOST_STEPS
from fleet.model.errors import FleetError, JobError
from fleet.model.stackfile import main_service
from fleet.providers.local.market import capacity, fate, parse_market
from fleet.workloads.stack import resolved
from tests.fuzz.draw import ESCAPES, STRINGS, as_json, bent, damaged, documents, examples, leaves, strings, values

# --- one line each: fleet.progress, fleet.saved

WORDS = (
    "fleet.progress ",
    "fleet.saved ",
    "fleet.",
    "step=",
    "step=1",
    "at=",
    "a=nan",
    "b=1e400",
    "=",
    " ",
    "\n",
    "\r\n",
    "\0",
)
output = st.lists(
    st.sampled_from([word.encode() for word in WORDS])
    | strings.map(lambda text: text.encode("utf-8", "replace"))
    | st.binary(max_size=20)
    | st.sampled_from(
        [b"x" * 70_000, b"fleet.progress step=" + b"9" * 9000, b"\n" * 3000, b"fleet.saved step=1 at=" + b"1" * 63]
    ),
    max_size=30,
).map(b"".join)


@examples(150)
@given(st.lists(output, max_size=4))
def test_whatever_a_training_prints_its_lines_are_lines(chunks: list[bytes]) -> None:
    lines = Lines(lambda: 1.0)
    for chunk in chunks:
        lines.feed(chunk)
    lines.finish()
    for _, line in lines.take():
        assert len(line) <= MOST_LINE
        said = parse_line(line)
        if said is not None:
            assert 0 <= said.step <= MOST_STEPS
        if isinstance(said, Progress):
            assert len(said.metrics) <= MOST_METRICS
            assert all(map(math.isfinite, said.metrics.values()))
        elif said is not None and said.at is not None:
            assert abs(said.at) <= FURTHEST


@examples(60)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_line_of_the_protocol_is_heard_among_garbage(noise: list[bytes]) -> None:
    lines = Lines(lambda: 1.0)
    lines.feed(b"\n" * (MOST_WAITING + 5))
    for piece in noise:
        lines.feed(piece)
    lines.feed(b"\nfleet.progress st")
    lines.feed(b"ep=7\n")
    assert Progress(7) in [parse_line(line) for _, line in lines.take()]


@examples(150)
@given(st.lists(output | st.just(ESCAPES.encode()), max_size=4), st.booleans())
def test_no_escape_of_a_trainings_reaches_a_screen_but_colours(chunks: list[bytes], colours: bool) -> None:
    screen = Screen(colours=colours)
    shown = "".join([*(screen.shown(chunk) for chunk in chunks), screen.rest()])
    for piece in shown.split("\x1b[")[1:]:
        assert colours
        assert piece.partition("m")[0].translate(dict.fromkeys(map(ord, "0123456789;:"))) == ""
    text = plain(b"".join(chunks).decode("utf-8", "replace"))
    assert not set(text) & {"\x1b", "\r", "\x07", "\x9b", "\u202e"}


# --- traces of measured capacity

TRACE = {"metadata": {"gap_seconds": 600, "start_time": 0}, "data": [0, 1, 1, 0, 2, 1] * 5}


@examples(200)
@given(
    documents(TRACE),
    st.sampled_from([5e-324, 1e-9, 1.0, 600.0, 6e10]),
    st.integers(0, 10**6),
    st.sampled_from([-6e10, 0.0, 1e9]),
)
@example(b'{"data": [1e400]}', 1.0, 0, 0.0)
@example(b'{"data": ' + b"[" * 100_000, 1.0, 0, 0.0)
@example(as_json(TRACE), 5e-324, 0, 0.0)
def test_a_trace_is_followed_or_said_to_be_none(data: bytes, tick: float, start: int, epoch: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        path.write_bytes(data)
        spec = {"kind": "trace", "zones": {"here-a": str(path)}, "tick": tick, "start": start, "epoch": epoch, "lead": 2}
        begun, market, said = time.thread_time(), None, ""
        try:
            market = parse_market(spec)
        except FleetError as error:
            said = error.message
        if market is None:
            assert str(path) in said or "description is wrong" in said
            return
        for now in (0.0, 1e9, 2e9):
            capacity(market, "here-a", now)
            found = fate(market, "here-a", 0, now)
            assert found is None or found["take_at"] > now
        assert time.thread_time() - begun < 1


@examples(150)
@given(
    bent({"kind": "seed", "seed": 3, "up": 60, "down": 20, "lead": 2, "epoch": 1e9, "types": {"small": {"price": 5}}})
    | bent({"kind": "schedule", "take_backs": [{"after": 5, "from": "launch", "signals": ["notice"], "lead": 2}]})
    | bent({"kind": "trace", "zones": {"here-a": "/nowhere/\0"}, "epoch": 0})
)
@example({"kind": "trace", "zones": {"here-a": "/nowhere/\0"}, "epoch": 0})
@example({"kind": "seed", "seed": 3, "up": 1e-9, "down": 1e-9, "epoch": 1e9})
def test_a_market_is_one_or_said_to_be_none(spec: dict[str, object]) -> None:
    begun = time.thread_time()
    try:
        market = parse_market(spec)
    except FleetError:
        return
    capacity(market, "here-a", 1e9 + 3600)
    fate(market, "here-a", 0, 1e9 + 3600)
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize("field", ["tick", "lead", "start"])
def test_a_market_in_which_time_goes_back_is_none(field: str) -> None:
    with pytest.raises(FleetError, match=field):
        parse_market({"kind": "trace", "zones": {}, "epoch": 0, field: -1})


def test_a_market_that_was_drawn_long_ago_is_looked_at_as_quickly_as_a_new_one() -> None:
    market = parse_market({"kind": "seed", "seed": 3, "up": 60, "down": 20, "epoch": 0})
    begun = time.thread_time()
    ups = [capacity(market, "here-a", 1.7e9 + 40 * hour) for hour in range(20)]
    assert time.thread_time() - begun < 3
    assert set(ups) == {True, False}


# --- compose files

STACK = """\
x-common: &common {restart: always, labels: {fleet.main: "false"}}
services:
  training: {<<: *common, image: x, labels: [fleet.main=true], environment: {A: b}}
  monitor: {image: y, profiles: [debug]}
  db: {<<: [*common], build: .}
"""
PIECES = (
    "<<: ",
    "*common",
    "&common ",
    "!reset ",
    "{",
    "}",
    "[",
    "]",
    "- ",
    ": ",
    "\n",
    "\t",
    "'",
    "labels: ",
    "services:\n",
    "? ",
)


def check_stack(text: str) -> None:
    begun, said = time.thread_time(), "compose.yaml"
    try:
        main_service(text, "compose.yaml")
    except JobError as error:
        said = error.message
    assert said.startswith("compose.yaml")
    assert time.thread_time() - begun < 1


@examples(150)
@given(st.text(max_size=60) | damaged(STACK.encode()).map(lambda data: data.decode("utf-8", "replace")))
def test_a_damaged_compose_file_names_its_training_or_what_is_wrong(text: str) -> None:
    check_stack(text)


@examples(150)
@given(st.integers(0, len(STACK)), st.sampled_from((*PIECES, *STRINGS)))
def test_pieces_of_yaml_in_a_compose_file_are_borne(at: int, piece: str) -> None:
    check_stack(STACK[:at] + piece + STACK[at:])


MERGES = "".join(f"m{n}: &m{n} {{<<: [{', '.join(f'*m{n - 1}' for _ in range(9))}]}}\n" for n in range(1, 30))


@pytest.mark.parametrize(
    "text",
    [
        "services: " + "{a: " * 5000,
        "services: {" + "a: {}, " * 90_000 + "}",
        "m0: &m0 {a: b}\n" + MERGES + "services: {a: {<<: *m29}, b: {}}\n",
        "services: {a: {labels: [" + "1:" * 400_000 + "1]}}",
    ],
    ids=["nested", "many", "merges of merges", "base 60"],
)
def test_a_large_compose_file_takes_no_longer_than_a_moment(text: str) -> None:
    check_stack(text)


@examples(60)
@given(values | st.dictionaries(st.just("services"), st.dictionaries(strings, leaves, max_size=3) | leaves))
def test_what_compose_prints_is_a_configuration_or_said_to_be_none(document: object) -> None:
    try:
        text = yaml.safe_dump(document) if not isinstance(document, str) else document
    except (ValueError, RecursionError):
        text = json.dumps({"services": None})
    try:
        assert isinstance(resolved(text)["services"], dict)
    except FleetError:
        return

"""The lines by which a training speaks, and fleet's own helpers for writing them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fleet
from fleet.agent.beats import Rate
from fleet.agent.protocol import Progress, Saved, parse_line


@given(st.text(max_size=300))
def test_no_line_is_ever_too_strange(text: str) -> None:
    for line in (text, f"fleet.progress {text}", f"fleet.progress step={text}", f"fleet.saved {text}"):
        said = parse_line(line)
        assert said is None or said.step >= 0


@given(
    st.integers(0, 10**12), st.dictionaries(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), st.floats(-1e6, 1e6), max_size=5)
)
def test_what_the_helper_prints_is_understood(step: int, metrics: dict[str, float]) -> None:
    import contextlib
    import io

    for taken in ("step", "total"):
        metrics.pop(taken, None)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        fleet.progress(step, total=None, **metrics)
        fleet.saved(step)
    first, second = out.getvalue().splitlines()
    said = parse_line(first)
    assert isinstance(said, Progress)
    assert said.step == step
    assert said.metrics == pytest.approx(metrics, rel=1e-5, abs=1e-5)
    named = parse_line(second)
    assert isinstance(named, Saved)
    assert named.step == step
    assert named.at == pytest.approx(time.time(), abs=60)
    assert parse_line(f"fleet.saved step={step} at=soon") == Saved(step)


@pytest.mark.parametrize(
    "line",
    ["", "fleet.progress", "fleet.progress ", "fleet.progress step=", "fleet.progress step=-1", "fleet.progress step=1.5",
     "fleet.progress step=٣", " fleet.progress step=1", "fleet.progressstep=1", "x" * 5000],
)  # fmt: skip
def test_what_is_no_line_of_the_protocol_is_training_s_own_affair(line: str) -> None:
    assert parse_line(line) is None


def test_metrics_that_are_no_numbers_are_left_out() -> None:
    assert parse_line("fleet.progress step=3 a=1e3 b=nan c=inf d=x e=") == Progress(3, {"a": 1000.0})


def test_a_wish_to_save_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEET_SAVE_REQUEST", raising=False)
    assert not fleet.save_requested()
    wish = tmp_path / "wish"
    monkeypatch.setenv("FLEET_SAVE_REQUEST", str(wish))
    assert not fleet.save_requested()
    wish.write_text("1")
    assert fleet.save_requested()
    assert not fleet.save_requested()
    wish.write_text("2")
    assert fleet.save_requested()


def test_the_rate_is_that_of_the_last_minute() -> None:
    rate = Rate()
    assert rate.value(0.0) is None
    for second in range(200):
        rate.add(float(second), second if second < 100 else 100 + 3 * (second - 100))
    assert rate.value(199.0) == pytest.approx(3.0, rel=0.02)


def test_a_training_may_say_at_which_step_it_will_have_ended(capsys: pytest.CaptureFixture[str]) -> None:
    fleet.progress(120, total=3000, reward=0.5)
    assert parse_line(capsys.readouterr().out.strip()) == Progress(120, {"reward": 0.5}, 3000)


@pytest.mark.parametrize("total", ["0.75", "-3", "0"])
def test_a_metric_that_is_called_total_stays_one(total: str) -> None:
    assert parse_line(f"fleet.progress step=3 total={total}") == Progress(3, {"total": float(total)})

"""Following a run: this terminal is a controller while it prints what happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.cli.plain import plain
from fleet.cli.timeline import attempt_of, describe
from fleet.control.controller import Controller
from fleet.control.keeping import keep, over
from fleet.control.runs import RunView, view
from fleet.core.state import RunState
from fleet.model.documents import CheckpointRef, Heartbeat
from fleet.model.events import Event
from fleet.model.units import format_money

PROGRESS_EVERY = 2.0
"""A line on steps and metrics at most so often, in seconds."""


@dataclass
class Timeline:
    """Prints lines with the seconds since it began and the attempt that they are about."""

    write: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)
    _progress_at: float = float("-inf")
    _step: int | None = None
    _checkpoint: CheckpointRef | None = None
    _warned: str = ""

    def line(self, attempt: int | None, text: str) -> None:
        """One line."""
        who = f"#{attempt}" if attempt else ""
        self.write(f"{time.monotonic() - self.started:7.1f}s  {who:<4}{plain(text)}\n")

    def event(self, event: Event) -> None:
        """Something that the journal says."""
        self.line(attempt_of(event), describe(event))

    def look(self, seen: RunView) -> None:
        """What the agent says beside the journal: checkpoints as they come, progress now and then."""
        beat, attempt = seen.beat, seen.attempt
        if beat is None or attempt is None:
            return
        own = beat.checkpoint is not None and beat.checkpoint.attempt == beat.attempt
        told = seen.run.attempts[attempt.number].released_at is not None  # with the step that it released at
        if own and not told and beat.checkpoint != self._checkpoint:
            self._checkpoint = beat.checkpoint
            self.line(beat.attempt, f"checkpoint  {beat.checkpoint} committed at step {beat.checkpoint_step}")
        if beat.phase == "training" and beat.message != self._warned:
            self._warned = beat.message
            if beat.message:
                self.line(beat.attempt, f"warning     {beat.message}")
        now = time.monotonic()
        if beat.step is not None and beat.step != self._step and now - self._progress_at >= PROGRESS_EVERY:
            self._step, self._progress_at = beat.step, now
            self.line(beat.attempt, f"training    {_progress(seen, beat)}")


def _progress(seen: RunView, beat: Heartbeat) -> str:
    metrics = "".join(f"  {name} {value:.3g}" for name, value in beat.metrics.items())
    rate = f"  {beat.rate:.1f}/s" if beat.rate else ""
    return f"step {beat.step}{metrics}{rate}  spent {format_money(seen.cost.total)}"


def follow(
    controller: Controller,
    run_id: str,
    timeline: Timeline,
    *,
    until: Callable[[RunState], bool] = over,
    tell: Callable[[], None] = lambda: None,
) -> RunState:
    """Keep a run alive, and print what happens. ``tell`` is called after each look."""

    def on_tick() -> None:
        tell()
        timeline.look(view(controller, controller.state.runs[run_id]))

    return keep(
        controller,
        run_id,
        until=until,
        on_tick=on_tick,
        on_word=lambda kind, text: timeline.line(None, f"{kind:<11} {text}"),
    )


def to_stdout(text: str) -> None:
    """For people."""
    sys.stdout.write(text)
    sys.stdout.flush()


def to_stderr(text: str) -> None:
    """When standard output belongs to a program."""
    sys.stderr.write(text)
    sys.stderr.flush()

"""Half a minute's notice, on a bucket that takes its time: what is saved, what is sent, what is left out and said."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.agent.leaving import TIME_WAS_UP
from fleet.core.short_notice import RELEASE
from fleet.providers.sim.clock import VirtualClock
from fleet.store.objects import Objects
from fleet.store.throttle import CutShortError, Throttle
from tests.agent.fakes import DirectLane, Life, World

NOTICE = 30.0


class Line:
    """A bucket whose uploads take their time."""

    def __init__(self, inner: Objects, clock: VirtualClock) -> None:
        self._inner, self._clock = inner, clock
        self.rate = 1e9
        """Bytes a second."""
        self.pause: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def upload(self, key: str, path: Path) -> str | None:
        self.pause()
        self._clock.advance(path.stat().st_size / self.rate)
        return self._inner.upload(key, path)


class SlowLane(DirectLane):
    """Begins its work at once, and ends it when it is due, or when what it does is given up."""

    def __init__(self) -> None:
        super().__init__()
        self.due: Callable[[], bool] = lambda: True
        self._held: Callable[[], object] | None = None

    def give(self, work: Callable[[], object]) -> None:
        if self.due():
            super().give(work)
        else:
            self.busy, self._held = True, work

    def take(self):  # type: ignore[no-untyped-def]
        if self._held is None:
            return super().take()
        if not self.due():
            return None
        work, self._held, self.busy = self._held, None, False
        super().give(work)
        return super().take()


class Bench:
    """A training that saves so many bytes, on a line of so many bytes a second."""

    def __init__(self, folder: Path, *, volume: bool = True) -> None:
        self.world = World(folder)
        self.line, self.lane = Line(self.world.objects, self.world.clock), SlowLane()
        disk = self.world.disk() if volume else None
        more = {} if volume else {"volume_new": False}
        self.life: Life = self.world.attempt(disk=disk, objects=self.line, work=self.lane, **more)  # type: ignore[arg-type]
        self.line.pause = self.life.agent.throttle.pause
        self.life.until("training")
        self.life.training.on_stop = self.saves_and_ends
        self.step = 0
        self.size = 1000

    def save(self) -> None:
        """As large as the one before, and another."""
        self.step += 10
        target = Path(self.life.training.env["FLEET_CHECKPOINTS"]) / "model.pt"
        target.with_name("model.pt.tmp").write_bytes(bytes([self.step]) * self.size)
        os.utime(target.with_name("model.pt.tmp"), (self.world.clock(), self.world.clock()))
        target.with_name("model.pt.tmp").replace(target)
        self.life.training.say(f"fleet.progress step={self.step}")
        self.life.training.say(f"fleet.saved step={self.step}")

    def saves_and_ends(self) -> None:
        self.save()
        self.life.training.code = 0

    def measured(self, rate: float) -> None:
        """One checkpoint is sent at that rate."""
        self.line.rate = rate
        self.save()
        count = self.life.agent.saver.count if self.life.agent.saver is not None else 0
        while self.life.agent.saver is None or self.life.agent.saver.count == count:
            self.life.live(1)

    def notice(self, seconds: float = NOTICE) -> float:
        """Given, and lived through; after so many seconds the volume was let go."""
        given = self.world.clock()
        self.life.machine.notice_until = given + seconds
        self.life.until("released", most=seconds)
        took = self.world.clock() - given
        self.life.live(seconds - took)
        return took

    def cut(self) -> bool:
        try:
            self.life.agent.throttle.pause()
        except CutShortError:
            return True
        return False

    @property
    def outcome(self) -> str:
        assert self.life.beat.outcome is not None
        return self.life.beat.outcome.message


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def new(*, volume: bool = True) -> Bench:
        made.append(Bench(tmp_path, volume=volume))
        return made[-1]

    yield new
    for bench in made:
        bench.world.close()


def test_a_checkpoint_that_is_sent_in_time_is_sent(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.measured(rate=200)  # five seconds
    assert bench.notice() < NOTICE - RELEASE
    beat = bench.life.beat
    assert (beat.phase, beat.checkpoint_step, beat.message, bench.outcome) == ("released", 20, "", "")


def test_one_that_would_not_be_is_left_on_the_volume_and_that_is_said(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.measured(rate=20)  # fifty seconds
    assert bench.notice() < 5  # nobody waits for what is left out
    beat = bench.life.beat
    assert (beat.phase, beat.checkpoint_step) == ("released", 10)
    assert bench.life.machine.released
    told = "stays on the volume and is sent by the next machine: sending 1.0 kB takes 50s at the rate measured here"
    assert told in bench.outcome
    assert told in bench.life.log.tail(5)
    next_one = bench.world.attempt(2, disk=bench.world.disk(), predecessor=1)
    bench.line.rate = 1e9
    next_one.until("training")
    next_one.live(1)
    resumed = next_one.beat.resumed
    assert resumed is not None
    assert (resumed.source, resumed.step, resumed.lost_steps) == ("volume", 20, 0)


def test_an_upload_that_is_under_way_does_not_keep_the_volume_from_being_let_go(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.measured(rate=20)
    bench.lane.due = bench.cut  # what is sent now ends when it is given up, and not before
    bench.save()
    bench.life.live(5)
    assert bench.lane.busy
    assert bench.notice() < 5
    assert (bench.life.beat.phase, bench.life.machine.released) == ("released", True)
    assert bench.life.beat.checkpoint_step == 10


def test_an_upload_that_was_never_measured_is_cut_short_in_time_for_the_way_out(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.lane.due = bench.cut
    assert NOTICE - RELEASE <= bench.notice() < NOTICE
    beat = bench.life.beat
    assert (beat.phase, beat.checkpoint_step, bench.life.machine.released) == ("released", None, True)
    assert "was never measured" in bench.outcome


def test_what_is_feared_and_does_not_come_to_pass_is_told_no_longer(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.notice()
    assert (bench.life.beat.phase, bench.life.beat.checkpoint_step) == ("released", 10)
    assert (bench.life.beat.message, bench.outcome) == ("", "")


def test_a_save_that_came_too_late_to_be_sent_is_told_though_nothing_was_to_be_left_out(make: Callable[..., Bench]) -> None:
    """Found by seed 115 over Compute Engine: the word that it let go said nothing of the newer state on the volume."""
    bench = make()
    bench.measured(rate=1e9)
    bench.life.training.on_stop = bench.save  # and it does not end
    bench.notice(RELEASE + 4)
    assert bench.life.training.killed
    assert (bench.life.beat.phase, bench.life.beat.checkpoint_step) == ("released", 10)
    assert TIME_WAS_UP in bench.outcome


def test_without_a_volume_the_checkpoint_under_way_is_sent_and_training_not_asked(make: Callable[..., Bench]) -> None:
    bench = make(volume=False)
    bench.measured(rate=36)  # twenty-eight seconds
    began = bench.world.clock()
    bench.line.rate = 1e9
    bench.lane.due = lambda: bench.world.clock() >= began + 30 or bench.cut()
    bench.save()
    bench.life.live(5)
    assert bench.life.agent.saver is not None
    bench.life.agent.saver.sending = (1000, bench.world.clock() - 3)
    bench.notice()
    beat = bench.life.beat
    assert (bench.life.training.asked, bench.life.training.killed) == (False, True)
    assert (beat.phase, beat.checkpoint_step) == ("released", 20)
    assert "training is not asked to save" in bench.outcome


def test_a_shutdown_that_turns_out_to_be_the_clouds_is_told_as_such(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.life.training.on_stop = lambda: None
    began = bench.world.clock()
    assert bench.life.agent.end_soon(began)
    bench.life.live(1)
    bench.life.machine.notice_until = began + NOTICE
    bench.life.live(NOTICE)
    assert bench.life.training.killed
    assert (bench.life.beat.phase, "shut down" in bench.outcome) == ("released", False)
    assert bench.life.beat.notice is not None


def test_a_shutdown_in_the_moment_of_the_notice_is_the_clouds_from_the_first_word_on(make: Callable[..., Bench]) -> None:
    """Training that ends at once leaves no time for a second look: the machine was let go before anybody asked again."""
    bench = make()
    began = bench.world.clock()
    bench.life.machine.notice_until = began + NOTICE
    assert bench.life.agent.end_soon(began)
    assert bench.life.agent.leaving is not None
    assert bench.life.agent.leaving.reason == "notice"
    bench.life.until("released", most=NOTICE)
    assert bench.life.beat.notice is not None


def test_a_metadata_service_that_is_silent_takes_none_of_a_shutdowns_time(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question of it may take seconds: it is asked at its usual pace, not in every round."""
    bench, asked = make(), []

    def silence() -> None:
        asked.append(bench.world.clock())
        raise OSError("no answer")

    monkeypatch.setattr(bench.life.machine, "notice", silence)
    began = bench.world.clock()
    for _ in range(20):
        assert bench.life.agent.end_soon(began)
    assert len(asked) == 1


def test_whoever_sends_or_hashes_hears_that_it_is_cut_short_while_it_waits() -> None:
    throttle, waited = Throttle(0.01, cores=1, used=iter(range(0, 10**6, 10)).__next__), threading.Event()
    throttle.impose()
    failed = threading.Event()

    def work() -> None:
        waited.set()
        try:
            throttle.pause()
            throttle.pause()
        except CutShortError:
            failed.set()

    one = threading.Thread(target=work)
    one.start()
    waited.wait(5)
    throttle.cut()
    one.join(5)
    assert failed.is_set()
    throttle.mend()
    throttle.pause()

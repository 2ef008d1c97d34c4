"""How fast a disk fills."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.workloads.deepracer.growth import DAY, EVERY, MOST_NOTES, NOTES, Note, growth, note, noted, written

GB = 10**9


def notes(
    rate: float, *, hours: float = 10, used: float = 100 * GB, total: int = 500 * GB, every: float = 300
) -> list[Note]:
    """At ``rate`` bytes per day."""
    return [Note(at, int(used + rate * at / DAY), total) for at in (every * n for n in range(int(hours * 3600 / every)))]


@given(st.floats(0, 400), st.floats(1, 23))
def test_a_steady_growth_is_measured(gigabytes: float, hours: float) -> None:
    found = growth(notes(gigabytes * GB, hours=hours))
    assert found is not None
    assert found.bytes_per_day == pytest.approx(gigabytes * GB, rel=0.01, abs=1e6)
    if gigabytes > 1:
        assert found.full_at is not None
        left = (found.total - found.used) / (gigabytes * GB) * DAY
        assert found.full_at - (hours * 3600) == pytest.approx(left, rel=0.02, abs=600)


def test_a_cleaning_does_not_hide_the_growth() -> None:
    def cleaned(one: Note) -> Note:
        return Note(one.at, one.used - 50 * GB, one.total, 50 * GB) if one.at > 15_000 else one

    found = growth(map(cleaned, notes(200 * GB)))
    assert found is not None
    assert found.bytes_per_day == pytest.approx(200 * GB, rel=0.01)


def test_a_large_file_that_comes_and_goes_does_not_turn_it() -> None:
    spoilt = [Note(n.at, n.used + (30 * GB if 20 <= i < 26 else 0), n.total) for i, n in enumerate(notes(24 * GB))]
    found = growth(spoilt)
    assert found is not None
    assert found.bytes_per_day == pytest.approx(24 * GB, rel=0.25)


def test_what_was_longer_ago_than_a_day_does_not_count() -> None:
    quiet = [Note(at * 600 - 2 * DAY, 100 * GB, 500 * GB) for at in range(144)]
    found = growth([*quiet, *notes(100 * GB)])
    assert found is not None
    assert found.bytes_per_day == pytest.approx(100 * GB, rel=0.01)


@pytest.mark.parametrize("known", [[], notes(GB, hours=0.1)])
def test_too_little_is_known_at_first(known: list[Note]) -> None:
    assert growth(known) is None


def test_a_disk_that_shrinks_or_rests_is_never_full() -> None:
    for rate in (0, -5 * GB):
        found = growth(notes(rate))
        assert found is not None
        assert (found.bytes_per_day, found.full_at) == (0.0, None)


def test_another_disk_is_another_beginning() -> None:
    moved = [*notes(GB), *[Note(n.at + 40_000, n.used, 2 * n.total) for n in notes(9 * GB, hours=5)]]
    found = growth(moved)
    assert found is not None
    assert found.bytes_per_day == pytest.approx(9 * GB, rel=0.01)


def test_by_files_times_alone() -> None:
    now = 10 * DAY
    files = [(GB, now - 3600), (GB, now - 7200), (50 * GB, now - 2 * DAY), (GB, now + 60)]
    assert written(files, now) == pytest.approx(2 * GB * 12)
    assert written([], now) == 0


@pytest.fixture
def usage(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def use(used: int) -> None:
        told = type("Usage", (), {"total": 500 * GB, "used": used, "free": 500 * GB - used})()
        monkeypatch.setattr("shutil.disk_usage", lambda _path: told)

    return use


def test_notes_are_taken_now_and_then_and_add_up_what_was_cleaned(tmp_path: Path, usage: Callable[[int], None]) -> None:
    usage(100 * GB)
    assert note(tmp_path, 0.0) == [Note(0.0, 100 * GB, 500 * GB)]
    assert len(note(tmp_path, EVERY - 1)) == 1
    usage(90 * GB)
    note(tmp_path, EVERY / 2, cleaned=10 * GB)  # a cleaning is noted at once
    usage(95 * GB)
    assert note(tmp_path, 2 * EVERY)[-1] == Note(2 * EVERY, 95 * GB, 500 * GB, 10 * GB)
    assert noted(tmp_path) == note(tmp_path, 2 * EVERY + 1)


def test_notes_stay_few_and_a_clock_that_was_put_back_spoils_none(tmp_path: Path, usage: Callable[[int], None]) -> None:
    usage(GB)
    for number in range(MOST_NOTES + 20):
        found = note(tmp_path, number * EVERY)
    assert len(found) == MOST_NOTES
    back = note(tmp_path, 200 * EVERY)
    assert [one.at for one in back] == sorted({one.at for one in back})
    assert back[-1].at == 200 * EVERY


@pytest.mark.parametrize("text", ["", "{", "[]", '{"notes": [[1]]}', '{"notes": 3}'])
def test_notes_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NOTES).write_text(text)
    assert noted(tmp_path) == []

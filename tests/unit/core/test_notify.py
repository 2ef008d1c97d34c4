"""Which messages a destination gets: each thing once, and what comes thick and fast in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fleet.core import notify
from fleet.core.notify import AGAIN, CALM, FORGET, OLD, Message, failed, messages, wanted
from fleet.core.thing import Thing
from fleet.model.notify import KINDS, Kind, Kinds, Log, Wish

NOW = 1_800_000_000.0
ALL: Kinds = dict.fromkeys(KINDS, NOW - 2 * FORGET)
WISH = Wish(to={"x": ALL})


def thing(kind: Kind = "interruption", which: int = 1, at: float = NOW, run: str = "racer", **more: Any) -> Thing:
    return Thing(kind, run, str(which), at, run, f"{run} {kind} {which}", f"fleet status {run}", **more)


def told(log: Log, *seen: Thing, now: float = NOW, kinds: Kinds = ALL, wish: Wish = WISH) -> tuple[Log, list[Message]]:
    return messages(log, seen, now, wish, kinds)


def titles(made: Sequence[Message]) -> list[str]:
    return [one.title for one in made]


def test_a_thing_is_told_once_with_the_command_to_type_next() -> None:
    log, made = told(Log(), thing())
    assert [(one.title, one.body) for one in made] == [
        ("fleet: racer was interrupted", "racer interruption 1.\nNext: fleet status racer")
    ]
    assert told(log, thing()) == (log, [])


def test_only_what_is_wished_for_is_told_and_only_since_then() -> None:
    kinds: Kinds = {"failed": NOW - 10}
    seen = [thing(), thing("failed", 1, NOW - 11), thing("failed", 2, NOW - 9)]
    assert titles(told(Log(), *seen, kinds=kinds)[1]) == ["fleet: racer failed"]
    assert told(Log(), *seen, kinds={}) == (Log(), [])


def test_of_one_kind_and_run_there_is_one_message_in_a_while_and_then_one_that_says_how_many() -> None:
    log, made = told(Log(), thing(which=1))
    later = [thing(which=n, at=NOW + 60 * n) for n in (2, 3, 4)]
    for minute in (2, 3, 4, 14):
        seen = [one for one in later if one.at <= NOW + 60 * minute]
        log, made = told(log, *seen, now=NOW + 60 * minute)
        assert made == []
    log, made = told(log, *later, now=NOW + WISH.quiet)
    assert titles(made) == ["fleet: racer: 3 interruptions"]
    assert made[0].body == ("racer: 3 interruptions within 2m00s. The last: racer interruption 4.\nNext: fleet status racer")
    assert told(log, *later, now=NOW + 5 * WISH.quiet)[1] == []


def test_another_run_or_another_kind_does_not_wait() -> None:
    log, _ = told(Log(), thing())
    _, made = told(log, thing("recovery"), thing(run="other"), now=NOW + 1)
    assert sorted(titles(made)) == ["fleet: other was interrupted", "fleet: racer trains again"]


def test_a_storm_over_many_runs_is_one_message() -> None:
    seen = [thing(run=f"run-{n:02}") for n in range(40)]
    log, made = told(Log(), *seen)
    assert titles(made) == ["fleet: 40 interruptions (40 runs)"]
    assert "run-00, run-01, run-02, run-03, run-04 and 35 more" in made[0].body
    assert made[0].body.endswith("Next: fleet ps")
    assert told(log, *seen, now=NOW + 1000)[1] == []


def test_a_storm_that_comes_drop_by_drop_is_summed_up_as_well() -> None:
    log, sent = Log(), []
    seen: list[Thing] = []
    for second in range(40):
        seen.append(thing(run=f"run-{second:02}", at=NOW + second))
        log, made = told(log, *seen, now=NOW + second)
        sent += titles(made)
    assert len(sent) == notify.STORM
    log, made = told(log, *seen, now=NOW + 40 + CALM)
    assert titles(made) == ["fleet: 37 interruptions (37 runs)"]


def test_what_happened_while_nobody_was_there_is_one_summary_and_the_last_hour_is_told_as_it_is() -> None:
    week = [thing(which=n, at=NOW - 7 * 86_400 + n * 3600, run=f"run-{n % 3}") for n in range(160)]
    seen = [*week, thing("failed", 1, NOW - 5 * 3600), thing("finished", 1, NOW - 60, run="other")]
    log, made = told(Log(), *seen)
    assert titles(made) == ["fleet, earlier: 160 interruptions, 1 run failed", "fleet: other finished"]
    assert "- 160 interruptions: run-0, run-1, run-2\n- 1 run failed: racer\nNext: fleet ps" in made[0].body
    assert told(log, *seen, now=NOW + OLD)[1] == []


def test_what_may_pass_is_told_once_it_has_lasted_whenever_it_was_wished_for() -> None:
    waits = thing("no-capacity", 1, NOW - 3000, standing=True)
    assert told(Log(), waits, now=waits.at + WISH.no_capacity - 1)[1] == []
    log, made = told(Log(), waits, now=waits.at + WISH.no_capacity, kinds={"no-capacity": NOW + 100})
    assert titles(made) == ["fleet: racer has no machine"]
    assert told(log, waits, now=NOW + 2 * FORGET / 3)[1] == []
    dark = thing("blind", 1, NOW, standing=True)
    assert told(Log(), dark, now=NOW + WISH.blind - 1)[1] == []
    assert titles(told(Log(), dark, now=NOW + WISH.blind)[1]) == ["fleet: racer is blind"]


@pytest.mark.parametrize("now", [NOW, NOW + 10 * 365 * 86_400, NOW - 10 * 365 * 86_400])
def test_after_a_month_it_is_forgotten_that_a_thing_was_told_and_it_is_not_told_again(now: float) -> None:
    log, _ = told(Log(), thing(), now=now)
    for day in range(100):
        log, made = told(log, thing(), thing("recovery", day, now + day * 86_400), now=now + day * 86_400)
        assert "fleet: racer was interrupted" not in titles(made)
    assert len(log.told) <= 31
    assert len(log.last) <= 2


def test_what_is_told_is_bounded_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "MOST_TOLD", 100)
    log, sent = Log(), 0
    seen: list[Thing] = []
    for hour in range(300):
        seen.append(thing(which=hour, at=NOW + 3600 * hour))
        log, made = told(log, *seen, now=NOW + 3600 * hour)
        sent += len(made)
        assert len(log.told) <= 100
        assert len(log.said) <= notify.SHOWN
    assert sent == 300


def test_a_message_that_could_not_be_sent_is_sent_again_a_few_times_and_then_given_up() -> None:
    log, (message,) = told(Log(), thing())
    now, tries = NOW, 0
    while True:
        log, again = failed(log, message, "refused", now)
        assert log.said[-1].why == "refused"
        tries += 1
        if not again:
            break
        (waits,) = log.unsent
        assert told(log, now=waits.again_at - 1)[1] == []
        now = waits.again_at
        log, (message,) = told(log, now=now)
        assert (message.title, message.keys) == ("fleet: racer was interrupted", ())
    assert tries == 1 + len(AGAIN)
    assert told(log, thing(), now=now + 86_400)[1] == []


def test_a_clock_that_is_set_back_holds_no_message_up() -> None:
    log, (message,) = told(Log(), thing())
    log, _ = failed(log, message, "refused", NOW)
    assert len(told(log, now=NOW - 86_400)[1]) == 1
    assert titles(told(log, thing(which=2, at=NOW - 86_000), now=NOW - 86_000)[1])[-1] == "fleet: racer was interrupted"


def test_what_waits_for_its_time_is_still_wanted_and_what_was_told_is_not() -> None:
    log, _ = told(Log(), thing())
    assert not wanted(thing(), log, ALL, NOW)
    assert wanted(thing(which=2, at=NOW + 1), log, ALL, NOW + 1)
    assert not wanted(thing(which=2, at=NOW - FORGET - 1), log, ALL, NOW)


def test_titles_and_bodies_have_an_end() -> None:
    long = Thing("failed", "r", "1", NOW, "n" * 500, "w" * 5000, "fleet logs r")
    _, (message,) = told(Log(), long)
    assert len(message.title) <= notify.TITLE
    assert len(message.body) <= notify.BODY
    assert message.body.endswith("Next: fleet logs r")

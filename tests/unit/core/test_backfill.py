"""What nobody saw is filled in afterwards: prices of machines that ended long before anybody looked."""

from __future__ import annotations

from fleet.core.facts import ASKED_LEAST, facts
from fleet.core.fold import fold
from fleet.core.ledger import ledger
from fleet.core.observed import History, Observed
from fleet.core.pace import CLOUD
from fleet.core.state import FleetState
from fleet.model import events as ev
from fleet.model.base import FURTHEST
from fleet.model.calendar import Span
from fleet.model.cloud import Capabilities, PriceSince
from tests.unit.core.ledger.oracle import Machine
from tests.unit.core.ledger.stories import BILLING, RUN, created, folded, machine_events

HOUR, DAY = 3600.0, 86_400.0
TELLS = Capabilities(notice_seconds=120, visible_within=60, price_history=True, volume_price=80_000)
BACK = 10 * DAY
"""When the laptop is opened again: the machine ended nine days ago."""


def late() -> FleetState:
    story = machine_events(1, Machine(0, 300_000, 900_000))
    end = ev.AttemptGone(at=BACK, run_id=RUN, attempt=1, ended_at=DAY, ended_by="fleet")
    return folded([created()], story, [end])


def test_a_history_that_is_not_had_at_once_is_asked_for_as_long_as_after_an_end_that_was_seen() -> None:
    state = late()
    assert facts(state, Observed(now=BACK + HOUR)) == []
    assert list(state.unsettled.values()) == [(RUN, 1)]
    end = BACK + CLOUD.settle + 1
    just_asked, long_asked = (
        Observed(now=end, capabilities={"sim": TELLS}, priced_in_vain_since={(RUN, 1): end - asked})
        for asked in (ASKED_LEAST / 2, ASKED_LEAST)
    )
    assert facts(state, just_asked) == []
    (given_up,) = facts(state, long_asked)
    assert isinstance(given_up, ev.PricesFilled)
    assert given_up.prices == ()
    after = fold(state, state.head + 1, given_up.at, [given_up])
    assert after.unsettled == {}
    (line,) = ledger(after, Span(0.0, FURTHEST), 2 * BACK, BILLING, {})
    assert line.known == "estimated"
    assert line.amount == 24 * 300_000


def test_what_the_provider_tells_days_later_takes_the_place_of_what_was_seen() -> None:
    state = late()
    told = (PriceSince(at=0.0, price=300_000), PriceSince(at=12 * HOUR, price=500_000))
    (filled,) = facts(state, Observed(now=BACK + HOUR, histories={(RUN, 1): History(told, DAY)}))
    after = fold(state, state.head + 1, filled.at, [filled])
    (line,) = ledger(after, Span(0.0, FURTHEST), 2 * BACK, BILLING, {})
    assert (line.amount, line.known, line.how) == (12 * 800_000, "measured", "measured: seconds at the prices in force")

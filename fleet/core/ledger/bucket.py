"""What the fleet's bucket costs: what was counted in it, day by day, and the requests that were made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import pairwise

from fleet.core.ledger.charges import MONTH_MS, NO_RATES, Charge, Whose
from fleet.core.ledger.line import Known
from fleet.core.state import FleetState, StorageRecord
from fleet.core.storage import MEASURE_EVERY
from fleet.model.base import Micros, Seconds
from fleet.model.rates import Rates

THOUSAND = 1000
Mark = tuple[int, int, int]
"""From when until when, in milliseconds, and how much of something there was, or was added meanwhile."""


def of_bucket(state: FleetState, now: Seconds, rates: Mapping[str, Rates]) -> Iterator[Charge]:
    """What lies there, and what was asked; nothing of a bucket that nobody has counted, or whose prices are not known."""
    counts = state.storage
    for place in dict.fromkeys((one.provider, one.region) for one in counts):
        local = rates.get(place[0], NO_RATES).at(place[1])
        mine = [one for one in counts if (one.provider, one.region) == place]
        if local.storage_gb_month:
            yield _storage(counts, mine, now, local)
        for what in ("put", "get"):
            price = local.put_per_thousand if what == "put" else local.get_per_thousand
            marks = _asked(state, counts, place, what)
            if price and marks:
                yield _requests(mine[-1], what, marks, price, local)


def _storage(counts: Sequence[StorageRecord], mine: Sequence[StorageRecord], now: Seconds, local: Rates) -> Charge:
    """What was counted counts until the next count."""
    ends = {one.at: after.at for one, after in pairwise(counts)}
    marks = [(_ms(one.at), _ms(min(ends.get(one.at, now), now)), one.bytes) for one in mine]
    last = mine[-1]
    known: Known = "measured" if now - last.at < 2 * MEASURE_EVERY or last.at in ends else "estimated"
    how = f"{_date(last.at)} by listing: {last.objects} objects; listed price of {local.listed}"
    how = f"measured on {how}" if known == "measured" else f"estimated: last counted on {how}"
    per = local.gb_bytes * MONTH_MS

    def used(until: Seconds) -> int:
        return sum(max(0, min(end, _ms(until)) - start) * size for start, end, size in marks)

    def paid(until: Seconds) -> Micros:
        return (used(until) * local.storage_gb_month + per // 2) // per

    end = max(mine[0].at, marks[-1][1] / 1000)
    return Charge(
        "storage", _whose(last, "bucket"), mine[0].at, end, "GB-months", local.storage_gb_month,
        paid, None, lambda until: used(until) / per, known, how,
    )  # fmt: skip


def _asked(state: FleetState, counts: Sequence[StorageRecord], place: tuple[str, str], what: str) -> list[Mark]:
    """The requests between two counts, and those before the first, since the fleet had a run."""
    begun = min((run.created_at for run in state.runs.values()), default=counts[0].at)
    before, already, found = min(begun, counts[0].at), 0, list[Mark]()
    for one in counts:
        many = int(getattr(one, what))
        if (one.provider, one.region) == place and one.at > before:
            found.append((_ms(before), _ms(one.at), many - already))
        before, already = one.at, many
    return found


def _requests(last: StorageRecord, what: str, marks: Sequence[Mark], price: Micros, local: Rates) -> Charge:
    """Spread evenly over the time between two counts. What came after the last one is not known yet."""

    def used(until: Seconds) -> int:
        at = _ms(until)
        return sum(many * (min(end, at) - start) // (end - start) for start, end, many in marks if at > start)

    def paid(until: Seconds) -> Micros:
        return (used(until) * price + THOUSAND // 2) // THOUSAND

    how = f"estimated from the intervals at which machines and one controller ask; listed price of {local.listed}"
    start, end = marks[0][0] / 1000, marks[-1][1] / 1000
    return Charge(
        "requests", _whose(last, f"bucket {what}"), start, end, "requests", price,
        paid, None, lambda until: float(used(until)), "estimated", how,
    )  # fmt: skip


def _whose(of: StorageRecord, what: str) -> Whose:
    return (None, "bucket", None, of.provider, of.region, "", "", None, what)


def _ms(at: Seconds) -> int:
    return round(at * 1000)


def _date(at: Seconds) -> str:
    return datetime.fromtimestamp(at, timezone.utc).date().isoformat()

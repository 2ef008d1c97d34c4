"""The nightly page in a real Chromium: nothing runs, nothing is fetched, everything can be read; prices are real ones."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fleet.model.calendar import day_of
from fleet.model.cloud import PriceSince
from fleet.report.as_html import as_html
from fleet.report.reading import Read, Trail
from fleet.report.statement import Statement
from tests.system.browser import check, look, served
from tests.system.traces import folder
from tests.unit.report.nights import READ, ZONE, attempt, fleet, hour, night, notice, resumed, run, volume
from tests.unit.report.samples import MISCHIEF, statement

pytestmark = pytest.mark.system

__all__ = ["served"]  # a fixture

LINES = f"{MISCHIEF}\n</pre></main><style>main{{display:none}}</style><base href='http://192.0.2.1/'>\n\x1b[31mred"
KIND = "g4dn.2xlarge"


def test_names_and_log_lines_that_mean_mischief_are_words_in_every_view(served: tuple[Path, str]) -> None:
    seen = look(served, as_html(statement(LINES))[0])
    check(seen)
    for view in seen.values():
        assert "<script>alert(1)</script>" in view["text"]
        assert "</pre></main><style>" in view["text"]
        assert view["headings"][:2] == ["H1 What Wednesday 25 November 2026 cost", "H2 What to do"]
        assert len(view["charts"]) == 3


def test_a_page_that_runs_or_fetches_or_cannot_be_read_is_found_out(served: tuple[Path, str]) -> None:
    """The look itself: what it must see, it sees."""
    bad = (
        "<!doctype html><p style='color:#bbb;background:#fff'>pale</p><img src='http://192.0.2.1/x.png'>"
        "<script>console.error('heard'); alert('seen')</script><div style='width:3000px'>wide</div>"
    )
    wide = look(served, bad)["wide"]
    assert "error: heard" in wide["console"]
    assert wide["dialogs"] == ["seen"]
    assert "http://192.0.2.1/x.png" in wide["requests"]
    assert {"color-contrast", "image-alt", "html-has-lang"} <= {rule["id"] for rule in wide["violations"]}
    assert wide["wider"] > 0
    assert wide["scripts"] == 1


@pytest.mark.skipif(folder() is None, reason="the measured prices are not at hand: ../shared/data")
def test_real_prices_are_drawn_with_the_bid_and_can_be_read(served: tuple[Path, str]) -> None:
    made = real_night()
    assert {one.source for one in made.prices} == {"EC2's price history"}
    assert all(len(one.points) > 5 for one in made.prices)
    seen = look(served, as_html(made)[0])
    check(seen)
    wide = seen["wide"]
    assert "bid $0.3500" in wide["text"]
    assert any(KIND in words and "The bid is $0.3500." in words for words in wide["charts"])


def real_night() -> Statement:
    """A night of machines in three regions, at the prices that EC2 had in the weeks before."""
    known = prices(KIND, ("us-east-1", "us-west-2", "eu-west-1"))
    last = max(point.at for points in known.values() for point in points)
    of = day_of(last - 86_400, ZONE)
    shift = (of.start - hour(0)) / 3600
    zones = {region: f"{region}a" for region in known}
    machines = []
    for number, (region, zone) in enumerate(zones.items()):
        start = shift + 7 * number
        paid = {start: known[region][-1].price}
        machines.append(
            attempt(
                number + 1, start, start + 6.5, paid, zone, kind=KIND, notice=notice(start + 6.4),
                resumed=resumed(start + 0.2, 90 * number, 300.0 * number),
            )
        )  # fmt: skip
    job = {"resources": {"infra": "aws", "max_price": "$0.35"}, "budget": {"run": "$40"}}
    racer = run(*machines, created=shift - 1, job=job, volumes=(volume(since=shift - 1),), volume_id="vol-1")
    trails = {
        ("aws", region, zones[region], KIND): Trail(tuple(points), "EC2's price history", on_demand=752_000)
        for region, points in known.items()
    }
    read: Read = replace(READ, prices=trails, month_cap=90_000_000)
    return night(fleet(racer), now=shift + 30, read=read, of=of)


def prices(kind: str, regions: tuple[str, ...]) -> dict[str, list[PriceSince]]:
    """Real spot prices of a type, by region and day."""
    traces = folder()
    assert traces is not None
    found: dict[str, list[PriceSince]] = defaultdict(list)
    with gzip.open(traces.parent / "aws-gpu-spot-prices-daily.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row["instance_type"] == kind and row["region"] in regions:
                at = datetime.fromisoformat(row["date"]).replace(tzinfo=timezone.utc).timestamp()
                found[row["region"]].append(PriceSince(at=at, price=round(float(row["spot_price_usd_per_hour"]) * 1e6)))
    return {region: sorted(found[region], key=lambda point: point.at) for region in regions}

"""Markets from files; those that lie are refused with one clear message."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fleet.backtest.market import Drawn, Recorded
from fleet.backtest.market_file import open_market
from fleet.backtest.sold import on_demand_price, regions_for, types_for
from fleet.model.errors import FleetError
from fleet.model.job import Job

HEAD = "date,region,instance_type,spot_price_usd_per_hour,interruption_frequency\n"
DAY = 86_400.0


def job(infra: str = "aws", **resources: Any) -> Job:
    return Job.model_validate({"name": "x", "run": "t", "estimate": "6h", "resources": {"infra": infra, **resources}})


def trace(folder: Path, name: str, data: object, gap: object = 600) -> Path:
    path = folder / name
    path.write_text(json.dumps({"metadata": {"gap_seconds": gap}, "data": data}))
    return path


def table(folder: Path, rows: str, head: str = HEAD) -> str:
    path = folder / "prices.csv"
    path.write_text(head + rows)
    return str(path)


def history(folder: Path, records: object, **more: object) -> str:
    path = folder / "history.json"
    path.write_text(json.dumps({"v": 1, "kind": "fleet-history", "exported_at": 0.0, "records": records, **more}))
    return str(path)


def record(when: object, what: str, **more: object) -> dict[str, object]:
    where = {"provider": "aws", "region": "us-east-1", "zone": "us-east-1a", "instance_type": "g5.xlarge", "market": "spot"}
    return {"at": when, "what": what, **where, "usd_per_hour": 0.4 if what in ("launched", "refused") else None, **more}


def test_traces_of_a_folder_are_zones_of_one_clock(tmp_path: Path) -> None:
    trace(tmp_path, "us-west-2a_v100_1.json", [1, 1, 0, 0])
    trace(tmp_path, "us-east-1f_v100_1.json", [0, 0, 1, 4])
    market = open_market(str(tmp_path), job())
    assert isinstance(market, Recorded)
    assert market.regions == {"us-east-1": ("us-east-1f",), "us-west-2": ("us-west-2a",)}
    assert market.span == 2400
    drawn = market.draw(3, 0.0)
    ups = [
        (drawn.has_spot("us-west-2a", "p3.2xlarge", at), drawn.has_spot("us-east-1f", "p3.2xlarge", at))
        for at in range(0, 4800, 60)
    ]
    assert set(ups) == {(True, False), (False, True)}
    assert market.types["p3.2xlarge"].on_demand == 3_060_000


def test_a_job_is_tried_on_the_zones_that_it_may_go_to(tmp_path: Path) -> None:
    trace(tmp_path, "us-west-2a_v100_1.json", [1, 0])
    trace(tmp_path, "us-east-1f_v100_1.json", [0, 1])
    only = open_market(str(tmp_path), job("aws/us-east-1", instance_type="g5.xlarge"))
    assert (list(only.regions), list(only.types)) == (["us-east-1"], ["g5.xlarge"])
    with pytest.raises(FleetError, match="nothing that this job could use: its zones are us-east-1f, us-west-2a"):
        open_market(str(tmp_path), job("aws/eu-west-1"))


@pytest.mark.parametrize(
    ("data", "gap", "told"),
    [
        ([0, 1, -1], 600, r"data\[2\] is -1"),
        ([0, "1"], 600, r"data\[1\] is '1'"),
        ([0, float("nan")], 600, r"data\[1\] is nan"),
        ([], 600, "no data"),
        ({}, 600, "no data"),
        ([1], 0, "gap_seconds is 0"),
        ([1], -5, "gap_seconds is -5"),
        ([1], float("nan"), "gap_seconds is nan"),
        ([1], None, "gap_seconds is None"),
    ],
)
def test_a_trace_that_lies_is_refused(tmp_path: Path, data: object, gap: object, told: str) -> None:
    with pytest.raises(FleetError, match=told):
        open_market(str(trace(tmp_path, "us-west-2a_v100_1.json", data, gap)), job())


def test_what_is_no_market_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    (tmp_path / "y.json").write_text('{"data": [1]}')
    for name, told in (("x.json", "cannot be read"), ("y.json", "metadata.gap_seconds"), ("z.json", "no such file")):
        with pytest.raises(FleetError, match=told):
            open_market(str(tmp_path / name), job())
    with pytest.raises(FleetError, match="there is no market 'sunny'"):
        open_market("sunny", job())


def test_prices_are_taken_from_a_table_and_capacity_by_the_band(tmp_path: Path) -> None:
    rows = "".join(f"2026-08-0{day},us-east-1,g5.2xlarge,{price},<5%\n" for day, price in ((1, 0.5), (2, 0.6), (4, 0.7)))
    market = open_market(table(tmp_path, rows), job(instance_type="g5.2xlarge"))
    assert isinstance(market, Drawn)
    assert market.span == 4 * DAY
    drawn, kind = market.draw(0, 0.0), market.types["g5.2xlarge"]
    seen = {drawn.price("us-east-1a", "g5.2xlarge", kind, hour * 3600.0) for hour in range(4 * 24)}
    assert seen == {500_000, 600_000, 700_000}
    assert kind.on_demand == on_demand_price("g5.2xlarge") == 1_212_000


def test_a_table_may_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "2026-08-01,us-east-1,g5.2xlarge,0.5,\n").encode()))
    assert list(open_market(str(path), job()).types) == ["g5.2xlarge"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("2026-08-01,us-east-1,g5.2xlarge,-0.5,\n", ":2: '-0.5' is no price"),
        ("2026-08-01,us-east-1,g5.2xlarge,nan,\n", ":2: 'nan' is no price"),
        ("2026-08-01,us-east-1,g5.2xlarge,inf,\n", "'inf' is no price"),
        ("2026-08-01,us-east-1,g5.2xlarge,0,\n", "'0' is no price"),
        ("2026-08-01,us-east-1,g5.2xlarge,cheap,\n", "'cheap' is no price"),
        ("2026-08-01,us-east-1,g5.2xlarge\n", "None is no price"),
        ("yesterday,us-east-1,g5.2xlarge,0.5,\n", "'yesterday' is no date"),
        ("2026-08-01,,g5.2xlarge,0.5,\n", "the region or the type is missing"),
        ("2026-08-02,us-east-1,a,0.5,\n2026-08-01,us-east-1,a,0.5,\n", ":3: 2026-08-01 comes after 2026-08-02"),
        ("2026-08-02,us-east-1,a,0.5,\n2026-08-02,us-east-1,a,0.5,\n", ":3: 2026-08-02 comes after 2026-08-02"),
        ("", "nothing that this job could use"),
    ],
)
def test_a_table_that_lies_is_refused(tmp_path: Path, rows: str, told: str) -> None:
    with pytest.raises(FleetError, match=told):
        open_market(table(tmp_path, rows), job())


def test_a_table_without_what_the_job_wants_names_what_it_has(tmp_path: Path) -> None:
    named = table(tmp_path, "2026-08-01,us-east-1,g5.2xlarge,0.5,\n")
    for wish in (job(instance_type="p3.2xlarge"), job("aws/eu-west-1")):
        with pytest.raises(FleetError, match=r"nothing that this job could use: it has us-east-1/g5\.2xlarge"):
            open_market(named, wish)
    with pytest.raises(FleetError, match="no column spot_price_usd_per_hour"):
        open_market(table(tmp_path, "", "date,region,instance_type\n"), job())


def test_an_exported_history_says_when_a_pool_had_capacity(tmp_path: Path) -> None:
    records = [record(0, "launched"), record(7200, "taken"), record(7300, "refused"), record(14_400, "launched")]
    market = open_market(history(tmp_path, records), job())
    assert isinstance(market, Recorded)
    (found,) = market.pools.values()
    assert (found.edges, found.up, market.span) == ((7200, 14_400), True, 14_400)
    assert found.prices[0] == (0.0, 400_000)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([], "no spot machine at all"),
        ({}, "no records"),
        ([7], r"records\[0\]: it is no object"),
        ([record("now", "launched")], "at is 'now', no time"),
        ([record(float("nan"), "launched")], "at is nan, no time"),
        ([record(0, "stolen")], "what is 'stolen'"),
        ([record(0, "launched", zone=None)], "is missing"),
        ([record(0, "launched", usd_per_hour=-1)], "usd_per_hour is -1"),
        ([record(9, "launched"), record(3, "taken")], r"records\[1\] is earlier"),
        ([record(0, "launched"), record(60, "taken")], "reaches over 60 s only"),
        ([record(0, "launched", zone="us-east-1a", instance_type="g6.xlarge")], "it tells of us-east-1a/g6.xlarge"),
        ([record(0, "launched", market="on-demand")], "no spot machine at all"),
    ],
)
def test_a_history_that_lies_or_says_nothing_is_refused(tmp_path: Path, records: object, told: str) -> None:
    with pytest.raises(FleetError, match=told):
        open_market(history(tmp_path, records), job(instance_type="g5.xlarge"))


def test_a_history_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="version 2; this fleet reads 1"):
        open_market(history(tmp_path, [], v=2), job())


def test_named_markets_sell_what_a_job_asks_for_where_it_may_go() -> None:
    notes: list[str] = []
    assert set(types_for(job(accelerators="K80:8"), notes)) == {"p2.8xlarge"}
    assert set(types_for(job(), notes)) == {"p3.2xlarge"}
    assert set(types_for(job("local"), notes)) == {"small", "medium", "large"}
    assert not notes
    assert types_for(job(instance_type="abacus.large", accelerators="T4:2"), notes)["abacus.large"].accelerators == (
        "T4",
        "T4",
    )
    assert "abacus.large" in notes[0]
    assert regions_for(job("aws/eu-west-1/eu-west-1c")) == {"eu-west-1": ("eu-west-1c",)}
    assert regions_for(job("local")) == {"here": ("here-a", "here-b", "here-c")}

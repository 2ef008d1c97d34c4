"""``fleet prices`` as a user types it: from what was learned a moment ago, and against moto."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from fleet.cli.main import app
from fleet.cli.price_plot import days, panels, ticks
from fleet.cli.sparkline import means, sparkline
from fleet.model.errors import FleetError
from fleet.providers.aws import asking
from fleet.providers.aws.config import default_region
from fleet.providers.aws.session import forget_clients
from fleet.providers.pricecache import DAY
from fleet.providers.priced import Overview, Row
from tests.aws.moto import STRANGE, Moto
from tests.aws.priced import NOWHERE, learn
from tests.unit.cli.test_commands import Shell
from tests.unit.cli.test_json import check
from tests.unit.cli.test_looking import Typing


class Terminal:
    """Runs commands in this process: a home that knows prices, and an environment that leads to no cloud."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"

    def run(self, *words: str, code: int = 0) -> tuple[str, str]:
        done = CliRunner().invoke(app, list(words))
        err = done.stderr + (str(done.exception) if isinstance(done.exception, (FleetError, OSError)) else "")
        assert done.exit_code == code, (done.stdout, err, done.exception)
        return done.stdout, err

    def json(self, *words: str, code: int = 0) -> Any:
        return check("prices", json.loads(self.run(*words, "-o", "json", code=code)[0]))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in STRANGE:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**NOWHERE, "FLEET_HOME": str(tmp_path / "home"), "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    forget_clients()
    learn(tmp_path / "home" / "cache" / "aws")
    return Terminal(tmp_path)


def rows(out: str) -> list[list[str]]:
    """The table's lines, by their columns."""
    head, _, _ = out.partition("\n\n")
    return [re.split(r"  +", line) for line in head.splitlines()]


def test_prices_of_a_type_stand_by_zone_the_cheapest_first(shell: Terminal) -> None:
    out, err = shell.run("prices", "g4dn.xlarge", "c5.2xlarge")
    assert err == ""
    head, *found = rows(out)
    assert head == [
        "TYPE",
        "ZONE",
        "ACCELERATORS",
        "VCPUS",
        "SPOT/H",
        "ON-DEMAND",
        "SAVED",
        "INTERRUPTED",
        "7 DAYS",
        "RANGE",
    ]
    assert [(row[0], row[1], row[4]) for row in found] == [
        ("c5.2xlarge", "us-east-1b", "$0.1400"),
        ("c5.2xlarge", "us-east-1a", "$0.1500"),
        ("g4dn.xlarge", "us-east-1b", "$0.1581"),
        ("g4dn.xlarge", "us-east-1a", "$0.2000"),
    ]
    assert found[2][2:8] == ["T4", "4", "$0.1581", "$0.5260", "70%", "5-10%"]
    assert found[2][8] == "█" * 17 + "▁" * 3  # a dollar-tenth dearer until a day ago
    assert found[2][9] == "$0.1581 to $0.2581"
    told = dict(line.split(None, 1) for line in out.partition("\n\n")[2].splitlines())
    assert told["spot"] == "EC2, 1m old"
    assert told["interrupted"] == "Spot Instance Advisor, 1m old"
    assert told["T4"] == "driver 580-server, CUDA up to 13.0; every current framework"
    assert "AWS Price List, 2d old" in out
    assert "fleet's own table, of 2026-07-20" in out


def test_without_a_word_each_usual_types_cheapest_zone_is_shown(shell: Terminal) -> None:
    out, _ = shell.run("prices")
    assert [row[0] for row in rows(out)[1:]] == ["c5.2xlarge", "g4dn.xlarge", "g4dn.2xlarge", "g6.xlarge", "g5.xlarge"]
    assert "Each type's cheapest zone" in out
    assert len(shell.json("prices")["prices"]) == 8  # programs get every zone


def test_a_gpu_and_a_pattern_choose_types(shell: Terminal) -> None:
    assert {row[0] for row in rows(shell.run("prices", "--gpu", "t4")[0])[1:]} == {"g4dn.xlarge", "g4dn.2xlarge"}
    assert {row[0] for row in rows(shell.run("prices", "g[56].*")[0])[1:]} == {"g5.xlarge", "g6.xlarge"}
    assert "nothing that was named is offered in us-east-1" in shell.run("prices", "zz*", code=1)[0]
    out = shell.run("prices", "p5.48xlarge")[0]
    assert rows(out)[1][4:7] == ["-", "$55.04", "-"]  # on demand only


def test_types_that_are_gone_are_named_with_what_serves_instead(shell: Terminal) -> None:
    out, _ = shell.run("prices", "g3s.xlarge", "p2.xlarge", "g4dn.xlagre", code=1)
    assert "g3s.xlarge: AWS retired it with its M60 (2025-10-31)" in out
    assert "p2.xlarge: AWS retired it with its K80 (2024)" in out
    assert out.count("Instead: g4dn.xlarge (T4) from $0.16/h (spot, us-east-1b); g5.xlarge (A10G) from $0.50/h") == 2
    assert "did you mean 'g4dn.xlarge'?" in out
    assert "missing      K80: AWS retired the types that had it" in shell.run("prices", "--gpu", "K80", code=1)[0]
    told = shell.json("prices", "g3s.xlarge", code=1)
    assert told["prices"] == []
    assert told["missing"][0]["instead"][0] == {
        "instance_type": "g4dn.xlarge", "offer": "aws/us-east-1/us-east-1b/g4dn.xlarge/spot", "usd_per_hour": 0.1581,
    }  # fmt: skip


def test_programs_get_everything_with_its_age(shell: Terminal) -> None:
    told = shell.json("prices", "g4dn.xlarge", "p5.48xlarge", "--days", "30")
    first, _, p5 = told["prices"]
    assert (first["zone"], first["spot_usd_per_hour"], first["on_demand_from"]) == ("us-east-1b", 0.1581, "price-list")
    assert (first["saving_percent"], first["interruption"], first["driver"], first["cuda"]) == (
        70,
        "5-10%",
        "580-server",
        "13.0",
    )
    assert [point["usd_per_hour"] for point in first["history"]] == [0.1581, 0.2581, 0.1581]
    assert first["history"][0]["at"] == pytest.approx(told["at"] - 30 * DAY, abs=90)
    assert (p5["spot_usd_per_hour"], p5["saving_percent"], p5["history"]) == (None, None, [])
    assert {one["what"] for one in told["sources"]} == {"spot", "history", "on-demand", "bands"}
    assert all(one["at"] for one in told["sources"])


def test_a_shorter_time_is_a_part_of_the_longer_and_a_longer_is_asked_for(shell: Terminal) -> None:
    told = shell.json("prices", "g4dn.xlarge", "--days", "1")
    assert [point["usd_per_hour"] for point in told["prices"][0]["history"]] == [0.1581]
    told = shell.json("prices", "g4dn.xlarge", "--days", "60")  # and cannot be had here
    (history,) = [one for one in told["sources"] if one["what"] == "history"]
    assert "Could not connect" in history["problem"]
    assert told["prices"][0]["history"]


def test_what_is_known_is_shown_without_the_sdk_being_imported(shell: Terminal) -> None:
    code = (
        "import sys; sys.argv = ['fleet', 'prices', 'g4dn.xlarge', '--region', 'us-east-1']\n"
        "from fleet.cli.main import main\n"
        "try: main()\n"
        "finally: print([n for n in ('boto3', 'botocore', 'matplotlib') if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "g4dn.xlarge" in done.stdout
    assert done.stderr.strip() == "[]"


def test_a_region_that_cannot_be_asked_hides_no_other(shell: Terminal) -> None:
    out, err = shell.run("prices", "g4dn.xlarge", "--region", "us-east-1", "--region", "eu-west-1")
    assert {row[1] for row in rows(out)[1:]} == {"us-east-1a", "us-east-1b"}
    assert "note: eu-west-1: " in err
    _, err = shell.run("prices", "--region", "eu-cental-1", code=1)
    assert "eu-cental-1: did you mean 'eu-central-1'?" in err


def test_where_no_region_is_meant_one_is_asked_for(shell: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    config = shell.folder / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "--region" in shell.run("prices", code=1)[1]
    config.write_text("[default]\nregion = us-east-1\n[profile other]\nregion = eu-west-1\n")
    assert "g4dn.xlarge" in shell.run("prices")[0]
    assert default_region("other") == "eu-west-1"
    (shell.home / "aws.json").write_text('{"bucket": "s3://b", "profile": null, "regions": ["us-east-1"]}')
    config.write_text("[default\n")
    assert "g4dn.xlarge" in shell.run("prices")[0]


def test_a_page_is_drawn_that_fetches_nothing(shell: Terminal) -> None:
    out, _ = shell.run("prices", "g4dn.xlarge", "g5.xlarge", "--days", "30", "--plot", "prices.html")
    assert "plotted      prices.html" in out
    page = (shell.folder / "prices.html").read_text()
    assert not re.findall(r"https?://|<script|@import|url\(", page)
    assert "on demand $0.5260" in page
    drawings = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    assert len(drawings) == 2
    lines = [line for drawing in drawings for line in drawing.iter("path")]
    assert [(line[0].text or "").split(":")[0] for line in lines] == ["us-east-1a", "us-east-1b", "us-east-1a"]
    for line in lines:
        numbers = [float(number) for number in re.findall(r"[\d.]+", line.get("d", ""))]
        assert all(0 <= number <= 760 for number in numbers)
    assert page.count("<td>$0.1581</td>") == 2  # now, and the lowest


def test_a_picture_is_drawn_by_matplotlib(shell: Terminal) -> None:
    told = shell.run("prices", "g4dn.xlarge", "--plot", "prices.png", "-o", "json")[0]
    assert json.loads(told)["prices"]
    assert (shell.folder / "prices.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_that_matplotlib_is_lacking_is_told_and_what_needs_none(shell: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    _, err = shell.run("prices", "g4dn.xlarge", "--plot", "again.png", code=1)
    assert "pip install 'fleet[plot]'" in err
    assert ".html" in err
    assert not (shell.folder / "again.png").exists()


def test_a_plot_of_another_kind_or_in_no_folder_is_refused(shell: Terminal) -> None:
    assert ".html or .png" in shell.run("prices", "--plot", "prices.pdf", code=1)[1]
    assert "No such file" in shell.run("prices", "--plot", "nowhere/prices.html", code=1)[1]
    out, _ = shell.run("prices", "g3s.xlarge", "--plot", "prices.html", code=1)
    assert "plotted      nothing" in out


def test_types_regions_and_gpus_complete(tmp_path: Path) -> None:
    typing = Typing(Shell(tmp_path), "bash")
    assert typing.words("fleet prices g3s") == ["g3s.xlarge"]
    assert typing.words("fleet prices --gpu T4") == ["T4", "T4g"]
    assert typing.words("fleet prices --region eu-central") == ["eu-central-1", "eu-central-2"]


def test_against_moto_the_first_look_asks_and_the_second_does_not(
    moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    shell = Terminal(tmp_path)
    told = shell.json("prices", "g4dn.xlarge", "r6a.large", "--region", "us-west-1", "--scores")
    assert {one["instance_type"] for one in told["prices"]} == {"g4dn.xlarge", "r6a.large"}
    assert any("no placement scores" in note for note in told["notes"])
    assert {one["what"]: bool(one["at"]) for one in told["sources"]} == {
        "spot": True, "history": True, "on-demand": True, "bands": False,
    }  # fmt: skip
    monkeypatch.setattr(asking, "aws_client", None)  # a call would fail
    out, err = shell.run("prices", "g4dn.xlarge", "r6a.large", "--region", "us-west-1")
    assert err == ""
    assert {row[4] for row in rows(out)[1:]} == {"$0.000010"}  # moto's one price


# --- drawing


def test_a_sparkline_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([(0, 10), (5, 20), (8, 15)], 0, 10, 10) == "▁▁▁▁▁███▅▅"
    assert sparkline([(-99, 7)], 0, 10, 4) == "▄▄▄▄"
    assert sparkline([(5, 7), (7.5, 8)], 0, 10, 4) == "  ▁█"
    assert sparkline([], 0, 10) == ""
    assert sparkline([(0, 1)], 5, 5) == ""


def test_means_are_weighted_by_time() -> None:
    assert means([(0, 10), (1, 20)], 0, 4, 1) == [17.5]
    assert means([(3, 10)], 0, 4, 2) == [None, 10.0]


@pytest.mark.parametrize("top", [0.00001, 0.0421, 0.1, 0.5, 0.526, 1.0, 3.06, 7.0, 55.04, 113.9])
def test_an_axis_has_a_few_round_marks_up_to_the_highest_price(top: float) -> None:
    marks = ticks(top)
    assert marks[0] == 0
    assert marks[-1] >= top * (1 - 1e-6)
    assert marks[-2] < top
    assert 2 <= len(marks) <= 7
    assert re.fullmatch(r"[125]", f"{marks[1]:e}"[0])


def test_days_are_marked_at_midnight_and_hours_where_the_time_is_short() -> None:
    week = days(1_000_000_000.0, 1_000_000_000.0 + 7 * DAY)
    assert [told for _, told in week][:2] == ["10 Sep", "11 Sep"]
    assert len(week) == 7
    assert all(at % DAY == 0 for at, _ in week)
    assert [told for _, told in days(0.0, DAY)] == ["Thu 00:00", "Thu 06:00", "Thu 12:00", "Thu 18:00", "Fri 00:00"]
    assert 6 <= len(days(0.0, 90 * DAY)) <= 9


def test_a_hostile_name_stays_a_name_on_the_page() -> None:
    from fleet.cli.price_plot import page

    row = Row("<b>", "<script>alert(1)</script>", "x&y", None, 5, None, None, [(0.0, 5)])
    seen = Overview(DAY, 0.0, rows=[row])
    text = page(seen, panels(seen))
    assert "<script" not in text
    assert "x&amp;y" in text

"""Every form of a report: the same figures in each, and nothing that somebody else wrote is more than words."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest

from fleet.cli.schemas import schema_of
from fleet.model.documents import Outcome
from fleet.model.units import format_money
from fleet.report import as_html as html_page
from fleet.report.as_csv import HEAD, as_csv
from fleet.report.as_html import as_html
from fleet.report.as_json import as_json
from fleet.report.as_markdown import as_markdown, escaped
from fleet.report.as_text import as_text
from fleet.report.charts import STRETCHES, thinned, together
from fleet.report.pictures import pngs, svgs
from fleet.report.rendering import pages, rendered
from fleet.report.sections import sections
from fleet.report.statement import Statement
from fleet.report.words import change, short, subject
from tests.unit.report.nights import attempt, fleet, hour, night, run
from tests.unit.report.samples import MISCHIEF, history, quiet, statement
from tests.unit.report.samples import run as run_of_night

EVIL = f"{MISCHIEF}\n</pre></main><style>*{{display:none}}</style>\n<a href='javascript:alert(5)'>x</a> "
EVIL += "\x1b]0;title\x07\u202eabc"
FORMS: dict[str, Callable[[Statement], str]] = {
    "html": lambda s: as_html(s)[0],
    "mail": lambda s: as_html(s, "cid")[0],
    "md": as_markdown,
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
}


class Page(HTMLParser):
    """What a browser would make of it."""

    VOID = frozenset({"meta", "img", "br", "hr", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("images", ["inline", "cid"])
def test_nothing_in_a_page_runs_and_nothing_is_fetched(images: Any) -> None:
    text, _ = as_html(statement(EVIL), images)
    page = Page(text)
    assert page.open == []
    known = "html head meta title style body main section h1 h2 h3 p ul li code div pre details summary img"
    known += " span table caption thead tbody tr th td svg g defs path use text clippath rect pattern"
    assert set(page.tags) <= set(known.split())
    assert not [one for one in page.attributes if one[1].startswith("on")]
    for tag, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "background", "poster", "srcset"):
            assert value.startswith(("cid:", "#")), (tag, name, value)
    assert not re.search(r"url\((?!#)|@import|expression\(", text)
    assert "alert(1)" in "".join(page.words)  # it is shown, as the words that it is


def test_a_page_is_whole_by_itself_and_says_what_it_is() -> None:
    text, images = as_html(statement())
    assert images == {}
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert "<title>fleet, 2026-11-25: $3.39, 19 % less than before</title>" in text
    assert "default-src 'none'" in text


def test_a_mails_pictures_are_named_as_they_are_attached_and_have_words_for_who_does_not_see_them() -> None:
    text, images = as_html(statement(), "cid")
    page = Page(text)
    named = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert named == [f"cid:{name}" for name in images]
    assert sorted(images) == ["nights.png", "price-0.png", "time.png"]
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert [alt.split()[0] for alt in alts] == ["A", "Stacked", "Lines:"]
    assert "svg" not in page.tags
    for picture in images.values():
        assert picture.startswith(b"\x89PNG")
        assert struct.unpack(">I", picture[16:20])[0] > 1000  # sharp on screens with two dots for one


def test_a_mail_stays_below_what_mail_programs_cut_off_and_counts_what_it_leaves_out() -> None:
    """Gmail shows the first 102 KB."""
    runs = tuple(run_of_night(f"train-{number}") for number in range(1000))
    many = replace(statement(), runs=runs, interruptions=statement().interruptions * 100)
    assert len(as_html(many, "cid")[0].encode()) < 100_000
    text = as_text(many, 140)
    assert re.search(r"^980 others +\$3038\.00 +\$8722\.00$", text, re.MULTILINE)
    assert re.search(r"^280 more$", text, re.MULTILINE)


def test_every_table_has_a_caption_and_heads_of_rows_and_columns() -> None:
    page = Page(as_html(statement())[0])
    assert page.tags.count("caption") == page.tags.count("table") == len([s for s in sections(statement()) if s.table])
    scopes = [value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")]
    rows = sum(len(s.table.rows) for s in sections(statement()) if s.table)
    assert scopes.count("row") == rows
    assert len(scopes) == page.tags.count("th")


def test_every_style_stands_at_its_element_and_every_light_colour_has_a_dark_one() -> None:
    text = as_html(statement())[0]
    styled = re.findall(r'class="([a-z0-9-]+)(?: [a-z-]+)?" style="([^"]*)"', text)
    dark = text[text.index("prefers-color-scheme") : text.index("</style>")]
    for name, style in styled:
        if "#" in style:
            assert f".{name}{{" in dark, name
    assert "#1f1e1d!important" not in dark


def test_charts_have_their_figures_in_a_table_and_no_id_twice() -> None:
    text = as_html(statement())[0]
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'xlink:href="#([^"]+)"', text))
    assert used <= set(ids)
    for section in sections(statement()):
        assert not section.chart or section.alt
        assert not section.chart or section.table is not None or section.level == 3  # prices share a table above


def test_the_same_statement_gives_the_same_bytes() -> None:
    assert pages(statement()) == pages(statement())
    assert pngs(statement()) == pngs(statement())


def test_charts_are_told_apart_without_colours() -> None:
    """Kinds by their patterns, zones by their dashes."""
    drawn = svgs(statement(), {})
    patterns = set(re.findall(r"url\(#(nights-h[0-9a-f]+)\)", drawn["nights"]))
    assert len(patterns) == 2  # volumes and addresses; machines are plain
    dashes = re.findall(r"stroke-dasharray: ([^;\"]+)", drawn["price-0"])
    assert len(set(dashes)) >= 4  # two of three zones, the bid, and on demand
    assert "bid $0.3000" in drawn["price-0"]
    assert "#0072b2" not in drawn["nights"]  # colours are the page's, so that dark ones can take their place


def test_without_matplotlib_a_page_has_its_tables_and_says_how_to_get_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "drawable", lambda: False)
    for images in ("inline", "cid"):
        text, made = as_html(statement(), images)
        assert made == {}
        assert "pip install &#x27;fleet[report]&#x27;" in text
        assert "<svg" not in text
        assert "<img" not in text
        assert "Spot prices of the types used" in text


@pytest.mark.parametrize("images", ["inline", "cid"])
def test_a_matplotlib_that_is_broken_costs_the_charts_and_not_the_page(
    images: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> dict[str, str]:
        raise ImportError("numpy.core.multiarray failed to import")

    monkeypatch.setattr(html_page, "svgs", broken)
    monkeypatch.setattr(html_page, "pngs", broken)
    text, made = as_html(statement(), images)
    assert made == {}
    assert "Spot prices of the types used" in text
    assert "missing or broken" in text
    assert "multiarray" in caplog.text


@pytest.mark.parametrize("form", FORMS)
def test_control_characters_and_turned_text_are_taken_out(form: str) -> None:
    text = FORMS[form](statement(EVIL))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    if form == "json":
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", json.loads(text)["runs"][1]["name"])


@pytest.mark.parametrize("form", FORMS)
def test_no_form_shows_a_secret_of_a_log(form: str) -> None:
    secrets = ("hunter2-and-more", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "tiny-but-secret")
    words = "failed: password=hunter2-and-more\nAKIAIOSFODNN7EXAMPLE aws_secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
    words += "<b>value tiny-but-secret</b>"
    failed = attempt(1, 3, 9, {3: 100_000}, outcome=Outcome(kind="failed", exit_code=1, message=words), ended_by="itself")
    job = {"envs": {"MY_TOKEN": "tiny-but-secret"}}
    state = fleet(run(failed, created=2.0, ended_at=hour(9), outcome="failed", reason="exit code 1", job=job))
    text = FORMS[form](night(state))
    assert [secret for secret in secrets if secret in text] == []


def test_markdown_has_no_html_but_in_lines_that_are_shown_as_they_are() -> None:
    text = as_markdown(statement(EVIL))
    for line in text.splitlines():
        if not line.startswith("    "):
            assert not re.search(r"<|>(?!$)|javascript:", line), line
    assert "    <a href='javascript:alert(5)'>x</a> abc" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(re.fullmatch(r"\|( .*? \|| ---:? \|| ---:? \|)+|\|( -+:? \|?)+\|?", line) for line in tables)
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables if "script" in line}
    assert widths == {9, 6}  # as wide as their tables: a name holds no bar of its own


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a|b", "a\\|b"),
        ("**bold** _it_", "\\*\\*bold\\*\\* \\_it\\_"),
        ("[x](http://e)", "\\[x\\](http&#58;//e)"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("two\nlines", "two lines"),
        ("`code`", "\\`code\\`"),
    ],
)
def test_words_stay_words_in_markdown(words: str, shown: str) -> None:
    assert escaped(words) == shown


def test_text_fits_and_tables_that_do_not_become_blocks() -> None:
    for width in (60, 80, 100, 140):
        lines = as_text(statement(), width).splitlines()
        assert max(map(len, lines)) <= width or width == 60
    assert "Run        racer" in as_text(statement(), 60)
    wide = as_text(statement(), 140)
    assert re.search(r"^racer +going on +\$3\.10 +\$8\.90", wide, re.MULTILINE)
    assert "2026-11-19" in wide
    assert "2026-11-18" not in wide  # a week is enough where there is no chart


def test_csv_is_one_table_whatever_names_hold() -> None:
    made = statement("x")
    rows = list(csv.reader(io.StringIO(as_csv(made) + as_csv(made, head=False))))
    assert tuple(rows[0]) == HEAD
    assert {len(row) for row in rows} == {len(HEAD)}
    assert len(rows) % 2 == 1
    figures = {(row[2], row[3], row[4]): row[5] for row in rows[1:]}
    assert figures["night", "", "paid"] == "3.393333"
    assert figures["run", "racer-1a2b3c4d", "steps"] == "12400"
    assert figures["left", "vol-0123", "a month"] == "40"
    assert figures["day", "2026-11-25", "volume"] == "1.333333"


def test_no_cell_is_a_formula() -> None:
    strange = fleet(run(attempt(1, 3, 9, {3: 100_000}), name="=cmd|'/c calc'!A1", created=2.0))
    rows = list(csv.reader(io.StringIO(as_csv(night(strange)))))
    assert any(row[3].startswith("'=cmd") for row in rows)
    assert not [row for row in rows for cell in row if cell.startswith(("=", "@", "+"))]


@pytest.mark.parametrize("made", [statement(EVIL), quiet()], ids=["full", "quiet"])
def test_json_is_as_its_schema_says(made: Statement) -> None:
    jsonschema.Draft202012Validator(schema_of("night")).validate([json.loads(as_json(made))])


@pytest.mark.parametrize("form", ["html", "md", "text"])
def test_every_form_tells_the_same_figures(form: str) -> None:
    made = statement()
    text = FORMS[form](made)
    if form == "html":
        text = " ".join(Page(text).words)
    for amount in (made.totals.night.paid, made.totals.week_before, made.totals.month.likely, made.totals.wasted):
        assert format_money(amount) in text
    for word in ("i-0abc", "vol-0123", "us-east-1c", "22:30", "2026-11-24"):
        assert word in text


def test_a_quiet_night_is_one_line_in_every_form() -> None:
    made = quiet()
    assert subject(made) == short(made) == "fleet, 2026-11-25: nothing ran, and nothing was paid for"
    assert as_text(made).splitlines()[3:] == ["Nothing ran, and nothing was paid for."]
    assert as_html(made)[0].count("<table") == 0
    assert len(as_markdown(made).splitlines()) <= 6


def test_a_message_has_every_form() -> None:
    made = rendered(statement())
    assert made.subject == "fleet, 2026-11-25: $3.39, 19 % less than before"
    assert made.brief.startswith("2026-11-25: $3.39 (on demand $7.39), 2 runs, 3 interruptions, $0.61 wasted, November 2026")
    assert "\n" not in made.subject + made.brief
    assert set(pages(statement())) == {"html", "md", "json"}


def test_long_histories_are_thinned_to_what_can_be_seen_and_keep_their_peaks() -> None:
    points = [point.model_copy(update={"price": 100}) for point in history("z", 0.2).points]
    many = [points[0].model_copy(update={"at": float(n), "price": 100 + n % 7}) for n in range(5000)]
    many[2500] = many[2500].model_copy(update={"price": 9_999})
    kept = thinned(many, 0.0, 5000.0)
    assert len(kept) <= 3 * (STRETCHES + 1)
    assert max(point.price for point in kept) == 9_999
    assert [point.at for point in kept] == sorted(point.at for point in kept)
    assert thinned(points, points[0].at, points[-1].at) is points
    assert together([(5, 6), (1, 3), (2, 4), (4, 4.5)]) == [(1, 4.5), (5, 6)]


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (120, 100, "20 % more"),
        (80, 100, "20 % less"),
        (100, 100, "as much"),
        (0, 0, "as much"),
        (5, 0, "more than nothing"),
        (6_610_000, 11_000, "601 times as much"),
    ],
)
def test_a_night_is_held_against_the_days_before(now: int, before: int, said: str) -> None:
    assert change(now, before) == said

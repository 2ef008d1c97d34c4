"""The live page's server: to this computer alone, and only what has changed."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fleet.cli.deepracer_page import PageServer, Served
from fleet.cli.deepracer_watching import Watching
from fleet.model.errors import FleetError, StoreError
from fleet.workloads.deepracer.analysis.recording import Recording
from fleet.workloads.deepracer.analysis.scene import Ground
from fleet.workloads.deepracer.analysis.scenery import Scenery
from tests.unit.cli.watched import NOWHERE, Seen, training


@dataclass
class Page:
    watching: Watching
    served: Served
    server: PageServer
    clock: list[float]

    def ask(self, path: str = "/body", method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        port = int(self.server.url.rsplit(":", 1)[1].strip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers={"Host": f"127.0.0.1:{port}", **named})
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def port(self) -> str:
        return self.server.url.rsplit(":", 1)[1].strip("/")


@pytest.fixture
def page() -> Iterator[Page]:
    watching = Watching(Seen([training(1), None, training(3)], how="succeeded"), Scenery(NOWHERE), 10.0, now=lambda: 1.8e9)
    watching.look()
    clock = [100.0]
    served = Served(watching.scene, lambda: clock[0])
    server = PageServer(served, 0, heed=0.02)
    yield Page(watching, served, server, clock)
    server.close()


def test_the_page_is_whole_and_its_script_runs_by_its_nonce_alone(page: Page) -> None:
    first, second = page.ask("/"), page.ask("/")
    for answer in (first, second):
        assert answer.status == 200
        text = answer.text  # type: ignore[attr-defined]
        nonce = text.split("script-src 'nonce-")[1].split("'")[0]
        assert f'<script nonce="{nonce}"' in text
        assert "default-src 'none'" in text
        assert "1 iteration," in text
    assert first.text != second.text  # type: ignore[attr-defined] # a nonce is used once
    assert first.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert first.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert first.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in first.headers


def test_what_has_not_changed_is_not_sent_again(page: Page) -> None:
    first = page.ask()
    tag = first.headers["ETag"]
    assert page.ask(If_None_Match=tag).status == 304
    assert not page.watching.look()
    assert page.ask(If_None_Match=tag).status == 304
    assert page.watching.look()
    changed = page.ask(If_None_Match=tag)
    assert changed.status == 200
    assert changed.headers["ETag"] != tag
    assert "in 3 iterations" in changed.text  # type: ignore[attr-defined]


def test_the_page_names_the_state_that_it_shows(page: Page) -> None:
    """The script asks for what is newer than that: nothing is, until there is a change."""
    text = page.ask("/").text  # type: ignore[attr-defined]
    tag = text.split('data-tag="')[1].split('"')[0].replace("&quot;", '"')
    assert page.ask(If_None_Match=tag).status == 304


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "localhost.evil:{port}"]
)
def test_a_name_of_somebody_elses_that_leads_here_is_refused(page: Page, host: str) -> None:
    for path in ("/", "/body"):
        answer = page.ask(path, Host=host.format(port=page.port()))
        assert answer.status == 403
        assert "circle" not in answer.text  # type: ignore[attr-defined]


def test_this_computer_may_call_itself_by_its_name(page: Page) -> None:
    assert page.ask("/", Host=f"localhost:{page.port()}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"},
    ],
)
def test_no_other_site_reads_it(page: Page, headers: dict[str, str]) -> None:
    assert page.ask(**headers).status == 403


def test_a_link_to_it_may_be_followed_and_its_own_script_may_ask(page: Page) -> None:
    assert page.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    own = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors", "Origin": f"http://127.0.0.1:{page.port()}"}
    assert page.ask(**own).status == 200


def test_there_is_nothing_else_and_nothing_can_be_done_with_it(page: Page) -> None:
    for path in ("/favicon.ico", "/../../etc/passwd", "/body/", "//evil.example/"):
        assert page.ask(path).status == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert page.ask("/", method).status == 501
    head = page.ask("/", "HEAD")
    assert (head.status, head.text) == (200, "")  # type: ignore[attr-defined]


def test_maps_are_made_when_somebody_looks_and_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = Scenery.grounds

    def grounds(self: Scenery, recording: Recording) -> tuple[Ground, ...]:
        made.append(1)
        return real(self, recording)

    monkeypatch.setattr(Scenery, "grounds", grounds)
    page.watching.look()
    page.watching.look()
    assert made == []
    for _ in range(3):
        page.ask()
    page.ask("/")
    assert made == [1]


def test_it_is_known_whether_somebody_looks_and_whether_the_end_was_told(page: Page) -> None:
    assert not page.served.open_pages()
    page.ask()
    assert page.served.open_pages()
    page.clock[0] += 60
    assert not page.served.open_pages()
    assert not page.served.told_end.is_set()
    for _ in range(3):
        page.watching.look()
    answer = page.ask()
    assert page.served.told_end.is_set()
    assert "id=ended" in answer.text  # type: ignore[attr-defined]


def test_the_page_says_that_nothing_newer_is_seen_and_when_it_is_again(page: Page) -> None:
    source = page.watching.source
    assert isinstance(source, Seen)
    source.looks = [StoreError("the bucket <b>hides</b>"), training(2)]
    assert page.watching.look()
    assert "Nothing newer is seen: the bucket &lt;b&gt;hides&lt;/b&gt;" in page.ask().text  # type: ignore[attr-defined]
    assert page.watching.look()
    again = page.ask().text  # type: ignore[attr-defined]
    assert "Nothing newer" not in again
    assert "in 2 iterations" in again


def test_a_port_that_is_taken_is_said(page: Page) -> None:
    with pytest.raises(FleetError, match=f"port {page.port()}.*in use") as error:
        PageServer(page.served, int(page.port()))
    assert "--port" in error.value.hint

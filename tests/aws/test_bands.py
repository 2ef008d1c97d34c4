"""How often machines are taken back: the Spot Instance Advisor's public file, where it can be had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.model.errors import ProviderError
from fleet.providers.aws import bands
from fleet.providers.aws.bands import address, known_bands, refresh_bands, shrunk
from fleet.providers.pricecache import DAY, HOUR, PriceCache
from fleet.providers.priced import Band

FILE: dict[str, Any] = {
    "global_rate": "<10%",
    "instance_types": {"g4dn.xlarge": {"cores": 4, "emr": True, "ram_gb": 16.0}},
    "ranges": [
        {"index": 1, "label": "5-10%", "dots": 1, "max": 11},
        {"index": 0, "label": "<5%", "dots": 0, "max": 5},
        {"index": 2, "label": "10-15%", "dots": 2, "max": 16},
    ],
    "spot_advisor": {
        "us-east-1": {"Linux": {"g4dn.xlarge": {"s": 68, "r": 1}, "g5.xlarge": {"s": 40, "r": 7}}, "Windows": {}},
        "eu-west-1": {"Windows": {"g4dn.xlarge": {"s": 1, "r": 0}}},
    },
}
"""In the form of the real one."""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, somewhere else than Amazon has it."""
    path = tmp_path / "spot-advisor-data.json"
    path.write_text(json.dumps(FILE))
    monkeypatch.setenv("FLEET_SPOT_ADVISOR_URL", path.as_uri())
    return path


def test_the_file_is_fetched_once_a_day_and_kept(published: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert known_bands(cache) == (None, None)
    assert refresh_bands(cache, 1000.0) == ""
    found, at = known_bands(cache)
    assert at == 1000.0
    assert found is not None
    assert found.of("us-east-1", "g4dn.xlarge") == Band("5-10%", 1, 68)
    assert found.of("us-east-1", "g5.xlarge") is None  # a band that the file does not explain
    assert found.of("us-east-1", "p5.48xlarge") is None
    assert found.of("eu-west-1", "g4dn.xlarge") is None  # Windows says nothing of Linux
    published.unlink()
    assert refresh_bands(cache, 1000.0 + HOUR) == ""
    assert "could not be fetched" in refresh_bands(cache, 1001.0 + DAY)
    assert known_bands(cache)[1] == 1000.0  # the old one is better than none


def test_a_network_that_lets_nothing_through_makes_only_the_first_look_slow(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.unlink()
    cache = tmp_path / "cache"
    why = refresh_bands(cache, 1000.0)
    assert "could not be fetched" in why
    with monkeypatch.context() as patched:
        patched.setattr(bands, "_fetched", None)  # a second try would fail
        assert refresh_bands(cache, 1000.0 + HOUR / 2) == why
    published.write_text(json.dumps(FILE))
    assert refresh_bands(cache, 1000.0 + HOUR / 2, force=True) == ""
    assert refresh_bands(cache, 1001.0 + HOUR) == ""


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", '{"spot_advisor": {"us-east-1": {"Linux": {"a": {"s": 1}}}}}'])
def test_another_form_is_named_as_such(text: str) -> None:
    with pytest.raises(ProviderError, match="another form"):
        shrunk(text.encode())


def test_without_ranges_the_usual_labels_serve() -> None:
    found = shrunk(json.dumps({**FILE, "ranges": []}).encode())
    assert found["labels"] == ["<5%", "5-10%", "10-15%", "15-20%", ">20%"]
    assert found["regions"]["us-east-1"]["g4dn.xlarge"] == [1, 68]


def test_what_is_kept_and_harmed_is_nothing(tmp_path: Path) -> None:
    harmed: list[Any] = [None, [], {"labels": []}, 7]
    for data in harmed:
        PriceCache(tmp_path).write("bands", data, 1.0)
        assert known_bands(tmp_path) == (None, None)


def test_amazons_figures_are_not_taken_for_those_of_another_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FLEET_SPOT_ADVISOR_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        monkeypatch.delenv(name, raising=False)
    assert address() == bands.URL
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:5000")
    assert address() is None
    assert "not asked for" in refresh_bands(tmp_path, 1.0)
    monkeypatch.setenv("FLEET_SPOT_ADVISOR_URL", "https://mirror.example/advisor.json")
    assert address() == "https://mirror.example/advisor.json"
    monkeypatch.setenv("FLEET_SPOT_ADVISOR_URL", "off")
    assert address() is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "nonsense", "file:///nowhere/at/all"])
def test_an_address_that_gives_nothing_is_a_reason_not_an_error(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLEET_SPOT_ADVISOR_URL", url)
    assert "could not be fetched" in refresh_bands(tmp_path, 1.0)

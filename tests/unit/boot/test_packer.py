"""Packer as a program: found, refused, run, broken off."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fleet.boot.packer import INSTALL, Packer, PackerError, build, find_packer, init, why_failed
from fleet.model.errors import FleetError
from tests.aws.fake_packer import FakePacker


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePacker:
    made = FakePacker(tmp_path)
    monkeypatch.setenv("PATH", made.path)
    return made


def ready(tmp_path: Path) -> tuple[Path, Path]:
    """A template's folder, and variables."""
    (tmp_path / "template").mkdir()
    (tmp_path / "archives").mkdir()
    words = {"region": "us-east-1", "archives": str(tmp_path / "archives")}
    words |= {name: str(tmp_path / name) for name in ("manifest", "facts")}
    file = tmp_path / "v.json"
    file.write_text(str(words).replace("'", '"'))
    return tmp_path / "template", file


def test_without_packer_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FleetError, match="no program packer") as told:
        find_packer()
    assert told.value.hint == INSTALL


@pytest.mark.parametrize(
    ("says", "version"),
    [("Packer v1.6.6", (1, 6, 6)), ("Packer v1.11.2\n\nYour version of Packer is out of date!", (1, 11, 2))],
)
def test_a_packer_that_reads_the_template_is_found(fake: FakePacker, says: str, version: tuple[int, ...]) -> None:
    fake.says(version=says)
    assert find_packer().version == version


@pytest.mark.parametrize(
    ("says", "told"), [("Packer v1.6.5", "1.6.6 is the oldest"), ("Packer v0.12.3", "oldest"), ("53000 21000", "HashiCorp")]
)
def test_another_one_is_refused(fake: FakePacker, says: str, told: str) -> None:
    fake.says(version=says)
    with pytest.raises(FleetError, match=told):
        find_packer()


def test_plugins_are_fetched_by_those_that_have_any(fake: FakePacker, tmp_path: Path) -> None:
    folder, _ = ready(tmp_path)
    for version in ((1, 6, 6), (1, 7, 0)):
        init(Packer(str(fake.bin / "packer"), version), folder, lambda _: None)
    assert fake.calls() == [["init", str(folder)]]
    fake.says(does="cannot init")
    with pytest.raises(PackerError):
        init(Packer(str(fake.bin / "packer"), (1, 7, 0)), folder, lambda _: None)


def test_its_lines_are_told_as_they_come_and_nobody_else_is_told_anything(fake: FakePacker, tmp_path: Path) -> None:
    folder, file = ready(tmp_path)
    lines: list[str] = []
    build(find_packer(), folder, file, lines.append, {"AWS_PROFILE": "p"})
    assert lines == ["==> amazon-ebs.fleet: Launching a source AWS instance...", "==> Builds finished."]
    assert fake.calls()[-1] == ["build", "-color=false", "-only=amazon-ebs.fleet", f"-var-file={file}", str(folder)]
    env = fake.told("env")
    assert isinstance(env, dict)
    assert (env["CHECKPOINT_DISABLE"], env["AWS_PROFILE"]) == ("1", "p")


def test_a_failure_says_what_packer_sums_up(fake: FakePacker, tmp_path: Path) -> None:
    fake.says(does="fails")
    folder, file = ready(tmp_path)
    with pytest.raises(PackerError, match="Packer failed: Script exited with non-zero exit status: 100") as told:
        build(find_packer(), folder, file, lambda _: None, {})
    assert not told.value.interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_a_kill_and_a_closed_terminal_are_handed_on_once_and_the_cleaning_up_is_waited_for(
    fake: FakePacker, tmp_path: Path, number: signal.Signals
) -> None:
    fake.says(does="hangs")
    folder, file = ready(tmp_path)

    def impatient(line: str) -> None:
        if "Launching" in line or "Cancelling" in line:
            os.kill(os.getpid(), number)
        raise OSError(5, "the terminal is gone")

    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(PackerError, match="broken off") as told:
        build(find_packer(), folder, file, impatient, {})
    assert told.value.interrupted
    assert (fake.folder / "cleaned").exists()
    assert fake.heard() == ["15"]
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["--> amazon-ebs.fleet: no quota", "==> Builds finished but no artifacts were created."], "no quota"),
        (["Error: Unsupported argument", "", "  on fleet.pkr.hcl line 3"], "Unsupported argument"),
        (["one", "two"], "two"),
        ([], "it does not say why"),
    ],
)
def test_the_reason_is_found_among_the_last_lines(lines: list[str], why: str) -> None:
    assert why_failed(lines) == why

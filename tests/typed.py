"""Commands as a user types them: in this process, without a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from fleet.cli.main import main
from fleet.cli.output import CHOSEN
from tests.unit.cli.test_json import check

Shell = Callable[..., tuple[str, str]]


def shell_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Types a command; what it said on both streams. ``code`` is the exit code that is expected."""

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["fleet", *words])
        monkeypatch.setattr(CHOSEN, "as_json", False)
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert ended.value.code == code, (ended.value.code, out, err)
        return out, err

    return run


def told(shell: Shell, name: str, *words: str, code: int = 0) -> Any:
    """The object that a command prints, which is as its schema says."""
    out, _ = shell(*words, "-o", "json", code=code)
    return check(name, json.loads(out))


def typing(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """A terminal at which somebody answers."""
    left = iter(answers)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("fleet.cli.ask._wait_until_typed", lambda: None)
    monkeypatch.setattr("builtins.input", lambda: next(left))

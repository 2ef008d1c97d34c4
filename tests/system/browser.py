"""Looks at pages in a real Chromium."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".venv" / "browser"
REMEDY = "`make test-system` installs what is missing (scripts/system-programs.sh)"
VIEWS = {"wide", "narrow", "dark", "dark-narrow", "printed"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and where this computer alone finds it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def look(served: tuple[Path, str], text: str) -> dict[str, Any]:
    """What Chromium makes of a page, by view."""
    place, url = served
    assert shutil.which("node"), REMEDY
    assert (MODULES / "node_modules").is_dir(), REMEDY
    (place / "page.html").write_text(text, encoding="utf-8")
    pictures = Path(os.environ.get("FLEET_SCREENSHOTS") or place)
    pictures.mkdir(parents=True, exist_ok=True)
    words = ["node", str(ROOT / "scripts" / "browser" / "look.mjs"), str(MODULES), f"{url}/page.html", str(pictures)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    views: dict[str, Any] = json.loads(done.stdout)["views"]
    assert set(views) == VIEWS
    return {"url": f"{url}/page.html", **views}


def check(seen: dict[str, Any]) -> None:
    """What holds in every view."""
    url = seen.pop("url")
    for name, view in seen.items():
        assert view["console"] == [], name
        assert view["errors"] == [], name
        assert view["dialogs"] == [], name
        assert view["requests"] == [url], name
        assert (view["scripts"], view["handlers"]) == (0, []), name
        assert view["violations"] == [], name
        assert view["wider"] == 0, name  # what is wide is moved by itself, not the page
        for rule in ("color-contrast", "document-title", "html-has-lang", "heading-order", "region", "svg-img-alt"):
            assert rule in view["passes"], f"{name}: axe did not check {rule}"
        assert all(view["charts"]), name
        assert all(view["tables"]), name

"""A hook of mkdocs: pages that mkdocs.yml does not name come last, so that none is ever hidden; decisions in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Complete the navigation."""
    docs = Path(config["docs_dir"])
    named = set(_pages(config["nav"]))
    decisions = sorted(str(page.relative_to(docs)) for page in docs.glob("decisions/*.md"))
    others = sorted({str(page.relative_to(docs)) for page in docs.glob("**/*.md")} - named - set(decisions))
    config["nav"][-1]["Understand"] += others
    config["nav"].append({"Decisions": decisions})
    return config


def _pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    inner = nav.values() if isinstance(nav, dict) else nav
    return [page for one in inner for page in _pages(one)]

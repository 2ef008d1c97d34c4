"""A statement in every form that somebody may want: as a message, and as the pages that are kept."""

from __future__ import annotations

from fleet.report.as_html import as_html
from fleet.report.as_json import as_json
from fleet.report.as_markdown import as_markdown
from fleet.report.as_text import as_text
from fleet.report.send import Rendered
from fleet.report.statement import Statement
from fleet.report.words import short, subject


def rendered(s: Statement) -> Rendered:
    """For mail, chats, and where there is no room."""
    html, images = as_html(s, "cid")
    return Rendered(subject(s), as_text(s), html, images, short(s))


def pages(s: Statement) -> dict[str, str]:
    """What is kept in the bucket, each whole by itself."""
    return {"html": as_html(s)[0], "md": as_markdown(s), "json": as_json(s)}

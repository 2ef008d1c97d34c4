"""The page of a training: one file that fetches nothing. Kept, it runs nothing either; live, one short script asks the watch
that serves it for what has changed, section by section.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from fleet.report.as_html import table_in, text
from fleet.report.racing.chart import chart
from fleet.report.racing.curves import curves
from fleet.report.racing.facts import facts, iterations_table, laps_table, lead, title, trouble_told, troubles_table
from fleet.report.racing.ground import maps
from fleet.report.racing.live import SCRIPT
from fleet.report.racing.style import STYLE
from fleet.report.tables import Table
from fleet.workloads.deepracer.analysis.scene import Scene, ends

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(scene: Scene, *, nonce: str = "", every: float = 5.0, tag: str = "") -> str:
    """The whole document; with a ``nonce`` the live one, which asks every so many seconds for what is newer than ``tag``."""
    policy = f"{POLICY}; script-src 'nonce-{nonce}'; connect-src 'self'" if nonce else POLICY
    data = f'data-every="{round(every * 1000)}" data-tag="{text(tag)}"'
    script = f'<script nonce="{nonce}" {data}>{SCRIPT}</script>\n' if nonce else ""
    note = '<p id="live" class="soft" role="status">Live: it changes by itself.</p>\n' if nonce else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{text(title(scene))}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{note}{body(scene)}
</main>
{script}</body>
</html>
"""


def body(scene: Scene) -> str:
    """Its sections, each with a name of its own, by which a live page replaces it."""
    parts = "\n".join(f'<section id="{name}">\n{inner}\n</section>' for name, inner in sections(scene) if inner)
    return f"{parts}\n{'<span id=ended hidden></span>' if scene.ended else ''}"


def sections(scene: Scene) -> Iterator[tuple[str, str]]:
    """By name, in order."""
    a = scene.analysis
    yield "head", _head(scene)
    yield "findings", _findings(scene)
    drawn = "".join(chart(one) for one in curves(a))
    yield "curves", f'<h2>The course of it</h2>\n<div class="curves">{drawn}</div>' if drawn else ""
    for number, ground in enumerate(scene.grounds):
        left = ends(a.drives, ground.world)
        name = f": {text(ground.world)}" if ground.world else ""
        where = troubles_table(a.drives, ground.world)
        drawn = maps(ground, left, number) + (_table(where) if where is not None else "")
        yield f"track-{number}", f"<h2>The track{name}</h2>\n{drawn}" if drawn else ""
    best = laps_table(a)
    yield "laps", f"<h2>Laps</h2>\n{_table(best)}" if best is not None else ""
    rows = iterations_table(a)
    yield "iterations", _folded(rows) if rows is not None else ""
    yield "problems", _problems(scene)


def _head(scene: Scene) -> str:
    known = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts(scene))
    when = ""
    if scene.at is not None:
        at = datetime.fromtimestamp(scene.at, timezone.utc)
        when = f'<p class="soft">As of <time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M:%S} UTC</time>.</p>'
    if scene.trouble:
        when += f'<p class="soft">{text(trouble_told(scene))}</p>'
    return f'<h1>{text(title(scene))}</h1>{when}\n<p class="lead">{text(lead(scene))}</p>\n<dl class="facts">{known}</dl>'


def _findings(scene: Scene) -> str:
    lines = "".join(f"<li>{text(one.message)}</li>" for one in scene.analysis.findings)
    return f'<div class="advice"><h2>What to look at</h2><ul>{lines}</ul></div>' if lines else ""


def _problems(scene: Scene) -> str:
    lines = "".join(f"<li>{text(one)}</li>" for one in scene.analysis.problems)
    return f'<h2>What could not be read</h2>\n<ul class="soft">{lines}</ul>' if lines else ""


def _folded(table: Table) -> str:
    shown = f'<details id="by-iteration"><summary>Every figure as a table</summary>{_table(table)}</details>'
    return f"<h2>By iteration</h2>\n{shown}"


def _style(name: str, also: str = "") -> str:  # noqa: ARG001 - a name that another page has its widths by
    """Cells are many: what all have alike stands at the head."""
    return ' class="scroll"' if name == "scroll" else " class=n" if name.endswith("-n") else ""


def _table(of: Table) -> str:
    return table_in(of, _style)

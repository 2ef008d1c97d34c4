"""Spot prices over time as a picture, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.cli.price_plot import days
from fleet.cli.price_words import told_price
from fleet.model.errors import FleetError
from fleet.report.palette import COLOURS

if TYPE_CHECKING:
    from fleet.cli.price_plot import Panel
    from fleet.providers.priced import Overview

MOST_PANELS = 20
"""Below one another; more would be a picture that no program shows well."""


def draw(seen: Overview, panels: Sequence[Panel], path: Path) -> None:
    """Write the picture. Raises FleetError if matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise FleetError(
            "a PNG is drawn by matplotlib, which is not installed",
            "pip install 'fleet[plot]', or --plot with a name that ends in .html, which needs nothing.",
        ) from None
    if len(panels) > MOST_PANELS:
        raise FleetError(
            f"{len(panels)} types and regions do not fit into one picture ({MOST_PANELS} do)",
            "Name fewer types, or --plot with a name that ends in .html.",
        )
    figure = Figure(figsize=(9, 2.9 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"EC2 spot prices, dollars per hour, until {datetime.fromtimestamp(seen.at, timezone.utc):%Y-%m-%d} UTC")
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, number + 1)
        for place, line in enumerate(panel.lines):
            times = [at for at, _ in line.points] + [seen.at]
            prices = [price / 1e6 for _, price in line.points] + [line.now / 1e6]
            label = f"{line.zone} {told_price(line.now)}"
            axes.step(times, prices, where="post", color=COLOURS[place % len(COLOURS)], label=label, linewidth=1.6)
        if panel.on_demand:
            label = f"on demand {told_price(panel.on_demand)}"
            axes.axhline(panel.on_demand / 1e6, color="#666666", linestyle="--", linewidth=1.2, label=label)
        marks = days(seen.since, seen.at)
        axes.set_xticks([at for at, _ in marks], [told for _, told in marks])
        axes.set_xlim(seen.since, seen.at)
        axes.set_ylim(bottom=0)
        axes.set_title(panel.title, loc="left", fontsize=10)
        axes.grid(axis="y", color="#e4e4e4")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)

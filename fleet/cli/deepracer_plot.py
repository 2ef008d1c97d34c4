"""A reward function over its tracks as a picture, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleet.model.errors import FleetError

if TYPE_CHECKING:
    from fleet.workloads.deepracer.checking.model import Lanes

ENDINGS = (".png", ".svg", ".pdf")
_NONE = "#d62728"


def must_be_drawable(path: Path) -> None:
    """Before anything is computed. Raises FleetError."""
    if path.suffix.lower() not in ENDINGS:
        raise FleetError(f"{path}: a picture's name ends in {', '.join(ENDINGS)}", "For example: --plot reward.png")
    if not path.absolute().parent.is_dir():
        raise FleetError(f"there is no folder {path.absolute().parent}", "Make it, or name another.")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise FleetError("the picture is drawn by matplotlib, which is not installed", "pip install 'fleet[plot]'") from None


def draw(lanes: Sequence[Lanes], path: Path) -> None:
    """For each track a map, and what the reward is from side to side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6 * len(lanes)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(lanes), 2, width_ratios=(1.7, 1.0))
    for number, one in enumerate(lanes):
        _map(figure, figure.add_subplot(grid[number, 0]), one)
        _profile(figure.add_subplot(grid[number, 1]), one)
    figure.savefig(path, dpi=130, bbox_inches="tight")


def _map(figure: Any, axes: Any, one: Lanes) -> None:
    for line in (one.track.inner, one.track.outer):
        axes.plot(*line.points.T, color="#444444", linewidth=1.2)
    axes.plot(*one.track.centre.points.T, color="#aaaaaa", linewidth=0.7, linestyle=(0, (6, 4)))
    known = np.isfinite(one.rewards)
    shown = axes.scatter(one.x[known], one.y[known], c=one.rewards[known], s=9, cmap="viridis", linewidths=0, zorder=2)
    if known.any():
        figure.colorbar(shown, ax=axes, label="reward", shrink=0.85)
    if not known.all():
        axes.scatter(one.x[~known], one.y[~known], c=_NONE, s=9, marker="x", label="no finite reward", zorder=3)
        axes.legend(frameon=False, fontsize=8)
    start, ahead = one.track.centre.points[0], one.track.centre.points[min(3, len(one.track.centre.points) - 1)]
    axes.annotate("", ahead, start, arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.6}, zorder=4)
    axes.set_aspect("equal")
    axes.set_title(f"{one.track.name}: driven straight along at {one.speed:g} m/s", loc="left", fontsize=10)
    axes.set_xlabel("x, metres")
    axes.set_ylabel("y, metres")
    axes.spines[["top", "right"]].set_visible(False)


def _profile(axes: Any, one: Lanes) -> None:
    rows = [lane[np.isfinite(lane)] for lane in one.rewards]
    kept = [(side, row) for side, row in zip(one.sides, rows, strict=True) if len(row)]
    sides = [side for side, _ in kept]
    if kept:
        axes.fill_between(
            sides, [row.min() for _, row in kept], [row.max() for _, row in kept], color="#31688e", alpha=0.2, linewidth=0
        )
        axes.plot(sides, [row.mean() for _, row in kept], color="#31688e", linewidth=1.8, marker="o", markersize=3)
    half = float(one.sides.max()) / 1.1
    for border in (-half, half):
        axes.axvline(border, color="#444444", linewidth=1.0)
    axes.axvline(0.0, color="#aaaaaa", linewidth=0.7, linestyle=(0, (6, 4)))
    axes.invert_xaxis()  # left of the centre line is left in the picture
    axes.set_xlabel("metres left of the centre line")
    axes.set_ylabel("reward")
    axes.set_title("reward from side to side: mean, least and most", loc="left", fontsize=10)
    axes.grid(axis="y", color="#e4e4e4")
    axes.spines[["top", "right"]].set_visible(False)

"""The benchmark's pictures: cost by overhead, costs and closed shares with their intervals, one run's choices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.policy_cases import VARIANTS, Case, Pool, Split, alone
from benchmarks.policy_figures import ALL, Section
from benchmarks.policy_runs import outcome, run_all
from fleet.core.deadlines.chances import Learned
from fleet.core.deadlines.model import Do

SHOWN = ("greedy", "uniform-progress", "fleet", "fleet-overlap", "omniscient")
COLORS = {
    "on-demand": "#777777",
    "greedy": "#c44e52",
    "uniform-progress": "#dd8452",
    "stay-and-wait": "#937860",
    "failover": "#8172b3",
    "eager-next-region": "#da8bc3",
    "fleet": "#4c72b0",
    "fleet-overlap": "#2a9d8f",
    "omniscient": "#222222",
}
CHOICES = {Do.WAIT: "#eeeeee", Do.SPOT: "#4c72b0", Do.ON_DEMAND: "#c44e52", Do.BOTH: "#8172b3"}
LEGEND = "Blue: spot, red: on-demand, purple: both, grey: nothing"
OVERHEADS = (1, 3, 6, 12, 20, 30)
"""Minutes."""
DPI = 100


def draw(
    folder: Path,
    cases: Sequence[Case],
    found: Sequence[Section],
    taught: Learned,
    some: Sequence[Pool],
    split: Split,
) -> None:
    """Write all of them. ``some`` are the newest traces."""
    import matplotlib as mpl

    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    _overheads(folder / "policy-overhead.png", some, Split(max(2, split.count // 2)), taught)
    _bars(folder / "policy-closed.png", found)
    _timeline(folder / "policy-run.png", cases[1], found[0], taught)


def _overheads(path: Path, some: Sequence[Pool], split: Split, taught: Learned) -> None:
    import matplotlib.pyplot as plt

    deadlines = sorted({deadline for deadline, _ in VARIANTS})
    variants = [(deadline, minutes / 60) for deadline in deadlines for minutes in OVERHEADS]
    cases = list(alone("overheads", some, split, variants=variants))
    ran = run_all(cases, taught)
    figure, axes = plt.subplots(1, len(deadlines), figsize=(9, 3.6), sharey=True)
    for place, (axis, deadline) in enumerate(zip(axes, deadlines, strict=True)):
        for policy in SHOWN:
            numbers = range(place * len(OVERHEADS), (place + 1) * len(OVERHEADS))
            costs = [sum(run.cost for run in ran[n, policy]) / len(ran[n, policy]) for n in numbers]
            axis.plot(OVERHEADS, costs, marker="o", markersize=3, color=COLORS[policy], label=policy)
        axis.set_title(f"48 h of work in {deadline:g} h", fontsize=10)
        axis.set_xlabel("minutes from a launch to training")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("cost (on-demand: 1)")
    axes[-1].legend(fontsize=8)
    _save(figure, path)


def _bars(path: Path, found: Sequence[Section]) -> None:
    import matplotlib.pyplot as plt

    sections = [section for section in found if not section.part][:2]
    figure, axes = plt.subplots(2, len(sections), figsize=(9, 5.4), squeeze=False)
    for column, section in enumerate(sections):
        rows = [row for row in section.rows() if row.variant == ALL and row.policy in SHOWN]
        for axis, measured in zip(axes[:, column], ("cost", "closed"), strict=True):
            for place, row in enumerate(rows):
                one = row.cost if measured == "cost" else row.closed
                if one is not None:
                    around = [[max(one.mean - one.low, 0)], [max(one.high - one.mean, 0)]]
                    axis.bar(place, one.mean, color=COLORS[row.policy], yerr=around, capsize=3)
            axis.set_xticks(range(len(rows)), [row.policy for row in rows], fontsize=7, rotation=15)
            axis.grid(axis="y", alpha=0.3)
        axes[0, column].set_title(section.name, fontsize=10)
    axes[0, 0].set_ylabel("cost (on-demand: 1)")
    axes[1, 0].set_ylabel("closed")
    _save(figure, path)


def _timeline(path: Path, case: Case, section: Section, taught: Learned) -> None:
    """The run whose costs are nearest to the means: none that was chosen for its beauty."""
    import matplotlib.pyplot as plt

    window = case.windows[section.nearest(case, SHOWN)]
    hours = case.terms.tick / 3600
    figure, axes = plt.subplots(1 + len(SHOWN), 1, figsize=(9, 3.8), sharex=True)
    spots = [Do.SPOT if up else Do.WAIT for up in window.zones[0]]
    _strip(axes[0], "spot is up", spots, hours, "", "#555555")
    for axis, policy in zip(axes[1:], SHOWN, strict=True):
        ran = outcome(case, window, policy, taught)
        _strip(axis, policy, ran.choices, hours, f"{ran.cost_od_hours * 3600 / case.terms.work:.3f}")
    axes[-1].set_xlim(0, len(spots) * hours)
    axes[-1].set_xlabel(f"hours; {case.variant}; {window.group}. Right: cost. {LEGEND}", fontsize=8)
    _save(figure, path)


def _strip(axis: Any, name: str, choices: Sequence[Do], hours: float, told: str, spot: str = CHOICES[Do.SPOT]) -> None:
    first = 0
    for tick in range(1, len(choices) + 1):
        if tick == len(choices) or choices[tick] is not choices[first]:
            color = spot if choices[first] is Do.SPOT else CHOICES[choices[first]]
            axis.axvspan(first * hours, tick * hours, color=color, lw=0)
            first = tick
    axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    axis.text(1.01, 0.5, told, transform=axis.transAxes, fontsize=8, va="center")
    axis.set_yticks([])


def _save(figure: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure.tight_layout()
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    plt.close(figure)

"""How many particles still count while they move on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ppl_control.inference.base import Solution
from ppl_control.plotting.figures import GREY, INK, MARKERS, PALETTE, blank
from ppl_control.plotting.named import named_solutions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_ess"]


def plot_ess(solutions: Mapping[str, Solution]) -> Figure:
    """The effective sample size after each time step, as a share of the particles; log scale.

    A share of 1: all weights are equal. 1/N, the dotted line: one particle carries everything. A rise is a
    resampling: copies of few ancestors count as many again. Dashed: the share that has descendants at the end.

    Args:
        solutions: label → solution of ``ParticlePlanning``.

    Raises:
        ValueError: nothing to draw, or a solution without particles.

    Example:
        >>> from ppl_control import TabularMDP, TrajectoryModel, infer
        >>> from ppl_control.inference.variational.particles import ParticlePlanning
        >>> model = TrajectoryModel(TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]]), horizon=2)
        >>> figure = plot_ess({"bootstrap": infer(model, ParticlePlanning(64), progress=False)})
        >>> figure.axes[0].get_ylabel()
        'effective sample size / particles'
    """
    solutions = named_solutions(solutions)
    for name, solution in solutions.items():
        if not solution.history.get("ess") or not hasattr(solution.guide, "log_weights"):
            raise ValueError(f"solutions[{name!r}]: expected one of ParticlePlanning, got {solution!r}")
    figure = blank(6.4, 3.4)
    axes = figure.subplots()
    least = 1.0
    for index, (name, solution) in enumerate(solutions.items()):
        count = len(solution.guide.state_dict()["log_weights"])
        shares = [ess / count for ess in solution.history["ess"]]
        axes.plot(
            range(1, len(shares) + 1), shares, label=name, color=PALETTE[index % len(PALETTE)],
            marker=MARKERS[index % len(MARKERS)], markersize=4, linewidth=1.6,
        )  # fmt: skip
        kept = [n / count for n in solution.history["lineages"]]
        axes.plot(range(1, len(kept) + 1), kept, color=PALETTE[index % len(PALETTE)], linestyle="--", linewidth=1)
        least = min(least, 1 / count)
    axes.plot([], [], label="with descendants\nat the end", color=GREY, linestyle="--", linewidth=1)
    axes.axhline(least, color=GREY, linestyle=":", linewidth=1.1, zorder=1)
    axes.set_yscale("log")
    axes.set_ylim(least / 1.3, 1.3)
    axes.set_xlabel("time step", color=INK)
    axes.set_ylabel("effective sample size / particles", color=INK)
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure

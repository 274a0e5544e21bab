"""How bounds rise while methods fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ppl_control.inference.base import Solution
from ppl_control.plotting.figures import GREY, INK, PALETTE, blank
from ppl_control.plotting.named import named_solutions
from ppl_control.settings import real, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_history"]

SHOWN = 0.9  # part of every curve that has to be inside the picture; first guesses can be far below


def plot_history(solutions: Mapping[str, Solution], *, exact: Mapping[str, float] | None = None) -> Figure:
    """The log evidence bound after each step, nats; what has no steps is a line at its bound.

    Args:
        solutions: label → solution.
        exact: label → bound, nats, for further lines.

    Raises:
        ValueError: nothing to draw, or a bound that is not finite.

    Example:
        >>> from ppl_control import SVI, MessagePassing, TabularMDP, TrajectoryModel, infer
        >>> model = TrajectoryModel(TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]]), horizon=2)
        >>> fits = {"SVI": infer(model, SVI(), progress=False), "log Z": infer(model, MessagePassing())}
        >>> [text.get_text() for text in plot_history(fits).legends[0].texts]
        ['SVI', 'log Z']
    """
    solutions = {} if isinstance(solutions, Mapping) and not solutions else named_solutions(solutions)
    if exact is not None:
        if not isinstance(exact, Mapping):
            raise ValueError(f"exact: expected label → bound, got {shown(exact)}")
        exact = {name: real(f"exact[{name!r}]", value, infinite=True) for name, value in exact.items()}
    lines = {name: s.log_evidence_bound for name, s in solutions.items() if not s.history.get("bound")}
    lines |= exact or {}
    curves = {name: s.history["bound"] for name, s in solutions.items() if s.history.get("bound")}
    if not curves and not lines:
        raise ValueError("solutions: expected at least one")
    for name, value in lines.items():
        if not math.isfinite(value):
            raise ValueError(f"exact[{name!r}] is {value}: expected a finite number of nats")
    figure = blank(6.4, 3.4)
    axes = figure.subplots()
    longest = max((len(curve) for curve in curves.values()), default=1)
    for index, (name, curve) in enumerate(curves.items()):
        colour = PALETTE[index % len(PALETTE)]
        steps = range(1, len(curve) + 1)
        axes.plot(steps, curve, label=name, color=colour, linewidth=1.6)
        # One that arrived early stays where it is.
        axes.plot([len(curve), longest], [curve[-1]] * 2, color=colour, linewidth=1, alpha=0.5)
        axes.plot(len(curve), curve[-1], marker="o", markersize=4, color=colour)
    for index, (name, value) in enumerate(lines.items()):
        axes.axhline(value, label=name, color=INK if index == 0 else GREY, linestyle=("--", ":", "-.")[index % 3],
                     linewidth=1.1, zorder=1)  # fmt: skip
    _limit(axes, [list(curve) for curve in curves.values()], list(lines.values()))
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("log evidence bound, nats", color=INK)
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def _limit(axes: Axes, curves: list[list[float]], lines: list[float]) -> None:
    """Keep the last SHOWN of every curve and all lines in sight; a far first guess may leave the picture."""
    finite = [[value for value in curve if math.isfinite(value)] for curve in curves]
    tails = [value for curve in finite for value in curve[int(len(curve) * (1 - SHOWN)) :]]
    seen = [*tails, *lines]
    low, high = min(seen), max(seen)
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)

"""Grid problems on paper: where a guide believes it goes, and where its policy goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ppl_control.evaluation import Evaluation, evaluate
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.plotting.cells import draw_cells
from ppl_control.plotting.figures import BELIEVED, EXECUTED, INK, blank
from ppl_control.plotting.named import named_solutions
from ppl_control.plotting.walks import walk
from ppl_control.settings import shown
from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_beliefs"]

DREAM = ("#ffffff", "#dcebf7", "#9ecae8", "#5aa9d6")  # believed: white to blue
WORLD = ("#ffffff", "#fdebd3", "#fdc98a", "#f5a04a")  # executed: white to orange
SHORTFALL = 0.05  # part of the return that may be hoped for before the figure says so in bold


def plot_beliefs(
    solutions: Mapping[str, Solution], model: TrajectoryModel | None = None, *, figure: Any = None
) -> Figure:
    """Where each guide believes it goes (top) against where its policy goes (bottom).

    Colour: the probability that the walk ever enters the cell, the start included; in cells where the walk
    ends it is written out. Arrows: how often each action is chosen there, averaged over the times at which
    the walk is in the cell; their direction is read off the transitions.

    Args:
        solutions: title → solution, one column each.
        model: where the policies are executed; None: the model of the first solution.
        figure: an empty figure, or part of one, to draw into; None: one of its own, of a size that suits the map.

    Returns:
        A figure; the returns in it are in reward units.

    Raises:
        ValueError: no solutions, or a model without tables or without a map.

    Example:
        >>> from ppl_control import MessagePassing, TabularMDP, TrajectoryModel, infer
        >>> from ppl_control.mdp import GridLayout
        >>> step = TabularMDP([1, 0], [[[0, 1]], [[0, 1]]], [[1.0], [0.0]], layout=GridLayout(("SG",)))
        >>> solution = infer(TrajectoryModel(step, horizon=1), MessagePassing())
        >>> len(plot_beliefs({"posterior": solution}).axes)  # believed, executed
        2
    """
    solutions = named_solutions(solutions)
    model = next(iter(solutions.values())).model if model is None else model
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {shown(model)}")
    if model.mdp is None or model.mdp.layout is None:
        raise ValueError(f"model: only a tabular model with a map (mdp.layout) can be drawn, got {model!r}")
    for title, solution in solutions.items():
        if not isinstance(solution.guide, TabularGuide):
            raise ValueError(f"solutions[{title!r}]: expected one with a tabular guide, got {solution!r}")
    rows, columns = model.mdp.layout.shape
    width = min(3.6, 0.85 * columns)
    if figure is None:
        figure = blank(len(solutions) * width + 0.9, 2 * (width * rows / columns + 0.3) + 0.3)
    axes = figure.subplots(2, len(solutions), squeeze=False)
    for (top, bottom), (title, solution) in zip(axes.T, solutions.items(), strict=True):
        result = evaluate(solution, model)
        _draw_belief(top, solution.guide, result)
        assert solution.policy is not None
        _draw_execution(bottom, TabularGuide(model, solution.policy), result)
        top.annotate(title, (0, 1), (0, 22), xycoords="axes fraction", textcoords="offset points",
                     fontsize=12, fontweight="bold", color=INK)  # fmt: skip
    for row in axes:
        _add_scale(figure, row[-1])
    return figure


def _draw_belief(axes: Axes, guide: Any, result: Evaluation) -> None:
    assert result.believed_states is not None
    draw_cells(axes, guide.model.mdp, walk(guide, result.believed_states), DREAM)
    axes.set_title(f"believes: return {_number(result.believed_return)}", loc="left", fontsize=10.5, color=BELIEVED)


def _draw_execution(axes: Axes, guide: TabularGuide, result: Evaluation) -> None:
    assert guide.model.mdp is not None
    assert result.executed_states is not None
    draw_cells(axes, guide.model.mdp, walk(guide, result.executed_states), WORLD)
    fallen = result.optimism > SHORTFALL * max(abs(result.believed_return), abs(result.executed_return))
    text = f"gets: {_number(result.executed_return)}"
    axes.set_title(text, loc="left", fontsize=10.5, color=EXECUTED, fontweight="bold" if fallen else "normal")


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _add_scale(figure: Figure, axes: Axes) -> None:
    bar = figure.colorbar(axes.images[0], cax=axes.inset_axes((1.05, 0, 0.05, 1)), ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["never", "50 %", "sure"], fontsize=8, color=INK)
    bar.set_label("enters the cell", fontsize=8, color=INK, labelpad=2)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]

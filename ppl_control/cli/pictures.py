"""The pictures of a comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppl_control.comparison import Comparison
from ppl_control.files import whole_file
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.plotting import plot_beliefs, plot_graph
from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

STORY = ("posterior", "fixed_dynamics")  # drawn alone where both are there
MOST = 3  # columns otherwise


def draw(folder: Path, result: Comparison, models: Mapping[str, TrajectoryModel]) -> list[Path]:
    """Draw beliefs (grid problems), graphical models and honesty; each file appears whole or not at all.

    Returns:
        The files, in the order of the models.
    """
    drawn: list[Path] = []
    for name, model in models.items():
        seed = result.settings["seeds"][0]
        found = {r.method: r.solution for r in result.runs if r.model == name and r.seed == seed}
        columns = _columns(found)
        if getattr(model.mdp, "layout", None) is not None and columns:
            figure = plot_beliefs({_title(label): found[label] for label in columns})
            drawn.append(_write(figure, folder, f"{name}_beliefs"))
        drawn.append(_write(plot_graph(_pair(model, found)), folder, f"{name}_graph"))
    drawn.append(_write(result.plot(), folder, "honesty"))
    return drawn


def _columns(found: Mapping[str, Solution]) -> list[str]:
    if all(label in found for label in STORY):
        return list(STORY)
    return [label for label, solution in found.items() if isinstance(solution.guide, TabularGuide)][:MOST]


def _pair(model: TrajectoryModel, found: Mapping[str, Solution]) -> dict[str, Any]:
    """The model, a guide that may change the dynamics, and one that may not, as far as they are there."""
    graphs: dict[str, Any] = {"model": model}
    for fixed in (False, True):
        fitting = [n for n, s in found.items() if bool(getattr(s.guide, "fixes_dynamics", True)) == fixed]
        best = next((label for label in STORY if label in fitting), next(iter(fitting), None))
        if best is not None:
            graphs[_title(best)] = found[best]
    return graphs


def _title(label: str) -> str:
    return label.replace("_", " ")


def _write(figure: Figure, folder: Path, stem: str) -> Path:
    path = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', stem)}.png"
    with whole_file(path) as file:
        figure.savefig(file, format="png")
    return path

"""One map: cells coloured by how surely a walk enters them, with the arrows of its policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ppl_control.mdp.layout import GridLayout
from ppl_control.mdp.tabular import TabularMDP
from ppl_control.plotting.figures import GREY, INK
from ppl_control.plotting.walks import Walk, directions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_cells"]

FAINT = 0.03  # choices rarer than this, and what is done in cells entered more rarely, get no arrow
REACH = 0.45  # length of the arrow of a sure choice, in cells
ARROW = ((0.12, 0.07), (0.55, 0.07), (0.55, 0.26), (1, 0), (0.55, -0.26), (0.55, -0.07), (0.12, -0.07))


def draw_cells(axes: Axes, mdp: TabularMDP, way: Walk, colours: Sequence[str]) -> None:
    """Draw a walk on the map of an MDP; ``colours`` run from never to surely entered."""
    from matplotlib.colors import LinearSegmentedColormap

    layout = mdp.layout
    assert layout is not None
    rows, columns = layout.shape
    scale = LinearSegmentedColormap.from_list("entered", list(colours))
    axes.imshow(way.entered.reshape(rows, columns).cpu().numpy(), cmap=scale, vmin=0, vmax=1)
    ending = torch.zeros(mdp.num_states, dtype=torch.bool)
    outcomes = mdp.outcomes
    ending[outcomes.next_state[outcomes.done & (outcomes.probability > 0)].cpu()] = True
    _add_letters(axes, layout, way.entered, ending)
    _add_arrows(axes, mdp, layout, way, ~ending)
    # Lines, not ticks with a grid, which take matplotlib longer than all the rest of the map.
    axes.vlines([column - 0.5 for column in range(1, columns)], -0.5, rows - 0.5, color="#cccccc", linewidth=0.6)
    axes.hlines([row - 0.5 for row in range(1, rows)], -0.5, columns - 0.5, color="#cccccc", linewidth=0.6)
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_color("#999999")


def _add_letters(axes: Axes, layout: GridLayout, entered: Tensor, ending: Tensor) -> None:
    from matplotlib.patches import Rectangle

    letters = "".join(layout.rows)
    floor = Counter(letters).most_common(1)[0][0]
    size = 1.0 if max(layout.shape) <= 8 else 0.65
    for state, letter in enumerate(letters):
        row, column = layout.cell(state)
        if letter == "#":
            wall = {"facecolor": "#d9d9d9", "edgecolor": GREY, "hatch": "////", "linewidth": 0}
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **wall))
        elif ending[state]:
            frame = {"fill": False, "edgecolor": INK, "linewidth": 1.2 * size}
            axes.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, **frame))
            middle: dict[str, Any] = {"ha": "center", "va": "center", "color": INK}
            axes.text(column, row - 0.12, letter, fontsize=13 * size, fontweight="bold", **middle)
            axes.text(column, row + 0.28, _percent(float(entered[state])), fontsize=8.5 * size, **middle)
        elif letter != floor:
            axes.text(column - 0.42, row - 0.3, letter, fontsize=9 * size, va="center", color=INK)


def _percent(chance: float) -> str:
    decimals = 1 if 5e-4 <= chance < 0.0995 else 0
    return f"{100 * chance:.{decimals}f} %"


def _add_arrows(axes: Axes, mdp: TabularMDP, layout: GridLayout, way: Walk, decides: Tensor) -> None:
    """One arrow a cell and action; its area is the probability of the choice."""
    from matplotlib.collections import PolyCollection

    here = decides & (way.entered > FAINT).cpu()
    state, action = ((way.actions > FAINT).cpu() & here[:, None]).nonzero(as_tuple=True)
    along = directions(mdp)[action]
    across = torch.stack([-along[:, 1], along[:, 0]], -1)
    size = REACH * way.actions.cpu()[state, action].sqrt()
    centre = torch.tensor([layout.cell(int(s))[::-1] for s in state]).reshape(-1, 2)
    shape = torch.tensor(ARROW).to(along)
    arrows = shape[:, :1] * along[:, None] + shape[:, 1:] * across[:, None]
    corners = centre[:, None] + size[:, None, None] * arrows
    axes.add_collection(PolyCollection(list(corners.numpy()), facecolors=INK, linewidths=0))

"""What guides believe against what their policies get."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ppl_control.plotting.figures import BELIEVED, EXECUTED, GREY, INK, MARKERS, PALETTE, blank
from ppl_control.settings import shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_honesty"]

NEEDED = ("model", "method", "believed", "executed")
LARGEST, SMALLEST = 13.0, 5.0  # points; methods that agree are drawn around each other


def plot_honesty(table: pd.DataFrame) -> Figure:
    """Believed against executed return, one point a row and one panel a model; on the diagonal a guide is honest.

    The dotted line from a point up to the diagonal is its optimism.

    Args:
        table: a ``Comparison``'s table, or its ``intervals()``: ``model``, ``method``, ``believed`` and ``executed``
            in reward units; error bars from ``believed_interval`` and ``executed_interval`` where they are there,
            else of one standard error. Rows without a finite return are left out.

    Raises:
        ValueError: a column is missing, or no run has finite returns.

    Example:
        >>> import pandas as pd
        >>> row = {"model": "lake", "method": "posterior", "believed": 1.0, "executed": 0.0}
        >>> plot_honesty(pd.DataFrame([row])).axes[0].get_title()
        'lake'
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"table: expected a DataFrame such as a Comparison's table, got {shown(table)}")
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise ValueError(f"table: the columns {missing} are missing; it has {list(table.columns)}")
    runs = [run for run in table.to_dict("records") if all(_is_finite(run[name]) for name in NEEDED[2:])]
    if not runs:
        raise ValueError("table: expected at least one run with finite returns")
    models = list(dict.fromkeys(run["model"] for run in runs))
    methods = list(dict.fromkeys(run["method"] for run in runs))
    columns = min(len(models), 3)
    rows = math.ceil(len(models) / columns)
    longest = max(len(str(name)) for name in methods)
    figure = blank(3.2 * columns + 0.7 + 0.08 * longest, 3.2 * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[len(models) :]:
        panel.remove()
    for panel, model in zip(panels, models, strict=False):
        _draw(panel, [run for run in runs if run["model"] == model], methods)
        panel.set_title(str(model), fontsize=11, fontweight="bold", color=INK)
    handles = [panels[0].plot([], [], **_style(i, len(methods)))[0] for i in range(len(methods))]
    figure.legend(handles, [str(name).replace("_", " ") for name in methods], loc="outside right center",
                  frameon=False, fontsize=9)  # fmt: skip
    return figure


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _style(index: int, count: int) -> dict:
    size = LARGEST if count == 1 else LARGEST - (LARGEST - SMALLEST) * index / (count - 1)
    return {
        "color": PALETTE[index % len(PALETTE)],
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": size,
        "markeredgecolor": "white",
        "markeredgewidth": 0.8,
        "linestyle": "none",
        "zorder": 4 + index,
    }


def _draw(panel: Axes, runs: list[dict], methods: list) -> None:
    returns = [float(run[name]) for run in runs for name in NEEDED[2:]]
    low, high = min(returns), max(returns)
    apart = high - low > 1e-9 * max(1.0, abs(high))  # else they differ by rounding only
    margin = 0.12 * (high - low) if apart else 0.5 * max(1.0, abs(high))
    low, high = low - margin, high + margin
    panel.fill_between([low, high], [low, low], [low, high], color="#f4f0ea", linewidth=0, zorder=0)
    panel.plot([low, high], [low, high], color=GREY, linewidth=1, zorder=1)
    place: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "ha": "center", "fontsize": 8, "color": GREY}
    panel.text(0.24, 0.25, "honest", va="bottom", transform=panel.transAxes, **place)
    panel.text(0.26, 0.24, "optimistic", va="top", transform=panel.transAxes, **place)
    for run in runs:
        x, y = float(run["believed"]), float(run["executed"])
        index = methods.index(run["method"])
        colour = PALETTE[index % len(PALETTE)]
        panel.plot([x, x], [y, x], color=colour, linewidth=1.2, linestyle=":", zorder=2)
        across, up = (_error(run, name) for name in NEEDED[2:])
        panel.errorbar(x, y, xerr=across, yerr=up, ecolor=colour, elinewidth=1.2, capsize=2,
                       **_style(index, len(methods)))  # fmt: skip
    panel.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    panel.set_xlabel("believes: return, reward units", fontsize=9, color=BELIEVED)
    panel.set_ylabel("gets: return, reward units", fontsize=9, color=EXECUTED)
    panel.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _error(run: dict, name: str) -> float | None:
    error = run.get(f"{name}_interval", run.get(f"{name}_stderr", 0.0))
    return float(error) if _is_finite(error) and error > 0 else None

"""Graphical models of programs and guides, with what a guide may change in colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from ppl_control.inference.base import Solution
from ppl_control.plotting.figures import INK
from ppl_control.plotting.places import Place, place_sites
from ppl_control.plotting.sites import SiteGraph, guide_graph, model_graph
from ppl_control.settings import whole
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import family, time_index

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_graph"]

LEARNED = "#A6DCC8"  # sites that the guide may change
LEARNED_EDGE = "#00785A"  # what their distributions hang on
SIDE = 0.75  # from the outermost sites to the next graph or the rim, in units of the map
RIM = 0.65  # the same above and below
DOTS = 0.8  # room for the dots
TITLE = 0.5


def plot_graph(model_or_guide: Any, model: TrajectoryModel | None = None, *, steps: int = 2) -> Figure:
    """The graphical model as the program itself tells it: sites and dependencies come from its traces.

    Observed sites are grey. In a guide the sites whose distribution it may choose, and the edges into them,
    are coloured: under fixed dynamics the actions alone. What is observed in the model is no part of a guide.

    Args:
        model_or_guide: a ``TrajectoryModel``; a guide bound to one; a ``Solution``; a recipe such as
            ``FixedDynamics()`` together with ``model``; or title → any of these, drawn side by side.
        model: the model to which recipes are bound.
        steps: decisions to draw; dots stand for the rest.

    Raises:
        ValueError: something else, a recipe without a model, or ``steps`` less than 1.

    Note:
        Dependencies are those of the distributions' parameters; a branch taken on a value leaves no trace.

    Example:
        >>> from ppl_control import TabularMDP, TrajectoryModel
        >>> coin = TrajectoryModel(TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]]), horizon=1)
        >>> sorted(text.get_text() for text in plot_graph(coin).axes[0].texts)
        ['$O_{0}$', '$a_{0}$', '$s_{0}$', '$s_{1}$']
    """
    steps = whole("steps", steps, 1)
    named = model_or_guide if isinstance(model_or_guide, Mapping) else {"": model_or_guide}
    if not named:
        raise ValueError("model_or_guide: expected at least one")
    return _draw({str(title): _graph_of(thing, model, steps) for title, thing in named.items()})


def _graph_of(thing: Any, model: TrajectoryModel | None, steps: int) -> SiteGraph:
    if isinstance(thing, Solution):
        thing = thing.guide
    if isinstance(thing, TrajectoryModel):
        return model_graph(thing, steps)
    if isinstance(thing, nn.Module) and isinstance(getattr(thing, "model", None), TrajectoryModel):
        return guide_graph(thing, steps)
    build = None if isinstance(thing, type | nn.Module) else getattr(thing, "build", None)
    if build is not None:
        if not isinstance(model, TrajectoryModel):
            raise ValueError(f"model: the recipe {thing!r} needs a TrajectoryModel, got {model!r}")
        return guide_graph(build(model), steps)
    raise ValueError(
        "model_or_guide: expected a TrajectoryModel, a bound guide, a Solution, or a recipe with a model; "
        f"got {thing!r}"
    )


def _draw(graphs: Mapping[str, SiteGraph]) -> Figure:
    import daft
    from matplotlib import pyplot

    together = place_sites(SiteGraph.union(graphs.values()))
    placed: dict[str, dict[str, Place]] = {}
    width = 0.0
    for title, graph in graphs.items():
        places = {name: together[name] for name in graph.roles}
        shift = width + SIDE - min(x for x, _ in places.values())
        placed[title] = {name: (x + shift, y) for name, (x, y) in places.items()}
        width = shift + max(x for x, _ in places.values()) + SIDE + DOTS * graph.goes_on
    heights = [y for places in placed.values() for _, y in places.values()]
    low, high = min(heights) - RIM, max(heights) + RIM
    top = high + TITLE * any(graphs)
    pgm = daft.PGM(origin=(0, low), shape=(width, top - low), grid_unit=1.45, node_unit=1.0, dpi=150)
    for title, places in placed.items():
        _add_graph(pgm, title, graphs[title], places)
        first, last = min(x for x, _ in places.values()), max(x for x, _ in places.values())
        if graphs[title].goes_on:
            _add_words(pgm, f"{title} goes on", r"$\cdots$", last + DOTS, 0, {"fontsize": 16})
        if title:
            style = {"fontsize": 12, "fontweight": "bold", "color": INK}
            _add_words(pgm, f"{title} title", title, (first + last) / 2, high, style)
    figure = pgm.render().get_figure(root=True)
    assert figure is not None
    pyplot.close(figure)  # it lives on, but pyplot forgets it
    return figure


def _add_graph(pgm: Any, title: str, graph: SiteGraph, places: dict[str, Place]) -> None:
    for name, (x, y) in places.items():
        colour = {"fc": LEARNED} if name in graph.changed else {}
        long = len(family(name)) > 2
        pgm.add_node(f"{title} {name}", _label(name), x, y, observed=name in graph.observed,
                     aspect=1.35 if long else 1, fontsize=9 if long else 12,
                     plot_params={"ec": INK} | colour, label_params={"math_fontfamily": "cm"})  # fmt: skip
    for start, end in sorted(graph.edges):
        colour = LEARNED_EDGE if end in graph.changed else INK
        style = {"ec": colour, "fc": colour, "head_width": 0.16, "head_length": 0.22, "linewidth": 1.1}
        pgm.add_edge(f"{title} {start}", f"{title} {end}", plot_params=style)


def _add_words(pgm: Any, key: str, words: str, x: float, y: float, style: dict[str, Any]) -> None:
    size = style.pop("fontsize")
    pgm.add_node(key, words, x, y, fontsize=size, plot_params={"ec": "none", "fc": "none"}, label_params=style)


def _label(name: str) -> str:
    base, t = family(name).replace("_", r"\_"), time_index(name)
    base = base if len(base) == 1 else rf"\mathrm{{{base}}}"
    return f"${base}$" if t is None else f"${base}_{{{t}}}$"

"""The graphical model of a program, read off its own traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyro.poutine as poutine
import torch
from pyro.infer.inspect import get_model_relations

from ppl_control.guides.custom import CustomGuide
from ppl_control.plotting.excerpt import FirstDecisions
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.handlers import Detached
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index

__all__ = ["SiteGraph", "guide_graph", "model_graph"]

RUNS = 16  # of a program whose runs differ in their sites


@dataclass(eq=False)
class SiteGraph:
    """Sites and what their distributions hang on.

    Attributes:
        roles: site → role, in program order.
        edges: (from, to), both sites.
        observed: sites whose value is given.
        changed: sites whose distribution a guide may choose.
        start: number of the first decision.
        goes_on: later sites were left out.
    """

    roles: dict[str, str] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)
    observed: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    start: int = 0
    goes_on: bool = False

    @classmethod
    def union(cls, graphs: Iterable[SiteGraph]) -> SiteGraph:
        """All sites and edges of several graphs; names that they share are one site."""
        all_of_them = cls()
        for graph in graphs:
            all_of_them.roles = graph.roles | all_of_them.roles
            all_of_them.edges |= graph.edges
            all_of_them.start = min(all_of_them.start, graph.start)
        return all_of_them

    def without(self, dropped: set[str]) -> None:
        """Forget some sites."""
        self.roles = {name: role for name, role in self.roles.items() if name not in dropped}
        self.edges = {edge for edge in self.edges if not dropped & set(edge)}
        self.observed -= dropped


def model_graph(model: TrajectoryModel, steps: int) -> SiteGraph:
    """The graph of the model's first decisions; optimality sites are observed."""
    return _read(_shortened(model.model, model, steps), model, steps)


def guide_graph(guide: Any, steps: int) -> SiteGraph:
    """The graph of a bound guide's first decisions; what is observed in the model is no part of it.

    A site that the guide leaves out keeps what it hangs on in the model. One is changed where its log-probability
    has a gradient in the guide's parameters; the action sites that the guide draws always are.
    """
    model = model_graph(guide.model, steps)
    graph = _read(_excerpt(guide, guide, steps), guide.model, steps)
    graph.changed = _learned(guide, steps) | {name for name, role in graph.roles.items() if role == "action"}
    graph.edges |= {(start, end) for start, end in model.edges if end not in graph.roles}
    graph.roles = {**model.roles, **graph.roles}
    graph.without(model.observed | {name for name, role in graph.roles.items() if role == "optimality"})
    graph.changed &= set(graph.roles)
    graph.start, graph.goes_on = model.start, model.goes_on
    return graph


def _read(run: Callable[[], Any], model: TrajectoryModel, steps: int) -> SiteGraph:
    graph = SiteGraph()
    for seed in _seeds(model):
        with RandomStream(seed):
            relations = get_model_relations(run, include_deterministic=True)
        computed = {name for name, kind in relations["sample_dist"].items() if kind == "Deterministic"}
        parents = relations["sample_sample"]
        for name in parents.keys() - computed:
            graph.edges |= {(parent, name) for parent in _drawn(parents[name], parents, computed)}
        for name in parents:
            if name not in computed:
                graph.roles.setdefault(name, model.program.roles.of(name))
        graph.observed |= set(relations["observed"]) - computed
    clock = [time_index(name) for name, role in graph.roles.items() if role == "action"]
    graph.start = min((t for t in clock if t is not None), default=0)
    late = {name for name, role in graph.roles.items() if _is_late(name, role, graph.start + steps)}
    graph.without(late)
    graph.goes_on = bool(late) or model.horizon is None
    return graph


def _drawn(names: list[str], parents: dict[str, list[str]], computed: set[str]) -> Iterator[str]:
    """The sites behind some names, with ``pyro.deterministic`` ones replaced by what they hang on."""
    for name in names:
        if name in computed:
            yield from _drawn(parents[name], parents, computed)
        else:
            yield name


def _is_late(name: str, role: str, end: int) -> bool:
    t = time_index(name)
    return t is not None and (t > end if role == "state" else t >= end)


def _learned(guide: Any, steps: int) -> set[str]:
    """Sites whose log-probability has a gradient in the guide's parameters, frozen or not."""
    free = {name: p.detach().requires_grad_() for name, p in guide.named_parameters()}

    def run() -> Any:
        return torch.func.functional_call(guide, free, ())

    found: set[str] = set()
    for seed in _seeds(guide.model):
        with RandomStream(seed), torch.enable_grad(), Detached():
            trace = poutine.trace(_excerpt(run, guide, steps)).get_trace()
            sites = {name: site for name, site in trace.nodes.items() if site["type"] == "sample"}
            found |= {n for n, site in sites.items() if site["fn"].log_prob(site["value"]).requires_grad}
    return found


def _shortened(run: Callable[[], Any], model: TrajectoryModel, steps: int) -> Callable[[], Any]:
    """A tabular program ended early; others may draw their sites in any order."""
    return FirstDecisions(model, steps + 1).of(run) if model.is_tabular else run


def _excerpt(run: Callable[[], Any], guide: Any, steps: int) -> Callable[[], Any]:
    return run if isinstance(guide, CustomGuide) else _shortened(run, guide.model, steps)


def _seeds(model: TrajectoryModel) -> range:
    """Of the runs to look at: one, where all runs have the same sites."""
    return range(1 if model.program.batched and model.horizon is not None else RUNS)

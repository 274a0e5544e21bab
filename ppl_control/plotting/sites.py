"""The graphical model of a program, read off its own traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyro.poutine as poutine
import torch
from pyro.infer.inspect import get_model_relations

from ppl_control.plotting.excerpt import Detached, FirstDecisions
from ppl_control.randomness import RandomStream
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


def model_graph(model: TrajectoryModel, steps: int) -> SiteGraph:
    """The graph of the model's first decisions; optimality sites are observed."""
    return _read(model.model, model, steps)


def guide_graph(guide: Any, steps: int) -> SiteGraph:
    """The graph of a bound guide's first decisions; what is observed in the model is no part of it.

    A site is changed where its log-probability has a gradient in the guide's parameters; action sites are
    always.
    """
    graph = _read(guide, guide.model, steps)
    graph.without(graph.observed | {name for name, role in graph.roles.items() if role == "optimality"})
    graph.observed = set()
    graph.changed = _learned(guide, steps) & set(graph.roles)
    graph.changed |= {name for name, role in graph.roles.items() if role == "action"}
    return graph


def _read(run: Callable[[], Any], model: TrajectoryModel, steps: int) -> SiteGraph:
    graph = SiteGraph()
    for seed in _seeds(model):
        first = FirstDecisions(model, steps)
        with RandomStream(seed):
            relations = get_model_relations(first.of(run), include_deterministic=True)
        graph.goes_on |= first.stopped or model.horizon is None
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
    graph.without({name for name, role in graph.roles.items() if _is_late(name, role, graph.start + steps)})
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
            trace = poutine.trace(FirstDecisions(guide.model, steps).of(run)).get_trace()
            sites = {name: site for name, site in trace.nodes.items() if site["type"] == "sample"}
            found |= {n for n, site in sites.items() if site["fn"].log_prob(site["value"]).requires_grad}
    return found


def _seeds(model: TrajectoryModel) -> range:
    """Of the runs to look at: one, where all runs have the same sites."""
    return range(1 if model.program.batched and model.horizon is not None else RUNS)

"""The update as one compiled graph, shared by all runs of one shape."""

from __future__ import annotations

import importlib.util
import os
import shutil
import types
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ppl_control.inference.reinforcement.soft_actor_critic.learned import Learned
from ppl_control.inference.reinforcement.soft_actor_critic.objectives import Objectives
from ppl_control.inference.reinforcement.soft_actor_critic.update import Rates, eager, in_graph

__all__ = ["Update", "choose_update", "has_compiler"]

Update = Callable[[Learned, Tensor, Tensor], Tensor]

_graphs: dict[str, Update] = {}


def has_compiler(device: torch.device) -> bool:
    """Whether ``torch.compile`` has what it needs: a C++ compiler on a CPU, Triton on a GPU."""
    if device.type != "cpu":
        return importlib.util.find_spec("triton") is not None
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++", "cl"]
    return any(shutil.which(name) for name in names)


def choose_update(
    compile: bool | None, device: torch.device, shape: str, objectives: Callable[[], Objectives], rates: Rates
) -> Update:
    """The update, compiled or not. A compiled one is made at its first call in a process, which takes 5 to 30 s.

    Args:
        compile: True, False, or None: where there is a compiler, else uncompiled with a warning.
        device: where it computes.
        shape: a text that is the same for runs that may share a graph.
        objectives: makes what the update keeps; nothing of a run, since graphs stay in memory.
        rates: numbers of the update.
    """
    if compile is None and not has_compiler(device):
        warnings.warn(
            "compile: no C++ compiler is found (Triton on a GPU): the update runs uncompiled, which takes about 1.7 "
            "times as long; install one, or say compile=False",
            stacklevel=2,
        )
        compile = False
    if compile is False:
        return _eager(objectives(), rates)
    shape = f"{shape} {rates} {compile}"
    if shape not in _graphs:
        _graphs[shape] = _compiled(objectives(), rates, required=bool(compile))
    return _graphs[shape]


def _eager(objectives: Objectives, rates: Rates) -> Update:
    return lambda learned, rows, noise: eager(objectives, rates, learned, rows, noise)


def _compiled(objectives: Objectives, rates: Rates, *, required: bool) -> Update:
    def update(learned: Learned, rows: Tensor, noise: Tensor) -> Tensor:
        return in_graph(objectives, rates, learned, rows, noise)

    graph: Any = torch.compile(_own_copy(update), fullgraph=True, dynamic=False)
    return graph if required else _first_tried(graph, _eager(objectives, rates))


def _first_tried(graph: Update, instead: Update) -> Update:
    chosen: list[Update] = []

    def update(learned: Learned, rows: Tensor, noise: Tensor) -> Tensor:
        if chosen:
            return chosen[0](learned, rows, noise)
        try:
            metrics = graph(learned, rows, noise)
        except RuntimeError as error:  # nothing has run yet: the compiler comes first
            reason = str(error).strip().splitlines()[0]
            warnings.warn(f"compile: torch.compile failed ({reason}); the update runs uncompiled", stacklevel=2)
            chosen.append(instead)
            return instead(learned, rows, noise)
        chosen.append(graph)
        return metrics

    return update


def _own_copy(function: Any) -> Any:
    """The function with a code object of its own: torch.compile allows each only a few compilations in a process."""
    return types.FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )

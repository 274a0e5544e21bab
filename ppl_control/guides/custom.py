"""Guides of your own: any Pyro function over the model's sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyro.poutine as poutine
import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import nn
from torch.distributions import constraints, transform_to

from ppl_control.guides.copies import trainable_copy
from ppl_control.randomness import RandomStream
from ppl_control.settings import shown, tried
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Custom", "CustomGuide"]


@dataclass(frozen=True)
class Custom:
    """A guide given as a Pyro function of no arguments that samples some of the model's sites.

    A site it leaves out keeps the model's own distribution, so that a function over the actions alone is an
    open-loop guide. Actions and outcomes that it draws after the silent end of a table do not count. Its parameters
    are those of ``pyro.param`` (kept apart from Pyro's global store) and, for a module, its own. A module's attribute
    ``policy``, if any, is what ``evaluate`` executes.

    Args:
        function: the guide; a module is copied before it is trained.

    Raises:
        ValueError: no function; at ``infer``, one that fails, or has sites that the model has not.
    """

    function: Callable[[], Any]

    def __post_init__(self) -> None:
        if isinstance(self.function, type) or not callable(self.function):
            raise ValueError(f"function: expected a function without arguments, got {shown(self.function)}")

    def build(self, model: TrajectoryModel) -> CustomGuide:
        """The guide bound to a model.

        Raises:
            ValueError: the function samples a site that the model does not have, or has observed, or samples in
                another order than the model.
        """
        function = trainable_copy(self.function) if isinstance(self.function, nn.Module) else self.function
        return CustomGuide(model, function)


class CustomGuide(nn.Module):
    """A user's guide with its parameters as this module's own; calling it runs it in Pyro."""

    fixes_dynamics = False

    def __init__(self, model: TrajectoryModel, function: Callable[[], Any]) -> None:
        super().__init__()
        self.model, self.function = model, function
        self.policy: nn.Module | None = getattr(function, "policy", None)
        self.free = nn.ParameterDict()
        self._constraints: dict[str, Any] = {}
        with RandomStream(0), torch.no_grad():
            there = _drawn(poutine.trace(model.model).get_trace())
            drawn = _drawn(tried("guide", poutine.trace(self).get_trace))
        unknown = [name for name in drawn if name not in there]
        if unknown:
            raise ValueError(f"guide: unknown site {unknown[0]!r}; the model draws {there}")
        asked = [name for name in there if name in drawn]
        if model.program.batched and drawn != asked:  # terms to go and closed divergences go by the model's order
            early, due = next(pair for pair in zip(drawn, asked, strict=True) if pair[0] != pair[1])
            raise ValueError(f"guide: it draws {early!r} before {due!r}; draw sites in the model's order, {asked}")
        self.left_out = tuple(name for name in there if name not in drawn)

    def forward(self) -> Any:
        """Run the guide once."""
        with _OwnParameters(self):
            return self.function()

    def parameter(self, name: str, init: Any, constraint: Any) -> torch.Tensor:
        """The value of ``pyro.param(name, init, constraint)``, made at its first use."""
        key = name.replace(".", "/")
        if key not in self.free:
            if init is None:
                raise ValueError(f"guide: pyro.param({name!r}) needs a value to start from")
            start = init() if callable(init) else init
            self.free[key] = nn.Parameter(transform_to(constraint).inv(torch.as_tensor(start)).detach().clone())
            self._constraints[key] = constraint
        return transform_to(self._constraints[key])(self.free[key])


class _OwnParameters(Messenger):
    def __init__(self, guide: CustomGuide) -> None:
        super().__init__()
        self.guide = guide

    def _pyro_param(self, msg: Any) -> None:
        init = msg["args"][1] if len(msg["args"]) > 1 else None
        constraint = msg["kwargs"].get("constraint", constraints.real)
        msg["value"] = self.guide.parameter(msg["name"], init, constraint)
        msg["done"] = msg["stop"] = True  # Pyro's global store never hears of it


def _drawn(trace: Any) -> list[str]:
    samples = {name: node for name, node in trace.nodes.items() if node["type"] == "sample"}
    return [name for name, node in samples.items() if not node["is_observed"] and not site_is_subsample(node)]

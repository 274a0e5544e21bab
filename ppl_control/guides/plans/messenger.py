"""The handler that lets a plan act in a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from pyro.distributions import Categorical
from torch import Tensor

from ppl_control.trajectory.handlers import GuideMessenger, Move, Program

__all__ = ["Conditional", "PlanMessenger"]

Conditional = Callable[[int, Sequence[Tensor]], Any]


class PlanMessenger(GuideMessenger):
    """Run a program as a guide whose actions are those of one drawn plan; factors fall silent.

    Unlike a policy, a plan is not cut down to what the prior allows in the state at hand: it cannot see the
    state, and its bound is −∞ where it may do what the prior rules out. Only at the silent end of a tabular
    program, where there is no action, the model's point mass stands.

    Args:
        program: the program whose sites are to be replaced.
        conditional: (t, the actions before) → q(a_t | a_0 … a_{t−1}).
        move: as in ``GuideMessenger``.
    """

    def __init__(self, program: Program, conditional: Conditional, move: Move | None = None) -> None:
        super().__init__(program, None, move)
        self.conditional = conditional
        self.past: list[Tensor] = []

    def __enter__(self) -> Any:
        self.past = []
        return super().__enter__()

    def _pyro_sample(self, msg: Any) -> None:
        super()._pyro_sample(msg)
        if self.program.roles.of(msg["name"]) == "action" and not msg["is_observed"]:
            msg["fn"] = self._action(msg["fn"])

    def _action(self, prior: Any) -> Any:
        q = self.conditional(self.context.decisions, self.past)
        tables = getattr(self.program, "tables", None)
        if tables is None:
            return q
        ended = self.context.latest["s"] == tables.num_states
        return Categorical(logits=torch.where(ended[..., None], prior.logits, q.logits))

    def _pyro_post_sample(self, msg: Any) -> None:
        super()._pyro_post_sample(msg)
        if self.program.roles.of(msg["name"]) == "action":
            self.past.append(msg["value"])

"""Rewards with one free number for every state, state and action, or outcome."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.inverse.rewards.base import Reward
from ppl_control.settings import floating_type, one_of, size_of

__all__ = ["TabularReward"]


class TabularReward(Reward):
    """r(s), r(s, a) or r(s, a, s') as a table, zeros at the start.

    Args:
        num_states: S.
        num_actions: A.
        of: ``"state"``, ``"state_action"`` or ``"outcome"``: what the reward tells apart.
        dtype: of the table.

    Raises:
        ValueError: a size below 1, or another ``of``.

    Note:
        Behaviour does not pin down such a reward: shaping leaves it as it is. Compare policies, occupancies or
        ``without_shaping``, and give the fit an ``l2`` to choose the smallest of equals.

    Example:
        >>> TabularReward(3, 2, of="outcome").table.shape
        torch.Size([3, 2, 3])
    """

    is_linear = True

    def __init__(
        self,
        num_states: int,
        num_actions: int,
        of: Literal["state", "state_action", "outcome"] = "state_action",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        s, a = size_of("num_states", num_states), size_of("num_actions", num_actions)
        shapes = {"state": (s,), "state_action": (s, a), "outcome": (s, a, s)}
        one_of("of", of, list(shapes))
        floating_type("dtype", dtype)
        self.of, self.sees_next = of, of == "outcome"
        self.num_states, self.num_actions = s, a
        self.table = nn.Parameter(torch.zeros(shapes[of], dtype=dtype))

    def forward(self, state: Tensor, action: Tensor, next_state: Tensor | None = None) -> Float[Tensor, "*b"]:
        """The entries of the table, reward units."""
        state, action = torch.broadcast_tensors(state, action)
        if self.of == "state":
            return self.table[state]
        if self.of == "state_action":
            return self.table[state, action]
        return self.table[state, action, self.require_next(next_state)]

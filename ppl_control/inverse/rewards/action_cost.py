"""What acting costs, whatever the state."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ppl_control.inverse.rewards.base import Reward
from ppl_control.settings import floating_type, size_of

__all__ = ["ActionCost"]


class ActionCost(Reward):
    """r(a) = −c_a for finitely many actions, r(a) = −Σ_i c_i a_i² for vectors; the costs c start at 0.

    Args:
        num_actions: A; or
        action_dim: m.
        dtype: of the costs.

    Raises:
        ValueError: not exactly one of the two sizes, or one below 1.

    Example:
        >>> cost = ActionCost(action_dim=2)
        >>> _ = cost.costs.data.fill_(0.5)
        >>> cost(torch.zeros(4), torch.tensor([1.0, 2.0])).item()
        -2.5
    """

    is_linear = True

    def __init__(
        self,
        *,
        num_actions: int | None = None,
        action_dim: int | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if (num_actions is None) == (action_dim is None):
            raise ValueError("give exactly one of num_actions and action_dim")
        self.is_discrete = num_actions is not None
        name, given = ("num_actions", num_actions) if self.is_discrete else ("action_dim", action_dim)
        size = size_of(name, given)  # type: ignore[arg-type]
        self.num_actions = size if self.is_discrete else None
        floating_type("dtype", dtype)
        self.costs = nn.Parameter(torch.zeros(size, dtype=dtype))

    def require_sizes(self, num_states: int, num_actions: int) -> None:
        """Raise a ValueError where the costs are those of vectors, or of another number of actions."""
        if not self.is_discrete:
            raise ValueError(f"reward: it is made for vectors of actions, the model has {num_actions} actions")
        super().require_sizes(num_states, num_actions)

    def forward(self, state: Tensor, action: Tensor, next_state: Tensor | None = None) -> Float[Tensor, "*b"]:
        """Minus the cost, reward units."""
        cost = self.costs[action.long()] if self.is_discrete else action.to(self.costs).square() @ self.costs
        batch = state.shape[:-1] if state.is_floating_point() else state.shape  # indices are whole numbers
        return -cost.expand(torch.broadcast_shapes(batch, cost.shape))

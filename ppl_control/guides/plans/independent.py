"""Plans that draw every action on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.mdp.validation import as_tensor
from ppl_control.policies.arguments import as_time
from ppl_control.policies.base import Policy, Time
from ppl_control.settings import shown

__all__ = ["BlindPolicy", "IndependentPlan"]


class IndependentPlan(nn.Module):
    """q(a_0 … a_{T−1}) = ∏ q_t(a_t), each a softmax of its own logits.

    Args:
        logits: index order [t, a]; −inf forbids an action.

    Raises:
        ValueError: another shape.

    Example:
        >>> IndependentPlan(torch.zeros(3, 2))().sample([5]).shape
        torch.Size([5, 3])
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        table = as_tensor("logits", logits)
        if table.ndim != 2 or 0 in table.shape:
            raise ValueError(f"logits: expected floats of shape [T, A], got {tuple(table.shape)}")
        if not bool((table < torch.inf).all()):  # NaN too
            raise ValueError(f"logits: expected numbers or −inf, got {shown(table.tolist())}")
        self.logits = nn.Parameter(table)

    @property
    def horizon(self) -> int:
        """T."""
        return self.logits.shape[0]

    @property
    def num_actions(self) -> int:
        """A."""
        return self.logits.shape[1]

    @property
    def settings(self) -> dict[str, Any]:
        """What the constructor takes to make a plan of this shape."""
        return {"logits": torch.zeros_like(self.logits)}

    def log_table(self) -> Float[Tensor, "T A"]:
        """Log q_t(a), with its graph."""
        return torch.log_softmax(self.logits, -1)

    def forward(self) -> Any:
        """The distribution over whole sequences, event shape [T]."""
        return Categorical(logits=self.logits).to_event(1)

    def conditional(self, t: int, past: Sequence[Int[Tensor, "*batch"]]) -> Categorical:
        """q(a_t | a_0 … a_{t−1}); the past has no say here."""
        return Categorical(logits=self.logits[t])


class BlindPolicy(Policy):
    """A plan of independent actions as a policy that does not look: π_t(a|s) = q_t(a).

    Args:
        plan: the plan, shared and not copied.
    """

    def __init__(self, plan: IndependentPlan) -> None:
        super().__init__()
        self.plan = plan

    @property
    def horizon(self) -> int:
        """Number of time steps."""
        return self.plan.horizon

    @property
    def settings(self) -> dict[str, Any]:
        """What the constructor takes to make a policy of this shape."""
        return {"plan": IndependentPlan(**self.plan.settings)}

    def forward(self, state: Tensor, t: Time = None) -> Categorical:
        """q_t(·), one row for every state of the batch.

        Raises:
            ValueError: a missing or too late time.
        """
        t = as_time(t, self.horizon - 1, self.plan.logits.device)
        logits = self.plan.logits[t]
        batch = torch.broadcast_shapes(torch.as_tensor(state).shape, logits.shape[:-1])
        return Categorical(logits=logits.expand(*batch, -1))

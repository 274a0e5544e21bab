"""The mode of a policy, as a policy."""

from __future__ import annotations

import torch
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.policies.base import Policy, Time

__all__ = ["Deterministic"]


class Deterministic(Policy):
    """Always the most probable action of another policy; the first of equals.

    Args:
        policy: a policy over finitely many actions.

    Raises:
        ValueError: at the call, a policy whose actions are not finite.
    """

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, state: Tensor, t: Time = None) -> Categorical:
        """A point mass at the mode."""
        distribution = self.policy(state, t)
        if not isinstance(distribution, torch.distributions.Categorical):
            raise ValueError(f"deterministic: a categorical policy is needed, got {distribution}")
        logits = distribution.logits
        chosen = logits.argmax(-1, keepdim=True)
        mode = torch.full_like(logits, -torch.inf).scatter(-1, chosen, 0.0)
        return Categorical(logits=mode)

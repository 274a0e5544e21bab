"""The mode of a policy, as a policy."""

from __future__ import annotations

import torch
from pyro.distributions import Categorical, Delta
from torch import Tensor, nn
from torch.distributions import Distribution

from ppl_control.policies.base import Policy, Time, mode_of
from ppl_control.settings import shown

__all__ = ["Deterministic"]


class Deterministic(Policy):
    """Always the most probable action of another policy; the first of equals where the actions are finite.

    What a continuous policy names as its ``mode`` is said there (a squashed Gaussian: the squashed mean).

    Args:
        policy: a policy whose distribution has a mode.

    Raises:
        ValueError: no policy; at the call, a distribution without a mode (a flow).
    """

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        if not isinstance(policy, nn.Module):
            raise ValueError(f"policy: expected a policy, got {shown(policy)}")
        self.policy = policy
        self.state_ndim = getattr(policy, "state_ndim", 0)
        self.replans = getattr(policy, "replans", False)
        self.settings = {"policy": policy}

    def forward(self, state: Tensor, t: Time = None) -> Distribution:
        """A point mass at the mode."""
        distribution = self.policy(state, t)
        if not isinstance(distribution, torch.distributions.Categorical):
            return Delta(mode_of(distribution), event_dim=len(distribution.event_shape))
        logits = distribution.logits
        chosen = logits.argmax(-1, keepdim=True)
        mode = torch.full_like(logits, -torch.inf).scatter(-1, chosen, 0.0)
        return Categorical(logits=mode)

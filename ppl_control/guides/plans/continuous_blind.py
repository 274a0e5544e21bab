"""A plan of independent vectors as a policy that does not look."""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import Normal
from torch import Tensor

from ppl_control.guides.plans.gaussian import GaussianPlan
from ppl_control.policies.base import Policy, Time

__all__ = ["ContinuousBlindPolicy"]


class ContinuousBlindPolicy(Policy):
    """π_t(a|s) = q_t(a) of a ``GaussianPlan`` without correlations.

    Args:
        plan: the plan, shared and not copied.

    Raises:
        ValueError: a correlated plan, whose marginals would be another policy.
    """

    state_ndim = 1

    def __init__(self, plan: GaussianPlan) -> None:
        super().__init__()
        if plan.normal.below is not None:
            raise ValueError("plan: a correlated plan is no policy; expected correlated=False")
        self.plan = plan

    @property
    def settings(self) -> dict[str, Any]:
        """What the constructor takes to make a policy of this shape."""
        return {"plan": GaussianPlan(**self.plan.settings)}

    def forward(self, state: Tensor, t: Time = None) -> Any:
        """q_t(·), event shape [m], one for every state of the batch.

        Raises:
            ValueError: a missing or too late time.
        """
        if t is None:
            raise ValueError("t: this policy depends on time and was called without it")
        t = torch.as_tensor(t)
        if bool((t < 0).any()) or bool((t >= self.plan.horizon).any()):
            raise ValueError(f"t: this policy has times 0 … {self.plan.horizon - 1}, got {t.tolist()}")
        shape = (self.plan.horizon, self.plan.action_dim)
        normal = self.plan.normal
        loc, scale = normal.loc.view(shape)[t], normal.log_diagonal.view(shape)[t].exp()
        batch = torch.broadcast_shapes(state.shape[:-1], loc.shape[:-1])
        return self.plan.bounds(Normal(loc.expand(*batch, -1), scale.expand(*batch, -1)).to_event(1))

"""The structured guide of the lecture: the world as it is, only the actions are chosen."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from ppl_control.guides.program import ProgramGuide, default_policy
from ppl_control.guides.tabular import TabularGuide
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["FixedDynamics"]


@dataclass(frozen=True)
class FixedDynamics:
    """q(τ) = p(s₀) ∏ q(a_t|s_t) p(s_{t+1}|s_t,a_t): the dynamics cancel in the ELBO.

    Its optimum is the soft-optimal (MaxEnt) policy. A recipe: fitting copies the policy.

    Args:
        policy: q(a|s,t); None: the family that suits the model (tabular, one table a step, where the model
            has a horizon).

    Raises:
        ValueError: the policy is no module.

    References:
        Levine (2018), arXiv 1805.00909, section 3.2.
    """

    policy: nn.Module | None = None

    def __post_init__(self) -> None:
        if self.policy is not None and not isinstance(self.policy, nn.Module):
            raise ValueError(f"policy: expected a module such as TabularPolicy, got {self.policy!r}")

    def build(self, model: TrajectoryModel) -> TabularGuide | ProgramGuide:
        """The guide bound to a model.

        Raises:
            ValueError: the policy does not fit the model.
        """
        if not model.is_tabular:
            policy = default_policy(model) if self.policy is None else deepcopy(self.policy)
            return ProgramGuide(model, policy, learn_dynamics=False)
        if self.policy is not None:
            return TabularGuide(model, deepcopy(self.policy))
        closed = model.tables.log_prior == -torch.inf
        uniform = torch.zeros_like(model.tables.log_prior).masked_fill(closed, -torch.inf)
        return TabularGuide(model, TabularPolicy(uniform))

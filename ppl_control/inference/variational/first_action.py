"""What a solution does first."""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import Categorical, Delta, MultivariateNormal
from torch import Tensor

from ppl_control.guides.plan_guide import NoPolicy
from ppl_control.guides.plans.gaussian import GaussianPlan
from ppl_control.inference.base import Solution

__all__ = ["first_action"]

DRAWS = 4096  # of a plan over finite actions whose first marginal has no closed form


@torch.no_grad()
def first_action(solution: Solution, state: Tensor, seed: int) -> Any:
    """q(a_0) of a solution that starts in ``state``.

    A policy is asked; of a plan it is the marginal of its first action where that is known (finite actions,
    Gaussian plans), else the first action of one draw.
    """
    guide, policy = solution.guide, solution.policy
    if policy is None:
        raise ValueError("method: its solution has neither policy nor plan to act by")
    if not isinstance(policy, NoPolicy):
        return policy(state, None if solution.model.horizon is None else 0)
    plan: Any = getattr(guide, "plan", None)
    if hasattr(plan, "conditional"):
        return plan.conditional(0, ())
    if isinstance(plan, GaussianPlan):
        return _gaussian(plan)
    actions = solution.sample_plan(DRAWS, seed=seed)[:, 0]
    if actions.is_floating_point():
        return Delta(actions[0], event_dim=1)
    model = solution.model
    size = model.tables.num_actions if model.is_tabular else int(model.mdp.action_space.n)
    counts = torch.bincount(actions, minlength=size).to(torch.float64)
    return Categorical(logits=counts.log() - counts.sum().log())


def _gaussian(plan: GaussianPlan) -> Any:
    m = plan.action_dim
    root = plan.normal.scale_tril()[:m, :m]  # the first rows of a lower triangle are the marginal's own
    return plan.bounds(MultivariateNormal(plan.normal.loc[:m], scale_tril=root))

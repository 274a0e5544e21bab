"""The exact gradient of the maximum-entropy objective on tables, and its ascent."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ppl_control.guides.fixed_dynamics import FixedDynamics
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.variational.exact_bound import elbo_and_loss
from ppl_control.inference.variational.svi import SVI
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["ascent", "exact_gradient"]


def exact_gradient(model: TrajectoryModel, policy: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """J = E Σ γᵗ [r_t − α log π(a_t|s_t) + α log π0(a_t|s_t)] of a policy, and ∇J, both computed from the tables.

    ∇J = Σ_t Σ_s d_t(s) Σ_a ∇π(a|s,t) [Q_t(s,a) − α log π(a|s,t) + α log π0(a|s,t)], with d_t(s) how often s is
    met at time t, discounted. J is α times the ELBO of ``FixedDynamics``.

    Args:
        model: a tabular model.
        policy: any policy on its states, left as it is.

    Returns:
        J, reward units, and the gradient for each of the policy's parameters by name.

    Raises:
        ValueError: the model is no table, the policy is of another size, or its trajectories may never end.

    References:
        Sutton et al. (2000), theorem 1; Levine (2018), arXiv 1805.00909, eq. 20, in its exact form.
    """
    policy = deepcopy(policy).requires_grad_()  # a solution's is frozen
    parameters = dict(policy.named_parameters())
    with torch.enable_grad():
        bound, loss = elbo_and_loss(TabularGuide(model, policy))
        slopes = torch.autograd.grad(loss, list(parameters.values()))
    gradient = {name: -model.temperature * slope for name, slope in zip(parameters, slopes, strict=True)}
    return model.temperature * bound, gradient


def ascent(policy: nn.Module | None, steps: int, learning_rate: float | None) -> Any:
    """The method that climbs it: the objective is the ELBO of the fixed-dynamics guide, so this is its exact SVI."""
    return SVI(FixedDynamics(policy), steps=steps, learning_rate=learning_rate, estimator="enumerate")

"""How actions come about in a batched rollout: drawn from a policy, or read from a plan."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from pyro.distributions import Delta
from torch import Tensor, nn
from torch.distributions import Categorical

from ppl_control.mdp.continuous import is_bounded
from ppl_control.trajectory.action_prior import ActionPrior
from ppl_control.trajectory.continuous_rollout import Act
from ppl_control.trajectory.handlers import restricted
from ppl_control.trajectory.masked import closed_kl, weighted
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["act_by_plan", "act_by_policy", "check_support", "minus_kl"]


def act_by_policy(model: TrajectoryModel, policy: nn.Module, reparameterised: bool = False) -> Act:
    """Draw a_t from q(·|s_t, t)."""
    prior = model.prior

    def act(state: Tensor, t: Any) -> tuple[Tensor, Tensor, Tensor]:
        q = restricted(policy(state, t), prior.site(state, t))
        action = q.rsample() if reparameterised else q.sample()
        choice = minus_kl(q, prior, state, t)
        if choice is not None and reparameterised:
            return action, choice, torch.zeros_like(choice)  # the pathwise gradient has no use for the density
        log_q = q.log_prob(action)
        if choice is None:
            choice = prior.log_prob(state, action, t) - log_q
        return action, choice, log_q

    return act


def act_by_plan(plan: Tensor) -> Act:
    """Do what n plans say, [n, T] or [n, T, m]; their terms are those of whole plans, left to the caller."""
    actions = plan.unbind(1)  # the gradient of an index is as long as the plan, at every step

    def act(state: Tensor, t: int) -> tuple[Tensor, Tensor, Tensor]:
        nothing = state.new_zeros(state.shape[:-1])
        return actions[t], nothing, nothing

    return act


def minus_kl(q: Any, prior: ActionPrior, state: Tensor, t: int | Tensor) -> Tensor | None:
    """−KL(q ‖ π0), the entropy under the base measure; None without a closed form."""
    density = prior.density(state, t)
    if density is not None:
        kl = closed_kl(q, density)
        return None if kl is None else -kl
    if isinstance(q, Categorical):
        return -weighted(q.logits.exp(), q.logits).sum(-1)
    try:
        return q.entropy()
    except NotImplementedError:
        return None


def check_support(model: TrajectoryModel, distribution: Any, what: str) -> None:
    """Raise a ValueError where a proposal does not live on the model's actions (or plans of them).

    Args:
        model: a continuous model.
        distribution: over actions or over sequences of them.
        what: what to call it: ``policy`` or ``plan``.
    """
    space = model.mdp.action_space
    discrete = isinstance(space, spaces.Discrete)
    sequence = what == "plan"
    wanted = ((model.horizon,) if sequence else ()) + (() if discrete else space.shape)
    if tuple(distribution.event_shape) != wanted:
        raise ValueError(f"{what}: expected event shape {wanted} for {space}, got {tuple(distribution.event_shape)}")
    if discrete:
        if not sequence and not isinstance(distribution, Categorical):
            raise ValueError(f"{what}: expected a categorical one for {space}, got {type(distribution).__name__}")
        if not sequence and distribution.logits.shape[-1] != int(space.n):
            raise ValueError(f"{what}: expected {space.n} actions for {space}, got {distribution.logits.shape[-1]}")
        return
    if is_bounded(space) and _reaches_beyond(distribution, space, model):
        raise ValueError(
            f"{what}: it reaches beyond the bounds of {space}, where the model has no mass; "
            "use a bounded family such as SquashedGaussianMLP, or a plan with low= and high="
        )


def _reaches_beyond(distribution: Any, space: spaces.Box, model: TrajectoryModel) -> bool:
    dtype, device = model.mdp.dtype, getattr(model.mdp, "device", None)
    low, high = (torch.as_tensor(bound, dtype=dtype, device=device) for bound in (space.low, space.high))
    if isinstance(distribution, Delta):  # Pyro says that a point may be anywhere
        return bool(((distribution.v < low) | (distribution.v > high)).any())
    outside = (high + (high - low)).expand(*distribution.batch_shape, *distribution.event_shape)
    return bool(distribution.support.check(outside).all())

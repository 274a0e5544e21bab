"""Estimators for guides on continuous models, from batched rollouts."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.inference.exact.moments import elbo
from ppl_control.inference.variational.estimators.base import AdamSettings, Answer
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy, tabulate_linear_gaussian
from ppl_control.randomness import RandomStream

__all__ = ["ContinuousScore", "Reparameterised", "can_reparameterise"]

FINAL_RUNS = 16384  # trajectories that the final bound is estimated from


class Reparameterised:
    """The pathwise gradient: noise is drawn, and the ELBO differentiated through the whole trajectory.

    References:
        Kingma and Welling (2014), section 2.4; Heess et al. (2015), stochastic value gradients.
    """

    name = "reparameterised"

    def check(self, guide: Any) -> None:
        """Everything that is drawn must have ``rsample``, and no state may end a trajectory."""
        reason = can_reparameterise(guide)
        if reason is not None:
            raise ValueError(f"estimator: 'reparameterised' cannot serve this model: {reason}; use estimator='score'")

    def adam(self, guide: Any) -> AdamSettings:
        """Tables of gains move faster than networks."""
        return _adam(guide)

    def loss(self, guide: Any, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One batch."""
        bound = _totals(guide, n, reparameterised=True)
        return bound.detach(), -bound.mean(), baseline

    def answer(self, guide: Any, n: int) -> Answer:
        """From fresh trajectories."""
        return _answer(guide, n)


class ContinuousScore:
    """The score-function gradient: reward to go, less the other trajectories' mean.

    References:
        Williams (1992); Kool et al. (2019), leave-one-out baseline.
    """

    name = "score"

    def check(self, guide: Any) -> None:
        """Densities of what is drawn are all that is needed.

        Raises:
            ValueError: a plan that is a point, which has none.
        """
        if _is_point(guide):
            raise ValueError("estimator: 'score' needs a density, which a point does not have; use 'reparameterised'")

    def adam(self, guide: Any) -> AdamSettings:
        """As for the pathwise gradient."""
        return _adam(guide)

    def loss(self, guide: Any, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One batch."""
        rollout = guide.rollout(n)
        gains = rollout.gains(guide.model.temperature)
        with torch.no_grad():
            bound = gains.sum(0) + rollout.first
            to_go = gains.flip(0).cumsum(0).flip(0)
            advantage = (to_go - _others(to_go)) * rollout.alive
        gain = rollout.log_q * advantage + rollout.choice + rollout.world
        first = rollout.first_log_q * (bound - _others(bound)) + rollout.first
        return bound, -(gain.sum(0) + first).mean(), baseline

    def answer(self, guide: Any, n: int) -> Answer:
        """From fresh trajectories."""
        return _answer(guide, n)


def can_reparameterise(guide: Any) -> str | None:
    """Why gradients cannot run through a guide's trajectories; None where they can."""
    model, mdp = guide.model, guide.model.mdp
    if mdp.may_end:
        return "its trajectories may end (done), which the pathwise gradient does not see"
    with RandomStream(0), torch.no_grad():
        state = mdp.initial().sample((2,)).to(mdp.dtype)
        action = guide.rollout(2).actions[0]
        drawn = {"initial": mdp.initial(), "transition": mdp.transition(state, action)}
        plan = getattr(guide, "plan", None)
        if plan is None:
            drawn["policy"] = guide.policy(state, 0)
        elif not hasattr(plan, "draw"):
            drawn["plan"] = plan()
    for name, distribution in drawn.items():
        if not distribution.has_rsample:
            return f"{name} is {type(distribution).__name__}, which has no rsample"
    return "it has no horizon" if model.horizon is None else None


def _others(values: Tensor) -> Tensor:
    """The mean of the other trajectories; the last axis are the trajectories."""
    n = values.shape[-1]
    return (values.sum(-1, keepdim=True) - values) / (n - 1) if n > 1 else torch.zeros_like(values)


def _linear_gaussian_bound(guide: Any) -> float | None:
    """The exact ELBO where world, policy and prior are linear-Gaussian and the dynamics are the model's."""
    model, mdp, policy = guide.model, guide.model.mdp, guide.policy
    exact = isinstance(mdp, LinearGaussianMDP) and isinstance(policy, LinearGaussianPolicy)
    if not exact or not guide.fixes_dynamics:
        return None
    sizes = mdp.state_dim, mdp.action_dim, model.horizon
    try:
        prior = None if model.action_prior is None else tabulate_linear_gaussian(model.action_prior, *sizes)
    except ValueError:
        return None  # another prior
    tables = tabulate_linear_gaussian(policy, *sizes)
    return float(elbo(mdp, tables, model.temperature, model.discount, prior))


def _is_point(guide: Any) -> bool:
    return getattr(getattr(guide, "plan", None), "is_point", False)


def _adam(guide: Any) -> AdamSettings:
    table = isinstance(guide.policy, LinearGaussianPolicy) or not isinstance(guide, ContinuousGuide)
    return AdamSettings(0.05 if table else 0.01, (0.9, 0.99))


def _totals(guide: Any, n: int, reparameterised: bool = False) -> Tensor:
    """Log p(τ, O) − log q(τ) of n trajectories, nats [n]."""
    if isinstance(guide, ContinuousGuide):
        return guide.total_gains(n, reparameterised)
    rollout = guide.rollout(n, reparameterised)
    return rollout.gains(guide.model.temperature).sum(0) + rollout.first


@torch.no_grad()
def _answer(guide: Any, n: int) -> Answer:
    exact = _linear_gaussian_bound(guide)
    if exact is not None:
        return Answer(exact)
    if _is_point(guide):
        return Answer(-math.inf)
    totals = _totals(guide, max(FINAL_RUNS, n))
    mean, stderr = float(totals.mean()), float(totals.std() / len(totals) ** 0.5)
    return Answer(mean, stderr if math.isfinite(mean) else math.nan)

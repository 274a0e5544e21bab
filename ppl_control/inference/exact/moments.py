"""Moments of trajectories under linear-Gaussian policies and affine-Gaussian dynamics, and what follows from them.

Everything is differentiable in the policy's gain, offset and covariance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.mdp.semidefinite import Factor, apply, divergence, factorise
from ppl_control.policies.linear_gaussian import LinearGaussianTables

__all__ = ["Moments", "dynamics_divergence", "elbo", "entropy", "expected_return", "moments", "noise_marginals"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Marginals of states and actions over time, all Gaussian.

    Attributes:
        state_mean: index order [t, state], t = 0 … T.
        state_covariance: of the states.
        action_mean: index order [t, action], t = 0 … T − 1.
        action_covariance: of the actions.
    """

    state_mean: Float[Tensor, "T+1 n"]
    state_covariance: Float[Tensor, "T+1 n n"]
    action_mean: Float[Tensor, "T m"]
    action_covariance: Float[Tensor, "T m m"]


def moments(dynamics: AffineGaussianDynamics, policy: LinearGaussianTables) -> Moments:
    """Marginals when a policy meets these dynamics, in float64 whatever their types."""
    policy = _double(policy)
    A, B, drift, noise, first, start = (table.double() for table in dynamics.tables())
    K = policy.gain
    closed = A - B @ K
    drift = apply(B, policy.offset) + drift
    spread = B @ policy.covariance @ B.mT + noise
    means, covariances = [first], [start]
    for step, push, noise in zip(closed.unbind(0), drift.unbind(0), spread.unbind(0), strict=True):
        means.append(step @ means[-1] + push)
        covariances.append(step @ covariances[-1] @ step.mT + noise)
    mean, covariance = torch.stack(means), torch.stack(covariances)
    action_mean = policy.offset - apply(K, mean[:-1])
    return Moments(mean, covariance, action_mean, K @ covariance[:-1] @ K.mT + policy.covariance)


def expected_return(mdp: LinearGaussianMDP, found: Moments, discount: float = 1.0) -> Float[Tensor, ""]:
    """E Σ_t γᵗ r_t + γᵀ final reward, reward units."""
    states = _expected_square(found.state_mean, found.state_covariance, mdp.state_cost)
    final = _expected_square(found.state_mean[-1], found.state_covariance[-1], mdp.final_state_cost)
    actions = _expected_square(found.action_mean, found.action_covariance, mdp.action_cost)
    weights = _weights(found.state_mean, discount)
    return -(weights[:-1] * (states[:-1] + actions)).sum() - weights[-1] * final


def entropy(policy: LinearGaussianTables, discount: float = 1.0) -> Float[Tensor, ""]:
    """E Σ_t γᵗ H(π_t(·|x_t)), nats; the same in every state."""
    steps = 0.5 * policy.offset.shape[-1] * (1 + math.log(2 * math.pi)) + _half_log_det(policy.covariance)
    return (_weights(steps, discount) * steps).sum()


def expected_log_prior(
    prior: LinearGaussianTables, policy: LinearGaussianTables, found: Moments, discount: float = 1.0
) -> Float[Tensor, ""]:
    """E Σ_t γᵗ log π0(u_t|x_t), nats."""
    lower = torch.linalg.cholesky(prior.covariance)
    step = prior.gain - policy.gain
    mean = policy.offset - prior.offset + apply(step, found.state_mean[:-1])
    covariance = step @ found.state_covariance[:-1] @ step.mT + policy.covariance
    squares = _expected_square(mean, covariance, torch.cholesky_inverse(lower))
    constant = mean.shape[-1] * math.log(2 * math.pi)
    steps = -0.5 * (squares + constant) - lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return (_weights(steps, discount) * steps).sum()


def elbo(
    mdp: LinearGaussianMDP,
    policy: LinearGaussianTables,
    temperature: float,
    discount: float = 1.0,
    prior: LinearGaussianTables | None = None,
    dynamics: AffineGaussianDynamics | None = None,
) -> Float[Tensor, ""]:
    """E_q Σ_t γᵗ [r_t/α − log π + log π0] − KL(believed ‖ true dynamics), nats; exact.

    Args:
        mdp: the world.
        policy: q(u|x,t).
        temperature: α, reward units per nat.
        discount: γ in (0, 1].
        prior: π0; None: Lebesgue.
        dynamics: what q believes; None: the true dynamics.

    References:
        Levine (2018), arXiv 1805.00909, section 3.
    """
    policy, prior = _double(policy), None if prior is None else _double(prior)
    true = AffineGaussianDynamics.of(mdp, policy.gain.shape[0])
    found = moments(dynamics or true, policy)
    bound = expected_return(mdp, found, discount) / temperature + entropy(policy, discount)
    if prior is not None:
        bound = bound + expected_log_prior(prior, policy, found, discount)
    return bound if dynamics is None else bound - dynamics_divergence(mdp, dynamics, policy, discount)


def noise_marginals(
    mdp: LinearGaussianMDP, dynamics: AffineGaussianDynamics, policy: LinearGaussianTables
) -> tuple[Float[Tensor, "T n"], Float[Tensor, "T n n"]]:
    """Mean and covariance of w_t = x_{t+1} − A x_t − B u_t as the dynamics given believe it."""
    mean, covariance = _shift(mdp, dynamics, policy)
    return mean, covariance + dynamics.covariance.double()


def dynamics_divergence(
    mdp: LinearGaussianMDP,
    dynamics: AffineGaussianDynamics,
    policy: LinearGaussianTables,
    discount: float = 1.0,
) -> Float[Tensor, ""]:
    """KL of believed from true first state and dynamics, E over believed trajectories, nats; +∞ off the support."""
    first, precision = dynamics.initial_mean.double(), mdp.dtype
    ours, theirs = (_factor(d.initial_covariance, precision) for d in (dynamics, mdp))
    start = divergence(ours, theirs, first - mdp.initial_mean.double(), first.abs())
    mean, covariance = _shift(mdp, dynamics, policy)
    true, nothing = _factor(mdp.noise_covariance, precision), torch.zeros_like(mean)
    noise = divergence(_factor(dynamics.covariance, precision), true, nothing, nothing)
    whitened = true.inverse @ covariance @ true.inverse.mT
    squares = apply(true.inverse, mean).square().sum(-1) + whitened.diagonal(dim1=-2, dim2=-1).sum(-1)
    steps = noise + 0.5 * squares
    if not true.regular:
        deviation = covariance.detach().diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
        size = moments(dynamics, policy).state_mean[1:].detach().abs() + deviation
        inside = true.supports(mean.detach(), size)
        for column in covariance.detach().unbind(-1):
            inside = inside & true.supports(column, column.abs() + size)
        steps = torch.where(inside, steps, torch.inf)
    return start + (discount * _weights(steps, discount) * steps).sum()


def _shift(mdp: LinearGaussianMDP, dynamics: AffineGaussianDynamics, policy: LinearGaussianTables) -> Any:
    """Mean and covariance of what the believed next state's mean has over the true one's."""
    found, policy = moments(dynamics, policy), _double(policy)
    by_action = dynamics.B.double() - mdp.B.double()
    by_state = dynamics.A.double() - mdp.A.double() - by_action @ policy.gain
    mean = apply(by_state, found.state_mean[:-1]) + apply(by_action, policy.offset) + dynamics.offset.double()
    covariance = by_state @ found.state_covariance[:-1] @ by_state.mT + by_action @ policy.covariance @ by_action.mT
    return mean, covariance


def _expected_square(mean: Tensor, covariance: Tensor, cost: Tensor) -> Tensor:
    """E xᵀ C x."""
    cost = cost.to(mean)
    return (apply(cost, mean) * mean).sum(-1) + (covariance * cost).sum((-2, -1))


def _double(policy: LinearGaussianTables) -> LinearGaussianTables:
    return LinearGaussianTables(policy.gain.double(), policy.offset.double(), policy.covariance.double())


def _factor(covariance: Tensor, precision: torch.dtype) -> Factor:
    return factorise(covariance.double(), precision=precision)


def _half_log_det(covariance: Tensor) -> Tensor:
    return torch.linalg.cholesky(covariance).diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _weights(like: Tensor, discount: float) -> Tensor:
    return discount ** torch.arange(like.shape[0], dtype=like.dtype, device=like.device)

"""Exact solutions of linear-Gaussian problems: Riccati (variational) and risk-seeking LEQG (posterior)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ppl_control.inference.exact.linear_gaussian_answer import LinearGaussianAnswer, collect, tilted
from ppl_control.inference.exact.quadratic import BreakdownError, Conditional, Quadratic, best_action, look_at_luck
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.mdp.semidefinite import factorise
from ppl_control.policies.linear_gaussian import tabulate_linear_gaussian

__all__ = ["BreakdownError", "LinearGaussianAnswer", "posterior_control", "variational_control"]


def variational_control(
    mdp: LinearGaussianMDP,
    horizon: int,
    temperature: float = 1.0,
    discount: float = 1.0,
    prior: Any = None,
) -> LinearGaussianAnswer:
    """The best ELBO with the dynamics fixed: Q = E[r + γV'], V = α log ∫ π0 exp(Q/α) du.

    P follows the ordinary Riccati recursion (with the prior's precision as a cost) and the policy's covariance is
    Σ_t = α/2 (R + γ BᵀP_{t+1}B + α/2 Σ₀⁻¹)⁻¹; the noise moves only the constant.

    Args:
        mdp: the world.
        horizon: T.
        temperature: α, reward units per nat.
        discount: γ in (0, 1].
        prior: π0: a linear-Gaussian policy or tables, or a Gaussian that ignores the state; None: Lebesgue.

    Raises:
        BreakdownError: R + γBᵀPB (and the prior's part) is not positive definite.
        ValueError: a prior that is not linear-Gaussian, or of another size.

    References:
        Levine (2018), arXiv 1805.00909, eq. 14-15; Todorov (2006).
    """
    A, B, Q, R, W, value = _problem(mdp)
    priors = _priors(prior, mdp, horizon)
    policies, values = [], [value]
    for t in reversed(range(horizon)):
        constant = value.constant - (value.matrix * W).sum()
        ahead = Quadratic(discount * value.matrix, discount * value.vector, discount * constant)
        with _at(f"at time {t} of {horizon}"):
            policy, value = best_action(ahead, A, B, Q, R, temperature, priors[t], "R + γBᵀPB")
        policies.append(policy)
        values.append(value)
    first, spread = mdp.initial_mean.to(A), mdp.initial_covariance.to(A)
    best = value.vector @ first + value.constant - first @ value.matrix @ first - (value.matrix * spread).sum()
    return collect(mdp, policies, values, float(best) / temperature, None)


def posterior_control(
    mdp: LinearGaussianMDP,
    horizon: int,
    temperature: float = 1.0,
    discount: float = 1.0,
    prior: Any = None,
) -> LinearGaussianAnswer:
    """The exact posterior: Q = α log E exp((r + V')/α), risk-seeking LEQG with its tilted dynamics.

    Args:
        mdp: the world.
        horizon: T.
        temperature: α, reward units per nat.
        discount: must be 1.
        prior: π0: a linear-Gaussian policy or tables, or a Gaussian that ignores the state; None: Lebesgue.

    Raises:
        BreakdownError: the evidence is infinite: I + (2/α) W^½PW^½ (also of the first state) or R + BᵀP̃B (and the
            prior's part) is not positive definite.
        ValueError: a discount; a prior that is not linear-Gaussian, or of another size.

    References:
        Jacobson (1973); Whittle (1981); Levine (2018), arXiv 1805.00909, section 2.4.
    """
    if discount != 1:
        raise ValueError(
            f"discount: the posterior of a linear-Gaussian model is Gaussian for discount 1 only, got {discount!r}: "
            "with survival it is a mixture over times of death; use SoftValueIteration"
        )
    A, B, Q, R, W, value = _problem(mdp)
    priors = _priors(prior, mdp, horizon)
    root = factorise(W, "noise_covariance", mdp.dtype).root
    policies, values, lucky = [], [value], []
    for t in reversed(range(horizon)):
        with _at(f"at time {t} of {horizon}"):
            luck, ahead = look_at_luck(value, root, temperature)
            policy, value = best_action(ahead, A, B, Q, R, temperature, priors[t], "R + BᵀP̃B")
        policies.append(policy)
        values.append(value)
        lucky.append(luck)
    first = mdp.initial_mean.to(A)
    spread = factorise(mdp.initial_covariance.to(A), "initial_covariance", mdp.dtype).root
    with _at("at the first state"):
        start, evidence = look_at_luck(value, spread, temperature, "I + (2/α) S^½ P S^½, S the initial covariance,")
    log_z = evidence.vector @ first + evidence.constant - first @ evidence.matrix @ first
    dynamics = tilted(A, B, lucky[::-1], start, first)
    return collect(mdp, policies, values, float(log_z) / temperature, dynamics.to(mdp.device, mdp.dtype))


def _problem(mdp: LinearGaussianMDP) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Quadratic]:
    """A, B, Q, R, W and the final value, in float64 on the CPU: small matrices, long products."""
    tables = (mdp.A, mdp.B, mdp.state_cost, mdp.action_cost, mdp.noise_covariance, mdp.final_state_cost)
    A, B, Q, R, W, final = (table.detach().to("cpu", torch.float64) for table in tables)
    return A, B, Q, R, W, Quadratic(final, A.new_zeros(A.shape[0]), A.new_zeros(()))


def _priors(prior: Any, mdp: LinearGaussianMDP, horizon: int) -> list[Conditional | None]:
    if prior is None:
        return [None] * horizon
    tables = tabulate_linear_gaussian(prior, mdp.state_dim, mdp.action_dim, horizon)
    steps = (x.detach().to("cpu", torch.float64) for x in (tables.gain, tables.offset, tables.covariance))
    return [Conditional(*step) for step in zip(*steps, strict=True)]


@contextmanager
def _at(place: str):
    try:
        yield
    except BreakdownError as error:
        error.place = place
        raise

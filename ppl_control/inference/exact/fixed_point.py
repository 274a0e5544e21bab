"""Stationary solutions without a horizon: linear systems and fixed points, with a bound on the error."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.recursions import (
    chain,
    choice_terms,
    guide_q,
    posterior_backup,
    soft_maximum,
)
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = [
    "longest_life",
    "posterior_fixed_point",
    "soft_fixed_point",
    "stationary_values",
    "visits",
]

ITERATIONS = 10_000  # policy improvements or sweeps before a fixed point is given up
PATIENCE = 200  # sweeps after which the posterior's V must have come to change less
ROUNDING = 1e-9  # relative residual below which a lack of progress is rounding


def _solve(matrix: Tensor, right: Tensor, what: str) -> Tensor:
    solution, info = torch.linalg.solve_ex(torch.eye(len(matrix)).to(matrix) - matrix, right)
    trusted = solution.abs().max() * torch.finfo(matrix.dtype).eps < 1e-4 * right.abs().max()
    if info.item() or (not bool(trusted) and bool(right.any())):  # NaN is not trusted either
        raise ValueError(
            f"horizon: {what} has no finite value without one: trajectories may never end; give a horizon "
            "or a discount < 1"
        )
    return solution


def stationary_values(tables: Tables, guide: GuideTables) -> tuple[Float[Tensor, " S"], Float[Tensor, "S A"]]:
    """ELBO to go V(s) and Q(s, a) of a stationary guide, nats, by one linear solve.

    Raises:
        ValueError: trajectories may never end under the guide.
    """
    reward = weighted(guide.policy.exp(), guide_q(tables, guide, tables.initial.new_zeros(tables.num_states)))
    value = _solve(chain(tables, guide)[:, :-1], reward.sum(-1) + choice_terms(tables, guide), "the bound")
    value = value.masked_fill(tables.terminal, 0.0)
    return value, guide_q(tables, guide, value)


def visits(tables: Tables, guide: GuideTables) -> Float[Tensor, " S"]:
    """Expected number of decisions in each state (discounted where there is a discount)."""
    initial = (tables.initial if guide.initial is None else guide.initial.exp())[:-1]
    matrix, reached = chain(tables, guide)[:, :-1], initial > 0
    while bool((further := (matrix[reached] > 0).any(0) & ~reached).any()):
        reached = reached | further
    # What is never reached may well never end: it is left out.
    return _solve((matrix * reached[:, None]).T, initial, "the number of visits")


def longest_life(tables: Tables) -> Float[Tensor, " S"]:
    """The most decisions that any policy can expect to make from each state; inf where some can go on forever.

    Policy iteration on w(s) = 1 + max_a E[w(s')].
    """
    n, p = tables.num_states, tables.outcomes.probability
    if not tables.surely_ends:
        return p.new_full((n,), math.inf)
    states = torch.arange(n, device=p.device)
    action = torch.zeros_like(states)
    alive = (~tables.terminal).to(p)
    while True:
        choice = p.new_zeros(n, tables.num_actions)
        choice[states, action] = 1.0
        life = _solve(chain(tables, GuideTables(choice.log()))[:, :-1], alive, "the length of life")
        ahead = tables.expect(life)
        better = ahead.max(-1).values > ahead[states, action] * (1 + 1e-9) + 1e-9
        if not bool(better.any()):
            return life
        action = torch.where(better, ahead.argmax(-1), action)


def soft_fixed_point(
    tables: Tables, discount: float, tolerance: float, start: Float[Tensor, "S A"] | None = None
) -> tuple[Float[Tensor, " S"], Float[Tensor, "S A"], float]:
    """Fixed point of the variational backup by soft policy iteration (Newton's method on V = T V).

    With residual ε = max |T V − V| the error is at most ε · w(s), where w bounds the expected number of
    decisions left under any policy: T is monotone and T(V + ε w) ≤ T V + ε (w − 1). A discount gives
    w = 1/(1−γ); without one w is ``longest_life``. ``start`` is a policy to begin with, as log-probabilities.

    Returns:
        V [s], Q [s, a], nats, and the bound on the error of V, nats.

    Raises:
        ValueError: no discount, and some policy never ends.
    """
    life = 1 / (1 - discount) if discount < 1 else float(longest_life(tables).max())
    if not math.isfinite(life):
        raise ValueError(
            "discount: without a horizon it must be < 1 here, since some policy never ends; "
            f"got discount={discount}, horizon=None"
        )
    log_policy = torch.log_softmax(tables.log_prior, -1).contiguous() if start is None else start
    best = (tables.initial, log_policy, math.inf)
    for _ in range(ITERATIONS):
        value, q = stationary_values(tables, GuideTables(log_policy))
        improved = soft_maximum(q, tables.log_prior).masked_fill(tables.terminal, 0.0)
        log_policy = torch.log_softmax(tables.log_prior + q, -1)
        # The residual itself is known up to rounding only.
        rounding = 16 * torch.finfo(value.dtype).eps * (1 + value.abs().max())
        bound = float((improved - value).abs().max() + rounding) * life
        least = max(ROUNDING, 1e2 * torch.finfo(value.dtype).eps)
        if bound > 0.5 * best[2] and bound < least * life * float(1 + value.abs().max()):
            break  # Newton's steps stopped gaining: what is left is rounding
        if bound < best[2]:
            best = (value, q, bound)
    if best[2] > tolerance:
        raise ValueError(
            f"tolerance: the fixed point was reached to {best[2]:.1e} nats only, asked for {tolerance:.1e}"
        )
    return best


def posterior_fixed_point(
    tables: Tables, prior: str, discount: float
) -> tuple[Float[Tensor, " S"], Float[Tensor, "S A"]]:
    """Fixed point of the posterior backup: the least solution of z = M z + b, z = exp V.

    Sweeps in log space bring V near; then z = exp(V) u is solved for u exactly, which needs the spectral
    radius of M = Σ_a π0 exp(r) p over surviving outcomes to be below 1.

    Raises:
        ValueError: the fixed point diverges.
    """
    value = tables.initial.new_full((tables.num_states,), -math.inf)
    last = math.inf
    for sweep in range(ITERATIONS):
        improved = soft_maximum(posterior_backup(tables, value), tables.log_prior)
        settled = torch.where(improved == value, 0.0, (improved - value).abs()).max()
        value = improved
        if sweep >= tables.num_states and settled < 1e-9:
            break
        if sweep % PATIENCE == PATIENCE - 1 and sweep >= tables.num_states:
            if settled > 0.99 * last:
                break  # V grows by the same each sweep: it diverges, or so slowly settles that only solving helps
            last = float(settled)
    value = _polish(tables, value)
    again = soft_maximum(posterior_backup(tables, value), tables.log_prior)
    residual = torch.where(again == value, 0.0, (again - value).abs()).max()
    scale = 1 + torch.where(value.isfinite(), value.abs(), 0.0).max()
    if not bool(residual < 1e-8 * scale):
        raise ValueError(
            "the posterior's fixed point diverges: the spectral radius of γ Σ_a π0 exp(r/α) p is at least 1 "
            f"under action_prior={prior} and discount={discount}; use action_prior='uniform', a smaller "
            "discount, or a horizon"
        )
    return value.masked_fill(tables.terminal, 0.0), posterior_backup(tables, value)


def _polish(tables: Tables, value: Tensor) -> Tensor:
    """One exact solve of z = M z + b in the scale of the given V; NaN where it has no positive solution."""
    finite = value.isfinite()
    here = torch.where(finite, value, 0.0)
    padded = torch.cat([torch.where(finite, value, -math.inf), value.new_zeros(1)])
    log_weight = tables.log_prior[..., None] + tables.log_p + tables.reward
    weight = (log_weight + padded[tables.successor] - here[:, None, None]).exp()
    n = tables.num_states
    matrix = weight.new_zeros(n, n + 1).scatter_add(1, tables.successor.reshape(n, -1), weight.reshape(n, -1))
    matrix = matrix * finite[:, None]
    if not bool(matrix.isfinite().all()):
        return torch.full_like(value, math.nan)
    scale, _ = torch.linalg.solve_ex(torch.eye(n).to(matrix) - matrix[:, :n], matrix[:, n])
    scale = torch.where(finite, scale, 1.0)
    return torch.where(scale > 0, value + scale.clamp(min=0).log(), math.nan)

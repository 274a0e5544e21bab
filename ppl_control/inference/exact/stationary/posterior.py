"""The fixed point of the posterior backup, which is linear in exp V."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.sparse import csr_array
from torch import Tensor

from ppl_control.inference.exact.recursions import posterior_backup, soft_maximum
from ppl_control.inference.exact.stationary.chains import joint_chain
from ppl_control.trajectory.tables import Tables

__all__ = ["posterior_fixed_point"]

SWEEPS = 10_000  # at most
PATIENCE = 50  # sweeps after which V must have come to change less
NEAR = 0.1  # nats that V may still change by when it is solved for
POLISHES = 12


def posterior_fixed_point(tables: Tables, prior: str) -> tuple[Float[Tensor, " S"], Float[Tensor, "S A"]]:
    """Fixed point of the posterior backup: the least solution of z = M z + b, z = exp V.

    Sweeps in log space bring V near; then z = exp(V) u is solved for u exactly, in the scale of V, until u is 1. A
    positive u proves that the spectral radius of M = Σ_a π0 exp(r) p over surviving outcomes is below 1.

    Args:
        tables: the model.
        prior: what to call the action prior in an error.

    Returns:
        V [s] and Q [s, a], nats; −inf where trajectories never end.

    Raises:
        ValueError: the fixed point diverges.
    """
    value = _near(tables, _can_end(tables))
    for _ in range(POLISHES):
        change = _solved(tables, value)
        value = value + torch.where(value.isfinite(), change, 0.0)
        if not bool(change.abs().max() > 4 * torch.finfo(value.dtype).eps * (1 + _size(value))):
            break
    again = soft_maximum(posterior_backup(tables, value), tables.log_prior)
    residual = torch.where(again == value, 0.0, (again - value).abs()).max()
    least = max(1e-8, 1e2 * torch.finfo(value.dtype).eps)
    if not bool(residual < least * (1 + _size(value))):
        raise ValueError(
            "the posterior's fixed point diverges: the spectral radius of γ Σ_a π0 exp(r/α) p is at least 1 "
            f"under action_prior={prior} and discount={tables.discount}; use a normalised prior such as 'uniform', a "
            "smaller discount, a higher temperature, or a horizon"
        )
    return value.masked_fill(tables.terminal, 0.0), posterior_backup(tables, value)


def _size(value: Tensor) -> Tensor:
    return torch.where(value.isfinite(), value.abs(), 0.0).max()


def _can_end(tables: Tables) -> Bool[Tensor, " S"]:
    """Whether some actions that the prior allows, and some luck, lead from each state to the end."""
    from scipy.sparse.csgraph import breadth_first_order

    n = tables.num_states
    possible = (tables.log_prior > -math.inf)[..., None] & (tables.outcomes.probability > 0)
    state, *_ = where = possible.nonzero(as_tuple=True)
    successor = tables.successor[where].cpu().numpy()
    back = csr_array((np.ones(len(successor)), (successor, state.cpu().numpy())), shape=(n + 1, n + 1))
    found = torch.zeros(n + 1, dtype=torch.bool)
    found[breadth_first_order(back, n, return_predecessors=False).astype(np.int64)] = True
    return found[:n].to(tables.initial.device)


def _near(tables: Tables, finite: Bool[Tensor, " S"]) -> Float[Tensor, " S"]:
    """V after sweeps from exp V = 0, until nothing is far any more or the way is too long."""
    value = tables.initial.new_full((tables.num_states,), -math.inf)
    last = math.inf
    for sweep in range(1, SWEEPS + 1):
        improved = soft_maximum(posterior_backup(tables, value), tables.log_prior)
        change = torch.where(improved == value, 0.0, (improved - value).abs()).max()
        value = improved
        if not bool((value.isfinite() == finite).all()):
            continue
        if not bool(change > NEAR):
            break
        if sweep % PATIENCE == 0:
            if not bool(change < 0.99 * last):
                break  # V grows by the same each sweep: it diverges, or settles so slowly that only solving helps
            last = float(change)
    return value


def _solved(tables: Tables, value: Float[Tensor, " S"]) -> Float[Tensor, " S"]:
    """Log u of z = exp(V) u, z = M z + b, solved for u; NaN where there is no positive solution."""
    finite = value.isfinite()
    here = torch.where(finite, value, 0.0)
    padded = torch.cat([torch.where(finite, value, -math.inf), value.new_zeros(1)])
    log_weight = tables.log_prior[..., None] + tables.log_p + tables.reward
    weight = (log_weight + padded[tables.successor] - here[:, None, None]).exp() * finite[:, None, None]
    if not bool(weight.isfinite().all()):
        return torch.full_like(value, math.nan)
    ends = torch.where(tables.successor == tables.num_states, weight, 0.0).sum((1, 2))
    try:
        solved = joint_chain(tables, weight).values(ends)
    except ValueError:
        return torch.full_like(value, math.nan)
    scale = torch.where(finite, solved, 1.0)
    return torch.where(scale > 0, scale.clamp(min=0).log(), math.nan)

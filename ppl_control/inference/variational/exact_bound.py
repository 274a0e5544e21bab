"""The ELBO of a tabular guide, its gradient and its natural gradient, all exact."""

from __future__ import annotations

import torch
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.exact.recursions import (
    elbo,
    guide_q,
    guide_values,
    occupancies,
    posterior_backup,
    soft_maximum,
)
from ppl_control.inference.exact.stationary.guides import stationary_values, visits
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["elbo_and_loss", "natural_step", "values"]


def values(tables: Tables, guide: GuideTables) -> tuple[Tensor, Tensor]:
    """V and Q of a guide, nats, with or without a horizon."""
    return (stationary_values if tables.horizon is None else guide_values)(tables, guide)


def _first_and_ahead(tables: Tables, value: Tensor) -> tuple[Tensor, Tensor]:
    return (value, value) if tables.horizon is None else (value[0], value[1:])


def elbo_and_loss(guide: TabularGuide) -> tuple[Tensor, Tensor]:
    """The exact ELBO, nats, and a loss whose gradient is minus the ELBO's.

    Values to go and occupancies are held fixed: what one conditional adds to the ELBO is its occupancy times
    its own term, and the gradient of the product is the sum of the gradients of these terms (Sutton et al.
    2000, the policy gradient theorem).
    """
    tables, q = guide.model.tables, guide.tables()
    with torch.no_grad():
        fixed = q.detach()
        value, action_value = values(tables, fixed)
        first, ahead = _first_and_ahead(tables, value)
        bound = elbo(tables, fixed, first)
        here = visits(tables, fixed) if tables.horizon is None else occupancies(tables, fixed)[:-1, :-1]
    choice = weighted(q.policy.exp(), action_value + tables.log_prior - q.policy).sum(-1)
    gain = (here * choice).sum()
    if q.outcomes is not None:
        ahead_q = guide_q(tables, GuideTables(q.policy, None, q.outcomes), ahead)
        gain = gain + (here[..., None] * fixed.policy.exp() * ahead_q).sum()
    if q.initial is not None:
        gain = gain + elbo(tables, q, first)
    return bound, -gain


@torch.no_grad()
def natural_step(guide: TabularGuide, rate: float) -> tuple[Tensor, float]:
    """Move a tabular guide along the natural gradient.

    In the metric of its own Fisher information the gradient of a conditional does not depend on how often
    the state is visited: log q moves by ``rate`` towards log π0 + Q (actions) and log p + r + V' (outcomes).
    Rate 1 under fixed dynamics is soft policy iteration, exact after at most T steps. Action and outcome form
    one conditional q(a, outcome | s), so that the unconstrained guide needs one step more, for its first state.

    Returns:
        The ELBO before the move, nats, and the residual before it: the most that one full step would gain at
        any time and state, as a share of the largest value; 0 at the optimum and nowhere else. (The bound itself
        may rest on a plateau while good news still travels back to the first state.)

    References:
        Amari (1998); Khan and Rue (2023), arXiv 2107.04562, section 1.3.
    """
    tables, q = guide.model.tables, guide.tables()
    value, action_value = values(tables, q)
    first, ahead = _first_and_ahead(tables, value)
    bound = elbo(tables, q, first)
    best = action_value if q.outcomes is None else posterior_backup(tables, ahead)
    here = value if tables.horizon is None else value[:-1]
    gained = (soft_maximum(best, tables.log_prior) - here).masked_fill(tables.terminal, 0.0)
    residual = float(gained.abs().max() / (1 + here.abs().max()))
    choice = rate * (tables.log_prior + action_value)
    if q.outcomes is not None:
        assert guide.outcome_logits is not None
        assert guide.initial_logits is not None
        gain = tables.log_p + tables.reward + tables.at_successor(ahead)
        moved = _blend(q.outcomes, gain, rate)
        guide.outcome_logits.copy_(torch.log_softmax(moved, -1))
        choice = rate * tables.log_prior + torch.logsumexp(moved, -1)
        ended = torch.cat([first, first.new_zeros(1)])
        start = _blend(q.initial, tables.initial.log() + ended, rate)
        gained = torch.logsumexp(tables.initial.log() + ended, 0) - bound
        residual = max(residual, float(gained.abs() / (1 + bound.abs())))
        guide.initial_logits.copy_(torch.log_softmax(start, -1))
    assert isinstance(guide.policy, TabularPolicy)
    guide.policy.logits.copy_(torch.log_softmax(_blend(q.policy, choice / rate, rate), -1))
    return bound, residual


def _blend(log_q: Tensor | None, target: Tensor, rate: float) -> Tensor:
    """(1 − rate) log q + rate · target, unnormalised; −∞ where the target is."""
    assert log_q is not None
    return target if rate == 1.0 else torch.where(target > -torch.inf, (1 - rate) * log_q + rate * target, target)

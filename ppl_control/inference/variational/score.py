"""The score-function gradient of the ELBO: reward to go, less a baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ppl_control.guides.tabular import TabularGuide
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.program_rollout import ProgramRollout, sample_program
from ppl_control.trajectory.rollout import log_terms, sample_rollout

__all__ = ["program_loss", "program_terms", "tabular_loss"]

BASELINE_RATE = 0.3  # weight of the newest batch in the learned soft value


def tabular_loss(
    guide: TabularGuide, n: int, baseline: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """One batch of a tabular model.

    Args:
        guide: the bound guide.
        n: number of trajectories.
        baseline: learned soft value to go [t, s] ([s] without a horizon), nats; None: zeros.

    Returns:
        ELBO of each trajectory [n], nats; a loss whose gradient estimates minus the ELBO's; the new baseline.

    Note:
        Trajectory terms before a draw do not depend on it and are left out; so is E[∇ log q] = 0. The
        baseline was learned from earlier batches, so that the estimate is unbiased.

    References:
        Williams (1992); Sutton et al. (2000).
    """
    tables, q = guide.model.tables, guide.tables()
    rollout = sample_rollout(tables, q, n)
    terms = log_terms(tables, q, rollout)
    timed = tables.horizon is not None
    with torch.no_grad():
        steps = terms.reward + terms.prior - terms.policy.detach()
        if q.outcomes is not None:
            steps = steps + terms.dynamics - terms.belief.detach()
        to_go = steps.flip(0).cumsum(0).flip(0)
        elbo = to_go[0] if q.initial is None else to_go[0] + (terms.first - terms.first_belief)
        if baseline is None:
            baseline = tables.initial.new_zeros(tables.log_prior.shape[:-1])
        alive = rollout.alive(tables)
        states = rollout.states[:-1].clamp(max=tables.num_states - 1)
        cell = states
        if timed:
            cell = cell + torch.arange(len(states), device=cell.device)[:, None] * tables.num_states
        expected = baseline.reshape(-1)[cell]
        advantage = torch.where(alive, to_go - expected, 0.0)
        if q.outcomes is not None:
            # What follows an outcome: its own r and log p/q, then the rest; less the mean given s and a.
            after = terms.policy - terms.prior
            outcome_advantage = torch.where(alive, to_go + after - expected, 0.0)
        counts = torch.zeros_like(baseline).view(-1).index_add(0, cell.view(-1), alive.to(elbo).view(-1))
        error = torch.zeros_like(baseline).view(-1).index_add(0, cell.view(-1), advantage.view(-1))
        baseline = baseline + BASELINE_RATE * (error / counts.clamp(min=1)).view_as(baseline)
    gain = (terms.policy * advantage).sum()
    if q.outcomes is not None:
        gain = gain + (terms.belief * outcome_advantage).sum()
        gain = gain + (terms.first_belief * (elbo - elbo.mean())).sum() * n / max(n - 1, 1)
    return elbo, -gain / n, baseline


def program_terms(rollout: ProgramRollout) -> Tensor:
    """Log p − log q of each site, [L, n], nats."""
    return rollout.log_p - rollout.log_q


def program_loss(model: TrajectoryModel, guide: nn.Module, n: int) -> tuple[Tensor, Tensor]:
    """The same for a program: ELBO of each run [n], nats, and the loss; the baseline is the other runs' mean."""
    rollout = sample_program(model, guide, n)
    with torch.no_grad():
        terms = program_terms(rollout)
        total = terms.sum(0)
        to_go = terms.flip(0).cumsum(0).flip(0) if rollout.ordered else total.expand_as(terms)
        others = (to_go.sum(1, keepdim=True) - to_go) / max(n - 1, 1)
        advantage = to_go - (others if n > 1 else 0.0)
    drawn = rollout.drawn[:, None]
    return total, -(torch.where(drawn, rollout.log_q * advantage, 0.0)).sum() / n

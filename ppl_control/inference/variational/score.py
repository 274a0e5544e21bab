"""The score-function gradient of the ELBO: reward to go, less a baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.exact.recursions import choice_terms
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.program_rollout import sample_program
from ppl_control.trajectory.rollout import Places, sample_rollout

__all__ = ["program_loss", "tabular_loss"]

BASELINE_RATE = 0.3  # weight of the newest batch in the learned soft value


def tabular_loss(guide: TabularGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """One batch of a tabular model.

    Args:
        guide: the bound guide.
        n: number of trajectories.
        baseline: learned soft value to go [t, s] ([s] without a horizon), nats; None: zeros.

    Returns:
        ELBO of each trajectory [n], nats; a loss whose gradient estimates minus the ELBO's; the new baseline.

    Note:
        The KL terms of the conditionals met on the way are summed in closed form; only rewards and the path
        are sampled. Terms before a draw do not depend on it and are left out. The baseline was learned from
        earlier batches, so that the estimate is unbiased.

    References:
        Williams (1992); Sutton et al. (2000); Ranganath et al. (2014), section 3.1.
    """
    tables, q = guide.model.tables, guide.tables()
    rollout = sample_rollout(tables, q, n)
    places = Places(tables, rollout)
    costs = places.at_state(choice_terms(tables, q))
    log_q = places.at_action(q.policy)
    if q.outcomes is not None:
        costs = costs + places.at_action(weighted(q.outcomes.exp(), tables.log_p - q.outcomes).sum(-1))
        log_q = log_q + places.at_outcome(q.outcomes)
    with torch.no_grad():
        steps = places.at_outcome(tables.reward) + costs
        to_go = steps.flip(0).cumsum(0).flip(0)
        if baseline is None:
            baseline = tables.initial.new_zeros(tables.log_prior.shape[:-1])
        advantage = to_go - places.at_state(baseline)
        cell, alive = places.state.reshape(-1), places.alive.reshape(-1).to(to_go)
        zero = torch.zeros_like(baseline).reshape(-1)
        visits = zero.index_add(0, cell, alive).clamp(min=1)
        error = zero.index_add(0, cell, advantage.reshape(-1)) / visits
        elbo = to_go[0]
    gain = (log_q * advantage + costs).sum() / n
    if q.initial is not None:
        first = weighted(q.initial.exp(), tables.initial.log() - q.initial).sum()
        others = (elbo.sum() - elbo) / max(n - 1, 1)
        gain = gain + first + (q.initial[rollout.states[0]] * (elbo - others)).mean()
        elbo = elbo + first.detach()
    return elbo, -gain, baseline + BASELINE_RATE * error.view_as(baseline)


def program_loss(model: TrajectoryModel, guide: nn.Module, n: int) -> tuple[Tensor, Tensor]:
    """The same for a program: ELBO of each run [n], nats, and the loss; the baseline is the other runs' mean."""
    rollout = sample_program(model, guide, n)
    with torch.no_grad():
        total = rollout.gain.sum(0)
        to_go = rollout.gain.flip(0).cumsum(0).flip(0) if rollout.ordered else total.expand_as(rollout.gain)
        others = (to_go.sum(1, keepdim=True) - to_go) / max(n - 1, 1)
        advantage = to_go - (others if n > 1 else 0.0)
    drawn, closed = rollout.drawn[:, None], rollout.closed[:, None]
    gain = torch.where(drawn, rollout.log_q * advantage, 0.0) + torch.where(closed, rollout.gain, 0.0)
    return total, -gain.sum() / n

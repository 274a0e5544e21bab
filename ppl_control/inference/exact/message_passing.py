"""Exact inference by message passing: the posterior over trajectories given success."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.base import Solution, require_exact
from ppl_control.inference.exact.answer import exact_solution, linear_gaussian_solution
from ppl_control.inference.exact.fixed_point import posterior_fixed_point
from ppl_control.inference.exact.linear_gaussian import posterior_control
from ppl_control.inference.exact.recursions import backward, posterior_backup
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["MessagePassing", "Messages", "messages"]


@dataclass(frozen=True)
class Messages:
    """Messages and marginals of p(τ | O), nats; S+1 counts the silent end as last state.

    Attributes:
        log_forward: log p(s_t = s, O_{<t}), index order [t, s], shape [T+1, S+1].
        log_backward: log p(O_{≥t} | s_t = s), [t, s], shape [T+1, S+1].
        log_evidence: log p(O), nats.
        states: p(s_t | O), [t, s], shape [T+1, S+1].
        state_actions: p(s_t, a_t | O), [t, s, a], shape [T, S, A]; nothing is decided at the end.
        transitions: p(s_t, s_{t+1} | O), [t, s, s'], shape [T, S+1, S+1].
        action_transitions: p(a_t, s_{t+1} | O), [t, a, s'], shape [T, A, S+1].
    """

    log_forward: Float[Tensor, "T+1 S+1"]
    log_backward: Float[Tensor, "T+1 S+1"]
    log_evidence: float
    states: Float[Tensor, "T+1 S+1"]
    state_actions: Float[Tensor, "T S A"]
    transitions: Float[Tensor, "T S+1 S+1"]
    action_transitions: Float[Tensor, "T A S+1"]


@dataclass(frozen=True)
class MessagePassing:
    """The posterior p(τ | O_{1..T}): policy, tilted dynamics and the exact log evidence.

    Raises:
        ValueError: at ``infer``, a model that is neither tabular nor linear-Gaussian, a diverging fixed point
            without a horizon, or an infinite evidence (``BreakdownError``).

    References:
        Levine (2018), arXiv 1805.00909, section 2.3.
    """

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the method cannot serve the model."""
        require_exact(self, model)
        if isinstance(model.mdp, LinearGaussianMDP):
            self.solve(model)  # a discount, or an infinite evidence, shows here

    @torch.no_grad()
    def solve(self, model: TrajectoryModel) -> Solution:
        """The posterior as a guide; its bound is log Z itself."""
        if isinstance(model.mdp, LinearGaussianMDP):
            assert model.horizon is not None
            found = posterior_control(model.mdp, model.horizon, model.temperature, model.discount, model.action_prior)
            return linear_gaussian_solution(model, self, found)
        tables = model.tables
        if model.horizon is None:
            value, q = posterior_fixed_point(tables, repr(model.action_prior), model.discount)
            guide = posterior_guide(tables, value, value, q)
        else:
            value, q = backward(tables, posterior_backup)
            guide = posterior_guide(tables, value[0], value[1:], q)
        return exact_solution(model, self, guide, value, q)


def posterior_guide(
    tables: Tables,
    first: Float[Tensor, " S"],
    ahead: Float[Tensor, "*T S"],
    q: Float[Tensor, "*T S A"],
) -> GuideTables:
    """The posterior's conditionals from its values, nats: policy, outcomes p exp(r + V' − Q), first state."""
    padded = torch.cat([ahead, ahead.new_zeros((*ahead.shape[:-1], 1))], -1)
    gain = tables.log_p + tables.reward + padded[..., tables.successor]
    outcomes = torch.where(q[..., None] > -torch.inf, gain - q[..., None], tables.log_p)
    value = torch.cat([first, first.new_zeros(1)])
    hopeless = (tables.log_prior + q == -torch.inf).all(-1, keepdim=True)  # nothing succeeds from here: keep the prior
    return GuideTables(
        torch.log_softmax(torch.where(hopeless, tables.log_prior, tables.log_prior + q), -1),
        torch.log_softmax(tables.initial.log() + value, -1),
        outcomes,
    )


@torch.no_grad()
def messages(model: TrajectoryModel) -> Messages:
    """Forward and backward messages in log space and all pairwise marginals of neighbouring sites.

    Args:
        model: a tabular model with a horizon.

    Raises:
        ValueError: a model without tables or without a horizon.
    """
    if model.horizon is None:
        raise ValueError("horizon: messages need one; got None")
    tables = model.tables
    value, _ = backward(tables, posterior_backup)
    n, horizon = tables.num_states, model.horizon
    back = torch.cat([value, value.new_zeros(horizon + 1, 1)], 1)
    forward = back.new_full((horizon + 1, n + 1), -torch.inf)
    forward[0] = tables.initial.log()
    target = tables.successor.reshape(-1)
    log_z = float(torch.logsumexp(forward[0] + back[0], 0))
    transitions = back.new_zeros(horizon, n + 1, n + 1)
    by_action = back.new_zeros(horizon, tables.num_actions, n + 1)
    state_actions = back.new_empty(horizon, n, tables.num_actions)
    step = tables.log_p + tables.reward
    for t in range(horizon):
        arrived = forward[t, :-1, None, None] + tables.log_prior[t, :, :, None] + step
        forward[t + 1] = _scatter_logsumexp(arrived.reshape(-1), target, n + 1)
        forward[t + 1, -1] = torch.logaddexp(forward[t + 1, -1], forward[t, -1])
        joint = (arrived + back[t + 1][tables.successor] - log_z).exp()
        state_actions[t] = joint.sum(-1)
        transitions[t, :-1].scatter_add_(1, tables.successor.reshape(n, -1), joint.reshape(n, -1))
        transitions[t, -1, -1] = (forward[t, -1] - log_z).exp()
        for action in range(tables.num_actions):
            by_action[t, action].index_add_(0, tables.successor[:, action].reshape(-1), joint[:, action].reshape(-1))
    states = (forward + back - log_z).exp()
    return Messages(forward, back, log_z, states, state_actions, transitions, by_action)


def _scatter_logsumexp(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Log Σ exp of the values that share an index; −inf where none does."""
    top = values.new_full((size,), -torch.inf).scatter_reduce(0, index, values, "amax")
    safe = torch.where(top.isfinite(), top, 0.0)
    total = values.new_zeros(size).index_add(0, index, (values - safe[index]).exp())
    return total.log() + safe

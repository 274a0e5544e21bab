"""Max-product: the single best trajectory, and what the best feedback policy can hope for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ppl_control.guides.map import TablePath
from ppl_control.trajectory.tables import Tables

__all__ = ["MostLikely", "risk_seeking", "viterbi"]


@dataclass(frozen=True, eq=False)
class MostLikely:
    """The most likely optimal trajectory and the values that found it, nats.

    Attributes:
        path: states, actions and outcomes.
        log_joint: log p(τ, O) of that trajectory.
        value: the most that log p(rest, O) can be from (t, s), [t, s]; 0 at the end.
        q: the same after (t, s, a), the action's own prior left out.
        best_outcome: the outcome that attains q, [t, s, a].
    """

    path: TablePath
    log_joint: float
    value: Float[Tensor, "T+1 S"]
    q: Float[Tensor, "T S A"]
    best_outcome: Int[Tensor, "T S A"]


@torch.no_grad()
def viterbi(tables: Tables) -> MostLikely:
    """argmax_τ log p(s₀) + Σ_t [log π0(a_t|s_t) + log p(outcome_t|s_t,a_t) + r_t/α] over trajectories.

    A trajectory that ends early has no further terms.  V(s) = max_a [log π0 + Q], Q(s,a) = max_k [log p + r + V'].

    Raises:
        ValueError: a model without a horizon.

    References:
        Viterbi (1967); Lázaro-Gredilla et al. (2024), arXiv 2406.17863, on what it is not: a plan.
    """
    if tables.horizon is None:
        raise ValueError("horizon: the most likely trajectory needs one; got None")
    horizon, end = tables.horizon, tables.num_states
    value = tables.initial.new_zeros(horizon + 1, end)
    q = value.new_empty(horizon, end, tables.num_actions)
    best_outcome = torch.zeros(q.shape, dtype=torch.long, device=q.device)
    for t in range(horizon - 1, -1, -1):
        gain = tables.log_p + tables.reward + tables.at_successor(value[t + 1])
        q[t], best_outcome[t] = gain.max(-1)
        value[t] = (tables.log_prior[t] + q[t]).max(-1).values.masked_fill(tables.terminal, 0.0)
    first = tables.initial.log() + torch.cat([value[0], value.new_zeros(1)])
    state = int(first.argmax())
    log_joint = float(first[state])
    states, actions, outcomes = [state], [], []
    for t in range(horizon):
        action = outcome = 0
        if state < end:
            action = int((tables.log_prior[t, state] + q[t, state]).argmax())
            outcome = int(best_outcome[t, state, action])
            state = int(tables.successor[state, action, outcome])
        states.append(state)
        actions.append(action)
        outcomes.append(outcome)
    path = TablePath(*(torch.tensor(column, device=q.device) for column in (states, actions, outcomes)))
    return MostLikely(path, log_joint, value, q, best_outcome)


@torch.no_grad()
def risk_seeking(tables: Tables) -> tuple[float, Float[Tensor, "T+1 S"], Float[Tensor, "T S A"]]:
    """Planning.  log max_π E exp(R/α), nats, over feedback policies, without any prior factor

    V(s) = max_a Q(s,a), Q(s,a) = log E exp(r + V'). Actions that the prior rules out are not taken.

    Returns:
        The log of the best E exp(R/α), V [t, s] and Q [t, s, a], nats.

    Raises:
        ValueError: a model without a horizon.

    References:
        Howard and Matheson (1972); Lázaro-Gredilla et al. (2024), arXiv 2406.17863.
    """
    if tables.horizon is None:
        raise ValueError("horizon: log max E exp(R/α) needs one; got None")
    value = tables.initial.new_zeros(tables.horizon + 1, tables.num_states)
    q = value.new_empty(tables.horizon, tables.num_states, tables.num_actions)
    for t in range(tables.horizon - 1, -1, -1):
        q[t] = torch.logsumexp(tables.log_p + tables.reward + tables.at_successor(value[t + 1]), -1)
        open_ = q[t].masked_fill(tables.log_prior[t] == -torch.inf, -torch.inf)
        value[t] = open_.max(-1).values.masked_fill(tables.terminal, 0.0)
    first = tables.initial.log() + torch.cat([value[0], value.new_zeros(1)])
    return float(torch.logsumexp(first, 0)), value, q

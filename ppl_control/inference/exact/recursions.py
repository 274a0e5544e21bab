"""Backward and forward recursions on tables, as pure functions; values in nats (reward units over α)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.tables import GuideTables, Tables

CHAIN_ENTRIES = 2**24  # largest stack of transition matrices [T, S, S] to hold at once

__all__ = [
    "backward",
    "chain",
    "choice_terms",
    "elbo",
    "guide_q",
    "guide_values",
    "occupancies",
    "posterior_backup",
    "soft_maximum",
    "variational_backup",
]


def posterior_backup(tables: Tables, value: Float[Tensor, "*T S"]) -> Float[Tensor, "*T S A"]:
    """The optimistic backup.  Q(s,a) = log E_{s'} exp(r + V(s')), each outcome exponentiated.

    References:
        Levine (2018), arXiv 1805.00909, eq. 7.
    """
    return torch.logsumexp(tables.log_p + tables.reward + tables.at_successor(value), -1)


def variational_backup(tables: Tables, value: Float[Tensor, "*T S"]) -> Float[Tensor, "*T S A"]:
    """The backup under fixed dynamics.  Q(s,a) = E_{s'}[r + V(s')]

    References:
        Levine (2018), arXiv 1805.00909, eq. 14; Ziebart (2010).
    """
    return tables.expected_reward + tables.expect(value)


def soft_maximum(q: Float[Tensor, "*T S A"], log_prior: Float[Tensor, "*T S A"]) -> Float[Tensor, "*T S"]:
    """V(s) = log Σ_a π0(a|s) exp Q(s,a); the action axis is reduced."""
    return torch.logsumexp(log_prior + q, -1)


def backward(
    tables: Tables, backup: Callable[[Tables, Tensor], Tensor]
) -> tuple[Float[Tensor, "T+1 S"], Float[Tensor, "T S A"]]:
    """V [t, s] and Q [t, s, a] over a finite horizon, V_T = 0, nats."""
    assert tables.horizon is not None
    value = tables.initial.new_zeros(tables.horizon + 1, tables.num_states)
    q = value.new_empty(tables.horizon, tables.num_states, tables.num_actions)
    for t in range(tables.horizon - 1, -1, -1):
        q[t] = backup(tables, value[t + 1])
        value[t] = soft_maximum(q[t], tables.log_prior[t])
    return value.masked_fill(tables.terminal, 0.0), q


def choice_terms(tables: Tables, guide: GuideTables) -> Float[Tensor, "*T S"]:
    """−KL(q(a|s) ‖ π0(a|s)): what choosing costs against the prior; the action axis is reduced."""
    return weighted(guide.policy.exp(), tables.log_prior - guide.policy).sum(-1)


def guide_q(tables: Tables, guide: GuideTables, value: Float[Tensor, "*T S"]) -> Float[Tensor, "*T S A"]:
    """Q(s,a) = E_q[r + V(s') − log q(outcome|s,a)/p(outcome|s,a)]; the KL is 0 under the model's dynamics."""
    if guide.outcomes is None:
        return variational_backup(tables, value)
    gain = tables.reward + tables.at_successor(value)
    return weighted(guide.outcomes.exp(), gain + tables.log_p - guide.outcomes).sum(-1)


def chain(tables: Tables, guide: GuideTables) -> Float[Tensor, "*T S S+1"]:
    """q(s_{t+1} = s' | s_t = s), index order [t, s, s']; the last column is the silent end."""
    dynamics = guide.dynamics(tables)
    joint = (guide.policy.exp()[..., None] * dynamics).flatten(-2)
    index = tables.successor.flatten(1).expand(joint.shape)
    matrix = joint.new_zeros(*joint.shape[:-1], tables.num_states + 1)
    return matrix.scatter_add_(-1, index, joint)


def guide_values(tables: Tables, guide: GuideTables) -> tuple[Float[Tensor, "T+1 S"], Float[Tensor, "T S A"]]:
    """ELBO to go under a guide.  V_t(s) = E_q Σ_{t'≥t} [r + log π0 − log q(a) + log p − log q(outcome)]"""
    assert tables.horizon is not None
    now = tables.expected_reward
    if guide.outcomes is not None:
        now = guide_q(tables, guide, tables.initial.new_zeros(tables.horizon, tables.num_states))
    gain = (guide.policy.exp() * now).sum(-1) + choice_terms(tables, guide)
    value = tables.initial.new_zeros(tables.horizon + 1, tables.num_states)
    rows, gains = value.unbind(0), gain.unbind(0)
    if _fits(tables):
        matrices = _surviving(tables, guide).unbind(0)
        ahead = [rows[-1]]
        for reward, matrix in zip(reversed(gains), reversed(matrices), strict=True):
            ahead.append(torch.addmv(reward, matrix, ahead[-1]))
        value = torch.stack(ahead[::-1])
    else:
        for t in range(tables.horizon - 1, -1, -1):
            later = (_joint(tables, guide, t) * tables.at_successor(rows[t + 1])).sum((-2, -1))
            torch.add(gains[t], later, out=rows[t])
    value = value.masked_fill(tables.terminal, 0.0)
    return value, guide_q(tables, guide, value[1:])


def _surviving(tables: Tables, guide: GuideTables) -> Float[Tensor, "T S S"]:
    """``chain`` without the silent end; one product of matrices where the dynamics are the model's and dense."""
    if guide.outcomes is not None or tables.dense is None:
        return chain(tables, guide)[..., :-1]
    transition = tables.dense.unflatten(0, (tables.num_states, tables.num_actions))
    return torch.einsum("tsa,sax->tsx", guide.policy.exp(), transition).contiguous()


def _fits(tables: Tables) -> bool:
    """Whether all transition matrices [T, S, S] may be held at once; else outcomes are looked up step by step."""
    return (tables.horizon or 1) * tables.num_states**2 <= CHAIN_ENTRIES


def _joint(tables: Tables, guide: GuideTables, t: int) -> Float[Tensor, "S A K"]:
    """q(a_t, outcome_t | s_t)"""
    dynamics = tables.outcomes.probability if guide.outcomes is None else guide.outcomes[t].exp()
    return guide.policy[t, ..., None].exp() * dynamics


def elbo(tables: Tables, guide: GuideTables, value: Float[Tensor, " S"]) -> Tensor:
    """E_{q(s₀)}[V_0 + log p(s₀) − log q(s₀)], nats, from the ELBO to go at the first step."""
    value = torch.cat([value, value.new_zeros(1)])
    if guide.initial is None:
        return weighted(tables.initial, value).sum()
    return weighted(guide.initial.exp(), value + tables.initial.log() - guide.initial).sum()


def occupancies(tables: Tables, guide: GuideTables) -> Float[Tensor, "T+1 S+1"]:
    """q(s_t = s), index order [t, s]; the last state is the silent end."""
    assert tables.horizon is not None
    initial = tables.initial if guide.initial is None else guide.initial.exp()
    occupancy = initial.new_zeros(tables.horizon + 1, tables.num_states + 1)
    occupancy[0] = initial
    rows = occupancy.unbind(0)
    if _fits(tables):
        for t, matrix in enumerate(chain(tables, guide).mT.unbind(0)):
            torch.mv(matrix, rows[t][:-1], out=rows[t + 1])
    else:
        index = tables.successor.reshape(-1)
        for t in range(tables.horizon):
            flow = rows[t][:-1, None, None] * _joint(tables, guide, t)
            rows[t + 1].index_add_(0, index, flow.reshape(-1))
    occupancy[:, -1] = occupancy[:, -1].cumsum(0)
    return occupancy

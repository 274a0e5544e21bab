"""Trajectories of tabular models in batches: sampled with one draw a step, scored without a loop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["Places", "Rollout", "Terms", "log_joint", "log_terms", "sample_rollout"]


@dataclass(frozen=True, eq=False)
class Rollout:
    """n trajectories, time first; ended trajectories stay in state S with action and outcome 0.

    Attributes:
        states: s_t, [t, n], shape [T+1, n]; S is the silent end.
        actions: a_t, [t, n].
        outcomes: index of the outcome in the model's tables, [t, n].
    """

    states: Int[Tensor, "T+1 n"]
    actions: Int[Tensor, "T n"]
    outcomes: Int[Tensor, "T n"]

    def alive(self, tables: Tables) -> Bool[Tensor, "T n"]:
        """Where a decision was made."""
        return self.states[:-1] < tables.num_states


@dataclass(frozen=True, eq=False)
class Terms:
    """Summands of log p(τ, O) and log q(τ), nats, [t, n]; 0 after the end.

    Attributes:
        reward: r_t/α.
        prior: log π0(a_t|s_t).
        policy: log q(a_t|s_t).
        dynamics: log p(outcome_t|s_t,a_t).
        belief: log q(outcome_t|s_t,a_t).
        first: log p(s₀), shape [n].
        first_belief: log q(s₀), shape [n].
    """

    reward: Float[Tensor, "T n"]
    prior: Float[Tensor, "T n"]
    policy: Float[Tensor, "T n"]
    dynamics: Float[Tensor, "T n"]
    belief: Float[Tensor, "T n"]
    first: Float[Tensor, " n"]
    first_belief: Float[Tensor, " n"]


@torch.no_grad()
def sample_rollout(tables: Tables, guide: GuideTables, n: int) -> Rollout:
    """Draw n trajectories from a guide, from torch's current random stream.

    Action and outcome are drawn together by inverting their joint distribution function. The functions of all
    states stand in one sorted row, that of state s on [s, s+1], so that a step is one search for s + u.
    Without a horizon the rollout ends when every trajectory has.

    Raises:
        ValueError: no horizon, and trajectories might never end.
    """
    tables.require_end()
    end, width = tables.num_states, tables.outcomes.probability.shape[-1]
    choices = tables.num_actions * width
    cdf = _joint_cdf(tables, guide)
    successor = torch.cat([tables.successor.reshape(-1), tables.successor.new_full((choices,), end)])
    initial = tables.initial if guide.initial is None else guide.initial.exp()
    state = torch.searchsorted(initial.double().cumsum(0) / initial.sum(), _uniform(tables, n), right=True)
    states, chosen = [state], []
    if tables.horizon is None:
        while bool((state < end).any()):
            chosen.append(torch.searchsorted(cdf, state + _uniform(tables, n), right=True))
            state = successor[chosen[-1]]
            states.append(state)
    else:
        uniform = _uniform(tables, tables.horizon, n)
        for row, u in zip(cdf.unbind(0), uniform.unbind(0), strict=True):
            chosen.append(torch.searchsorted(row, state + u, right=True))
            state = successor.index_select(0, chosen[-1])
            states.append(state)
    choice = torch.stack(chosen) % choices
    return Rollout(torch.stack(states), choice // width, choice % width)


def _joint_cdf(tables: Tables, guide: GuideTables) -> Float[Tensor, "*T N"]:
    dynamics = guide.dynamics(tables)
    joint = (guide.policy.exp()[..., None] * dynamics).flatten(-2).double()
    silent = torch.zeros_like(joint[..., :1, :])
    silent[..., 0] = 1.0
    cdf = torch.cat([joint, silent], -2).cumsum(-1)
    cdf /= cdf[..., -1:].clone()  # the last entry is exactly 1, above every uniform number
    cdf += torch.arange(tables.num_states + 1, device=cdf.device)[:, None]
    return cdf.flatten(-2)


def _uniform(tables: Tables, *shape: int) -> Tensor:
    """Numbers in [0, 1), so far below 1 that s + u does not round up to s + 1."""
    below = 1 - 2 * (tables.num_states + 1) * torch.finfo(torch.float64).eps
    return torch.rand(shape, dtype=torch.float64, device=tables.initial.device) * below


class Places:
    """Where a rollout has been, as flat indices into the tables of a model; 0 is read after the end.

    Args:
        tables: the model's tables.
        rollout: trajectories.
    """

    def __init__(self, tables: Tables, rollout: Rollout) -> None:
        self.alive = rollout.alive(tables)
        self._sizes = tuple(tables.outcomes.probability.shape)
        self.state = rollout.states[:-1].clamp(max=tables.num_states - 1)
        self._offset = None
        if tables.horizon is not None:
            self._offset = torch.arange(tables.horizon, device=self.state.device)[:, None]
            self.state = self.state + self._offset * tables.num_states
        self.action = self.state * tables.num_actions + rollout.actions
        self.outcome = self.action * self._sizes[2] + rollout.outcomes

    def _take(self, table: Tensor, index: Tensor, timed: int) -> Tensor:
        if self._offset is not None and table.ndim < timed:  # the same table at every time
            index = index - self._offset * math.prod(table.shape)
        found = table.reshape(-1).gather(0, index.reshape(-1)).view_as(index)
        return torch.where(self.alive, found, 0.0)

    def at_state(self, table: Float[Tensor, "*T S"]) -> Float[Tensor, "T n"]:
        """table[t, s_t], or table[s_t]."""
        return self._take(table, self.state, 2)

    def at_action(self, table: Float[Tensor, "*T S A"]) -> Float[Tensor, "T n"]:
        """table[t, s_t, a_t], or table[s_t, a_t]."""
        return self._take(table, self.action, 3)

    def at_outcome(self, table: Float[Tensor, "*T S A K"]) -> Float[Tensor, "T n"]:
        """table[t, s_t, a_t, outcome_t], or table[s_t, a_t, outcome_t]."""
        return self._take(table, self.outcome, 4)


def log_terms(tables: Tables, guide: GuideTables, rollout: Rollout) -> Terms:
    """Every summand of log p and log q along the rollout; differentiable in the guide's tables."""
    places, first = Places(tables, rollout), rollout.states[0]
    dynamics = places.at_outcome(tables.log_p)
    first_p = tables.initial.log()[first]
    return Terms(
        places.at_outcome(tables.reward),
        places.at_action(tables.log_prior),
        places.at_action(guide.policy),
        dynamics,
        dynamics if guide.outcomes is None else places.at_outcome(guide.outcomes),
        first_p,
        first_p if guide.initial is None else guide.initial[first],
    )


def log_joint(terms: Terms) -> Float[Tensor, " n"]:
    """Log p(τ, O) of each trajectory, nats; under the base measure the prior's term is 0."""
    return (terms.reward + terms.prior + terms.dynamics).sum(0) + terms.first

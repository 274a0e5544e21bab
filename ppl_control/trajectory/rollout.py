"""Trajectories of tabular models in batches: sampled with one draw a step, scored without a loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ppl_control.trajectory.tables import GuideTables, Tables

__all__ = ["Rollout", "Terms", "log_joint", "log_terms", "sample_rollout"]


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

    Action and outcome are drawn together by inverting their joint distribution function: one uniform number
    and two look-ups a step. Without a horizon the rollout ends when every trajectory has.
    """
    width = tables.outcomes.probability.shape[-1]
    dynamics = tables.outcomes.probability if guide.outcomes is None else guide.outcomes.exp()
    joint = (guide.policy.exp()[..., None] * dynamics).flatten(-2)
    silent = torch.zeros_like(joint[..., :1, :])
    silent[..., 0] = 1.0
    cdf = torch.cat([joint, silent], -2).cumsum(-1)
    cdf /= cdf[..., -1:].clone()  # the last entry is exactly 1, and so above every uniform number
    ends = torch.full((1, joint.shape[-1]), tables.num_states, device=joint.device)
    successor = torch.cat([tables.successor.flatten(1), ends]).reshape(-1)
    initial = tables.initial if guide.initial is None else guide.initial.exp()
    state = _invert(initial.cumsum(0) / initial.sum(), torch.rand_like(initial.new_empty(n, 1)))
    states, choices = [state], []
    horizon = tables.horizon
    uniform = initial.new_empty(0) if horizon is None else torch.rand(horizon, n, 1).to(initial)
    while len(choices) < horizon if horizon is not None else bool((state < tables.num_states).any()):
        t = len(choices)
        rows, u = (cdf, torch.rand(n, 1).to(initial)) if horizon is None else (cdf[t], uniform[t])
        choice = _invert(rows[state], u)
        state = successor[state * cdf.shape[-1] + choice]
        choices.append(choice)
        states.append(state)
    chosen = torch.stack(choices)
    return Rollout(torch.stack(states), chosen // width, chosen % width)


def _invert(cdf: Tensor, uniform: Tensor) -> Tensor:
    return torch.searchsorted(cdf.expand(len(uniform), -1), uniform, right=True).squeeze(-1)


def log_terms(tables: Tables, guide: GuideTables, rollout: Rollout) -> Terms:
    """Every summand of log p and log q along the rollout; differentiable in the guide's tables."""
    alive = rollout.alive(tables)
    state = rollout.states[:-1].clamp(max=tables.num_states - 1)
    first = rollout.states[0]
    width, actions = tables.outcomes.probability.shape[-1], tables.num_actions
    pair = state * actions + rollout.actions
    triple = pair * width + rollout.outcomes
    steps = torch.arange(len(pair), device=pair.device)[:, None]

    def take(table: Tensor, index: Tensor, size: int, timed: bool) -> Tensor:
        flat = table.reshape(-1)[steps * size + index] if timed else table.reshape(-1)[index]
        return torch.where(alive, flat, 0.0)

    pairs, triples = tables.num_states * actions, tables.num_states * actions * width
    timed = tables.horizon is not None
    dynamics = take(tables.log_p, triple, triples, timed=False)
    first_p = tables.initial.log()[first]
    return Terms(
        take(tables.reward, triple, triples, timed=False),
        take(tables.log_prior, pair, pairs, timed),
        take(guide.policy, pair, pairs, timed),
        dynamics,
        dynamics if guide.outcomes is None else take(guide.outcomes, triple, triples, timed),
        first_p,
        first_p if guide.initial is None else guide.initial[first],
    )


def log_joint(terms: Terms) -> Float[Tensor, " n"]:
    """Log p(τ, O) of each trajectory, nats; under the base measure the prior's term is 0."""
    return (terms.reward + terms.prior + terms.dynamics).sum(0) + terms.first

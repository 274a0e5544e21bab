"""Action sequences executed in tables: who is alive where, and what is earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.tables import Tables

__all__ = ["Walk", "check_length", "joint_walk", "plan_returns", "prefix_gain", "survivors"]


@dataclass(frozen=True, eq=False)
class Walk:
    """What a guide's trajectories look like.

    Attributes:
        expected_return: E[Σ r], reward units; a discount is in the survival.
        states: probability of s_t = s, index order [t, s]; the last state is the silent end.
        entropy: E Σ_t H(q(a_t | a_0 … a_{t−1})) over the actions that are used, nats.
    """

    expected_return: float
    states: Float[Tensor, "T+1 S+1"]
    entropy: float


def survivors(tables: Tables, alive: Float[Tensor, "n S"]) -> Float[Tensor, "n A S"]:
    """Σ_s alive(s) p(s' | s, a) over surviving s', for every row and action."""
    n, actions = tables.num_states, tables.num_actions
    if tables.dense is not None:
        return (alive @ tables.dense.reshape(n, actions * n)).unflatten(-1, (actions, n))
    after = alive.new_zeros(len(alive), actions, n + 1)
    rows = []
    for action in range(actions):
        flow = (alive[..., None] * tables.outcomes.probability[:, action]).flatten(1)
        rows.append(after[:, action].index_add(1, tables.successor[:, action].reshape(-1), flow))
    return torch.stack(rows, 1)[..., :-1]


def prefix_gain(tables: Tables, alive: Float[Tensor, "n S"], t: int) -> Float[Tensor, "n A"]:
    """Σ_s alive(s) (E[r|s,a]/α + log π0(a|s,t)), nats; −inf where the prior rules the action out."""
    prior = tables.log_prior[t]
    closed = prior == -torch.inf
    gain = alive @ (tables.expected_reward + prior.masked_fill(closed, 0.0))
    return gain.masked_fill((alive > 0).to(gain) @ closed.to(gain) > 0, -torch.inf)


@torch.no_grad()
def joint_walk(tables: Tables, log_q: Sequence[Tensor]) -> Walk:
    """A joint plan executed in a model, which may be another than the one it was made for.

    Raises:
        ValueError: the model's horizon is not the plan's.
    """
    check_length(tables, len(log_q))
    prefix = torch.zeros(1, dtype=torch.long, device=tables.initial.device)
    alive, occupancy = tables.initial[None, :-1], [tables.initial[:-1]]
    total = entropy = 0.0
    for level in log_q:
        q = level[prefix].exp()
        entropy -= float((alive.sum(-1, keepdim=True) * weighted(q, level[prefix])).sum())
        total += float((q * (alive @ tables.outcomes.expected_reward)).sum())
        alive = (survivors(tables, alive) * q[..., None]).flatten(0, 1)
        occupancy.append(alive.sum(0))
        kept = alive.sum(-1) > 0
        prefix = (prefix[:, None] * level.shape[1] + torch.arange(level.shape[1], device=prefix.device)).reshape(-1)
        alive, prefix = alive[kept], prefix[kept]
    states = torch.stack(occupancy)
    return Walk(total, torch.cat([states, 1 - states.sum(-1, keepdim=True)], -1), entropy)


@torch.no_grad()
def plan_returns(tables: Tables, plans: Int[Tensor, "n T"]) -> Float[Tensor, " n"]:
    """Expected return of each of n action sequences executed in a model, reward units.

    Raises:
        ValueError: the model's horizon is not the plans'.
    """
    check_length(tables, plans.shape[1])
    alive = tables.initial[:-1].expand(len(plans), -1)
    total = alive.new_zeros(len(plans))
    rows = torch.arange(len(plans), device=plans.device)
    for action in plans.long().T:
        total += (alive @ tables.outcomes.expected_reward)[rows, action]
        alive = survivors(tables, alive)[rows, action]
    return total


def check_length(tables: Tables, length: int) -> None:
    """Raise a ValueError where a plan is not as long as the model's horizon."""
    if tables.horizon != length:
        raise ValueError(f"horizon: the plan has {length} actions, the model's horizon is {tables.horizon}")

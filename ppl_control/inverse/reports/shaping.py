"""What of a reward behaviour can tell: the reward without its shaping."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.inference.exact.sweeps import expected
from ppl_control.inverse.world import make_world
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.tables import Tables

__all__ = ["reward_correlation", "without_shaping"]

UNFELT = 1e-16  # square of what a change of size 1 may move a decision by, and count as nothing


@torch.no_grad()
def without_shaping(model: TrajectoryModel, reward: Any) -> Float[Tensor, "S A"]:
    """The smallest of all expected rewards E[r | s, a] that make for the same behaviour as this one, reward units.

    Soft-optimal behaviour is log π_t = (Q_t − V_t)/α + log π0. A change δ of the reward leaves it as it is where
    Q_t(s, ·) moves by the same for all actions, at all times. Without a horizon that is δ = Φ(s) − γ E Φ(s') for any
    potential Φ; with one, fewer changes are free, since what is moved to the horizon is not paid back.

    Args:
        model: dynamics, discount and horizon; its own reward is not looked at.
        reward: a reward model, or a table [S, A] or [S, A, S].

    Raises:
        ValueError: a model without tables, or a reward that does not fit it.

    References:
        Ng, Harada and Russell (1999); Kim et al. (2021), "Reward identification in inverse RL".
    """
    tables = make_world(model).tables
    paid = model.mdp.with_reward(reward).outcomes.expected_reward.to(tables.initial)
    allowed = (tables.log_prior > -torch.inf) & ~tables.terminal[:, None]
    ever = allowed if tables.horizon is None else allowed.any(0)
    free = _free_forever(tables, allowed) if tables.horizon is None else _free_over_a_horizon(tables, allowed)
    found = torch.where(ever, paid, 0.0)  # what nobody may do is not felt
    free = free.flatten(0, 1)
    if free.shape[-1]:
        found = found - (free @ torch.linalg.lstsq(free, found.reshape(-1, 1), driver="gelsd").solution).view_as(found)
    return found


def reward_correlation(model: TrajectoryModel, reward: Any, other: Any) -> float:
    """Pearson's correlation of two rewards without their shaping, over all (s, a) in which something is decided.

    Args:
        model: the world in which the rewards are paid; its own reward plays no part.
        reward: one reward, as ``without_shaping`` takes it.
        other: the other one.

    Raises:
        ValueError: as ``without_shaping``.
    """
    alive = ~make_world(model).tables.terminal
    rows = torch.stack([without_shaping(model, each)[alive].reshape(-1) for each in (reward, other)])
    return float(torch.corrcoef(rows)[0, 1])


def _free_forever(tables: Tables, allowed: Bool[Tensor, "S A"]) -> Float[Tensor, "S A N"]:
    """The changes Φ(s) − E Φ(s') of a reward that nobody feels, one for each state in which something is decided."""
    potentials = torch.eye(tables.num_states).to(tables.initial)[:, ~tables.terminal]
    return torch.where(allowed[..., None], potentials[:, None] - expected(tables, potentials), 0.0)


def _free_over_a_horizon(tables: Tables, allowed: Bool[Tensor, "T S A"]) -> Float[Tensor, "S A N"]:
    """The changes of a reward that nobody feels at any time.

    At the last step those are free that are the same for all actions of a state; each step before leaves fewer.
    """
    n, a = allowed.shape[1:]
    ever, last = allowed.any(0), allowed[-1]
    kinds = [torch.diag_embed(last.to(tables.initial).T).permute(1, 0, 2)[..., last.any(-1)]]
    odd = (ever & ~last).reshape(-1)  # allowed at another time only
    kinds.append(torch.eye(n * a).to(tables.initial)[:, odd].view(n, a, -1))
    free = torch.cat(kinds, -1)
    free = free / free.flatten(0, 1).norm(dim=0).clamp(min=1)
    ahead = torch.zeros_like(free[:, 0])
    for can in reversed(allowed.unbind(0)):
        share = can.to(free) / can.sum(-1, keepdim=True).clamp(min=1)
        q = free + expected(tables, ahead)
        mean = torch.einsum("sa,san->sn", share, q)
        apart = (q - mean[:, None])[can]
        values, vectors = torch.linalg.eigh(apart.T @ apart)
        kept = vectors[:, values < UNFELT]
        free, ahead = free @ kept, mean @ kept
    return free

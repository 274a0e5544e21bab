"""What of a reward behaviour can tell: the reward without its shaping."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.sweeps import expected
from ppl_control.inverse.world import World, make_world
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["reward_correlation", "without_shaping"]

NOTHING = 1e-10  # of the largest eigenvalue: directions that behaviour does not feel


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
    world = make_world(model)
    alive = ~world.tables.terminal
    paid = model.mdp.with_reward(reward).outcomes.expected_reward[alive].reshape(-1)
    felt = _felt(world)
    values, vectors = torch.linalg.eigh(felt)
    kept = vectors[:, values > NOTHING * values.max()]
    found = torch.zeros_like(world.tables.expected_reward)
    found[alive] = (kept @ (kept.T @ paid)).view(-1, found.shape[1])
    return found


def reward_correlation(model: TrajectoryModel, reward: Any, other: Any) -> float:
    """Pearson's correlation of two rewards without their shaping, over all (s, a) in which something is decided.

    Raises:
        ValueError: as ``without_shaping``.
    """
    alive = ~model.tables.terminal
    rows = torch.stack([without_shaping(model, each)[alive].reshape(-1) for each in (reward, other)])
    return float(torch.corrcoef(rows)[0, 1])


def _felt(world: World) -> Float[Tensor, "N N"]:
    """Σ_t (∂A_t/∂r)ᵀ (∂A_t/∂r), A = Q − mean_a Q: which directions of r [s, a] in live states move any decision."""
    tables = world.tables
    alive = ~tables.terminal
    n, a = tables.num_states, tables.num_actions
    places = alive[:, None].expand(n, a).reshape(-1)
    identity = torch.eye(n * a).to(tables.initial)[:, places].view(n, a, -1)
    allowed = (tables.log_prior > -torch.inf) & alive[:, None]  # what nobody may do is not felt
    share = allowed.to(tables.initial) / allowed.sum(-1, keepdim=True).clamp(min=1)
    if tables.horizon is None:
        # Q moves by δ + P dV, V by its mean: solved for all δ at once under a policy that does all that is allowed.
        chain = torch.einsum("sa,sax->sx", share, expected(tables, torch.eye(n).to(identity)))
        now = torch.einsum("sa,san->sn", share, identity)
        ahead = torch.linalg.solve(torch.eye(n).to(chain) - chain, now)
        return _squared(identity + expected(tables, ahead), share)
    found = identity.new_zeros(identity.shape[-1], identity.shape[-1])
    ahead = identity.new_zeros(n, identity.shape[-1])
    for t in range(tables.horizon - 1, -1, -1):
        q = identity + expected(tables, ahead)
        found += _squared(q, share[t])
        ahead = torch.einsum("sa,san->sn", share[t], q)
    return found


def _squared(q: Float[Tensor, "S A N"], share: Float[Tensor, "S A"]) -> Float[Tensor, "N N"]:
    apart = (q - torch.einsum("sa,san->sn", share, q)[:, None])[share > 0]
    return apart.T @ apart

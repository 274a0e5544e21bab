"""Whether the dual has an optimum: feature counts that no policy attains push the weights to infinity."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.stationary.chains import policy_chain
from ppl_control.inference.exact.sweeps import expected
from ppl_control.inverse.demonstrations.counts import Counts
from ppl_control.inverse.world import World
from ppl_control.trajectory.tables import Tables

__all__ = ["UnboundedError", "excess"]


class UnboundedError(ValueError):
    """No reward is best: demonstrations collect more than any policy can, and scaling the reward up pays forever."""


@torch.no_grad()
def excess(world: World, counts: Counts, paid: Float[Tensor, "S A K1"]) -> float:
    """What demonstrations collect of a reward over the most that any policy can expect from where they started, nats.

    Positive: along this reward the dual rises without end, D(c ψ) ≥ c · excess − const. For rewards that are linear in
    ψ that proves it unbounded.
    """
    assert counts.discounted_outcomes is not None
    assert counts.discounted_cut is not None
    assert counts.starts is not None
    best = _best(world.tables, world.expected(paid))
    begin = best if best.ndim == 1 else best[0]
    ahead = (counts.discounted_cut.to(best) * best).sum()
    collected = (counts.discounted_outcomes.to(best) * paid).sum()
    # Sums of many terms: what is within their rounding is nothing.
    size = (counts.discounted_outcomes.to(best) * paid).abs().sum() + (counts.starts.to(best) * begin.abs()).sum()
    found = collected + ahead - (counts.starts.to(best) * begin).sum()
    return float(torch.where(found.abs() > 1e-9 * size, found, 0.0)) / counts.trajectories


def _best(tables: Tables, reward: Float[Tensor, "S A"]) -> Float[Tensor, "*T1 S"]:
    """V = max_a [r + E V'] over the actions that the prior allows, nats."""
    allowed = tables.log_prior > -torch.inf

    def backup(ahead: Tensor, can: Tensor) -> Tensor:
        q = reward + expected(tables, ahead)
        return torch.where(can, q, -torch.inf).amax(-1).masked_fill(tables.terminal, 0.0)

    if tables.horizon is not None:
        values = [reward.new_zeros(tables.num_states)]
        for can in reversed(allowed.unbind(0)):
            values.append(backup(values[-1], can))
        return torch.stack(values[::-1])
    return _best_forever(tables, reward, allowed)


def _best_forever(tables: Tables, reward: Tensor, allowed: Tensor) -> Float[Tensor, " S"]:
    """The same without a horizon, by policy iteration."""
    states = torch.arange(tables.num_states, device=reward.device)
    action = torch.where(allowed, reward, -torch.inf).argmax(-1)
    live = (~tables.terminal).to(reward)
    while True:
        choice = torch.zeros_like(reward)
        choice[states, action] = 1.0
        value = policy_chain(tables, choice).values(reward[states, action] * live)
        q = torch.where(allowed, reward + expected(tables, value), -torch.inf)
        taken = q[states, action]
        better = q.amax(-1) > taken + 1e-12 * (1 + value.abs().max())
        if not bool((better & ~tables.terminal).any()):
            return value
        action = torch.where(better, q.argmax(-1), action)

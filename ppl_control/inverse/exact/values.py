"""Soft values as differentiable functions of the reward: exact recursions whose gradients are recursions too.

Over a horizon the gradient is a flow of (signed) mass forward in time, where the values came backward. Without one it
is the implicit derivative of the fixed point, one linear solve: no iteration is ever differentiated through.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.fixed_point import posterior_fixed_point, soft_fixed_point
from ppl_control.inference.exact.message_passing import posterior_guide
from ppl_control.inference.exact.recursions import backward, chain, posterior_backup, variational_values
from ppl_control.inverse.exact.world import World
from ppl_control.trajectory.tables import GuideTables

__all__ = ["posterior_value", "soft_q", "stationary_flow", "true_flow"]


def soft_q(world: World, reward: Float[Tensor, "S A"]) -> Float[Tensor, "*T S A"]:
    """Q = E[r + V'], V = log Σ_a π0 exp Q, nats; [t, s, a], or the fixed point [s, a] without a horizon.

    Args:
        world: the model without its reward.
        reward: E[r | s, a]/α, nats; gradients flow back to it.

    Raises:
        ValueError: without a horizon, where some policy never ends.
    """
    found: Any = _SoftQ.apply(reward, world)
    return found


def posterior_value(world: World, reward: Float[Tensor, "S A K1"]) -> Float[Tensor, "*T1 S"]:
    """V of the posterior backup, V = log Σ_a π0 E exp(r + V'), nats; [t, s] with V_T = 0, or [s] without a horizon.

    Args:
        world: the model without its reward.
        reward: r/α of every outcome, nats; gradients flow back to it.

    Raises:
        ValueError: without a horizon, where the fixed point diverges.
    """
    found: Any = _PosteriorValue.apply(reward, world)
    return found


class _SoftQ(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, reward: Tensor, world: World) -> Tensor:
        tables = world.tables
        if tables.horizon is None:
            start = world.warm.get("policy")
            _, q, _ = soft_fixed_point(tables.paying(reward.detach()), world.model.discount, torch.inf, start)
            world.warm["policy"] = torch.log_softmax(tables.log_prior + q, -1)
        else:
            _, q = variational_values(tables, reward.detach().contiguous())
        ctx.world = world
        ctx.save_for_backward(q)
        return q

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (q,) = ctx.saved_tensors
        tables = ctx.world.tables
        policy = torch.softmax(tables.log_prior + q, -1)
        if tables.horizon is None:
            arrived = stationary_flow(ctx.world, policy, _arrivals(ctx.world, slope))
            return slope + arrived[:, None] * policy, None
        return true_flow(ctx.world, policy, slope)[0], None


def true_flow(
    world: World, policy: Float[Tensor, "T S A"], source: Float[Tensor, "T S A"]
) -> tuple[Float[Tensor, "S A"], Float[Tensor, "T S"]]:
    """Mass put on decisions at each time, and where it flows from there under a policy in the true dynamics.

    x_{t+1} = Pᵀ(source_t + x_t π_t) with x_0 = 0.

    Returns:
        Σ_t (source_t + x_t π_t), [s, a], and x, [t, s].
    """
    tables = world.tables
    total = torch.zeros_like(source[0])
    arrived = source.new_zeros(source.shape[:2])
    here = torch.empty_like(total)
    for t in range(len(source)):
        torch.addcmul(source[t], arrived[t][:, None], policy[t], out=here)
        total.add_(here)
        if t + 1 < len(source):
            torch.mv(tables.transposed, here.view(-1), out=arrived[t + 1])
    return total, arrived


def stationary_flow(world: World, policy: Float[Tensor, "S A"], source: Float[Tensor, " S"]) -> Float[Tensor, " S"]:
    """All mass that ever comes through each state, x = source + P_πᵀ x, in the true dynamics."""
    matrix = chain(world.tables, GuideTables(policy.log()))[:, :-1]
    return torch.linalg.solve(torch.eye(len(matrix)).to(matrix) - matrix.T, source)


def _arrivals(world: World, mass: Float[Tensor, "S A"]) -> Float[Tensor, " S"]:
    return torch.mv(world.tables.transposed, mass.reshape(-1))


class _PosteriorValue(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, reward: Tensor, world: World) -> Tensor:
        tables = world.tables.paying(reward.detach())
        if tables.horizon is None:
            value, q = posterior_fixed_point(tables, repr(world.model.action_prior), world.model.discount)
            guide = posterior_guide(tables, value, value, q)
        else:
            value, q = backward(tables, posterior_backup)
            guide = posterior_guide(tables, value[0], value[1:], q)
        ctx.world, ctx.guide, ctx.each = world, guide, reward.shape[-1] > 1
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        world, guide = ctx.world, ctx.guide
        tables = world.tables
        slope = slope.masked_fill(tables.terminal, 0.0)
        assert guide.outcomes is not None
        joint = guide.policy.exp()[..., None] * guide.outcomes.exp()
        if tables.horizon is None:
            matrix = chain(tables, guide)[:, :-1]
            arrived = torch.linalg.solve(torch.eye(len(matrix)).to(matrix) - matrix.T, slope)
            total = arrived[:, None, None] * joint
        else:
            total, index = torch.zeros_like(joint[0]), tables.successor.reshape(-1)
            arrived = slope.new_zeros(tables.num_states + 1)
            for t in range(tables.horizon):
                here = (arrived[:-1] + slope[t])[:, None, None] * joint[t]
                total += here
                arrived = torch.zeros_like(arrived).index_add_(0, index, here.reshape(-1))
        return (total if ctx.each else total.sum(-1, keepdim=True)), None

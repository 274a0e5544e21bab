"""Soft values as differentiable functions of the reward: exact recursions whose gradients are recursions too.

Over a horizon the gradient is a flow of (signed) mass forward in time, where the values came backward. Without one it
is the implicit derivative of the fixed point, one linear solve: no iteration is ever differentiated through.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.posterior import Posterior, posterior_of, posterior_values
from ppl_control.inference.exact.stationary.chains import joint_chain, policy_chain
from ppl_control.inference.exact.stationary.posterior import posterior_fixed_point
from ppl_control.inference.exact.stationary.soft import soft_fixed_point
from ppl_control.inference.exact.sweeps import arrivals, flow, soft_sweeps, weighed_sweeps
from ppl_control.inference.exact.tilted_sweeps import tilted_sweeps
from ppl_control.inverse.world import World
from ppl_control.trajectory.tables import GuideTables

__all__ = [
    "carried",
    "posterior_value",
    "soft_values",
    "tilted",
    "tilted_flow",
    "weighed_values",
]


def soft_values(
    world: World, reward: Float[Tensor, "S A"]
) -> tuple[Float[Tensor, "*T1 S"], Float[Tensor, "*T S A"], Float[Tensor, "*T S A"]]:
    """V = log Σ_a π0 exp Q with V_T = 0, Q = E[r + V'], nats, and π = π0 exp(Q − V); without time where no horizon is.

    Args:
        world: the model without its reward.
        reward: E[r | s, a]/α, nats.

    Raises:
        ValueError: without a horizon, where some policy never ends.
    """
    tables = world.tables
    if tables.horizon is not None:
        return soft_sweeps(tables, reward)
    found = soft_fixed_point(tables.paying(reward), start=world.warm.get("value"))
    world.warm["value"] = found.value
    return found.value, found.q, torch.softmax(tables.log_prior + found.q, -1)


def weighed_values(
    world: World,
    reward: Float[Tensor, "S A"],
    on_q: Float[Tensor, "*T S A"] | None,
    on_v: Float[Tensor, "*T1 S"],
) -> Float[Tensor, ""]:
    """Σ on_q · Q + Σ on_v · V of ``soft_values``, nats, differentiable in the reward.

    Args:
        world: the model without its reward.
        reward: E[r | s, a]/α, nats; gradients flow back to it.
        on_q: weights of Q, [t, s, a] or [s, a]; None: all 0.
        on_v: weights of V, [t, s] or [s]; V_T may be left out.
    """
    found: Any = _WeighedValues.apply(reward, world, on_q, on_v)
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


class _WeighedValues(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, reward: Tensor, world: World, on_q: Tensor | None, on_v: Tensor) -> Tensor:
        reward = reward.detach()
        if world.tables.horizon is None:
            value, q, policy = soft_values(world, reward)
            on_choices: Any = 0.0 if on_q is None else torch.dot(on_q.reshape(-1), q.reshape(-1))
        else:
            on_choices, value, policy = weighed_sweeps(world.tables, reward, on_q)
        ctx.world, ctx.weights, ctx.policy = world, (on_q, on_v), policy
        return on_choices + torch.dot(on_v.reshape(-1), value[: len(on_v)].reshape(-1))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        return slope * carried(ctx.world, ctx.policy, *ctx.weights)[0], None, None, None


def carried(
    world: World, policy: Float[Tensor, "*T S A"], on_q: Float[Tensor, "*T S A"] | None, on_v: Float[Tensor, "*T1 S"]
) -> tuple[Float[Tensor, "S A"], Float[Tensor, "*T S"]]:
    """Derivatives of something in Q and V, carried to the reward, and all that reached each V on the way.

    ∇_r = Σ_t (on_q + x π), where x_t = on_v + Pᵀ(on_q + x π)_{t−1} flows forward in the true dynamics.
    """
    tables = world.tables
    on_v = on_v.masked_fill(tables.terminal, 0.0)
    if policy.ndim == 3:
        return flow(tables, policy, on_q, on_v[: len(policy)])
    put = torch.zeros_like(policy) if on_q is None else on_q
    mass = policy_chain(tables, policy).mass(on_v + arrivals(tables, put))
    return put + mass[:, None] * policy, mass


def tilted(world: World, paid: Float[Tensor, "S A K1"]) -> tuple[GuideTables, Float[Tensor, "*T S A K"]]:
    """The posterior as a guide, and q(a, outcome | s, t), 0 where nothing is decided; ``paid`` is r/α, nats.

    Raises:
        ValueError: without a horizon, where the fixed point diverges.
    """
    found = _posterior(world, paid)
    return found.guide, _joint(world, found.guide)


def _posterior(world: World, paid: Tensor) -> Posterior:
    tables = world.tables.paying(paid.detach())
    if tables.horizon is None:
        value, _ = posterior_fixed_point(tables, repr(world.model.action_prior))
        return posterior_of(tables, torch.cat([value, value.new_zeros(1)]))
    return posterior_of(tables, posterior_values(tables))


def _joint(world: World, guide: GuideTables) -> Tensor:
    assert guide.outcomes is not None
    joint = guide.policy.exp()[..., None] * guide.outcomes.exp()
    return joint.masked_fill(world.tables.terminal[:, None, None], 0.0)


def tilted_flow(
    world: World, joint: Float[Tensor, "*T S A K"], on_v: Float[Tensor, "*T S"]
) -> tuple[Float[Tensor, "S A K"], Float[Tensor, "*T S"]]:
    """Mass put on values, carried forward by the posterior: Σ_t x q(a, outcome | s), and x; as ``carried``."""
    if joint.ndim == 3:
        mass = joint_chain(world.tables, joint).mass(on_v)
        return mass[:, None, None] * joint, mass
    index, total, mass = world.tables.successor.reshape(-1), torch.zeros_like(joint[0]), on_v.clone()
    for t in range(len(joint)):
        here = mass[t][:, None, None] * joint[t]
        total += here
        if t + 1 < len(joint):
            mass[t + 1] += here.new_zeros(len(mass[t]) + 1).index_add_(0, index, here.reshape(-1))[:-1]
    return total, mass


class _PosteriorValue(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, reward: Tensor, world: World) -> Tensor:
        ctx.world, ctx.paid = world, reward.detach()
        ctx.sweeps = None if world.tables.horizon is None else tilted_sweeps(world.tables, ctx.paid)
        if ctx.sweeps is not None:
            return ctx.sweeps.value
        # Without a horizon, or where values lie so far apart that only logarithms hold them.
        ctx.found = _posterior(world, reward)
        return ctx.found.value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        world, paid = ctx.world, ctx.paid
        on_v, each = slope.masked_fill(world.tables.terminal, 0.0), paid.shape[-1] > 1
        if ctx.sweeps is not None:
            return ctx.sweeps.flow(world.tables, on_v[:-1], each), None
        joint = _joint(world, ctx.found.guide)
        total, _ = tilted_flow(world, joint, on_v[: len(joint)] if joint.ndim == 4 else on_v)
        return (total if each else total.sum(-1, keepdim=True)), None

"""Second derivatives of the objectives where the reward is linear, exactly, and the scores that make them up.

With V = log Σ π0 exp Q, ∇²V = E_π ∇²Q + Cov_π(∇Q). So the Hessian of any sum of values is
Σ_{t,s} x_t(s) Cov(∇Q_t(s, ·)), where x is the mass that reaches V_t(s) backward through the gradient: the same flow
that gives the gradient itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.message_passing import posterior_guide
from ppl_control.inference.exact.recursions import chain, posterior_backup
from ppl_control.inference.exact.sweeps import expected
from ppl_control.inverse.demonstrations.counts import Counts, Record
from ppl_control.inverse.exact.objectives import values_of_dual
from ppl_control.inverse.exact.values import carried, posterior_value, soft_values
from ppl_control.inverse.world import World
from ppl_control.trajectory.tables import GuideTables

__all__ = ["Curvature", "curvature"]


@dataclass(frozen=True, eq=False)
class Curvature:
    """Sums over the demonstrations, nats per squared unit of ψ.

    Attributes:
        hessian: of the objective times the number of trajectories, [P, P].
        scores: Σ of outer products of the units' gradients, [P, P]: decisions for the conditional objective, whose
            scores are uncorrelated, else trajectories; None where trajectories are not known one by one.
    """

    hessian: Float[Tensor, "P P"]
    scores: Float[Tensor, "P P"] | None


@torch.no_grad()
def curvature(
    objective: str,
    world: World,
    counts: Counts,
    paid: Float[Tensor, "S A K1"],
    slopes: Float[Tensor, "S A K1 P"],
) -> Curvature:
    """The objective's Hessian and scores for a reward that is linear in ψ.

    Args:
        objective: ``"conditional"``, ``"dual"`` or ``"trajectory"``.
        world: the model without its reward.
        counts: of the demonstrations.
        paid: r_ψ/α of every outcome, nats.
        slopes: its derivative in ψ.
    """
    if objective == "trajectory":
        return _of_posterior(world, counts, paid, slopes)
    _, q, policy = soft_values(world, world.expected(paid))
    if objective == "conditional":
        source, values = counts.decisions.to(q), -counts.visits.to(q)
    else:
        source, values = torch.zeros_like(q), values_of_dual(counts).to(q)
    _, mass = carried(world, policy, source, values)
    slope_q, slope_v = _slopes(world, policy, world.expected(slopes))
    hessian = _spread(mass[..., None] * policy, slope_q, mass, slope_v)
    if objective == "conditional":
        return Curvature(hessian, _outer(slope_q - slope_v[..., None, :], source))
    return Curvature(hessian, _by_trajectory(counts.record, slopes, _padded(slope_v), slope_v, discounted=True))


def _padded(slope_v: Float[Tensor, "*T S P"]) -> Float[Tensor, "S+1 P"]:
    """Of V at the first step, and nothing where there was nothing to decide."""
    begin = slope_v[0] if slope_v.ndim == 3 else slope_v
    return torch.cat([begin, begin.new_zeros(1, begin.shape[-1])])


def _slopes(world: World, policy: Tensor, slopes: Float[Tensor, "S A P"]) -> tuple[Tensor, Tensor]:
    """∇Q [*t, s, a, p] and ∇V [*t, s, p] of the soft optimum."""
    tables = world.tables
    if policy.ndim == 2:
        matrix = chain(tables, GuideTables(policy.log()))[:, :-1]
        slope_v = torch.linalg.solve(torch.eye(len(matrix)).to(matrix) - matrix, (policy[..., None] * slopes).sum(1))
        return slopes + expected(tables, slope_v), slope_v
    slope_q = slopes.new_empty(*policy.shape, slopes.shape[-1])
    slope_v = slopes.new_zeros(len(policy), tables.num_states, slopes.shape[-1])
    ahead = slope_v[-1]
    for t in range(len(policy) - 1, -1, -1):
        slope_q[t] = slopes + expected(tables, ahead)
        slope_v[t] = ahead = (policy[t, ..., None] * slope_q[t]).sum(1).masked_fill(tables.terminal[:, None], 0.0)
    return slope_q, slope_v


def _spread(joint: Tensor, slope_q: Tensor, mass: Tensor, slope_v: Tensor) -> Tensor:
    """Σ mass · Cov(∇Q), with joint = mass · probability: second moments less those of the mean."""
    return _outer(slope_q, joint) - _outer(slope_v, mass)


def _outer(vectors: Float[Tensor, "*n P"], weights: Float[Tensor, "*n"]) -> Float[Tensor, "P P"]:
    flat = vectors.reshape(-1, vectors.shape[-1])
    return (flat * weights.reshape(-1, 1)).T @ flat


def _of_posterior(world: World, counts: Counts, paid: Tensor, slopes: Tensor) -> Curvature:
    """The same over the posterior, where actions and outcomes are drawn together."""
    assert counts.cut is not None
    value = posterior_value(world, paid)
    tables = world.tables.paying(paid)
    timed = value.ndim == 2
    first, ahead = (value[0], value[1:]) if timed else (value, value)
    guide = posterior_guide(tables, first, ahead, posterior_backup(tables, ahead))
    assert guide.initial is not None
    assert guide.outcomes is not None
    joint = guide.policy.exp()[..., None] * guide.outcomes.exp()
    joint = joint.masked_fill(tables.terminal[:, None, None], 0.0)
    start = guide.initial.exp()[:-1]
    cut = counts.cut.to(value)
    values = cut[:-1].clone() if timed else cut.clone()
    (values[0] if timed else values).sub_(counts.trajectories * start)
    mass = _tilted_flow(world, joint, values)
    slope_q, slope_v = _tilted_slopes(world, joint, slopes.expand(*joint.shape[-3:], -1))
    hessian = _spread(mass[..., None, None] * joint, slope_q, mass, slope_v)
    begin = slope_v[0] if timed else slope_v
    mean = (start[:, None] * begin).sum(0)
    hessian -= counts.trajectories * (_outer(begin, start) - torch.outer(mean, mean))
    return Curvature(
        hessian, _by_trajectory(counts.record, slopes, mean.expand(len(begin) + 1, -1), slope_v, discounted=False)
    )


def _tilted_flow(world: World, joint: Tensor, values: Tensor) -> Tensor:
    tables, index = world.tables, world.tables.successor.reshape(-1)
    if joint.ndim == 3:
        return torch.linalg.solve(torch.eye(tables.num_states).to(joint) - _chain(world, joint).T, values)
    mass = values.clone()
    for t in range(len(joint) - 1):
        flow = (mass[t][:, None, None] * joint[t]).reshape(-1)
        mass[t + 1] += flow.new_zeros(tables.num_states + 1).index_add_(0, index, flow)[:-1]
    return mass


def _tilted_slopes(world: World, joint: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Of every outcome, r + V', [*t, s, a, k, p], and of V."""
    tables = world.tables

    def behind(ahead: Tensor) -> Tensor:
        return slopes + torch.cat([ahead, ahead.new_zeros(1, ahead.shape[-1])])[tables.successor]

    if joint.ndim == 3:
        now = (joint[..., None] * slopes).sum((1, 2))
        slope_v = torch.linalg.solve(torch.eye(tables.num_states).to(joint) - _chain(world, joint), now)
        return behind(slope_v), slope_v
    slope_q, slope_v = [], [slopes.new_zeros(tables.num_states, slopes.shape[-1])]
    for step in reversed(joint.unbind(0)):
        slope_q.append(behind(slope_v[-1]))
        slope_v.append((step[..., None] * slope_q[-1]).sum((1, 2)))
    return torch.stack(slope_q[::-1]), torch.stack(slope_v[:0:-1])


def _chain(world: World, joint: Tensor) -> Tensor:
    tables = world.tables
    matrix = joint.new_zeros(tables.num_states, tables.num_states + 1)
    return matrix.scatter_add_(1, tables.successor.flatten(1), joint.flatten(1))[:, :-1]


def _by_trajectory(
    record: Record | None, slopes: Tensor, start: Float[Tensor, "S+1 P"], cut: Tensor, *, discounted: bool
) -> Float[Tensor, "P P"] | None:
    """Σ of outer products of each trajectory's gradient: what it collected, less what was expected of its start."""
    if record is None:
        return None
    met = slopes[record.state, record.action]
    met = (met * record.share[..., None] if met.shape[1] > 1 else met).sum(1)
    met = met * record.fade[:, None] if discounted else met
    found = (-start[record.start]).index_add_(0, record.trajectory, met)
    lost = record.cut >= 0
    where = record.final[lost]
    ahead = cut[record.cut[lost], where] if cut.ndim == 3 else cut[where]
    found[lost] += ahead * record.cut_fade[lost, None] if discounted else ahead
    return found.T @ found

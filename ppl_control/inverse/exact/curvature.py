"""Second derivatives of the objectives where the reward is linear, exactly, and the scores that make them up.

With V = log Σ π0 exp Q, ∇²V = E_π ∇²Q + Cov_π(∇Q). So the Hessian of any sum of values is
Σ_{t,s} x_t(s) Cov(∇Q_t(s, ·)), where x is the mass that reaches V_t(s) backward through the gradient: the same flow
that gives the gradient itself. Sums run step by step, so that no derivative is ever held for all times at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inference.exact.stationary.chains import joint_chain, policy_chain
from ppl_control.inference.exact.sweeps import expected
from ppl_control.inverse.demonstrations.counts import Counts, Record
from ppl_control.inverse.exact.objectives import values_of_dual
from ppl_control.inverse.exact.values import carried, soft_values, tilted, tilted_flow
from ppl_control.inverse.world import World

__all__ = ["Curvature", "curvature", "operations"]

Step = tuple[int, Tensor, Tensor]  # t, ∇ of every choice, ∇V; t is 0 where there is no horizon


@dataclass(frozen=True, eq=False)
class Curvature:
    """Sums over the demonstrations, nats per squared unit of ψ.

    Attributes:
        hessian: of the objective times the number of trajectories, [P, P].
        scores: Σ of outer products of the units' gradients, [P, P]: decisions for the conditional objective, whose
            scores are uncorrelated, else trajectories; None where trajectories are not known one by one.
        size: Σ |x| E (∇Q)², what the diagonal would be if nothing cancelled, [P]: rounding is measured by it.
    """

    hessian: Float[Tensor, "P P"]
    scores: Float[Tensor, "P P"] | None
    size: Float[Tensor, " P"]


def operations(world: World, parameters: int, each_outcome: bool) -> float:
    """About how many multiplications a Hessian takes."""
    choices = world.named.numel() if each_outcome else world.named[..., 0].numel()
    return (world.tables.horizon or 1) * choices * parameters**2 + parameters**3


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
    own = objective == "conditional"
    source = counts.decisions.to(q) if own else torch.zeros_like(q)
    values = -counts.visits.to(q) if own else values_of_dual(counts).to(q)
    _, mass = carried(world, policy, source, values)
    found, scores, kept = _Sums(slopes), _Sums(slopes), _Kept(world, counts.record)
    for t, slope_q, slope_v in _soft_slopes(world, policy, world.expected(slopes)):
        now = (lambda table, t=t: table[t]) if policy.ndim == 3 else (lambda table: table)
        found.add(now(mass)[:, None] * now(policy), slope_q, slope_v)
        if own:
            scores.add(now(source), slope_q, slope_v)
        else:
            kept.add(t, slope_v)
    if own:
        return Curvature(found.outer, scores.outer, found.size)
    scored = _by_trajectory(counts.record, slopes, _padded(kept.first), kept.cuts(), discounted=True)
    return Curvature(found.outer, scored, found.size)


def _padded(first: Float[Tensor, "S P"]) -> Float[Tensor, "S+1 P"]:
    """And 0 where nothing is to be decided."""
    return torch.cat([first, first.new_zeros(1, first.shape[-1])])


class _Sums:
    """Σ weight (∇Q − ∇V)(∇Q − ∇V)ᵀ over choices, centred before they are multiplied, and Σ |weight| (∇Q)²."""

    def __init__(self, slopes: Tensor) -> None:
        parameters = slopes.shape[-1]
        self.outer, self.size = slopes.new_zeros(parameters, parameters), slopes.new_zeros(parameters)

    def add(self, weight: Float[Tensor, "*c"], slope_q: Float[Tensor, "*c P"], slope_v: Float[Tensor, "S P"]) -> None:
        """One step: choices in all states, S first."""
        away = slope_q - slope_v.view(len(slope_v), *[1] * (slope_q.ndim - 2), -1)
        flat, weights = away.reshape(-1, away.shape[-1]), weight.reshape(-1, 1)
        self.outer += (flat * weights).T @ flat
        self.size += (slope_q.reshape(flat.shape).square() * weights.abs()).sum(0)


class _Kept:
    """∇V at the first step, and at the times at which trajectories were cut off."""

    def __init__(self, world: World, record: Record | None) -> None:
        self._timed = world.tables.horizon is not None
        self._wanted = set() if record is None else set(record.cut[record.cut >= 0].tolist())
        self._at: dict[int, Tensor] = {}
        self.first: Tensor = torch.empty(0)

    def add(self, t: int, slope_v: Tensor) -> None:
        """∇V at t; times come from the last to the first."""
        self.first = slope_v
        if t in self._wanted:
            self._at[t] = slope_v

    def cuts(self) -> Float[Tensor, "*T S P"]:
        """By time, 0 where nothing was cut off; stationary without a horizon."""
        if not self._timed:
            return self.first
        nothing = torch.zeros_like(self.first)
        found = [self._at.get(t, nothing) for t in range(max(self._at, default=-1) + 1)]
        return torch.stack(found) if found else self.first.new_zeros(0, *self.first.shape)


def _soft_slopes(world: World, policy: Tensor, slopes: Float[Tensor, "S A P"]) -> Iterator[Step]:
    """∇Q [s, a, p] and ∇V [s, p] of the soft optimum, from the last step to the first."""
    tables = world.tables
    if policy.ndim == 2:
        slope_v = policy_chain(tables, policy).values((policy[..., None] * slopes).sum(1))
        yield 0, slopes + expected(tables, slope_v), slope_v
        return
    slope_v = slopes.new_zeros(tables.num_states, slopes.shape[-1])
    for t in range(len(policy) - 1, -1, -1):
        slope_q = slopes + expected(tables, slope_v)
        slope_v = (policy[t, ..., None] * slope_q).sum(1).masked_fill(tables.terminal[:, None], 0.0)
        yield t, slope_q, slope_v


def _of_posterior(world: World, counts: Counts, paid: Tensor, slopes: Tensor) -> Curvature:
    """The same over the posterior, where actions and outcomes are drawn together."""
    assert counts.cut is not None
    guide, joint = tilted(world, paid)
    assert guide.initial is not None
    timed, start = joint.ndim == 4, guide.initial.exp()[:-1]
    values = counts.cut.to(joint)[:-1].clone() if timed else counts.cut.to(joint).clone()
    (values[0] if timed else values).sub_(counts.trajectories * start)
    _, mass = tilted_flow(world, joint, values)
    found, begun, kept = _Sums(slopes), _Sums(slopes), _Kept(world, counts.record)
    for t, slope_q, slope_v in _tilted_slopes(world, joint, slopes.expand(*joint.shape[-3:], -1)):
        weight = mass[t][:, None, None] * joint[t] if timed else mass[:, None, None] * joint
        found.add(weight, slope_q, slope_v)
        kept.add(t, slope_v)
    mean = (start[:, None] * kept.first).sum(0)
    begun.add(guide.initial.exp()[None], _padded(kept.first)[None], mean[None])  # it chooses its first state too
    expected_first = mean.expand(len(start) + 1, -1)
    return Curvature(
        found.outer - counts.trajectories * begun.outer,
        _by_trajectory(counts.record, slopes, expected_first, kept.cuts(), discounted=False),
        found.size + counts.trajectories * begun.size,
    )


def _tilted_slopes(world: World, joint: Tensor, slopes: Float[Tensor, "S A K P"]) -> Iterator[Step]:
    """Of every outcome, ∇(r + V') [s, a, k, p], and ∇V, from the last step to the first."""
    successor = world.tables.successor

    def behind(ahead: Tensor) -> Tensor:
        return slopes + torch.cat([ahead, ahead.new_zeros(1, ahead.shape[-1])])[successor]

    if joint.ndim == 3:
        slope_v = joint_chain(world.tables, joint).values((joint[..., None] * slopes).sum((1, 2)))
        yield 0, behind(slope_v), slope_v
        return
    slope_v = slopes.new_zeros(len(slopes), slopes.shape[-1])
    for t in range(len(joint) - 1, -1, -1):
        slope_q = behind(slope_v)
        slope_v = (joint[t, ..., None] * slope_q).sum((1, 2))
        yield t, slope_q, slope_v


def _by_trajectory(
    record: Record | None, slopes: Tensor, start: Float[Tensor, "S+1 P"], cut: Tensor, *, discounted: bool
) -> Float[Tensor, "P P"] | None:
    """Σ of outer products of each trajectory's gradient: what it collected, less what was expected of its start."""
    if record is None:
        return None
    if slopes.shape[2] == 1:
        met = slopes[record.state, record.action, 0]
    else:
        each = slopes[record.state[record.entry], record.action[record.entry], record.outcome]
        met = slopes.new_zeros(len(record.state), slopes.shape[-1])
        met.index_add_(0, record.entry, each * record.share[:, None])
    met = met[record.row]
    met = met * record.fade[:, None] if discounted else met
    found = (-start[record.start]).index_add_(0, record.trajectory, met)
    lost = record.cut >= 0
    where = record.final[lost]
    ahead = cut[record.cut[lost], where] if cut.ndim == 3 else cut[where]
    found[lost] += ahead * record.cut_fade[lost, None] if discounted else ahead
    return found.T @ found

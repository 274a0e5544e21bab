"""Demonstrations of a tabular model as numbers of visits, which is all that exact inverse methods need of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.fixed_point import visits
from ppl_control.inference.exact.recursions import occupancies
from ppl_control.inverse.world import World, make_world
from ppl_control.mdp.validation import as_array, check_nonnegative
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Counts", "Record", "expected_counts", "from_decisions"]


@dataclass(frozen=True, eq=False)
class Record:
    """The trajectories behind counts one by one: N decisions of n trajectories, among them U different (s, a, s').

    Attributes:
        trajectory: of each decision, [N].
        row: which (s, a, s') it is, [N].
        state, action: of each row, [U].
        entry, outcome: a row, and the number k of an outcome that it may have met, [E].
        share: of that outcome, 1 at the one it met, [E].
        fade: γᵗ, or 1 where the discount was drawn, [N].
        start: first state of each trajectory, S where there was nothing to decide, [n].
        cut: the time at which each was cut off, −1 where it ended, [n].
        cut_fade: γᴸ there, or 1 where the discount was drawn, [n].
        final: the last state, [n].
    """

    trajectory: Tensor
    row: Tensor
    state: Tensor
    action: Tensor
    entry: Tensor
    outcome: Tensor
    share: Float[Tensor, " E"]
    fade: Float[Tensor, " N"]
    start: Tensor
    cut: Tensor
    cut_fade: Float[Tensor, " n"]
    final: Tensor


@dataclass(frozen=True, eq=False)
class Counts:
    """Sums over trajectories; index order [t, s, a], or [s, a] for a model without a horizon.

    ``[K]`` are the outcomes of ``World.named``. A trajectory that was cut off in state s at time t, and not ended by
    the world or the horizon, stands for all that would have followed: it counts in ``cut``.

    Attributes:
        trajectories: N; weights may make it a fraction.
        decisions: how often a was done in s, every decision once.
        starts: how often trajectories started in each state, [s].
        outcomes: the outcomes met, every one once, [s, a, k]; None where only decisions were recorded.
        cut: where trajectories were cut off, [t, s] up to t = T, or [s].
        discounted_outcomes: the outcomes met, each counting γᵗ, [s, a, k].
        discounted_cut: where they were cut off, each counting γᵗ.
        log_prior: Σ log π0 of the decisions, nats; known once they are held against a model.
        log_density: Σ log p(τ) under prior and dynamics, nats, without any factor of optimality.
        record: the trajectories one by one, where there are any.
        unknown_end: trajectory and step of an end whose state is not known though several are possible.
    """

    trajectories: float
    decisions: Float[Tensor, "*T S A"]
    starts: Float[Tensor, " S"] | None = None
    outcomes: Float[Tensor, "S A K"] | None = None
    cut: Float[Tensor, "*T1 S"] | None = None
    discounted_outcomes: Float[Tensor, "S A K"] | None = None
    discounted_cut: Float[Tensor, "*T1 S"] | None = None
    log_prior: float = float("nan")
    log_density: float = float("nan")
    record: Record | None = None
    unknown_end: tuple[int, int] | None = None

    @cached_property
    def visits(self) -> Float[Tensor, "*T S"]:
        """How often something was done in each state."""
        return self.decisions.sum(-1)

    @property
    def num_decisions(self) -> float:
        """Decisions of all trajectories together."""
        return float(self.decisions.sum())

    def __repr__(self) -> str:
        return f"Counts({self.trajectories:g} trajectories, {self.num_decisions:g} decisions)"


def from_decisions(counts: Any) -> Counts:
    """Counts from a table of decisions alone: how often a was done in s.

    Enough for the conditional objective, which takes states as they come; every decision is a trajectory of its own.

    Args:
        counts: shape [S, A], or [T, S, A] where the model has a horizon.

    Raises:
        ValueError: another shape, negative numbers, or no decisions at all.

    Example:
        >>> from_decisions([[3, 1], [0, 2]])
        Counts(6 trajectories, 6 decisions)
    """
    table = as_array("counts", counts)
    if table.ndim not in (2, 3):
        raise ValueError(f"counts: expected shape [S, A] or [T, S, A], got {table.shape}")
    check_nonnegative("counts", table)
    if not table.sum() > 0:
        raise ValueError("counts: expected at least one decision, got none")
    return Counts(float(table.sum()), torch.as_tensor(table, dtype=torch.float64))


@torch.no_grad()
def expected_counts(solution: Solution, model: TrajectoryModel, trajectories: float = 1.0) -> Counts:
    """What infinitely many demonstrations of a solution's policy in a model would show, exactly.

    Args:
        solution: of a tabular model; its policy is carried out in the true dynamics of ``model``.
        model: the world.
        trajectories: how many to count them as, for standard errors.

    Raises:
        ValueError: a model without tables, or a policy that does not fit it.
    """
    if solution.policy is None:
        raise ValueError("solution: expected one with a policy")
    world = make_world(model)
    tables, guide = world.tables, TabularGuide(model, solution.policy).tables()
    policy, horizon = guide.policy.exp(), tables.horizon
    here = visits(tables, guide) if horizon is None else occupancies(tables, guide)[:-1, :-1]
    decisions = here[..., None] * policy
    summed = decisions if horizon is None else decisions.sum(0)
    outcomes = trajectories * summed[..., None] * tables.outcomes.probability
    none = tables.initial.new_zeros(tables.num_states if horizon is None else (horizon + 1, tables.num_states))
    return Counts(
        trajectories=float(trajectories),
        decisions=trajectories * decisions,
        starts=trajectories * tables.initial[:-1],
        # The discount is survival in these visits: later ones are rarer, and count fully.
        outcomes=outcomes,
        cut=none,
        discounted_outcomes=outcomes,
        discounted_cut=none,
        log_density=trajectories * float(_log_density(world, here, policy)),
    )


def _log_density(world: World, here: Tensor, policy: Tensor) -> Tensor:
    tables = world.tables
    p, log_p = tables.outcomes.probability, tables.log_p
    decision = (weighted(policy, tables.log_prior) + policy * weighted(p, log_p).sum(-1)).sum(-1)
    first = weighted(tables.initial, tables.initial.log()).sum()
    return first + (here * decision).sum()

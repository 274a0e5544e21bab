"""Demonstrations of a tabular model as numbers of visits, which is all that exact inverse methods need of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inverse.demonstrations.occupancy import carried_out, decisions_under
from ppl_control.inverse.world import World, make_world
from ppl_control.mdp.validation import as_tensor
from ppl_control.settings import real
from ppl_control.trajectory.masked import weighted
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["WHOLE", "Counts", "Record", "expected_counts", "from_decisions"]

WHOLE = ("starts", "outcomes", "cut", "discounted_outcomes", "discounted_cut")  # known of whole trajectories only
ROUNDING = 1e-5  # relative, by which sums may fail to agree


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

    Raises:
        ValueError: numbers that are negative or not finite, tables that do not fit each other, or some of
            whole trajectories without the others (``starts``, ``outcomes``, ``cut``, discounted ones, ``log_density``).
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

    def __post_init__(self) -> None:
        decisions = _table("decisions", self.decisions)
        _require_shape("decisions", decisions, "[S, A] or [T, S, A]", decisions.ndim in (2, 3))
        if not decisions.sum() > 0:
            raise ValueError("decisions: expected at least one decision, got none")
        object.__setattr__(self, "decisions", decisions)
        object.__setattr__(self, "trajectories", real("trajectories", self.trajectories, above=0))
        missing = [name for name in WHOLE if getattr(self, name) is None]
        if missing and len(missing) < len(WHOLE):
            raise ValueError(f"{missing[0]}: expected {', '.join(WHOLE)} together or none of them, got None")
        if not missing:
            for name in WHOLE:
                object.__setattr__(self, name, _table(name, getattr(self, name)).to(decisions))
            self._check_whole()

    def _check_whole(self) -> None:
        """Whether what is known of whole trajectories can be of the same ones as the decisions."""
        *times, n, a = self.decisions.shape
        ends = (times[0] + 1, n) if times else (n,)
        starts, outcomes, cut, faded, faded_cut = (getattr(self, name) for name in WHOLE)
        _require_shape("starts", starts, f"[{n}]", starts.shape == (n,))
        _require_shape("outcomes", outcomes, f"[{n}, {a}, K]", outcomes.ndim == 3 and outcomes.shape[:2] == (n, a))
        _require_shape("cut", cut, f"{list(ends)}", cut.shape == ends)
        _require_shape("discounted_outcomes", faded, f"{list(outcomes.shape)}", faded.shape == outcomes.shape)
        _require_shape("discounted_cut", faded_cut, f"{list(ends)}", faded_cut.shape == ends)
        summed, slack = self.decisions.sum(0) if times else self.decisions, ROUNDING * (1 + self.num_decisions)
        if bool(((outcomes.sum(-1) - summed).abs() > slack).any()):
            raise ValueError("outcomes: expected one outcome for each decision, got other numbers")
        for name, table in (("starts", starts), ("cut", cut)):
            if float(table.sum()) > self.trajectories * (1 + ROUNDING):
                raise ValueError(f"{name}: expected at most {self.trajectories:g} in all, got {float(table.sum()):g}")
        for name, table, whole in (("discounted_outcomes", faded, outcomes), ("discounted_cut", faded_cut, cut)):
            if bool((table > whole + slack).any()):
                raise ValueError(f"{name}: expected no more than without the discount")
        if not (isinstance(self.log_density, Real) and math.isfinite(self.log_density)):
            raise ValueError(
                f"log_density: expected a finite number where outcomes are known, got {self.log_density!r}"
            )

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
    table = _table("counts", counts)
    _require_shape("counts", table, "[S, A] or [T, S, A]", table.ndim in (2, 3))
    if not table.sum() > 0:
        raise ValueError("counts: expected at least one decision, got none")
    return Counts(float(table.sum()), table.double())


@torch.no_grad()
def expected_counts(solution: Any, model: TrajectoryModel, trajectories: float = 1.0) -> Counts:
    """What infinitely many demonstrations of a solution's policy in a model would show, exactly.

    Args:
        solution: of a tabular model, or a fit that has one; its policy is carried out in the true dynamics of
            ``model``.
        model: the world.
        trajectories: how many to count them as, for standard errors.

    Raises:
        ValueError: a model without tables, a policy that does not fit it, or no positive number of trajectories.
    """
    trajectories, guide = real("trajectories", trajectories, above=0), carried_out("solution", solution, model)
    world = make_world(model)
    tables, horizon = world.tables, model.horizon
    decisions = decisions_under(guide, tables)
    summed = decisions if horizon is None else decisions.sum(0)
    outcomes = trajectories * summed[..., None] * tables.outcomes.probability
    none = tables.initial.new_zeros(tables.num_states if horizon is None else (horizon + 1, tables.num_states))
    return Counts(
        trajectories=trajectories,
        decisions=trajectories * decisions,
        starts=trajectories * tables.initial[:-1],
        # The discount is survival in these visits: later ones are rarer, and count fully.
        outcomes=outcomes,
        cut=none,
        discounted_outcomes=outcomes,
        discounted_cut=none,
        log_density=trajectories * float(_log_density(world, decisions)),
    )


def _log_density(world: World, decisions: Float[Tensor, "*T S A"]) -> Tensor:
    tables = world.tables
    led_to = weighted(tables.outcomes.probability, tables.log_p).sum(-1)
    first = weighted(tables.initial, tables.initial.log()).sum()
    return first + weighted(decisions, tables.log_prior).sum() + (decisions * led_to).sum()


def _table(name: str, given: Any) -> Tensor:
    """Finite numbers >= 0, floating-point."""
    table = as_tensor(name, given, None if isinstance(given, Tensor) and given.is_floating_point() else torch.float64)
    if bool((wrong := ~((table >= 0) & table.isfinite())).any()) and table.ndim:
        place = wrong.nonzero()[0].tolist()
        raise ValueError(f"{name}{place} is {table[tuple(place)]:g}: expected a finite number >= 0")
    return table


def _require_shape(name: str, table: Tensor, expected: str, good: bool) -> None:
    if not good:
        raise ValueError(f"{name}: expected shape {expected}, got {list(table.shape)}")

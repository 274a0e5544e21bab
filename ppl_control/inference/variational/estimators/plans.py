"""Exact estimators for the guides on tables that are not policies: plans, mean field, one trajectory."""

from __future__ import annotations

import torch
from torch import Tensor

from ppl_control.guides.map import MAPGuide, TablePath
from ppl_control.guides.mean_field import MeanFieldGuide
from ppl_control.guides.plan_guide import PlanGuide
from ppl_control.guides.plans.joint import JointPlan
from ppl_control.inference.exact.blind import blind_bound, blind_step
from ppl_control.inference.exact.max_product import viterbi
from ppl_control.inference.exact.mean_field import mean_field_bound, mean_field_optimum, mean_field_step
from ppl_control.inference.exact.open_loop import Tree, make_tree, tree_bound, tree_optimum
from ppl_control.inference.variational.estimators.base import AdamSettings, Answer
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.tables import Tables

JITTER = 0.01  # nats

__all__ = ["JointExact", "MeanFieldExact", "PathExact", "PlanExact"]


class JointExact:
    """All action sequences at once, by the tree of their prefixes."""

    name = "enumerate"

    def __init__(self) -> None:
        self._held: tuple[Tables, Tree] | None = None

    def _tree(self, guide: PlanGuide) -> Tree:
        tables = guide.model.tables
        if self._held is None or self._held[0] is not tables:
            self._held = tables, make_tree(tables)
        return self._held[1]

    def check(self, guide: PlanGuide) -> None:
        """The sequences must be few enough."""
        self._tree(guide)

    def adam(self, guide: PlanGuide) -> AdamSettings:
        """As for tables."""
        return AdamSettings(0.3, (0.9, 0.9))

    def loss(self, guide: PlanGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Nothing is drawn."""
        bound = tree_bound(self._tree(guide), _joint(guide).levels())
        return bound.detach(), -bound, baseline

    def has_natural(self, guide: PlanGuide) -> bool:
        """Always."""
        return True

    @torch.no_grad()
    def natural_step(self, guide: PlanGuide, rate: float) -> tuple[Tensor, float]:
        """To the optimum of the family at once (rate 1), or some way towards its conditionals."""
        tree, plan = self._tree(guide), _joint(guide)
        before = tree_bound(tree, plan.levels())
        best, bound = tree_optimum(tree)
        mixed = [_towards(old, new, rate) for old, new in zip(plan.levels(), best, strict=True)]
        plan.assign(mixed)
        return before, abs(bound - float(before)) / (1 + abs(bound))

    @torch.no_grad()
    def answer(self, guide: PlanGuide, n: int) -> Answer:
        """Exact."""
        return Answer(float(tree_bound(self._tree(guide), _joint(guide).levels())))


class PlanExact:
    """Independent actions, by what is alive under them."""

    name = "enumerate"

    def check(self, guide: PlanGuide) -> None:
        """Any plan of independent actions will do."""

    @torch.no_grad()
    def start(self, guide: PlanGuide, seed: int) -> None:
        """A little off the start, which may be a saddle where the problem is symmetric."""
        with RandomStream(seed):
            guide.plan.logits += JITTER * torch.randn_like(guide.plan.logits)  # type: ignore[operator]

    def adam(self, guide: PlanGuide) -> AdamSettings:
        """As for tables."""
        return AdamSettings(0.3, (0.9, 0.9))

    def loss(self, guide: PlanGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Nothing is drawn."""
        bound = blind_bound(guide.model.tables, guide.plan.log_table())  # type: ignore[operator]
        return bound.detach(), -bound, baseline

    def has_natural(self, guide: PlanGuide) -> bool:
        """Always."""
        return True

    @torch.no_grad()
    def natural_step(self, guide: PlanGuide, rate: float) -> tuple[Tensor, float]:
        """One sweep of coordinate ascent, from the last action to the first."""
        log_q = guide.plan.log_table()  # type: ignore[operator]
        moved, before, residual = blind_step(guide.model.tables, log_q, rate)
        guide.plan.logits.copy_(moved)  # type: ignore[operator]
        return log_q.new_tensor(before), residual

    @torch.no_grad()
    def answer(self, guide: PlanGuide, n: int) -> Answer:
        """Exact."""
        return Answer(float(blind_bound(guide.model.tables, guide.plan.log_table())))  # type: ignore[operator]


class MeanFieldExact:
    """Naive mean field by coordinate ascent, from the best of several possible trajectories."""

    name = "enumerate"
    SWEEPS = 3  # made from each start before one is chosen

    def check(self, guide: MeanFieldGuide) -> None:
        """Any will do."""

    def start(self, guide: MeanFieldGuide, seed: int) -> None:
        """Put the guide where coordinate ascent goes furthest."""
        guide.assign(mean_field_optimum(guide.model.tables, seed=seed, sweeps=self.SWEEPS)[0])

    def adam(self, guide: MeanFieldGuide) -> AdamSettings:
        """As for tables."""
        return AdamSettings(0.3, (0.9, 0.9))

    def loss(self, guide: MeanFieldGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Nothing is drawn."""
        bound = mean_field_bound(guide.model.tables, guide.beliefs())
        return bound.detach(), -bound, baseline

    def has_natural(self, guide: MeanFieldGuide) -> bool:
        """Always."""
        return True

    def natural_step(self, guide: MeanFieldGuide, rate: float) -> tuple[Tensor, float]:
        """One sweep; every conditional moves all the way."""
        if rate != 1.0:
            raise ValueError(f"learning_rate: coordinate ascent of MeanField makes full moves, got {rate!r}")
        moved, before, residual = mean_field_step(guide.model.tables, guide.beliefs())
        guide.assign(moved)
        return moved.states.new_tensor(before), residual

    @torch.no_grad()
    def answer(self, guide: MeanFieldGuide, n: int) -> Answer:
        """Exact."""
        return Answer(float(mean_field_bound(guide.model.tables, guide.beliefs())))


class PathExact:
    """The most likely optimal trajectory by max-product, in one step."""

    name = "enumerate"

    def check(self, guide: MAPGuide) -> None:
        """Any will do."""

    def adam(self, guide: MAPGuide) -> AdamSettings:
        """There is nothing to differentiate.

        Raises:
            ValueError: always.
        """
        raise ValueError("optimizer: one trajectory of a table has no gradient; use 'natural' (max-product)")

    def loss(self, guide: MAPGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """There is nothing to differentiate.

        Raises:
            ValueError: always.
        """
        raise ValueError("optimizer: one trajectory of a table has no gradient; use 'natural' (max-product)")

    def has_natural(self, guide: MAPGuide) -> bool:
        """Always."""
        return True

    @torch.no_grad()
    def natural_step(self, guide: MAPGuide, rate: float) -> tuple[Tensor, float]:
        """To the most likely trajectory."""
        before = path_log_joint(guide.model.tables, guide.path)
        best = viterbi(guide.model.tables)
        guide.follow(best.path)
        return before, abs(best.log_joint - float(before)) / (1 + abs(best.log_joint))

    @torch.no_grad()
    def answer(self, guide: MAPGuide, n: int) -> Answer:
        """Exact."""
        return Answer(float(path_log_joint(guide.model.tables, guide.path)))


def path_log_joint(tables: Tables, path: TablePath) -> Tensor:
    """Log p(τ, O) of one trajectory, nats."""
    alive = path.states[:-1] < tables.num_states
    total = tables.initial.log()[path.states[0]]
    for t in alive.nonzero()[:, 0].tolist():
        place = path.states[t], path.actions[t]
        outcome = (*place, path.outcomes[t])
        total = total + tables.log_prior[t][place] + tables.log_p[outcome] + tables.reward[outcome]
    return total


def _joint(guide: PlanGuide) -> JointPlan:
    assert isinstance(guide.plan, JointPlan)
    return guide.plan


def _towards(old: Tensor, new: Tensor, rate: float) -> Tensor:
    if rate == 1.0:
        return new
    return torch.log_softmax(torch.where(new > -torch.inf, (1 - rate) * old + rate * new, new), -1)

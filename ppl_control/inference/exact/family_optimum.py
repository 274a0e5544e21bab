"""The optimum of a guide's family on a table, computed and not fitted: what a fit is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ppl_control.guides.bound import Recipe
from ppl_control.guides.fixed_dynamics import FixedDynamics
from ppl_control.guides.map import MAP, MAPGuide
from ppl_control.guides.mean_field import MeanField, MeanFieldGuide
from ppl_control.guides.open_loop import OpenLoop
from ppl_control.guides.plan_guide import PlanGuide
from ppl_control.guides.plans.joint import JointPlan
from ppl_control.guides.unconstrained import Unconstrained
from ppl_control.inference.base import Solution, require_tabular
from ppl_control.inference.exact.max_product import viterbi
from ppl_control.inference.exact.mean_field import mean_field_optimum
from ppl_control.inference.exact.message_passing import MessagePassing
from ppl_control.inference.exact.open_loop import make_tree, tree_optimum
from ppl_control.inference.exact.soft_value_iteration import SoftValueIteration
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["FamilyOptimum"]


@dataclass(frozen=True)
class FamilyOptimum:
    """The best that a guide can be on a tabular model.

    ``FixedDynamics()``: soft value iteration. ``Unconstrained()``: message passing. ``MAP()``: Viterbi.
    ``OpenLoop("joint")`` (or ``OpenLoop()``): soft value iteration on the tree of all action prefixes.
    ``MeanField()``: coordinate ascent from many starts, the best of which is a local optimum at least, so that
    ``exact`` is False.

    Args:
        guide: one of the above.

    Raises:
        ValueError: at ``infer``, another guide, a model without tables, or too many action sequences.
    """

    guide: Recipe

    def __post_init__(self) -> None:
        if isinstance(self.guide, type) or not isinstance(self.guide, Recipe):
            raise ValueError(f"guide: expected a recipe such as OpenLoop(), got {self.guide!r}")

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the optimum is not known."""
        require_tabular(self, model)
        exact = self._exact()
        if exact is not None:
            exact.check(model)
        elif isinstance(self.guide, OpenLoop):
            if model.horizon is None:
                raise ValueError("horizon: a plan needs one; got None")
            make_tree(model.tables)
        elif isinstance(self.guide, MAP | MeanField):
            self.guide.build(model)

    def _exact(self) -> Any:
        """The method that solves a family of feedback policies; None for the others."""
        if isinstance(self.guide, FixedDynamics) and self.guide.policy is None:
            return SoftValueIteration()
        if isinstance(self.guide, Unconstrained):
            return MessagePassing()
        if isinstance(self.guide, MAP | MeanField) or (
            isinstance(self.guide, OpenLoop) and self.guide.plan in (None, "joint")
        ):
            return None
        raise ValueError(f"guide: the optimum of {self.guide!r} is not known in closed form; fit it with SVI")

    @torch.no_grad()
    def solve(self, model: TrajectoryModel) -> Solution:
        """The optimal guide and its bound."""
        exact = self._exact()
        if exact is not None:
            solution = exact.solve(model)
            return Solution(**(solution.__dict__ | {"method": self}))
        tables, guide = model.tables, self.guide
        if isinstance(guide, MAP):
            best = viterbi(tables)
            return self._answer(model, MAPGuide(model, best.path), best.log_joint)
        if isinstance(guide, MeanField):
            beliefs, bound = mean_field_optimum(tables)
            return self._answer(model, MeanFieldGuide(model, beliefs), bound, exact=False)
        levels, bound = tree_optimum(make_tree(tables))
        assert model.horizon is not None
        plan = JointPlan(tables.num_actions, model.horizon, dtype=tables.initial.dtype).assign(levels)
        return self._answer(model, PlanGuide(model, plan), bound)

    def _answer(self, model: TrajectoryModel, guide: Any, bound: float, exact: bool = True) -> Solution:
        return Solution(
            model=model,
            method=self,
            policy=guide.policy,
            guide=guide,
            log_evidence_bound=float(bound),
            exact=exact,
            temperature=model.temperature,
        )

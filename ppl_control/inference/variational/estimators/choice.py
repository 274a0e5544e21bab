"""Which estimators serve which guide."""

from __future__ import annotations

from typing import Any

from ppl_control.guides.continuous_map import ContinuousMAPGuide
from ppl_control.guides.map import MAPGuide
from ppl_control.guides.mean_field import MeanFieldGuide
from ppl_control.guides.plan_guide import PlanGuide
from ppl_control.guides.plans.independent import IndependentPlan
from ppl_control.guides.plans.joint import JointPlan
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.variational.estimators.base import Estimator
from ppl_control.inference.variational.estimators.continuous import (
    ContinuousScore,
    Reparameterised,
    can_reparameterise,
)
from ppl_control.inference.variational.estimators.plans import JointExact, MeanFieldExact, PathExact, PlanExact
from ppl_control.inference.variational.estimators.program import ProgramScore, PyroElbo
from ppl_control.inference.variational.estimators.tabular import TabularExact, TabularScore
from ppl_control.inference.variational.estimators.trajectory import TrajectoryGradient

__all__ = ["NAMES", "choose"]

EXACT: dict[type, Any] = {
    MeanFieldGuide: MeanFieldExact,
    MAPGuide: PathExact,
    ContinuousMAPGuide: TrajectoryGradient,
}
NAMES = ("enumerate", "reparameterised", "score", "pyro")


def choose(guide: Any, name: str | None) -> Estimator:
    """The estimator of that name for a bound guide; the best one for None.

    Raises:
        ValueError: the guide has no such estimator, or it cannot serve the guide's model.
    """
    served = {estimator.name: estimator for estimator in _serving(guide)}
    if name is None:
        return next(iter(served.values()))
    if name not in served:
        needs = {
            "enumerate": "a tabular model and a tabular guide",
            "reparameterised": "a DifferentiableMDP or a LinearGaussianMDP",
        }
        raise ValueError(
            f"estimator: {name!r} needs {needs.get(name, 'another guide')}, got {type(guide).__name__} on "
            f"{guide.model!r}; use {' or '.join(repr(other) for other in served)}"
        )
    served[name].check(guide)
    return served[name]


def _serving(guide: Any) -> list[Any]:
    """What serves a guide, best first."""
    if isinstance(guide, TabularGuide):
        exact = TabularExact()
        return [exact, TabularScore(), PyroElbo(exact)]
    for kind, exact_one in EXACT.items():
        if isinstance(guide, kind):
            return [exact_one()]
    tabulated = isinstance(guide, PlanGuide) and isinstance(guide.plan, JointPlan | IndependentPlan)
    if tabulated and guide.model.is_tabular:
        exact_plan = JointExact() if isinstance(guide.plan, JointPlan) else PlanExact()
        return [exact_plan, PyroElbo(exact_plan)]
    if guide.model.is_continuous and hasattr(guide, "rollout"):
        sampled = ContinuousScore()
        found: list[Any] = [Reparameterised(), sampled]
        ordered = found if can_reparameterise(guide) is None else [sampled, Reparameterised()]
        return [*ordered, PyroElbo(sampled)]
    return [ProgramScore(), PyroElbo(ProgramScore())]
